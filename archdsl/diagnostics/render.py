"""Diagnostics as text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archdsl.diagnostics import Diagnostic, Note
from archdsl.diagnostics.snippet import Mark, Paint, printable, snippet, wrapped

WIDTH = 100  # columns, where nothing says how many there are
_LONGEST = 600  # characters of a message


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


def _short(text: str) -> str:
    """A message on one line and of bounded length."""
    return printable(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def _beside(diagnostic: Diagnostic, note: Note) -> bool:
    """Whether a note stands under its own line, among those of the error."""
    span = diagnostic.span
    return (
        note.shown
        and note.span is not None
        and note.span.source is span.source
        and note.span != span
    )


def _one(diagnostic: Diagnostic, paint: Paint, width: int) -> str:
    fault, span = diagnostic.fault, diagnostic.span
    style = fault.severity
    marks = [Mark(span, "^", style, _short(fault.beside()))]
    tail = []
    for note in diagnostic.notes:
        if note.span and _beside(diagnostic, note):
            marks.append(Mark(note.span, "-", "edge", _short(note.message)))
        else:
            place = f" at {note.span}" if note.span else ""
            tail.append(("note", _short(note.message + place)))
    tail += [("help", _short(text)) for text in fault.helps()]
    lines, margin = snippet(marks, paint, width)
    rows = [
        f"{paint(f'{style}[{fault.code}]', style)}"
        f"{paint(': ' + _short(fault.message()), 'bold')}",
        f"{margin}{paint('-->', 'edge')} {printable(str(span))}",
        *lines,
    ]
    if tail:
        rows.append(f"{margin} {paint('|', 'edge')}")
    for word, text in tail:
        first, *others = wrapped(text, max(20, width - len(margin) - len(word) - 3))
        rows.append(f"{margin} {paint(word, 'note')}: {first}")
        rows += [" " * (len(margin) + len(word) + 3) + other for other in others]
    return "\n".join(rows) + "\n"


def ordered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics by file and place, each once."""
    unique = dict.fromkeys(diagnostics)
    return sorted(unique, key=lambda d: (d.span.source.name, d.span.start, d.code))


def render(
    diagnostics: Sequence[Diagnostic], *, color: bool = False, width: int = WIDTH
) -> str:
    """Every diagnostic as a block of text, in the order of their places.

    Args:
        diagnostics: What was found.
        color: Whether to colour it, for a terminal.
        width: Columns to keep within, where words allow it.
    """
    paint = _ansi if color else _plain
    return "\n".join(_one(d, paint, width) for d in ordered(diagnostics))


def counted(diagnostics: Iterable[Diagnostic]) -> str:
    """How many errors and warnings there are: ``2 errors, 1 warning``."""
    kinds = [d.severity for d in dict.fromkeys(diagnostics)]
    parts = [
        f"{n} {kind}{'s' if n > 1 else ''}"
        for kind in ("error", "warning")
        if (n := kinds.count(kind))
    ]
    return ", ".join(parts)
