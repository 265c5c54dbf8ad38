"""The libraries that hold the references, made to work beside a torch for the CPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch.library import Library

_BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_NAMED: list[Library] = []


def name_ops_of_torchvision() -> None:
    """Lets torchvision be imported where its compiled ops cannot be loaded.

    Its wheels are built for CUDA, and it cannot be imported where two of its ops have
    no name; timm imports it, and transformers where it is installed. Models use none.
    """
    found = find_spec("torchvision")
    if found is None or found.origin is None or _NAMED:
        return
    try:
        torch.ops.load_library(Path(found.origin).with_name("_C.so"))
    except OSError:
        library = Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(name + _BOXES)
        _NAMED.append(library)
