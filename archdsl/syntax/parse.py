"""Text to tree, with every syntax error of the text.

After an error the machine goes back to where the statement began and on from where
it ends: what was misunderstood is not in the tree, everything else is. Bodies inside
of a statement that is skipped are read all the same, for the errors in them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.syntax import Outside, TooDeep, TooLarge, TooMany
from archdsl.source import Source, Span
from archdsl.syntax import layout, tree, words
from archdsl.syntax.errors import Place, explain
from archdsl.syntax.machine import DEEPEST, Machine, TooDeepError
from archdsl.syntax.table import END
from archdsl.syntax.words import Word

LARGEST = 1 << 20  # bytes
_PATIENCE = 10 * words.MOST  # errors, those included that follow from others
HIGHEST = 4000  # values that wait for what follows them, as in `- - - …`


def parse(source: Source) -> tuple[tree.File, list[Diagnostic]]:
    """The tree of a text, and what is wrong with its syntax.

    Never raises: statements that are not understood are missing from the tree.

    Args:
        source: The text.

    Returns:
        The file and the errors, in the order of their places; none if all is well.
    """
    size = len(source.text.encode("utf-8", "replace"))
    if size > LARGEST:
        start = Span(source, 0, 0)
        return _empty(source), [Diagnostic(TooLarge(size, LARGEST), start)]
    with uncollected():
        return _parse(source)


def _parse(source: Source) -> tuple[tree.File, list[Diagnostic]]:
    read = words.read(source)
    too_deep = layout.too_deep(source, read.words)
    if too_deep:
        return _empty(source), [*read.diagnostics, too_deep]
    balance = layout.Balance(source)
    balanced = balance.run(read.words)
    found = read.diagnostics + balance.diagnostics
    parser = _Parser(source, layout.significant(balanced), found, balance.vague)
    file = parser.run()
    found.sort(key=lambda d: d.span.start)
    return tree.File(file.span, file.items, _doc(source.text)), found


def _empty(source: Source) -> tree.File:
    return tree.File(Span(source, 0, 0), ())


@contextmanager
def uncollected() -> Iterator[None]:
    """Without a search for cycles: trees and graphs of specs have few or none.

    Looking for some takes a third of the time, and more the larger they are.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _doc(text: str) -> str:
    """The comment at the head of a text, without its marks."""
    lines = []
    for line in text.removeprefix("\ufeff").lstrip().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").removeprefix(" ").rstrip())
    return "\n".join(lines).strip("\n")


@dataclass
class _Frame:
    """A body that is being read, or the file.

    Attributes:
        size: How many values the machine held where the statement began.
        first: The index of the statement's first word.
        skipping: Whether the rest of the statement is passed over.
    """

    size: int
    first: int
    skipping: bool = False


class _Parser:
    """Feeds words to a machine, and helps it where it does not go on."""

    def __init__(
        self,
        source: Source,
        given: list[Word],
        found: list[Diagnostic],
        vague: list[tuple[int, int]],
    ) -> None:
        self._source = source
        last = given[-1].end if given else 0
        self._words = [*given, Word(END, "", last, last)]
        self._found = found
        self._vague = vague
        self._lines = {d.span.line for d in found}  # one error a line is enough
        self._machine = Machine(source)
        self._frames = [_Frame(1, 0)]
        self._stray = False
        self._at = 0
        self._unread = _PATIENCE

    def run(self) -> tree.File:
        """Reads all words."""
        for at, word in enumerate(self._words):
            self._at = at
            match word.kind:
                case "LBRACE":
                    self._open(word)
                case "RBRACE" | "$END":
                    self._close(word)
                case "NEWLINE":
                    self._line(word)
                case _:
                    if not self._frames[-1].skipping:
                        self._feed(word)
            if len(self._found) > words.MOST or self._unread <= 0:
                self._give_up()
                break
        file = self._machine.result
        assert isinstance(file, tree.File)
        return file

    # --- words ----------------------------------------------------------------------

    def _fits(self, word: Word) -> bool:
        """Gives a word to the machine; false where it cannot stand."""
        span = Span(self._source, word.start, word.end)
        try:
            if len(self._machine) < HIGHEST:
                return self._machine.feed(word)
        except TooDeepError as error:
            span = error.span
        self._report(Diagnostic(TooDeep("operations", DEEPEST), span))
        self._frames[-1].skipping = True
        return True

    def _feed(self, word: Word) -> None:
        """Gives a word to the machine, or what should stand in its place."""
        if self._fits(word):
            return
        instead = self._explain()
        if instead is None or not all(self._fits(other) for other in instead):
            self._frames[-1].skipping = True

    def _open(self, word: Word) -> None:
        """Begins a body; one that has no place here is read as that of another."""
        frame = self._frames[-1]
        if not frame.skipping:
            self._feed(word)
        if frame.skipping:
            self._unread -= 1
            self._machine.cut(frame.size)
            at_file = len(self._frames) == 1
            for kind in ("BLOCK", "NAME") if at_file else ("RESIDUAL",):
                self._machine.feed(Word(kind, "_", word.start, word.start))
            self._machine.feed(word)
        self._frames.append(_Frame(len(self._machine), self._at + 1))

    def _close(self, word: Word) -> None:
        """Ends a body or the file, without a statement that is not complete."""
        frame = self._frames[-1]
        if not frame.skipping and not self._fits(word):
            self._explain()
            frame.skipping = True
        if frame.skipping:
            self._machine.cut(frame.size)
            self._machine.feed(word)
        if len(self._frames) > 1:
            self._frames.pop()

    def _line(self, word: Word) -> None:
        """Ends a statement."""
        frame = self._frames[-1]
        if not frame.skipping and not self._fits(word):
            if self._explain() is not None:
                return  # the line break has no meaning
            frame.skipping = True
        if frame.skipping:
            self._machine.cut(frame.size)
            self._machine.feed(word)
        elif len(self._frames) == 1:
            self._stray = False
        frame.size, frame.first = len(self._machine), self._at + 1
        frame.skipping = False

    def _give_up(self) -> None:
        """Ends the parse here."""
        span = max(self._found, key=lambda d: d.span.start).span
        self._found.append(Diagnostic(TooMany(words.MOST), span))
        self._machine.cut(self._frames[0].size)
        self._machine.feed(self._words[-1])

    # --- errors ---------------------------------------------------------------------

    def _explain(self) -> list[Word] | None:
        """Reports the word that cannot stand here; the words to read in its place."""
        place = Place(
            words=self._words,
            at=self._at,
            first=self._frames[-1].first,
            accepted=self._machine.accepted(),
            at_file=len(self._frames) == 1,
        )
        fault, (start, end), instead = explain(place)
        self._unread -= 1
        new = self._report(Diagnostic(fault, Span(self._source, start, end)))
        return instead if new else None

    def _report(self, diagnostic: Diagnostic) -> bool:
        """Adds an error, unless it follows from another."""
        start, line = diagnostic.span.start, diagnostic.span.line
        if isinstance(diagnostic.fault, Outside):
            if self._stray:
                return False  # one for all the lines that stand outside
            self._stray = True
        follows = any(first <= start <= last for first, last in self._vague)
        if line in self._lines or follows:
            return False
        self._lines.add(line)
        self._found.append(diagnostic)
        return True
