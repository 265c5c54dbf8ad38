"""Weights in several files, and the index that tells which is where.

The index is a JSON file as of transformers: ``{"weight_map": {tensor: file}}``.
"""

from __future__ import annotations

import json
from pathlib import Path

from archdsl.backends.torch.checkpoints.faults import CheckpointError, NoCheckpoint

INDEX = ".index.json"
_MOST_INDEX = 1 << 27  # bytes


def weight_map(path: Path) -> dict[str, Path]:
    """The file of each tensor of an index.

    A file lies beside its index: names that lead anywhere else are refused.

    Raises:
        CheckpointError: The text is no index, or names a file that it may not.
        NoCheckpoint: A file that it names is not there.
    """
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MOST_INDEX))
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path}: not an index of weights: no JSON") from None
    given = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(given, dict) or not given:
        raise CheckpointError(f"{path}: not an index of weights: no weight_map")
    files = {
        name: _beside(path, name) for name in dict.fromkeys(map(str, given.values()))
    }
    if gone := [name for name, file in files.items() if not file.is_file()]:
        words = f"{len(gone)} of the {len(files)} files that it names are missing"
        raise NoCheckpoint(f"{path}: {words}: {', '.join(gone[:3])}")
    return {key: files[str(name)] for key, name in given.items()}


def shard_names(path: Path) -> list[str]:
    """The files that an index names, none of which needs to be here yet.

    Raises:
        CheckpointError: As of `weight_map`.
    """
    try:
        return sorted({file.name for file in weight_map(path).values()})
    except NoCheckpoint:
        found = json.loads(path.read_bytes())["weight_map"]
        return sorted(set(found.values()))


def _beside(index: Path, name: str) -> Path:
    plain = name and name == Path(name).name and not set(name) & set("/\\:\0")
    if not plain or name in (".", "..") or name.endswith(INDEX):
        raise CheckpointError(f"{index}: it names {name!r}, which is no file beside it")
    return index.parent / name
