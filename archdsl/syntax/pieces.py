"""Words with the comments between them, nested by brackets: what is to be formatted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from archdsl.source import Source
from archdsl.syntax import layout, words
from archdsl.syntax.comments import comments
from archdsl.syntax.printer import Comment
from archdsl.syntax.words import Word

_CLOSERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
_BLANKS = " \t\r"


class Piece(NamedTuple):
    """A word, a line break that ends a statement, or a comment.

    Attributes:
        kind: The kind of the word, ``NEWLINE`` or ``COMMENT``.
        text: As it is written.
        breaks: How many line breaks stand before it.
    """

    kind: str
    text: str
    breaks: int


@dataclass(frozen=True, slots=True)
class Nest:
    """Brackets with what is in them.

    Attributes:
        kind: The kind of the opening one.
        inner: What is in them.
        breaks: How many line breaks stand before the opening one.
        last: How many stand before the closing one.
    """

    kind: str
    inner: list[Element]
    breaks: int
    last: int


Element: TypeAlias = Piece | Nest


def leading_comments(inner: Sequence[Element]) -> int:
    """How many comments stand at the head."""
    kinds = (i for i, element in enumerate(inner) if element.kind != "COMMENT")
    return next(kinds, len(inner))


def word(element: Element) -> str | Comment:
    """A word or a comment as a document."""
    assert isinstance(element, Piece)
    if element.kind == "COMMENT":
        return Comment(element.text, own=element.breaks > 0)
    return element.text


def elements(source: Source) -> list[Element]:
    """The words and comments of a text that has no errors."""
    stream = _settled(_pieces(source))
    return _nested(stream)[0]


def _pieces(source: Source) -> Iterator[Piece]:
    """Words and comments in order, line breaks where they mean something."""
    text = source.text
    found = layout.significant(words.read(source).words)
    assert found is not None  # the text has been parsed
    every = sorted([*found, *_comments(source)], key=lambda word: word.start)
    end = 0
    for word in every:
        if word.kind == "NEWLINE":
            yield Piece("NEWLINE", "", 0)
            continue
        breaks = text.count("\n", end, word.start)
        yield Piece(word.kind, word.text.rstrip(_BLANKS), breaks)
        end = word.end


def _comments(source: Source) -> Iterator[Word]:
    for comment in comments(source):
        span = comment.span
        yield Word("COMMENT", span.text, span.start, span.end)


def _settled(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Commas and arrows on the side of comments where the line breaks.

    A comma goes before the comments in front of it, an arrow behind those after it.
    """
    held: list[Piece] = []  # comments, and before them an arrow or nothing
    for piece in pieces:
        if piece.kind == "ARROW":
            yield from held
            held = [piece]
        elif piece.kind == "COMMENT":
            held.append(piece)
        else:
            if piece.kind == "COMMA":
                yield piece
                yield from held
            else:
                yield from _turned(held)
                yield piece
            held = []
    yield from held


def _turned(held: list[Piece]) -> Iterator[Piece]:
    if not held or held[0].kind != "ARROW":
        yield from held
        return
    arrow, *comments = held
    for comment in comments:
        yield comment._replace(breaks=max(comment.breaks, arrow.breaks))
    yield arrow._replace(breaks=max(arrow.breaks, len(comments)))


def _nested(stream: Iterable[Piece]) -> tuple[list[Element], int]:
    """What stands up to a closing bracket, and the breaks before that."""
    out: list[Element] = []
    stream = iter(stream)
    for piece in stream:
        if piece.kind in _CLOSERS:
            inner, last = _nested(stream)
            out.append(Nest(piece.kind, inner, piece.breaks, last))
        elif piece.kind in _CLOSERS.values():
            return out, piece.breaks
        else:
            out.append(piece)
    return out, 0
