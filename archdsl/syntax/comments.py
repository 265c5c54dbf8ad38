"""The comments of a text, which its tree does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archdsl.source import Source, Span
from archdsl.syntax.table import table
from archdsl.syntax.words import pattern


class Comment(NamedTuple):
    """A comment, with its mark.

    Attributes:
        span: Its place.
        line: The line of code that it is about: its own, or, where it stands alone,
            the next one that has code; 0 if there is none.
    """

    span: Span
    line: int


def comments(source: Source) -> Iterator[Comment]:
    """Every comment of a text, also of one with syntax errors."""
    ignored = table().ignored
    waiting: list[Span] = []
    code = 0  # the last line with code in it
    start = 1 if source.text.startswith("\ufeff") else 0
    for match in pattern().finditer(source.text, start):
        kind = match.lastgroup
        if kind == "COMMENT":
            span = Span(source, match.start(), match.end())
            if span.line == code:
                yield Comment(span, code)
            else:
                waiting.append(span)
        elif kind != "NEWLINE" and kind not in ignored:
            code = source.position(match.start())[0]
            yield from (Comment(span, code) for span in waiting)
            waiting.clear()
    yield from (Comment(span, 0) for span in waiting)
