"""The Python interface: what the commands do, on paths, names or texts of specs."""

from __future__ import annotations

from archdsl.api.graphs import (
    analyze,
    check,
    compare,
    diff,
    draw,
    format,
    parse,
    sweep,
)
from archdsl.api.models import (
    architecture,
    compile,
    from_pretrained,
    load,
    save,
    verify,
)

__all__ = [
    "analyze", "architecture", "check", "compare", "compile", "diff", "draw", "format",
    "from_pretrained", "load", "parse", "save", "sweep", "verify",
]  # fmt: skip
