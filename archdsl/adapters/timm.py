"""Specs as models of timm: ``timm.create_model("archdsl_swin_t")``.

```
import timm
from archdsl.adapters.timm import register

register()  # the image models that ship
register("my_net.arch:small")  # archdsl_small
model = timm.create_model("archdsl_swin_t", num_classes=10, img_size=256, window=8)
```
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from timm.models import register_model

import archdsl
from archdsl.build import Signature, signature
from archdsl.build.files import shipped
from archdsl.build.opening import open_spec
from archdsl.diagnostics import SpecError

if TYPE_CHECKING:
    from torch import nn

PREFIX = "archdsl_"
_HOME = "archdsl_timm"  # the module that timm says its models are in
# What timm calls the hyperparameters and axes that specs have.
_SETTINGS = {"num_classes": "classes", "drop_path_rate": "drop_path"}
_AXES = {"in_chans": ("C",), "img_size": ("H", "W")}
# What `create_model` gives besides; it is of timm's own pretrained weights.
_IDLE = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")

Entry: TypeAlias = "Callable[..., nn.Module]"


def register(*specs: str) -> tuple[str, ...]:
    """Gives timm the models of specs, which are compiled when they are created.

    Args:
        specs: As for `archdsl.parse`, each with one model that is meant; all image
            models that ship, if there is none.

    Returns:
        Their names in timm: the models' names after ``archdsl_``.

    Raises:
        SpecError: A spec is wrong.
        FileNotFoundError: There is no such spec.
    """
    return tuple(_register(spec) for spec in specs or _image_models())


def _register(spec: str) -> str:
    opened = open_spec(spec)
    found = signature(opened.program, opened.model)
    if not opened.model:
        spec = f"{spec}:{found.model}" if "\n" not in spec else spec
    entry = _entry(spec, found)
    home = sys.modules.setdefault(_HOME, ModuleType(_HOME))
    setattr(home, entry.__name__, entry)
    register_model(entry)
    return entry.__name__


def _image_models() -> list[str]:
    """The specs that ship whose default model takes an image, and nothing else."""
    names = sorted(each.name for each in shipped().iterdir())
    stems = [n.removesuffix(".arch") for n in names if n.endswith(".arch")]
    return [stem for stem in stems if _takes_image(stem)]


def _takes_image(spec: str) -> bool:
    try:
        found = signature(open_spec(spec).program)
    except SpecError:  # several models, none of which is the file's own
        return False
    return found.inputs == 1 and {"C", "H", "W"} <= set(found.axes)


def _entry(spec: str, found: Signature) -> Entry:
    """The function by which timm makes a model."""
    name = PREFIX + found.model

    def entry(pretrained: bool = False, **given: object) -> nn.Module:
        if pretrained:
            words = "has no weights of its own; give checkpoint_path=…"
            raise ValueError(f"{name} {words}")
        wanted = {k: v for k, v in given.items() if k not in _IDLE}
        outputs = wanted.pop("outputs", ())
        settings, sizes = _translated(name, wanted, found)
        chosen = {"settings": settings, "sizes": sizes, "outputs": outputs}
        model = archdsl.load(spec, **chosen)  # type: ignore[arg-type]
        hyper = archdsl.parse(spec, settings=settings, sizes=sizes).hyper
        model.num_classes = hyper.get("classes")  # type: ignore[assignment]
        return model

    entry.__name__ = entry.__qualname__ = name
    entry.__module__ = _HOME
    entry.__doc__ = f"`{found.model}`, compiled by archdsl."
    return entry


def _translated(
    name: str, given: Mapping[str, object], found: Signature
) -> tuple[dict[str, object], dict[str, int]]:
    """Hyperparameters and sizes of axes, by what timm calls them.

    Raises:
        TypeError: The model has no such thing.
    """
    settings, sizes = dict[str, object](), dict[str, int]()
    for key, value in given.items():
        if key in ("features_only", "out_indices"):
            raise TypeError(f"{name}: features have names; give outputs=[…]")
        axes = _AXES.get(key, ())
        target = _SETTINGS.get(key, key)
        if axes and set(axes) <= set(found.axes):
            several = value if isinstance(value, tuple | list) else [value] * len(axes)
            sizes.update(zip(axes, map(int, several), strict=True))
        elif target in found.hyperparameters:
            settings[target] = value
        else:
            known = ", ".join((*found.hyperparameters, *_AXES))
            raise TypeError(f"{name} takes no {key}; it takes {known}, outputs")
    return settings, sizes
