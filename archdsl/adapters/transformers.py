"""Specs as backbones of transformers, for its detectors, segmenters and the like.

```
from transformers import UperNetConfig, UperNetForSemanticSegmentation
from archdsl.adapters.transformers import backbone_config

features = backbone_config("swin_t", ["stage.0", "stage.1", "stage.2", "stage.3"])
model = UperNetForSemanticSegmentation(UperNetConfig(backbone_config=features))
```

The configuration holds the spec's texts, so that ``from_pretrained`` needs no spec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple, cast

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import AutoBackbone, AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.backbone_utils import BackboneConfigMixin, BackboneMixin
from transformers.modeling_outputs import BackboneOutput

from archdsl.api import architecture
from archdsl.api.given import Settings, Sizes
from archdsl.backends.torch.load import compiled
from archdsl.build.architecture import Architecture
from archdsl.build.opening import Spec
from archdsl.ir.graph import Graph

_AXES = ("B", "C", "H", "W")  # of a feature map, as transformers has it


@strict
class ArchdslConfig(BackboneConfigMixin, PreTrainedConfig):
    """What a backbone is compiled from.

    Attributes:
        architecture: Of the model, as JSON; its outputs are the stages.
    """

    model_type = "archdsl"

    architecture: dict[str, object] | None = None

    def __post_init__(self, **kwargs: object) -> None:
        given = self.architecture or {"outputs": [""]}
        self.stage_names = list(cast("Sequence[str]", given["outputs"]))
        self.set_output_features_output_indices(
            cast("list[str] | None", kwargs.pop("out_features", self.stage_names)),
            cast("list[int] | None", kwargs.pop("out_indices", None)),
        )
        super().__post_init__(**kwargs)


def backbone_config(
    spec: Spec,
    outputs: Sequence[str],
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
) -> ArchdslConfig:
    """The configuration of a backbone: what `AutoBackbone.from_config` takes.

    Args:
        spec: As for `archdsl.parse`.
        outputs: The values that are its feature maps, in the order of the model: names
            (``as c3``) or paths of layers (``stage.2``).
        settings: As for `archdsl.parse`.
        sizes: As for `archdsl.parse`. None for H and W leaves them open; if nothing is
            said, images are of the size that the spec has.

    Raises:
        SpecError: The spec is not right, or there are no such values.
        ValueError: A value is no feature map, which has the axes B, C, H and W.
    """
    found = architecture(spec, settings=settings, sizes=sizes, outputs=outputs)
    _channels(found.graph())
    held = {**asdict(found), "format": 1, "outputs": list(found.outputs)}
    return ArchdslConfig(architecture=held)


class ArchdslBackbone(BackboneMixin, PreTrainedModel):
    """A compiled model whose outputs are the feature maps, each B, C, H, W."""

    config_class = ArchdslConfig
    base_model_prefix = "network"
    main_input_name = "pixel_values"
    has_attentions = False

    def __init__(self, config: ArchdslConfig) -> None:
        super().__init__(config)
        found = Architecture.from_dict(config.architecture)
        graph = found.graph()
        self.num_features = _channels(graph)
        self._orders = [tuple(map(order.index, _AXES)) for order in graph.result_orders]
        self.network = compiled(graph, found.name)()
        self._drawn: _Drawn | None = None
        if not any(x.is_meta for x in self.network.state_dict().values()):
            for module in self.network.modules():  # drawn already
                module._is_hf_initialized = True  # type: ignore[assignment]
        self.post_init()

    def forward(
        self,
        pixel_values: Tensor,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
        **_: object,
    ) -> BackboneOutput | tuple[object, ...]:
        """The feature maps that `out_features` names, and all as hidden states."""
        self._drawn = None  # by now every weight is there
        every = _tensors(self.network(pixel_values))
        maps = tuple(x.permute(o) for x, o in zip(every, self._orders, strict=True))
        chosen = tuple(maps[self.stage_names.index(n)] for n in self.out_features)
        hidden = maps if output_hidden_states else None
        if return_dict if return_dict is not None else self.config.return_dict:
            return BackboneOutput(chosen, hidden)  # type: ignore[arg-type]
        return (chosen, hidden) if output_hidden_states else (chosen,)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the compiled class draws them, and its buffers that no file holds.

        transformers makes a model without memory, then gives it some, and asks this for
        each module that holds what no file gave.
        """
        path = next((n for n, m in self.network.named_modules() if m is module), None)
        if path is None:
            return
        if self._drawn is None:
            self._drawn = _Drawn(type(self.network)())
        fresh = self._drawn.model.get_submodule(path)
        for kind in ("_parameters", "_buffers"):
            for name, own in getattr(module, kind).items():
                if own is not None:
                    new = getattr(fresh, kind)[name]
                    init.copy_(own, new.to(own.device, own.dtype))


class _Drawn(NamedTuple):
    """A model with fresh weights, which is no part of the one that holds it."""

    model: nn.Module


def _tensors(found: Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    return list(found.values() if isinstance(found, Mapping) else found)


def _channels(graph: Graph) -> list[int]:
    """The channels of each output.

    Raises:
        ValueError: One is no feature map.
    """
    for name, tensor in zip(graph.result_names, graph.outputs, strict=True):
        if set(tensor.names) != set(_AXES) or tensor.dtype != "float":
            words = f"[{', '.join(tensor.names)}], {tensor.dtype}"
            need = "a feature map has the axes B, C, H and W"
            raise ValueError(f"{graph.name}: {name} is {words}; {need}")
    if len(graph.inputs) != 1:
        raise ValueError(f"{graph.name}: a backbone has one input, the image")
    return [cast("int", tensor["C"]) for tensor in graph.outputs]


AutoConfig.register(ArchdslConfig.model_type, ArchdslConfig, exist_ok=True)
AutoBackbone.register(ArchdslConfig, ArchdslBackbone, exist_ok=True)
