"""Brackets: their items on one line, one a line, or on the lines of their author."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from archdsl.syntax.pieces import Element, Nest, leading_comments, word
from archdsl.syntax.printer import HARD, Box, Break, Doc, IfBroken, Kind, is_hard

SIGNS = {"LPAR": ("(", ")"), "LSQB": ("[", "]")}
_TABLE = 8  # items of one word each, of which a list of more fills lines

Row: TypeAlias = Callable[[Sequence[Element]], Box]


@dataclass(slots=True)
class _Item:
    """What stands between commas, and the comments after it."""

    row: Sequence[Element]
    after: list[Element] = field(default_factory=list)


class Items:
    """What stands in brackets.

    Attributes:
        head: A comment behind the opening bracket.
        rows: What stands between the commas.
        commas: Whether there are any.
    """

    def __init__(self, inner: Sequence[Element]) -> None:
        start = int(bool(inner) and inner[0].kind == "COMMENT" and not inner[0].breaks)
        self.head = inner[:start]
        chunks: list[list[Element]] = [[]]
        target = False
        for element in inner[start:]:
            if element.kind in ("FOR", "IN"):
                target = element.kind == "FOR"
            if element.kind == "COMMA" and not target:
                chunks.append([])
            else:
                chunks[-1].append(element)
        self.commas = len(chunks) > 1
        self.rows: list[_Item] = []
        for chunk in chunks:
            self._add(chunk)

    def _add(self, chunk: list[Element]) -> None:
        """Adds an item; comments on the line of the one before belong to that."""
        start = leading_comments(chunk)
        if start < len(chunk) and start and chunk[0].breaks:
            start = 0
        elif start < len(chunk):
            start = min(start, 1)
        if start and self.rows:
            self.rows[-1].after += chunk[:start]
            chunk = chunk[start:]
        end = len(chunk)
        while end and chunk[end - 1].kind == "COMMENT":
            end -= 1
        if chunk:
            self.rows.append(_Item(chunk[:end], chunk[end:]))


def listed(
    nest: Nest, items: Items, row: Row, *, last: str, alone: bool = False
) -> Doc:
    """Items in brackets: on one line, or one a line, or on the lines of their author.

    Args:
        nest: The brackets.
        items: What is in them.
        row: Lays out words in a row.
        last: The comma after the last item, where the brackets are broken.
        alone: Whether it stands there in any case.
    """
    opener, closer = SIGNS[nest.kind]
    if not nest.inner:
        return opener + closer
    rows = items.rows
    only = rows[0].row if len(rows) == 1 and not (rows[0].after or items.head) else ()
    if len(only) == 1 and isinstance(only[0], Nest) and not alone:
        return Box(Kind.PLAIN, [opener, row(only), closer])
    opened = nest.inner[0].breaks > 0
    docs = [row(item.row) for item in rows]
    comma: Doc = last if alone else IfBroken(last if rows and rows[0].row else "")
    if opened:
        lines = _as_written(rows, docs, comma)
    else:
        filled = nest.kind == "LSQB" and len(rows) > _TABLE
        filled = filled and all(len(item.row) == 1 for item in rows)
        lines = _one_a_line(rows, docs, comma, filled=filled)
    inside = [Break(""), *lines]
    return _enclosed(nest, [*map(word, items.head)], inside, broken=opened)


def _enclosed(nest: Nest, head: list[Doc], inside: list[Doc], *, broken: bool) -> Doc:
    opener, closer = SIGNS[nest.kind]
    broken = broken or any(map(is_hard, [*head, *inside]))
    indented = Box(Kind.INDENT, inside)
    parts = [opener, *head, indented, Break(""), closer]
    return Box(Kind.ANCHOR, [Box(Kind.GROUP, parts, broken=broken)])


def _one_a_line(
    rows: list[_Item], docs: list[Box], comma: Doc, *, filled: bool
) -> list[Doc]:
    """Items with a break between each and the next."""
    out: list[Doc] = []
    for index, (item, doc) in enumerate(zip(rows, docs, strict=True)):
        each: list[Doc] = [Break(), doc] if index else [doc]
        if index + 1 < len(rows):
            each.append(",")
        out += [Box(Kind.GROUP, each)] if filled and index else each
        out += [*([comma] if index + 1 == len(rows) else []), *map(word, item.after)]
    return out


def _as_written(rows: list[_Item], docs: list[Box], comma: Doc) -> list[Doc]:
    """Items on the lines where their author put them."""
    lines: list[list[Doc]] = []
    for index, (item, doc) in enumerate(zip(rows, docs, strict=True)):
        if not index or (item.row and item.row[0].breaks):
            lines.append([doc])
        else:
            lines[-1] += (Break(), doc)
        if index + 1 < len(rows):
            lines[-1] += (",", *map(word, item.after))
    out: list[Doc] = []
    for line in lines:
        out += [HARD, Box(Kind.GROUP, line)] if out else [Box(Kind.GROUP, line)]
    return [*out, comma, *(word(c) for item in rows[-1:] for c in item.after)]


def sections_of(inner: Sequence[Element]) -> list[Sequence[Element]]:
    """A comprehension's item, loop and condition; none if this is a list."""
    kinds = [element.kind for element in inner]
    if "FOR" not in kinds:
        return []
    start = len(kinds) - 1 - kinds[::-1].index("FOR")
    if "LBRACE" in kinds[start:]:
        return []  # a step
    cuts = [0, start, *(i for i, k in enumerate(kinds) if k == "IF" and i > start)]
    ends = [*cuts[1:], len(inner)]
    return [inner[cut:end] for cut, end in zip(cuts, ends, strict=True)]


def comprehension(nest: Nest, sections: list[Sequence[Element]], row: Row) -> Doc:
    """A comprehension, with a place to break before its loop and its condition."""
    first = sections[0]
    size = int(first[0].kind == "COMMENT" and not first[0].breaks)
    sections[0] = first[size:]
    inside: list[Doc] = []
    for section in sections:
        inside += [Break(" " if inside else ""), row(section)]
    head: list[Doc] = [*map(word, first[:size])]
    return _enclosed(nest, head, inside, broken=nest.inner[0].breaks > 0)
