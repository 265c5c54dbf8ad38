"""The code blocks of the documentation.

What stands after ``arch`` on a fence says what a block is: nothing for a whole file,
``body`` for lines that stand in the page's ``prelude``, ``wrong`` for a file whose
errors the next block shows, ``names`` for one whose layers' names it lists.
"""

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LANGUAGE = ROOT / "docs" / "language.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """A code block: what stands on its fence, its text, and where that begins."""

    info: str
    code: str
    start: int


def code_blocks(path: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    return [Block(m[1], m[2], m.start(2)) for m in _FENCE.finditer(text)]


def blocks(path: Path, info: str) -> list[str]:
    """The texts of the blocks with exactly this on their fence."""
    return [block.code for block in code_blocks(path) if block.info == info]


def specs(path: Path) -> list[str]:
    """Every spec of a page that should be fine, completed where it is a part."""
    found = []
    for block in code_blocks(path):
        if block.info in ("arch", "arch names"):
            found.append(block.code)
        elif block.info == "arch body":
            lines = "".join(f"  {line}\n" for line in block.code.splitlines())
            found.append(blocks(path, "arch prelude")[0].replace("  …\n", lines))
    return found


def shown(path: Path, info: str) -> list[tuple[str, Block]]:
    """The specs with this on their fence, each with the block below it."""
    found = code_blocks(path)
    return [(a.code, below) for a, below in pairwise(found) if a.info == info]


def keep(path: Path, block: Block, text: str) -> None:
    """Writes a block anew under ``ARCHDSL_UPDATE=1``."""
    if os.environ.get("ARCHDSL_UPDATE") and text != block.code:
        page = path.read_text(encoding="utf-8")
        end = block.start + len(block.code)
        page = page[: block.start] + text + page[end:]
        path.write_text(page, encoding="utf-8")
