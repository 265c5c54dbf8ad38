"""Models on the Hub, by huggingface_hub's mixin for PyTorch.

What lies in a repository: ``model.safetensors`` with the architecture in its metadata,
a ``config.json`` that names it, and a model card.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import ModelCard, PyTorchModelHubMixin, hf_hub_download

from archdsl.analysis.report import report
from archdsl.backends.torch.checkpoints.models import (
    architecture_of,
    restore,
    save,
)
from archdsl.backends.torch.checkpoints.places import STANDARD, resolve
from archdsl.version import VERSION

if TYPE_CHECKING:
    from torch import nn

    from archdsl.analysis.report import Report
    from archdsl.build.architecture import Architecture

_CARD = """---
{data}
---

# {model}

{shapes}

| | |
|---|---:|
| parameters | {params} |
| MACs, batch 1 | {macs} |

It reads without a spec, since the checkpoint holds its architecture:

```python
import archdsl

model = archdsl.from_pretrained("{repo}")
```

This is its spec, in the language of archdsl:

{fence}arch
{text}
{fence}
"""


class Hub(PyTorchModelHubMixin, library_name="archdsl", tags=["archdsl"]):
    """A model beside which the mixin's methods stand.

    Attributes:
        module: The model, as `archdsl.load` made it.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._hub_mixin_config = {
            "archdsl_version": VERSION,
            "architecture": architecture_of(module).model,
        }

    def _save_pretrained(self, save_directory: Path) -> None:
        save(self.module, save_directory / STANDARD[0])

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **_: object,
    ) -> Hub:
        if Path(model_id).exists():
            return cls(restore(resolve(model_id)))
        file = hf_hub_download(
            model_id,
            STANDARD[0],
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
        )
        return cls(restore(Path(file)))

    def generate_model_card(self, *_: object, **options: object) -> ModelCard:
        """What the analysis says of the model, and its spec; `repo` is its address."""
        repo = options.get("repo") or "path/to/this/folder"
        data = self._hub_mixin_info.model_card_data.to_yaml()
        return ModelCard(card(architecture_of(self.module), str(repo), data))


def card(architecture: Architecture, repo: str, data: str) -> str:
    """The text of a model card.

    Args:
        architecture: What the model is.
        repo: Where it will be read from.
        data: The card's metadata, as YAML.
    """
    found = report(architecture.graph())
    fences = re.findall("`{3,}", architecture.text)
    return _CARD.format(
        data=data,
        model=architecture.model,
        shapes=_shapes(found),
        params=_counted(found.totals.params),
        macs=_counted(found.totals.macs),
        repo=repo,
        fence="`" * max((len(f) + 1 for f in fences), default=3),
        text=architecture.text.rstrip(),
    )


def _shapes(found: Report) -> str:
    """The inputs and outputs of a model, one a line."""
    sides = {"in": found.inputs, "out": found.outputs}
    rows = [
        f"* {side}: `{name}`, {tensor.dtype}, "
        + " × ".join(f"{axis} = {size}" for axis, size in tensor.axes)
        for side, tensors in sides.items()
        for name, tensor in tensors.items()
    ]
    return "\n".join(rows)


def _counted(number: int | str) -> str:
    return f"{number:,}" if isinstance(number, int) else number
