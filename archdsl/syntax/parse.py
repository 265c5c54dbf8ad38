"""Text to tree, with every syntax error of the text.

After an error the machine goes back to where the statement began and on from where
it ends: a `tree.Missing` stands for what was misunderstood, everything else is as it
is. Bodies inside of a statement that is skipped are read all the same, for the errors
in them.
"""

from __future__ import annotations

from dataclasses import dataclass

from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.faults.syntax import Outside, TooLarge, TooMany, TooNested
from archdsl.garbage import uncollected
from archdsl.source import Source, Span
from archdsl.syntax import layout, missing, tree, words
from archdsl.syntax.balance import Balance
from archdsl.syntax.errors import explain
from archdsl.syntax.machine import DEEPEST, Machine, TooDeepError, made_whole
from archdsl.syntax.phrases import Place
from archdsl.syntax.table import END
from archdsl.syntax.words import Word

LARGEST = 1 << 20  # bytes
_PATIENCE = 10 * words.MOST  # errors, those included that follow from others
HIGHEST = 4000  # values that wait for what follows them, as in `- - - …`


def parse(source: Source) -> tuple[tree.File, list[Diagnostic]]:
    """The tree of a text, and what is wrong with its syntax.

    Never raises: in the place of what is not understood stands a `tree.Missing`.

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
    file = _whole(source)
    return (file, []) if file is not None else _with_care(source)


def _whole(source: Source) -> tree.File | None:
    """The tree of a text without a syntax error; None if there is one."""
    found = words.right(source)
    given = None if found is None else layout.significant(found)
    if given is None:
        return None
    last = given[-1][3] if given else 0
    file = made_whole(source, [*given, (END, "", last, last)], HIGHEST)
    if file is None:
        return None
    assert isinstance(file, tree.File)
    return tree.File(file.span, file.items, _doc(source.text))


def _with_care(source: Source) -> tuple[tree.File, list[Diagnostic]]:
    """The tree of a text that is wrong somewhere, and what is wrong."""
    read = words.read(source)
    too_deep = layout.too_deep(source, read.words)
    if too_deep:
        return _empty(source), [*read.diagnostics, too_deep]
    balance = Balance(source, {d.span.line for d in read.diagnostics})
    given = layout.significant(balance.run(read.words), mended=True)
    assert given is not None  # each bracket has one now
    found = read.diagnostics + balance.diagnostics
    parser = _Parser(source, given, found, balance)
    parser.replaced = sorted((d.span.start for d in read.diagnostics), reverse=True)
    file = parser.run()
    found.sort(key=lambda d: d.span.start)
    return tree.File(file.span, file.items, _doc(source.text)), found


def _empty(source: Source) -> tree.File:
    start = Span(source, 0, 0)
    return tree.File(start, (tree.Missing(start, (), anything=True),))


def _doc(text: str) -> str:
    """The comment at the head of a text, without its marks."""
    lines = []
    for line in text.removeprefix("\ufeff").lstrip().splitlines():
        comment = line.lstrip()
        if not comment.startswith("#"):
            break
        lines.append(comment.lstrip("#").removeprefix(" ").rstrip())
    return "\n".join(lines).strip("\n")


@dataclass
class _Frame:
    """A body that is being read, or the file.

    Attributes:
        size: How many values the machine held where the statement began.
        first: The index of the statement's first word.
        skipping: Whether the rest of the statement is passed over.
        wrong: Whether something in it was replaced by what was probably meant.
    """

    size: int
    first: int
    skipping: bool = False
    wrong: bool = False


class _Parser:
    """Feeds words to a machine, and helps it where it does not go on."""

    def __init__(
        self,
        source: Source,
        given: list[Word],
        found: list[Diagnostic],
        balance: Balance,
    ) -> None:
        self._source = source
        last = given[-1].end if given else 0
        self._words = [*given, Word(END, "", last, last)]
        self._found = found
        self._vague = balance.vague
        self._lines = {d.span.line for d in found}  # one error a line is enough
        # Where words were replaced, and where brackets were: latest first.
        self.replaced: list[int] = []
        self._mended = sorted(balance.mended, reverse=True)
        self._machine = Machine(source)
        self._frames = [_Frame(1, 0)]
        self._stray = False
        self._at = 0
        self._unread = _PATIENCE

    def run(self) -> tree.File:
        """Reads all words."""
        for at, word in enumerate(self._words):
            self._at = at
            self._mark(word)
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

    def _mark(self, word: Word) -> None:
        """Notes errors that were found before the parse up to the end of a word.

        A bracket that was mended in the head of an item says nothing of its body.
        """
        frame = self._frames[-1]
        while self.replaced and self.replaced[-1] <= word.end:
            frame.wrong = True
            self.replaced.pop()
        while self._mended and self._mended[-1] <= word.end:
            frame.wrong = frame.wrong or len(self._frames) > 1
            self._mended.pop()

    # --- words ----------------------------------------------------------------------

    def _fits(self, word: Word) -> bool:
        """Gives a word to the machine; false where it cannot stand."""
        span = Span(self._source, word.start, word.end)
        try:
            if len(self._machine) < HIGHEST:
                return self._machine.feed(word)
        except TooDeepError as error:
            span = error.span
        self._report(Diagnostic(TooNested("operations", DEEPEST), span))
        self._frames[-1].skipping = True
        return True

    def _feed(self, word: Word) -> None:
        """Gives a word to the machine, or what should stand in its place."""
        if self._fits(word):
            return
        instead = self._explain()
        frame = self._frames[-1]
        if instead is None or not all(self._fits(other) for other in instead):
            frame.skipping = True
        frame.wrong = frame.wrong or len(self._frames) > 1

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
        """Ends a body or the file."""
        self._end(word)
        if len(self._frames) > 1:
            self._frames.pop()

    def _line(self, word: Word) -> None:
        """Ends a statement."""
        if not self._end(word):
            return
        frame = self._frames[-1]
        if len(self._frames) == 1 and not (frame.skipping or frame.wrong):
            self._stray = False
        frame.size, frame.first = len(self._machine), self._at + 1
        frame.skipping = frame.wrong = False

    def _end(self, word: Word) -> bool:
        """Ends a statement, or puts a mark in the place of one that is not right.

        False where the word that ends it, a line break, has no meaning.
        """
        frame = self._frames[-1]
        unclosed = word.kind == "RBRACE" and word.start == word.end
        skipped = self._words[frame.first : self._at] or ([word] if unclosed else [])
        if not frame.skipping and not (unclosed or (frame.wrong and skipped)):
            fits = self._fits(word)
            if fits and not self._frames[-1].skipping:  # it is where nodes are too deep
                return True
            if not fits and self._explain() is not None and word.kind == "NEWLINE":
                return False
            frame.skipping = True
            if word.kind == "NEWLINE" and self._goes_on():
                return False
        self._machine.cut(frame.size)
        if skipped:
            self._miss(skipped)
        self._machine.feed(word)
        return True

    def _goes_on(self) -> bool:
        """Whether the next line is what a line that ends with an operator lacks."""
        first, last, after = (
            self._words[index]
            for index in (self._frames[-1].first, self._at - 1, self._at + 1)
        )
        columns = (Span(self._source, w.start, w.end).column for w in (first, after))
        return last.kind in layout.GOES_ON and next(columns) < next(columns)

    def _miss(self, skipped: list[Word], *, anything: bool = False) -> None:
        """Puts a mark in the place of words."""
        start, end = skipped[0].start, skipped[-1].end
        anything = anything or (len(self._frames) == 1 and missing.is_open(skipped))
        span = Span(self._source, start, end)
        value = tree.Missing(span, missing.names(skipped), anything)
        self._machine.feed(Word("MISSING", "", start, end), value)

    def _give_up(self) -> None:
        """Ends the parse here."""
        span = max(self._found, key=lambda d: d.span.start).span
        self._found.append(Diagnostic(TooMany(words.MOST), span))
        first = self._frames[0]
        self._machine.cut(first.size)
        if first.first < len(self._words) - 1:
            self._miss(self._words[first.first : -1], anything=True)
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
