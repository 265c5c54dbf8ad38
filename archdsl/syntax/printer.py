"""Documents and how they are laid out in lines: the printer of the formatter.

A document is a text with places where a line may break. A box that fits on its line
is written flat; of one that does not, every break that is its own is taken (Wadler
2003, "A prettier printer"). Indents count from the line that a box begins on, so that
what stands in brackets is two columns right of the line that opens them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

WIDTH = 100
STEP = 2  # columns of an indent


@dataclass(frozen=True, slots=True)
class Break:
    """A place for a line break; `flat` is written where none is made.

    Attributes:
        flat: A blank or nothing.
        hard: Whether the line always breaks.
        blank: Whether an empty line follows.
    """

    flat: str = " "
    hard: bool = False
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: the rest of a line, or a line of its own."""

    text: str
    own: bool


@dataclass(frozen=True, slots=True)
class IfBroken:
    """A text that is written only where the box around it is broken."""

    text: str


class Kind(Enum):
    """What a box does to the breaks in it."""

    PLAIN = auto()  # nothing: they belong to the box around
    GROUP = auto()  # they are all taken, or none
    INDENT = auto()  # the lines after them begin further right
    ANCHOR = auto()  # those begin from where the line of the box begins


class Box:
    """Documents one after another.

    Attributes:
        kind: What the box does.
        parts: What is in it.
        hard: Whether something in it breaks the line in any case.
        broken: Whether its own breaks are taken in any case.
    """

    __slots__ = ("broken", "hard", "kind", "parts")

    def __init__(
        self, kind: Kind, parts: Sequence[Doc], *, broken: bool = False
    ) -> None:
        self.kind = kind
        self.parts = parts
        self.hard = broken or any(map(is_hard, parts))
        self.broken = broken


Doc: TypeAlias = str | Break | Comment | IfBroken | Box

HARD = Break(hard=True)
BLANK = Break(hard=True, blank=True)


def is_hard(doc: Doc) -> bool:
    """Whether a document breaks the line in any case."""
    return isinstance(doc, Comment) or (isinstance(doc, Box | Break) and doc.hard)


def render(doc: Doc) -> str:
    """The text of a document; the comments at the ends of lines in a row aligned."""
    printer = _Printer(doc)
    printer.run()
    return "".join(_aligned(printer.lines))


@dataclass(slots=True)
class _Line:
    indent: int
    text: str = ""
    comment: str = ""


class _Printer:
    """Writes a document, the innermost part that is left last on the stack."""

    def __init__(self, doc: Doc) -> None:
        self.lines = [_Line(0)]
        self._stack: list[tuple[int, bool, Doc]] = [(0, False, doc)]

    def run(self) -> None:
        """Writes all of it."""
        while self._stack:
            indent, flat, doc = self._stack.pop()
            if isinstance(doc, str):
                self._text(doc, indent)
            elif isinstance(doc, Box):
                self._box(doc, indent, flat)
            elif isinstance(doc, Break):
                if doc.hard or not flat:
                    self._line(indent, blank=doc.blank)
                else:
                    self._text(doc.flat, indent)
            elif isinstance(doc, Comment):
                self._comment(doc, indent)
            elif not flat:
                self._text(doc.text, indent)

    def _box(self, box: Box, indent: int, flat: bool) -> None:
        if box.kind is Kind.GROUP:
            flat = not box.broken and (flat or self._fits(box))
        elif box.kind is Kind.INDENT:
            indent += STEP
        elif box.kind is Kind.ANCHOR and not self.lines[-1].comment:
            indent = self.lines[-1].indent
        self._stack += [(indent, flat, part) for part in reversed(box.parts)]

    def _fits(self, box: Box) -> bool:
        """Whether a box, and what follows up to the next break, fits on the line."""
        line = self.lines[-1]
        left = WIDTH - line.indent - len(line.text)
        after = len(self._stack)
        todo: list[tuple[bool, Doc]] = [(True, p) for p in reversed(box.parts)]
        while left >= 0:
            if not todo:
                if not after:
                    return True
                after -= 1
                todo.append(self._stack[after][1:])
            flat, doc = todo.pop()
            if isinstance(doc, Box):
                inner = flat and not doc.broken
                todo += [(inner, part) for part in reversed(doc.parts)]
            elif _ends(doc, flat):
                return True
            else:
                left -= len(_words(doc, flat))
        return False

    def _text(self, text: str, indent: int) -> None:
        line = self.lines[-1]
        if line.comment:
            self._line(indent)
            line = self.lines[-1]
        line.text += text if line.text else text.lstrip(" ")

    def _line(self, indent: int, *, blank: bool = False) -> None:
        if blank:
            self.lines.append(_Line(0))
        self.lines.append(_Line(indent))

    def _comment(self, comment: Comment, indent: int) -> None:
        line = self.lines[-1]
        if line.comment or (comment.own and line.text):
            self._line(indent)
        self.lines[-1].comment = comment.text


def _ends(doc: Doc, flat: bool) -> bool:
    """Whether a line ends here."""
    return isinstance(doc, Comment) or (
        isinstance(doc, Break) and (doc.hard or not flat)
    )


def _words(doc: Doc, flat: bool) -> str:
    if isinstance(doc, str):
        return doc
    if isinstance(doc, Break):
        return doc.flat
    return doc.text if isinstance(doc, IfBroken) and not flat else ""


def _aligned(lines: list[_Line]) -> Iterator[str]:
    """Lines as text: comments two columns right of the longest line in a row."""
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end].text and lines[end].comment:
            end += 1
        row = lines[start:end] or [lines[start]]
        width = max(line.indent + len(line.text) for line in row)
        for line in row:
            text = " " * line.indent + line.text
            if line.comment:
                text = (text.ljust(width) + "  " if line.text else text) + line.comment
            yield text.rstrip(" ") + "\n"
        start += len(row)
