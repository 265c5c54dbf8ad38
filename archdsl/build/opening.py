"""Opening specs: by path, by the name of one that ships, or from their text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from archdsl.build import Program, read
from archdsl.build.files import read_text, shipped
from archdsl.diagnostics import near
from archdsl.record import record
from archdsl.source import Source

Spec: TypeAlias = "str | os.PathLike[str]"


@record
class Opened:
    """A spec that was read, and the model that was named with it."""

    program: Program
    model: str
    name: str


def open_spec(spec: Spec) -> Opened:
    """Reads a spec: a path, ``path:model``, the name of a shipped spec, or its text.

    A string with a line break is the text itself.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if isinstance(spec, str) and "\n" in spec:
        return Opened(read(Source("<text>", spec)), "", "<text>")
    return open_path(os.fspath(spec))


def open_path(spec: str, beside: Path | None = None) -> Opened:
    """Reads a spec: a path, ``path:model``, or the name of a shipped spec.

    What a file uses is looked for beside it, or in another folder if one is given.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
    """
    path, model = _split(spec)
    place = Path(path)
    if place.is_dir() and path:
        raise IsADirectoryError(f"{path} is a folder, not a spec")
    if place.exists() and path:
        source = Source(path, read_text(place))
        return Opened(read(source, beside or place.parent), model, place.name)
    resource = shipped() / f"{path}.arch"
    if path.isidentifier() and resource.is_file():
        source = Source(f"{path}.arch", read_text(resource))
        return Opened(read(source), model, f"{path}.arch")
    files = (each.name for each in shipped().iterdir())
    hint = near(path, [n.removesuffix(".arch") for n in files if n.endswith(".arch")])
    words = f"no spec {path}: neither a file nor a spec that ships"
    raise FileNotFoundError(f"{words}; {hint}" if hint else words)


def _split(spec: str) -> tuple[str, str]:
    path, colon, model = spec.rpartition(":")
    return (path, model) if colon and model.isidentifier() and path else (spec, "")
