"""Pictures in files, through Graphviz."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from archdsl.backends.files import write_bytes
from archdsl.backends.graphviz.draw import to_dot
from archdsl.ir.graph import Graph

ENDINGS = (".dot", ".gv", ".svg", ".png", ".pdf")
_DPI = 200


class DrawingError(RuntimeError):
    """Graphviz is missing, or could not draw."""


def draw(graph: Graph, path: Path) -> None:
    """Draws a model into a file; its ending decides how.

    The file is whole or, after an error, as it was.

    Args:
        graph: The model.
        path: A name that ends in .dot, .gv, .svg, .png or .pdf.

    Raises:
        ValueError: It ends in something else.
        DrawingError: There is no Graphviz that draws this, or it failed.
        OSError: The file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        known = ", ".join(ENDINGS[:-1])
        raise ValueError(
            f"a picture ends in {known} or {ENDINGS[-1]}, not in {path.name!r}"
        )
    if ending in (".dot", ".gv"):
        data = to_dot(graph).encode("ascii")
    else:
        data = render(to_dot(graph, _DPI if ending == ".png" else None), ending[1:])
    write_bytes(path, data)


def render(text: str, form: str) -> bytes:
    """The picture of a text in DOT.

    Args:
        text: The DOT.
        form: "svg", "png" or "pdf".

    Raises:
        DrawingError: There is no Graphviz that draws this, or it failed.
    """
    failed = ""
    for program in _programs(form):
        try:
            return _run(program, text, form)
        except (OSError, subprocess.SubprocessError) as error:
            failed = failed or _reason(error)
    if failed:
        raise DrawingError(f"graphviz could not draw this: {failed}")
    if form == "pdf":
        raise DrawingError("a PDF needs the program dot: install graphviz, or draw SVG")
    raise DrawingError("no graphviz found: `pip install graphviz-pure`, or draw .dot")


def _programs(form: str) -> list[str]:
    """Those that draw a form, the one that pip installs with us first."""
    found = [shutil.which("dot")]
    if form != "pdf":
        found = [_installed(), shutil.which("graphviz-pure"), *found]
    return list(dict.fromkeys(p for p in found if p is not None))


def _installed() -> str | None:
    """The program of the package graphviz-pure, which may stand off the path."""
    try:
        files = metadata.files("graphviz-pure") or []
    except metadata.PackageNotFoundError:
        return None
    places = [str(f.locate()) for f in files if f.stem == "graphviz-pure"]
    return next((p for p in places if os.access(p, os.X_OK)), None)


def _run(program: str, text: str, form: str) -> bytes:
    from graphviz.backend import dot_command, pipe

    before = dot_command.DOT_BINARY
    dot_command.DOT_BINARY = Path(program)
    try:
        data: bytes = pipe("dot", form, text.encode("ascii"), quiet=True)
    finally:
        dot_command.DOT_BINARY = before
    return data


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    if isinstance(said, bytes):
        said = said.decode("utf-8", errors="replace")
    lines = str(said or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
