"""Lines of a source with marks under them."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from archdsl.source import Source, Span

Paint = Callable[[str, str], str]
_TAB = "    "


@dataclass(frozen=True)
class Mark:
    """A place to underline.

    Attributes:
        span: The place.
        sign: What it is underlined with.
        style: The colour of it.
        label: Words beside it, or "".
    """

    span: Span
    sign: str
    style: str
    label: str


@dataclass(frozen=True)
class _Piece:
    """What a mark underlines of one line, by indices into its text."""

    line: int
    start: int
    end: int
    mark: Mark
    label: str


def printable(text: str) -> str:
    """The text with tabs as blanks and what a terminal would obey made visible."""
    return "".join(
        _TAB if c == "\t" else c if unicodedata.category(c)[0] != "C" else "\ufffd"
        for c in text
    )


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(unicodedata.category(c) in ("Mn", "Me") for c in text)
    return len(text) + wide - marks


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most that many characters, where blanks allow it."""
    return textwrap.wrap(
        text, width, break_long_words=False, break_on_hyphens=False
    ) or [""]


def snippet(marks: Sequence[Mark], paint: Paint, width: int) -> tuple[list[str], str]:
    """The lines that hold marks of one source, each marked; and the empty margin.

    Args:
        marks: The places, the most important one first.
        paint: Colours a text in a style.
        width: Columns there are.
    """
    pieces = sorted(_pieces(marks), key=lambda p: (p.line, marks.index(p.mark)))
    source = marks[0].span.source
    margin = " " * len(str(pieces[-1].line))
    bar = paint("|", "edge")
    rows, last = [f"{margin} {bar}"], 0
    room = width - len(margin) - 3
    for number in sorted({piece.line for piece in pieces}):
        if last and number > last + 2:
            rows.append(paint("...", "edge"))
        elif last and number == last + 2:  # one line between: no longer than the dots
            head = paint(str(last + 1).rjust(len(margin)), "edge")
            rows.append(f"{head} {bar} {_cut(source.line(last + 1), 0, room)[0]}")
        last = number
        head = paint(str(number).rjust(len(margin)), "edge")
        here = [piece for piece in pieces if piece.line == number]
        for is_text, row in _line(source, here, paint, room):
            rows.append(f"{head if is_text else margin} {bar} {row}")
    return [row.rstrip() for row in rows], margin


def _pieces(marks: Iterable[Mark]) -> Iterable[_Piece]:
    """The first line of each mark, and its last where it has several."""
    for mark in marks:
        source = mark.span.source
        line, column = source.position(mark.span.start)
        text = source.line(line).rstrip()
        start = column - 1
        end_line, end = source.position(max(mark.span.end, mark.span.start))
        if end_line > line and end == 1:  # a line break at the end is not shown
            end_line, end = end_line - 1, len(source.line(end_line - 1)) + 1
        if end_line == line:
            yield _Piece(line, start, end - 1, mark, mark.label)
            continue
        yield _Piece(line, start, len(text), mark, "")
        last = source.line(end_line)
        indent = len(last) - len(last.lstrip())
        yield _Piece(end_line, min(indent, end - 1), end - 1, mark, mark.label)


def _line(
    source: Source, pieces: list[_Piece], paint: Paint, room: int
) -> Iterable[tuple[bool, str]]:
    """The rows of one line: its text, which is true, and what stands below it.

    A long line is shown once for each mark that does not fit beside the first.
    """
    text = source.line(pieces[0].line)
    while pieces:
        shown, first, past = _cut(text, pieces[0].start, room)
        yield True, shown
        lead = 1 if first else 0  # the sign that something is left out
        left = []
        for piece in pieces:
            if not first <= piece.start <= past:
                left.append(piece)
                continue
            before = lead + _width(text, first, piece.start)
            size = _width(text, piece.start, min(piece.end, past))
            for row in _under(piece, before, max(1, size), paint, room):
                yield False, row
        pieces = left


def _cut(text: str, at: int, room: int) -> tuple[str, int, int]:
    """As much of a line around an index as there is room for, and which part it is."""
    if len(text) <= room and columns(printable(text)) <= room:
        return printable(text), 0, len(text)
    start = _reach(text, at, -1, room // 3)
    rest = room - 2 - _width(text, start, at)  # two columns say that text is left out
    end = _reach(text, at, 1, rest)
    start = _reach(text, start, -1, rest - _width(text, at, end))
    shown = printable(text[start:end])
    left, right = "…" if start else "", "…" if end < len(text) else ""
    return f"{left}{shown}{right}", start, end


def _width(text: str, start: int, end: int) -> int:
    return columns(printable(text[start:end]))


def _reach(text: str, at: int, step: int, room: int) -> int:
    """The index that is as far from another, to one side, as there is room for."""
    for _ in range(2 * room):  # characters may take no columns
        here = at if step > 0 else at - 1
        if not 0 <= here < len(text):
            break
        room -= _width(text, here, here + 1)
        if room < 0:
            break
        at += step
    return at


def _under(
    piece: _Piece, before: int, size: int, paint: Paint, room: int
) -> Iterable[str]:
    """The mark below a line, and its words beside it, or else below."""
    style, label = piece.mark.style, printable(piece.label)
    row = " " * before + paint(piece.mark.sign * size, style)
    if label and before + size + 1 + columns(label) <= room:
        yield f"{row} {paint(label, style)}"
        return
    yield row
    if label:
        indent = " " * max(0, min(before, room - columns(label)))
        for part in wrapped(label, room):
            yield indent + paint(part, style)
