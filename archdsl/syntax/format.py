"""The canonical form of a spec: only its blanks, line breaks and last commas change.

What an author decides stays: comments, parentheses, the lines of a chain of arrows,
whether a body stands on one line, brackets that open at the end of a line, one empty
line between statements. All else has one form, and a line that is too long is broken.
"""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.diagnostics import SpecError
from archdsl.garbage import uncollected
from archdsl.source import Source
from archdsl.syntax.documents import Entry, entries_of, on_a_line, statement, statements
from archdsl.syntax.parse import parse
from archdsl.syntax.pieces import Piece, elements
from archdsl.syntax.printer import Box, Kind, render


def format_source(source: Source) -> str:
    """The text of a spec in canonical form.

    Its tree is the same but for places, and formatting it again changes nothing.

    Raises:
        SpecError: The text has syntax errors.
    """
    _, diagnostics = parse(source)
    if diagnostics:
        raise SpecError(diagnostics)
    with uncollected():
        entries = entries_of(elements(source))
        _part(entries)
        _align(entries)
        return render(Box(Kind.PLAIN, statements(entries))) if entries else ""


def _group(entry: Entry) -> str:
    """What an item may stand among without empty lines; "" for more than a line."""
    if entry.kind == "USE":
        return "uses"
    variant = _is_variant(entry)
    if variant and entry.elements[-1].kind != "LBRACE":
        return "variants"
    lines = render(statement(entry)).count("\n") if on_a_line(entry) else 2
    return ("variants" if variant else "blocks") if lines == 1 else ""


def _is_variant(entry: Entry) -> bool:
    kinds = [element.kind for element in entry.elements[:3]]
    return kinds == ["MODEL", "NAME", "EQUAL"]


def _part(entries: Sequence[Entry]) -> None:
    """Puts an empty line between items, before the comments of the second.

    Items of one group keep the empty lines that their author gave them.
    """
    before, gap = "", 0  # the last item's group, and the index after it
    for index, entry in enumerate(entries):
        if entry.kind == "COMMENT":
            continue
        group = _group(entry)
        together = group and group == before
        if gap and not together and not any(e.blank for e in entries[gap : index + 1]):
            entries[gap].blank = True
        before, gap = group, index + 1


def _align(entries: Sequence[Entry]) -> None:
    """Puts the `=` of variants on lines in a row below one another."""
    rows: list[list[Entry]] = [[]]
    for entry in entries:
        variant = _is_variant(entry)
        if entry.blank or not variant:
            rows.append([])
        if variant:
            rows[-1].append(entry)
    for row in rows:
        names = [_name(entry) for entry in row]
        width = max((len(name.text) for name in names), default=0)
        for entry, name in zip(row, names, strict=True):
            entry.elements[1] = name._replace(text=name.text.ljust(width))


def _name(variant: Entry) -> Piece:
    name = variant.elements[1]
    assert isinstance(name, Piece)
    return name
