"""Diagnostics as text for a person."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from archdsl.diagnostics import Diagnostic
from archdsl.source import Span

_WIDTH = 100  # columns of source shown; a longer line is cut around the caret
_LONGEST = 600  # characters of a message
Paint = Callable[[str, str], str]


def _plain(text: str, _style: str) -> str:
    return text


def _ansi(text: str, style: str) -> str:
    codes = {
        "error": "1;31",
        "warning": "1;33",
        "bold": "1",
        "edge": "1;34",
        "note": "1;36",
    }
    return f"\x1b[{codes[style]}m{text}\x1b[0m"


def _printable(text: str) -> str:
    """The text with tabs as spaces and what a terminal would obey made visible."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return "".join(
        " " if c == "\t" else c if unicodedata.category(c)[0] != "C" else "\ufffd"
        for c in text
    )


def _columns(text: str) -> int:
    """How many terminal columns the text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(unicodedata.combining(c) != 0 for c in text)
    return len(text) + wide - marks


def _window(text: str, start: int) -> tuple[str, int]:
    """A line of bounded width around a column, and where the column is in it."""
    cut = 0
    if len(text) > _WIDTH:
        cut = max(0, min(start - _WIDTH // 3, len(text) - _WIDTH))
    return _printable(text[cut : cut + _WIDTH]), start - cut


def _excerpt(span: Span, label: str, style: str, paint: Paint) -> list[str]:
    line, column = span.source.position(span.start)
    text, start = _window(span.source.line(line), column - 1)
    length = max(1, min(span.end - span.start, len(text) - start))
    number = str(line)
    pad = " " * len(number)
    before = " " * _columns(text[:start])
    carets = "^" * max(1, _columns(text[start : start + length]))
    under = f"{before}{paint(carets, style)}"
    bar = paint("|", "edge")
    rows = [
        f"{pad} {bar}",
        f"{paint(number, 'edge')} {bar} {text.rstrip()}",
        f"{pad} {bar} {under}",
    ]
    if label and start + length + len(label) > _WIDTH:
        rows.append(f"{pad} {bar} {paint(label, style)}")
    elif label:
        rows[-1] += " " + paint(label, style)
    return [row.rstrip() for row in rows]


def _one(diagnostic: Diagnostic, paint: Paint) -> str:
    fault, span = diagnostic.fault, diagnostic.span
    style = fault.severity
    head = paint(f"{style}[{fault.code}]", style)
    pad = " " * len(str(span.line))
    rows = [
        f"{head}{paint(': ' + _printable(fault.message()), 'bold')}",
        f"{pad}{paint('-->', 'edge')} {_printable(str(span))}",
        *_excerpt(span, _printable(fault.beside()), style, paint),
    ]
    tail = []
    for note in diagnostic.notes:
        place = f" at {note.span}" if note.span else ""
        tail.append(f"{paint('note', 'note')}: {_printable(note.message + place)}")
    tail += [f"{paint('help', 'note')}: {_printable(h)}" for h in fault.helps()]
    if tail:
        rows.append(f"{pad} {paint('|', 'edge')}")
    return "\n".join(rows + [f"{pad} {row}" for row in tail]) + "\n"


def ordered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics by file and place, each once."""
    unique = dict.fromkeys(diagnostics)
    return sorted(unique, key=lambda d: (d.span.source.name, d.span.start, d.code))


def render(diagnostics: Sequence[Diagnostic], *, color: bool = False) -> str:
    """Every diagnostic as a block of text, in the order of their places."""
    paint = _ansi if color else _plain
    return "\n".join(_one(d, paint) for d in ordered(diagnostics))
