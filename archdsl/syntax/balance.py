"""Brackets: paired, and mended where they do not pair, before the parser sees them.

So a parenthesis that is never closed is one error, and the parser finds the ends of
statements and bodies even where it does not understand them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from archdsl.diagnostics import Diagnostic, Note
from archdsl.diagnostics.faults.syntax import (
    ClosesNothing,
    NotClosed,
    Unfinished,
    WrongCloser,
)
from archdsl.source import Source, Span
from archdsl.syntax.layout import CLOSER, GOES_ON, GOES_ON_AFTER, GOES_ON_BEFORE, OPENER
from archdsl.syntax.table import END
from archdsl.syntax.words import Word

_MOST = 20  # mends, each of which may read the words once more
_STRAYS = 5  # braces that close too early, each of which begins anew
_BRACKETS = frozenset((*CLOSER, *OPENER))
_SIGN = dict(zip((*CLOSER, *OPENER), "([{)]}", strict=True))
_ITEM = frozenset({"USE", "BLOCK", "MODEL", "CHECKPOINT"})
_STATEMENT = frozenset(
    {"INPUT", "OUTPUT", "LET", "LAYER", "RETURN", "REQUIRE", "EXPECT"}
)
_NOT_A_HEAD = frozenset({"EQUAL", "COMMA", "RPAR", "RSQB", "COLON", "DOT", "NEWLINE"})
_HEADS = frozenset({"FOR", "IF", "REPEAT", "RESIDUAL", "SCAN"})


def _opens(sign: str, span: Span) -> Note:
    """Where the bracket stands that something is wrong with."""
    return Note(f"`{sign}` opens here", span)


@dataclass
class Balance:
    """Pairs brackets and mends what does not pair.

    Attributes:
        source: The text.
        quiet: Lines on which something else is wrong, so that nothing is reported.
        out: The words, closers added where they lack and dropped where they are idle.
        diagnostics: What was mended.
        vague: Ranges of offsets where a bracket was open that should not have been;
            what a parser finds wrong there follows from that.
        mended: Where parentheses or square brackets were mended.
    """

    source: Source
    quiet: set[int] = field(default_factory=set)
    out: list[Word] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    vague: list[tuple[int, int]] = field(default_factory=list)
    mended: list[int] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)
    _pairs: list[tuple[int, int]] = field(default_factory=list)
    _indents: dict[int, int] = field(default_factory=dict)
    _strays: list[Diagnostic] = field(default_factory=list)

    def run(self, words: list[Word]) -> list[Word]:
        """The words, with every bracket paired."""
        stray = self._run(words)
        while stray:
            words = [word for word in words if word is not stray]
            self._strays.append(self._idle(stray))
            for found in (self.out, self.diagnostics, self.vague, self.mended):
                found.clear()
            self._open.clear()
            self._pairs.clear()
            stray = self._run(words)
        self.diagnostics += self._strays
        return self.out

    def _run(self, words: list[Word]) -> Word | None:
        """Pairs brackets; a brace that closed too early, if there is one."""
        out, kinds = self.out, [*(word.kind for word in words), END]
        begins = False  # whether a line does
        for word, kind, after in zip(words, kinds, kinds[1:], strict=False):
            if not begins and kind not in _BRACKETS:  # most words
                out.append(word)
                begins = kind == "NEWLINE"
                continue
            if kind in OPENER:
                stray = self._close(word)
                if stray:
                    return stray
            else:
                self._take(word, after)
            if len(self.diagnostics) > _MOST:
                break
            begins = self._at_line_start()
        self._close_all()
        return None

    def _take(self, word: Word, after: str) -> None:
        """Takes a word that closes nothing."""
        if self._at_line_start():
            if word.kind != "NEWLINE" and self._lacks_brace(word):
                self._add_brace()
            if self._open and self._at_line_start():
                self._check_head(word, after)
        if word.kind in CLOSER:
            self._open.append(len(self.out))
        self.out.append(word)

    def _close_all(self) -> None:
        """Closes what is open at the end."""
        while self._open and len(self.diagnostics) <= _MOST:
            self._mend(len(self.source.text))
        for index in reversed(self._open):
            closer = CLOSER[self.out[index].kind]
            end = self.out[-1].end
            self.out.append(Word(closer, _SIGN[closer], end, end))

    def _at_line_start(self) -> bool:
        return bool(self.out) and self.out[-1].kind == "NEWLINE"

    def _check_head(self, word: Word, after: str) -> None:
        """Closes what cannot be open where a statement or an item begins."""
        if after in _NOT_A_HEAD:
            return
        if word.kind in _ITEM and self._indent(word) <= self._indent(
            self.out[self._open[0]]
        ):
            while self._open:
                self._mend(word.start)
        elif word.kind in _STATEMENT or word.kind in _ITEM:
            while self._open and self.out[self._open[-1]].kind != "LBRACE":
                self._mend(word.start)

    def _close(self, word: Word) -> Word | None:
        """Pairs a closing bracket; the brace that closed too early if it is idle."""
        opener = OPENER[word.kind]
        kinds = [self.out[index].kind for index in self._open]
        if opener in kinds:
            while self.out[self._open[-1]].kind != opener:
                self._mend(word.start)
        elif not kinds or word.kind == "RBRACE":
            stray = self._stray() if word.kind == "RBRACE" else None
            if not stray:
                self._report(self._idle(word))
            return stray
        else:
            top = self.out[self._open[-1]]
            if top.kind == "LBRACE":
                self._report(self._idle(word))
                return None
            right = CLOSER[top.kind]
            fault = WrongCloser(word.text, top.text, _SIGN[right])
            note = _opens(top.text, self._span(top))
            self._report(Diagnostic(fault, self._span(word), (note,)))
            word = word._replace(kind=right)
        self._pairs.append((self._open.pop(), len(self.out)))
        self.out.append(word)
        return None

    def _idle(self, word: Word) -> Diagnostic:
        opener = _SIGN[OPENER[word.kind]]
        return Diagnostic(ClosesNothing(word.text, opener), self._span(word))

    def _stray(self) -> Word | None:
        """The brace that closed too early, where a later one closes nothing.

        It stands further right than the line it closes, or lines follow that would
        stand outside of everything.
        """
        if len(self._strays) >= _STRAYS:
            return None
        braces = [p for p in self._pairs if self.out[p[0]].kind == "LBRACE"]
        items = [p for p in braces if self._line_before(p[0])[0].kind in _ITEM]
        if not items:
            return None
        first, last = items[-1]
        for opener, closer in reversed(braces):
            word, margin = self.out[closer], self._indent(self.out[opener])
            starts = self.out[closer - 1].kind == "NEWLINE"
            if starts and first <= opener and self._indent(word) > margin:
                return word
        after = (w.kind for w in self.out[last + 1 :] if w.kind != "NEWLINE")
        return self.out[last] if next(after, "USE") not in _ITEM else None

    def _line_before(self, end: int) -> list[Word]:
        """The words of a line up to one of them."""
        start = end
        while start and self.out[start - 1].kind != "NEWLINE":
            start -= 1
        return self.out[start : end + 1]

    # --- braces that do not open ----------------------------------------------------

    def _lacks_brace(self, word: Word) -> bool:
        """Whether the line before the one that a word begins should open a body."""
        within = self._open and self.out[self._open[-1]].kind != "LBRACE"
        if within or word.kind in ("LBRACE", "ARROW"):
            return False
        end = self._before_breaks(len(self.out))
        line = self._line_before(end - 1) if end else []
        if not line or line[-1].kind in GOES_ON - {"ELSE"} or not _has_head(line):
            return False
        return self._indent(word) > self._indent(line[0])

    def _add_brace(self) -> None:
        """Opens a body at the end of the last line; it has no width."""
        place = self._before_breaks(len(self.out))
        before = self.out[place - 1]
        at = before.end
        self._open.append(place)
        self.out.insert(place, Word("LBRACE", "{", at, at))
        fault = Unfinished("the line", before.text[:30], "a body, `{ … }`", "")
        self._report(Diagnostic(fault, Span(self.source, at, at)))

    def _mend(self, found: int) -> None:
        """Closes the innermost open bracket, where that was probably forgotten."""
        index = self._open.pop()
        if self.out[index].kind == "LBRACE":
            index = self._suspect(index)
            place = self._place_of_brace(index)
        else:
            place = self._place_of_closer(index)
            self.mended.append(self.out[index].start)
        opener = self.out[index]
        closer = CLOSER[opener.kind]
        at = self.out[place - 1].end
        self.out.insert(place, Word(closer, _SIGN[closer], at, at))
        self.vague.append((opener.start, found))
        self._pairs.clear()  # their places have moved
        if opener.start == opener.end:
            return  # it is ours, and reported
        fault = NotClosed(opener.text, _SIGN[closer])
        note = _opens(opener.text, self._span(opener))
        if self._span(opener).line not in self.quiet:
            self._report(Diagnostic(fault, Span(self.source, at, at), (note,)))

    def _suspect(self, index: int) -> int:
        """The brace that took another's partner, which stands further left than it."""
        for opener, closer in reversed(self._pairs):
            if opener < index or self.out[opener].kind != "LBRACE":
                continue
            word = self.out[closer]
            first = self.out[closer - 1].kind == "NEWLINE"
            if first and self._indent(word) < self._indent(self.out[opener]):
                return opener
        return index

    def _place_of_brace(self, index: int) -> int:
        """Before the first line that stands no further right than the brace's."""
        margin = self._indent(self.out[index])
        depth = 0
        for place in range(index + 1, len(self.out) - 1):
            kind = self.out[place].kind
            depth += (kind in CLOSER) - (kind in OPENER)
            if kind == "NEWLINE" and depth <= 0:
                after = self.out[place + 1]
                if after.kind != "NEWLINE" and self._indent(after) <= margin:
                    return self._before_breaks(place)
        return self._before_breaks(len(self.out))

    def _place_of_closer(self, index: int) -> int:
        """At the end of the first line that asks for no more."""
        depth = 0
        for place in range(index + 1, len(self.out) - 1):
            kind = self.out[place].kind
            depth += (kind in CLOSER) - (kind in OPENER)
            if (
                kind == "NEWLINE"
                and depth == 0
                and self.out[place - 1].kind not in GOES_ON_AFTER
                and self.out[place + 1].kind not in GOES_ON_BEFORE
            ):
                return place
        return self._before_breaks(len(self.out))

    def _before_breaks(self, place: int) -> int:
        while place and self.out[place - 1].kind == "NEWLINE":
            place -= 1
        return place

    def _indent(self, word: Word) -> int:
        """The column of the first word on the line of a word."""
        if word.start not in self._indents:
            start = self.source.text.rfind("\n", 0, word.start) + 1
            line = self.source.text[start : word.start + 1]
            self._indents[word.start] = len(line) - len(line.lstrip())
        return self._indents[word.start]

    def _span(self, word: Word) -> Span:
        return Span(self.source, word.start, word.end)

    def _report(self, diagnostic: Diagnostic) -> None:
        if diagnostic.span.line not in self.quiet:
            self.diagnostics.append(diagnostic)
        if isinstance(diagnostic.fault, ClosesNothing | WrongCloser):
            self.mended.append(diagnostic.span.start)


def _has_head(line: list[Word]) -> bool:
    """Whether a line has a word that needs a body, and opens none after it."""
    kinds = [word.kind for word in line]
    if _begins_within(kinds):
        return False
    if kinds[0] in ("BLOCK", "MODEL", "CHECKPOINT"):
        return "EQUAL" not in kinds[:3] and "LBRACE" not in kinds
    for before, kind in zip(
        reversed(["ARROW", *kinds[:-1]]), reversed(kinds), strict=True
    ):
        if kind == "LBRACE":
            return False
        if kind in _HEADS and before in ("ARROW", "ELSE", "LBRACE"):
            return True
        if kind == "ELSE" and before == "RBRACE":
            return True
    return False


def _begins_within(kinds: list[str]) -> bool:
    """Whether a line begins within ( ) or [ ]: it closes more than it opens."""
    depth = 0
    for kind in kinds:
        depth += (kind in ("LPAR", "LSQB")) - (kind in ("RPAR", "RSQB"))
        if depth < 0:
            return True
    return False
