"""What inputs are made of: specs that exist, their pieces, and words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from archdsl.analysis.check import check
from archdsl.build import read
from archdsl.build.functions import FUNCTIONS
from archdsl.ir.promise import FIGURES
from archdsl.ops.registry import ops, public_ops
from archdsl.source import Source
from archdsl.syntax import parse, tree
from archdsl.syntax.table import table
from tests.texts import text_of

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 1200  # characters of a base: small ones are judged many times as often
_TOKEN = re.compile(
    r"[ \t]+|\n|#[^\n]*|\"[^\"\n]*\"|[A-Za-z_]\w*|[0-9][0-9_.eE]*|->|\*\*|//|[=!<>]=|."
)
EXTREMES = [
    "0", "1", "2", "3", "7", "-1", "1.5", "0.0", "1e-9", "1e308", "10 ** 9", "10 ** 30",
    "1000000000", "999999999999999999", "2 ** 63", "2 ** 31", "25001", "100001", "true",
    "none", "[]", "[1]", "[1, 2]", '""', '"same"', "x.C", "x.H // 2", "C", "H", "-2.5",
]  # fmt: skip
ODD = [
    "\0", "\t", "\r\n", "\x1b", "\u00a0", "\u200b", "\u202e", "\ufeff", "é", "→", "“",
    "\ud800", "\U0001f600", "\\", '"', "'", ";", "@", "$", "`", "#", "{", "}", "[", "]",
]  # fmt: skip


@dataclass(frozen=True)
class Base:
    """A text to start from, with its tokens and the places of its syntax tree."""

    text: str
    tokens: tuple[str, ...]
    nodes: tuple[tuple[str, int, int], ...]  # class, start, end


def tokens(text: str) -> list[str]:
    """The text in pieces, blanks and comments included; they join to the text."""
    return _TOKEN.findall(text)


def _nodes(value: object) -> Iterator[tree.Node]:
    if isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)
    elif isinstance(value, tree.Node):
        yield value
        for name in value.__dataclass_fields__:
            yield from _nodes(getattr(value, name))


def base(text: str) -> Base:
    """A text as a base."""
    file, _ = parse(Source("base", text))
    places = {(type(n).__name__, n.span.start, n.span.end) for n in _nodes(file.items)}
    nodes = tuple(sorted(p for p in places if p[2] > p[1]))
    return Base(text, tuple(tokens(text)), nodes)


@cache
def bases() -> tuple[Base, ...]:
    """Specs that ship, of the tests, of the manual; long ones in parts."""
    texts = [
        path.read_text(encoding="utf-8", errors="replace")
        for folder in ("specs", "tests")
        for path in sorted((ROOT / folder).rglob("*.arch"))
        if "fuzz" not in path.parts
    ]
    texts += [text_of(e) for op in public_ops().values() for e in op.examples]
    pages = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
    for page in pages:
        texts += re.findall(r"```arch\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    short = dict.fromkeys(part for text in texts for part in _parts(text))
    return tuple(base(text) for text in short)


def _parts(text: str) -> list[str]:
    """A text as it is, or its items one by one where it is long."""
    if len(text) <= LONGEST:
        return [text]
    file, _ = parse(Source("base", text))
    return [
        item.span.text + "\n" for item in file.items if len(item.span.text) < LONGEST
    ]


@cache
def right_bases() -> tuple[Base, ...]:
    """Those without an error: a change of one of them leads further than of others."""
    found = []
    for known in bases():
        diagnostics = check(read(Source("base", known.text)))
        if "model" in known.text and all(d.severity != "error" for d in diagnostics):
            found.append(known)
    return tuple(found)


@cache
def by_class() -> dict[str, list[str]]:
    """Pieces of all bases by the class of tree node that they make."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for known in bases():
        for name, start, end in known.nodes:
            if end - start < 200:
                found[name][known.text[start:end]] = None
    return {name: list(pieces) for name, pieces in found.items()}


@cache
def names() -> list[str]:
    """Words in small letters: ops, their parameters, functions, keywords, others."""
    found = dict.fromkeys(public_ops())
    for op in ops().values():
        found |= dict.fromkeys(op.model_fields)
        found |= dict.fromkeys(port.name for port in op.ports)
    found |= dict.fromkeys(FUNCTIONS)
    found |= dict.fromkeys(FIGURES)
    found |= dict.fromkeys(s for s in table().symbols if s.isalpha())
    for known in bases():
        found |= dict.fromkeys(t for t in known.tokens if re.match("[a-z_]", t))
    return list(found)


AXES = ["B", "C", "H", "W", "D", "T", "N", "L", "X1"]
