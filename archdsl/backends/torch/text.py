"""Python text that is laid out as a formatter would: one line, or one item a line."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, Union

from archdsl.ir.dim import Poly
from archdsl.ops.emit import Literal

WIDTH = 88
Doc: TypeAlias = Union[str, "Group"]


@dataclass(frozen=True)
class Group:
    """``opening item, item closing``; broken into lines where it does not fit."""

    opening: str
    items: tuple[Doc, ...]
    closing: str
    comma: bool = True  # a comprehension has none


def flat(doc: Doc) -> str:
    """The text on one line."""
    if isinstance(doc, str):
        return doc
    glue = ", " if doc.comma else " "
    return doc.opening + glue.join(map(flat, doc.items)) + doc.closing


def render(doc: Doc, indent: int, used: int = 0, tail: int = 0) -> str:
    """The text, broken where needed.

    Args:
        doc: What to write.
        indent: How far the statement is indented.
        used: Columns taken before it on its first line, the indent included.
        tail: Columns that must stay free after it.
    """
    line = flat(doc)
    if isinstance(doc, str) or used + len(line) + tail <= WIDTH:
        return line
    pad = " " * (indent + 4)
    end = "," if doc.comma else ""
    rows = [
        pad + render(item, indent + 4, indent + 4, len(end)) + end for item in doc.items
    ]
    return "\n".join([doc.opening, *rows, " " * indent + doc.closing])


def assign(target: str, doc: Doc, indent: int) -> str:
    """``target = doc``."""
    head = " " * indent + target + " = "
    return head + render(doc, indent, len(head))


def define(name: str, arguments: Sequence[str], result: str) -> str:
    """The head of a method."""
    doc = Group(f"    def {name}(", ("self", *arguments), f") -> {result}:")
    return render(doc, 4)


def literal(value: Literal) -> str:
    """A number, text or tuple as Python writes it."""
    assert not isinstance(value, Poly), "the caller refuses open sizes"
    if isinstance(value, tuple):
        inside = ", ".join(literal(v) for v in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, str):
        escaped = value.encode("unicode_escape").decode("ascii").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)


def annotation(values: Sequence[Literal]) -> str:
    """The type of an argument that takes these values."""
    words = dict.fromkeys(_type(v) for v in values)
    return " | ".join(sorted(words, key=lambda w: (w == "None", w)))


def _type(value: Literal) -> str:
    if isinstance(value, tuple):
        inner = " | ".join(sorted({_type(v) for v in value})) or "int"
        exact = ", ".join(map(_type, value))  # as torch declares a kernel of two axes
        return f"tuple[{exact if len(value) in (2, 3) else f'{inner}, ...'}]"
    return "None" if value is None else type(value).__name__


def camel(name: str) -> str:
    """``swin_t`` as the name of a class: ``SwinT``."""
    words = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return words if words[:1].isalpha() else f"Model{words}"


def is_atom(text: str) -> bool:
    """Whether an expression needs no parentheses before a dot or beside an operator."""
    bare = text
    while True:
        shorter = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", bare)
        if shorter == bare:
            return re.search(r"\s[-+*/@]\s|^-", bare) is None
        bare = shorter


class Names:
    """Hands out identifiers that do not clash."""

    def __init__(self, taken: Sequence[str] = ()) -> None:
        self._taken = set(taken) | set(keyword.kwlist)

    def take(self, *wanted: str) -> str:
        """The first free name of `wanted`, or the last with a number."""
        names = [_unmangled(name) for name in wanted]
        for name in names:
            if name not in self._taken:
                self._taken.add(name)
                return name
        count = 2
        while f"{names[-1]}_{count}" in self._taken:
            count += 1
        return self.take(f"{names[-1]}_{count}")

    def free(self, name: str) -> None:
        """Gives a name back."""
        self._taken.discard(name)


def _unmangled(name: str) -> str:
    """A name that is one in every class: Python renames what begins with ``__``."""
    return "_" + name.lstrip("_") if name.startswith("__") else name
