"""Files of torch.save, of which nothing but tensors is read."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.backends.torch.checkpoints.faults import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

# Where people put the weights among an optimizer's state and the like.
_INSIDE = ("state_dict", "model_state_dict", "model", "module", "net", "weights")


def load_pickle(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of torch.save, by name, mapped where the format allows.

    PyTorch's reader for weights makes tensors and plain containers and calls nothing
    that a file names. What is no tensor is left out.

    Raises:
        CheckpointError: The file needs more than that, is corrupt, or has no tensors.
    """
    import torch

    if path.stat().st_size == 0:
        raise CheckpointError(f"{path}: the file is empty")
    mapped = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # what matters is an error here
            found = torch.load(path, "cpu", weights_only=True, mmap=mapped)
    except MemoryError:
        raise
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_refusal(path, str(error))}") from None
    except Exception as error:  # a corrupt file makes any of them
        if "TorchScript" in str(error):
            words = "a TorchScript program, which holds code; save its state_dict()"
            raise CheckpointError(f"{path}: {words}") from None
        words = "not a file of torch.save, or a corrupt one"
        raise CheckpointError(f"{path}: {words}") from None
    tensors = _tensors(found)
    if words := _problem(tensors):
        raise CheckpointError(f"{path}: {words}")
    return tensors


def _problem(tensors: Mapping[str, Tensor]) -> str:
    """Why tensors are no weights; "" if they are."""
    wrong = (f"{name} {words}" for name, each in tensors.items()
             if (words := _unusable(each)))  # fmt: skip
    return next(wrong, "" if tensors else "it holds no tensors by name")


def _unusable(tensor: Tensor) -> str:
    """Why a tensor cannot be copied into a model; "" if it can."""
    import torch

    if tensor.is_meta:
        return "has a shape and no numbers: it was saved on the device meta"
    if tensor.layout is not torch.strided or tensor.is_nested:
        return "is sparse or nested; save it as a plain tensor: tensor.to_dense()"
    return ""


def _refusal(path: Path, words: str) -> str:
    """What a reader that runs nothing would not read."""
    named = re.search(r"GLOBAL ([\w.]+)", words)
    if named is None:
        return "not a file of torch.save, or a corrupt one"
    return (
        f"it needs {named[1]}, which is no tensor, and to make it would run the file's "
        "code; where you trust it, load it yourself and save its state_dict()"
    )


def _tensors(found: object) -> dict[str, Tensor]:
    """The tensors of a dictionary, or of the one in it that people put them in."""
    import torch

    if not isinstance(found, Mapping):
        return {}
    for name in _INSIDE:
        inner = found.get(name)
        if isinstance(inner, Mapping) and (tensors := _tensors(inner)):
            return tensors
    return {
        name: value.detach()
        for name, value in found.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
