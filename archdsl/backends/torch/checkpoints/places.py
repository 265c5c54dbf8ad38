"""Where weights are: a file, a folder, or a repository on the Hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from archdsl.backends.torch.checkpoints.faults import (
    CheckpointError,
    NoCheckpoint,
    Unreached,
)
from archdsl.backends.torch.checkpoints.files import PICKLED, SAFE
from archdsl.backends.torch.checkpoints.shards import INDEX, shard_names

# As transformers, diffusers and the Hub's own mixin name them, the best first.
STANDARD = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_ENDS = (SAFE, *PICKLED, INDEX)
_HUB = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?(:(?P<file>[^:]+))?", re.ASCII
)


class HubId(NamedTuple):
    """A repository on the Hub, and what of it is meant."""

    repo: str
    revision: str | None
    file: str | None


def resolve(source: str | os.PathLike[str]) -> Path:
    """The file of weights that is meant, fetched if it is on the Hub.

    Args:
        source: A file (safetensors, one of torch.save, or the index of several), a
            folder that holds one, or ``owner/name``, ``owner/name@revision``,
            ``owner/name:file`` on the Hub. What is here comes before the Hub; what was
            fetched once is not fetched again.

    Returns:
        A file that is here; of an index, all its files are here, too.

    Raises:
        NoCheckpoint: There is no such file or repository, or none can be reached.
        CheckpointError: A folder holds no weights, or several; or huggingface_hub,
            which reads the Hub, is not installed.
    """
    place = Path(source)
    words = os.fspath(source)
    if words and "\0" not in words and place.exists():
        return _in_folder(place) if place.is_dir() else place
    asked = hub_id(words)
    if asked is None:
        raise NoCheckpoint(f"{words}: no such file; on the Hub, weights are owner/name")
    return _fetch(asked)


def hub_id(words: str) -> HubId | None:
    """What a text means on the Hub; None if it is a path."""
    match = _HUB.fullmatch(words)
    if match is None or (words.endswith(_ENDS) and match["file"] is None):
        return None
    return HubId(match["repo"], match["revision"], match["file"])


def _in_folder(folder: Path) -> Path:
    for name in STANDARD:
        if (folder / name).is_file():
            return folder / name
    found = sorted(f for f in folder.iterdir() if f.name.endswith(_ENDS))
    found = [f for f in found if f.name.endswith(INDEX)] or found
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f.name for f in found[:4])
        raise CheckpointError(f"{folder}: several files of weights, name one: {names}")
    words = f"a folder without weights: no file that ends in {', '.join(_ENDS)}"
    raise NoCheckpoint(f"{folder}: {words}")


def _fetch(asked: HubId) -> Path:
    from archdsl.backends.torch.checkpoints.hub import fetch

    if asked.file is not None:
        path = fetch(asked, asked.file)
        if path is None:
            raise NoCheckpoint(f"{asked.repo}: no file {asked.file} in this repository")
        return _whole(asked, path)
    unreached = None
    for name in STANDARD:
        try:
            path = fetch(asked, name)
        except Unreached as error:  # another of the names may be in the cache
            unreached = unreached or error
            continue
        if path is not None:
            return _whole(asked, path)
    if unreached is not None:
        raise unreached
    words = f"a repository without weights: none of {', '.join(STANDARD)}"
    raise NoCheckpoint(f"{asked.repo}: {words}; name one: {asked.repo}:FILE")


def _whole(asked: HubId, path: Path) -> Path:
    """Fetches all files of an index, too."""
    from archdsl.backends.torch.checkpoints.hub import fetch

    if not path.name.endswith(INDEX):
        return path
    folder = (asked.file or "").rpartition("/")[0]
    for name in shard_names(path):
        if fetch(asked, f"{folder}/{name}" if folder else name) is None:
            raise NoCheckpoint(
                f"{asked.repo}: {name}, which its index names, is missing"
            )
    return path
