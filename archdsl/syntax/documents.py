"""From words and brackets to documents: which blanks and breaks belong between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.syntax.brackets import Items, comprehension, listed, sections_of
from archdsl.syntax.pieces import Element, Nest, leading_comments, word
from archdsl.syntax.printer import (
    BLANK,
    HARD,
    Box,
    Break,
    Doc,
    Kind,
    is_hard,
)

_END = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
_NUMBERS = frozenset({"INT", "FLOAT"})
_VALUES = _NUMBERS | {"NAME", "AXIS", "STRING", "TRUE", "FALSE", "NONE", "RPAR", "RSQB"}
_CALLED = _VALUES | {"REPEAT", "RESIDUAL", "SCAN"}
_UNARY = "UNARY"

# Where a long line may break, outermost first; one of a body only at its arrows.
_Levels = tuple[frozenset[str], ...]
_CHAIN = frozenset({"ARROW", "ELSE"})
_IN_BODY: _Levels = (_CHAIN,)
_IN_BRACKETS: _Levels = (
    _CHAIN, frozenset({"OR"}), frozenset({"AND"}), frozenset({"PLUS", "MINUS"})
)  # fmt: skip


# --- statements ---------------------------------------------------------------------


@dataclass(slots=True)
class Entry:
    """A statement or an item with the comments in it, or a comment between two.

    Attributes:
        elements: Its words, brackets and comments.
        blank: Whether an empty line stands before it.
    """

    elements: list[Element]
    blank: bool = field(init=False)

    def __post_init__(self) -> None:
        self.blank = self.elements[0].breaks > 1

    @property
    def kind(self) -> str:
        """The kind of its first word."""
        return self.elements[0].kind


def entries_of(inner: Sequence[Element]) -> list[Entry]:
    """What stands in a body or a file, one below the other."""
    entries: list[Entry] = []
    chunk: list[Element] = []
    for element in inner:
        if element.kind == "NEWLINE":
            entries += _entries(chunk)
            chunk = []
        else:
            chunk.append(element)
    return [*entries, *_entries(chunk)]


def _entries(chunk: list[Element]) -> Iterator[Entry]:
    start = leading_comments(chunk)
    yield from (Entry([comment]) for comment in chunk[:start])
    if start < len(chunk):
        yield Entry(chunk[start:])


def statements(entries: Sequence[Entry]) -> list[Doc]:
    """Statements one below the other."""
    docs: list[Doc] = []
    for index, entry in enumerate(entries):
        if index:
            docs.append(BLANK if entry.blank else HARD)
        docs.append(statement(entry))
    return docs


def statement(entry: Entry) -> Box:
    """One statement or item."""
    return _row(entry.elements, _IN_BODY)


def on_a_line(entry: Entry) -> bool:
    """Whether the author put an item that has a body on one line."""
    body = entry.elements[-1]
    return isinstance(body, Nest) and _on_a_line(body)


def _braces(bodies: Sequence[Nest], between: Sequence[Doc]) -> Doc:
    """The body of a statement, or those of `if` and `else`: all on one line, or none.

    `between` stands between one body and the next.
    """
    parts: list[Doc] = []
    broken = any(isinstance(doc, Box) and doc.hard for doc in between)
    for index, body in enumerate(bodies):
        if index:
            parts += (between[index - 1], " ")
        inside = _inside(body)
        broken = broken or not _on_a_line(body) or any(map(is_hard, inside))
        parts += inside
    return Box(Kind.ANCHOR, [Box(Kind.GROUP, parts, broken=broken)])


def _inside(body: Nest) -> list[Doc]:
    """A body with its braces."""
    if not body.inner:
        return ["{ }"]
    inner, head = body.inner, list[Doc]()
    if inner[0].kind == "COMMENT" and not inner[0].breaks:
        head, inner = [word(inner[0])], inner[1:]
    entries = entries_of(inner)
    lines = [Break(), *statements(entries)] if entries else []
    return ["{", *head, Box(Kind.INDENT, lines), Break(), "}"]


def _on_a_line(body: Nest) -> bool:
    """Whether its author put a body on one line."""
    breaks = body.last + sum(e.breaks for e in body.inner[:1])
    return not breaks and all(e.kind != "NEWLINE" for e in body.inner)


# --- words in a row -----------------------------------------------------------------


class _Atom(NamedTuple):
    """A word or a bracket, the blank before it, and whether its author broke there."""

    gap: str
    kind: str
    doc: Doc
    breaks: bool


def _row(inner: Sequence[Element], levels: _Levels, before: str = "") -> Box:
    """Words in a row after a word of a kind, broken at the levels where too long."""
    return _chain(list(_Row(inner, levels, before).atoms()), levels)


def _in_brackets(inner: Sequence[Element]) -> Box:
    return _row(inner, _IN_BRACKETS)


class _Row:
    """Puts blanks between words."""

    def __init__(
        self, inner: Sequence[Element], levels: _Levels, before: str = ""
    ) -> None:
        self._inner = inner
        self._levels = levels
        self._kinds = ["", before]  # of the last two words
        self._path = bool(inner) and inner[0].kind == "USE"
        self._target = False  # between `for` and `in`

    def atoms(self) -> Iterator[_Atom]:
        """The words with what stands between them."""
        index = 0
        while index < len(self._inner):
            element = self._inner[index]
            kind, count = self._kind(element), 1
            gap, breaks = self._gap(kind), element.breaks > 0
            if not isinstance(element, Nest):
                doc: Doc = word(element)
                after = self._inner[index + 1 : index + 2]
                breaks = breaks or (kind == "ARROW" and after[0].breaks > 0)
            elif kind == "LBRACE":
                doc, count = self._bodies(index)
            else:
                doc = self._brackets(element)
            yield _Atom(gap, kind, doc, breaks)
            if kind != "COMMENT":
                self._kinds = [self._kinds[1], _END.get(kind, kind)]
            index += count

    def _kind(self, element: Element) -> str:
        kind = element.kind
        if kind == "FOR" or (self._target and kind == "IN"):
            self._target = kind == "FOR"
        if kind in ("PLUS", "MINUS") and self._kinds[1] not in _VALUES:
            return _UNARY
        return kind

    def _gap(self, kind: str) -> str:
        """The blank before a word of a kind, or nothing."""
        second, before = self._kinds
        if before in ("", "DOT", _UNARY) or kind in ("COMMA", "COLON", "COMMENT"):
            return ""
        if self._path:
            return "" if "SLASH" in (before, kind) else " "
        if kind == "DOT":
            return " " if before in _NUMBERS else ""
        closed = (kind == "LPAR" and before in _CALLED) or (
            kind == "LSQB" and before in _VALUES and second != "SCAN"
        )
        return "" if closed else " "

    def _brackets(self, nest: Nest) -> Doc:
        sections = sections_of(nest.inner) if nest.kind == "LSQB" else []
        if sections:
            return comprehension(nest, sections, _in_brackets)
        items = Items(nest.inner)
        called = self._kinds[1] in _CALLED
        if nest.kind == "LSQB" or called or self._target or not items.commas:
            last = "," if called or nest.kind == "LSQB" else ""
            return listed(nest, items, _in_brackets, last=last)
        alone = len(items.rows) == 1
        return listed(nest, items, _in_brackets, last=",", alone=alone)

    def _bodies(self, index: int) -> tuple[Doc, int]:
        """A body and those that `else` adds to it, and how many elements they are."""
        bodies: list[Nest] = []
        between: list[Doc] = []
        last = index
        at: int | None = index
        while at is not None:
            body = self._inner[at]
            assert isinstance(body, Nest)
            if bodies:
                words = self._inner[last:at]
                between.append(_row(words, self._levels[1:], "RBRACE"))
            bodies.append(body)
            last = at + 1
            at = self._other(last)
        return _braces(bodies, between), last - index

    def _other(self, start: int) -> int | None:
        """Where the body of an `else` stands that follows a body."""
        start += leading_comments(self._inner[start:])
        if start == len(self._inner) or self._inner[start].kind != "ELSE":
            return None
        while self._inner[start].kind != "LBRACE":
            start += 1
        return start


def _chain(atoms: list[_Atom], levels: _Levels) -> Box:
    """Words in a row, with a place to break before each of the outermost level."""
    cuts: list[int] = []
    while levels and not cuts:
        kinds, levels = levels[0], levels[1:]
        cuts = [i for i, atom in enumerate(atoms) if i and atom.kind in kinds]
    if not cuts:
        return Box(Kind.PLAIN, [p for a in atoms for p in (a.gap, a.doc)])
    starts = [_with_comments(atoms, cut) for cut in cuts]
    parts = [
        _chain([atoms[start]._replace(gap=""), *atoms[start + 1 : end]], levels)
        for start, end in zip([0, *starts], [*starts, len(atoms)], strict=True)
    ]
    lines: list[list[Doc]] = [[parts[0]]]  # as the author broke them
    for cut, part in zip(cuts, parts[1:], strict=True):
        if atoms[cut].breaks and atoms[cut].kind in _CHAIN:
            lines.append([part])
        else:
            lines[-1] += (Break(), part)
    first, *others = lines
    docs: list[Doc] = [
        Box(Kind.GROUP, [first[0], Box(Kind.INDENT, first[1:])]),
        *(Box(Kind.INDENT, [HARD, Box(Kind.GROUP, line)]) for line in others),
    ]
    return Box(Kind.ANCHOR, docs)


def _with_comments(atoms: list[_Atom], cut: int) -> int:
    """Where the comments begin that stand on lines of their own before a word."""
    while atoms[cut - 1].kind == "COMMENT" and atoms[cut - 1].breaks:
        cut -= 1
    return cut
