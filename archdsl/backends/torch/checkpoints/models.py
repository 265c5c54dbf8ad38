"""Checkpoints that know their architecture: a model from one file, with no spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.backends.torch.checkpoints.faults import CheckpointError
from archdsl.backends.torch.checkpoints.files import (
    SAFE,
    keys,
    metadata,
    tensors,
    write,
)
from archdsl.backends.torch.load import compiled
from archdsl.build.architecture import Architecture
from archdsl.version import VERSION

if TYPE_CHECKING:
    from torch import nn

KEY = "archdsl"  # of the architecture in a file's metadata
_HELD = "_archdsl"  # the attribute of a model that holds its architecture
_MOST_NAMED = 5


def remember(model: nn.Module, architecture: Architecture) -> None:
    """Lets a model know of what architecture it is."""
    model.__dict__[_HELD] = architecture


def architecture_of(model: nn.Module) -> Architecture:
    """The architecture of a model that `archdsl.load` made.

    Raises:
        CheckpointError: It was made otherwise.
    """
    found = plain(model).__dict__.get(_HELD)
    if not isinstance(found, Architecture):
        words = "no model of archdsl.load, so nobody knows its architecture"
        raise CheckpointError(f"{type(model).__name__}: {words}")
    return found


def plain(model: nn.Module) -> nn.Module:
    """The model that torch.compile or a data-parallel wrapper holds."""
    from torch import nn

    for name in ("_orig_mod", "module"):
        inner = model._modules.get(name)
        if _HELD not in model.__dict__ and isinstance(inner, nn.Module):
            return plain(inner)
    return model


def save(model: nn.Module, path: Path) -> None:
    """Writes a model's weights and its architecture into one safetensors file.

    Raises:
        CheckpointError: The model is none of `archdsl.load`, or was changed since; or
            the file cannot be written.
    """
    if path.suffix != SAFE:
        raise CheckpointError(f"{path}: a checkpoint's name ends in {SAFE}")
    architecture = architecture_of(model)
    state = plain(model).state_dict()
    wrong = _differences(
        _shapes_of(architecture), {n: tuple(t.shape) for n, t in state.items()}
    )
    if wrong:
        words = f"{architecture.model} was changed after it was compiled"
        raise CheckpointError(f"{path}: {words}: {'; '.join(wrong)}")
    text = architecture.to_json(VERSION)
    write(path, state, {"format": "pt", KEY: text})


def restore(path: Path) -> nn.Module:
    """The model of a file that `save` wrote, in evaluation mode.

    Nothing of the file is run: the texts are compiled as any spec is, and the weights
    are read. They are compared with the architecture before any is allocated.

    Raises:
        CheckpointError: The file tells no architecture, or its weights are of another.
        SpecError: Its texts are no spec that this version understands.
    """
    architecture = read_architecture(path)
    found = {name: entry.shape for name, entry in keys(path).items()}
    if wrong := _differences(_shapes_of(architecture), found):
        words = f"its weights are not those of {architecture.model}, which it names"
        raise CheckpointError(f"{path}: {words}: {'; '.join(wrong)}")
    import torch

    with torch.random.fork_rng(devices=[]):  # weights that are drawn to be replaced
        model = compiled(architecture.graph(), architecture.name)()
    remember(model, architecture)
    _fill(model, path)
    return model.eval()


def read_architecture(path: Path) -> Architecture:
    """The architecture that a file tells; imports no torch.

    Raises:
        CheckpointError: It tells none.
    """
    text = metadata(path).get(KEY)
    if text is None:
        words = "it does not tell its architecture; load it into a spec's model"
        raise CheckpointError(f"{path}: {words}: archdsl.load(SPEC, weights=…)")
    try:
        return Architecture.from_json(text)
    except ValueError as error:
        words = f"the architecture in it cannot be read: {error}"
        raise CheckpointError(f"{path}: {words}") from None


def _fill(model: nn.Module, path: Path) -> None:
    """Puts a file's tensors into a model, each in the type that the file has."""
    given = tensors(path)
    state = model.state_dict(keep_vars=True)
    for name, own in state.items():
        if own.dtype != given[name].dtype:
            own.data = own.data.to(given[name].dtype)
    model.load_state_dict(given)


def _shapes_of(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The tensors that a model of an architecture has; none of them is allocated."""
    import torch

    kind = compiled(architecture.graph(), architecture.name)
    with torch.device("meta"):
        state = kind().state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _differences(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> list[str]:
    """What is missing, too much, or of another shape; in words."""
    both = [name for name in expected if name in found]
    kinds = {
        "missing": [n for n in expected if n not in found],
        "too much": [n for n in found if n not in expected],
        "another shape": [
            f"{n} {list(found[n])}, not {list(expected[n])}"
            for n in both
            if expected[n] != found[n]
        ],
    }
    return [f"{kind}: {_several(names)}" for kind, names in kinds.items() if names]


def _several(names: Iterable[str]) -> str:
    given = list(names)
    more = len(given) - _MOST_NAMED
    words = ", ".join(given[:_MOST_NAMED])
    return f"{words} and {more} more" if more > 0 else words
