"""Brackets and line breaks: what of a text's shape means something.

Brackets are paired, and mended where they do not pair, before the parser sees them.
So a parenthesis that is never closed is one error, and the parser finds the ends of
statements and bodies even where it does not understand them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from archdsl.diagnostics import Diagnostic, Note
from archdsl.diagnostics.syntax import (
    ClosesNothing,
    NotClosed,
    TooDeep,
    WrongCloser,
)
from archdsl.source import Source, Span
from archdsl.syntax.table import END
from archdsl.syntax.words import Word

DEEPEST = 64  # brackets in brackets
_MOST = 20  # mends, each of which may read the words once more

_CLOSER = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
_OPENER = {closer: opener for opener, closer in _CLOSER.items()}
_SIGN = dict(zip((*_CLOSER, *_OPENER), "([{)]}", strict=True))

_ITEM = frozenset({"USE", "BLOCK", "MODEL"})
_STATEMENT = frozenset({"INPUT", "OUTPUT", "LET", "LAYER", "RETURN", "REQUIRE"})
_NOT_A_HEAD = frozenset({"EQUAL", "COMMA", "RPAR", "RSQB", "COLON", "DOT", "NEWLINE"})
_SIGNS = {"PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "POWER", "COMPARE"}
_WORDS = {"OR", "AND", "NOT", "AS", "IN", "IF", "ELSE", "FOR"}
GOES_ON = frozenset(_SIGNS | _WORDS | {"COMMA", "EQUAL", "COLON", "DOT"})
_GOES_ON_AFTER = GOES_ON | _CLOSER.keys() | {"ARROW", "NEWLINE"}
_GOES_ON_BEFORE = (GOES_ON - {"NOT"}) | _OPENER.keys() | {"NEWLINE"}


def significant(words: list[Word]) -> list[Word]:
    """The words without the line breaks that mean nothing."""
    out: list[Word] = []
    stack: list[str] = []
    within = False  # in ( ) or [ ]
    last = "NEWLINE"
    for word in words:
        kind = word.kind
        if kind == "NEWLINE":
            if within or last in ("NEWLINE", "LBRACE", "ARROW"):
                continue
        elif kind in _CLOSER:
            stack.append(kind)
            within = kind != "LBRACE"
        elif kind in _OPENER:
            stack.pop()
            within = bool(stack) and stack[-1] != "LBRACE"
        if last == "NEWLINE" and kind in ("ARROW", "ELSE") and out:
            out.pop()
        out.append(word)
        last = kind
    return out


def too_deep(source: Source, words: list[Word]) -> Diagnostic | None:
    """An error at the bracket that is one too many, if there is one."""
    depth = 0
    for word in words:
        if word.kind in _CLOSER:
            depth += 1
            if depth > DEEPEST:
                span = Span(source, word.start, word.end)
                return Diagnostic(TooDeep("brackets", DEEPEST), span)
        elif word.kind in _OPENER and depth:
            depth -= 1
    return None


def _opens(sign: str, span: Span) -> Note:
    """Where the bracket stands that something is wrong with."""
    return Note(f"`{sign}` opens here", span)


@dataclass
class Balance:
    """Pairs brackets and mends what does not pair.

    Attributes:
        out: The words, closers added where they lack and dropped where they are idle.
        diagnostics: What was mended.
        vague: Ranges of offsets where a bracket was open that should not have been;
            what a parser finds wrong there follows from that.
    """

    source: Source
    out: list[Word] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    vague: list[tuple[int, int]] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)
    _pairs: list[tuple[int, int]] = field(default_factory=list)
    _indents: dict[int, int] = field(default_factory=dict)

    def run(self, words: list[Word]) -> list[Word]:
        """The words, with every bracket paired."""
        kinds = [*(word.kind for word in words), END]
        for word, after in zip(words, kinds[1:], strict=True):
            kind = word.kind
            if len(self.diagnostics) > _MOST:
                break
            if kind in _OPENER:
                self._close(word)
                continue
            if self._open and self._at_line_start():
                self._check_head(word, after)
            if kind in _CLOSER:
                self._open.append(len(self.out))
            self.out.append(word)
        while self._open and len(self.diagnostics) <= _MOST:
            self._mend(len(self.source.text))
        for index in reversed(self._open):
            closer = _CLOSER[self.out[index].kind]
            end = self.out[-1].end
            self.out.append(Word(closer, _SIGN[closer], end, end))
        return self.out

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

    def _close(self, word: Word) -> None:
        opener = _OPENER[word.kind]
        kinds = [self.out[index].kind for index in self._open]
        if opener in kinds:
            while self.out[self._open[-1]].kind != opener:
                self._mend(word.start)
        elif not kinds or word.kind == "RBRACE":
            self._report(ClosesNothing(word.text, _SIGN[opener]), word)
            return
        else:
            top = self.out[self._open[-1]]
            if top.kind == "LBRACE":
                self._report(ClosesNothing(word.text, _SIGN[opener]), word)
                return
            right = _CLOSER[top.kind]
            fault = WrongCloser(word.text, top.text, _SIGN[right])
            self._report(fault, word, _opens(top.text, self._span(top)))
            word = word._replace(kind=right)
        self._pairs.append((self._open.pop(), len(self.out)))
        self.out.append(word)

    def _mend(self, found: int) -> None:
        """Closes the innermost open bracket, where that was probably forgotten."""
        index = self._open.pop()
        if self.out[index].kind == "LBRACE":
            index = self._suspect(index)
            place = self._place_of_brace(index)
        else:
            place = self._place_of_closer(index)
        opener = self.out[index]
        closer = _CLOSER[opener.kind]
        at = self.out[place - 1].end
        self.out.insert(place, Word(closer, _SIGN[closer], at, at))
        self.vague.append((opener.start, found))
        self._pairs.clear()  # their places have moved
        fault = NotClosed(opener.text, _SIGN[closer])
        note = _opens(opener.text, self._span(opener))
        span = Span(self.source, at, at)
        self.diagnostics.append(Diagnostic(fault, span, (note,)))

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
            depth += (kind in _CLOSER) - (kind in _OPENER)
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
            depth += (kind in _CLOSER) - (kind in _OPENER)
            if (
                kind == "NEWLINE"
                and depth == 0
                and self.out[place - 1].kind not in _GOES_ON_AFTER
                and self.out[place + 1].kind not in _GOES_ON_BEFORE
            ):
                return place
        return self._before_breaks(len(self.out))

    def _before_breaks(self, place: int) -> int:
        while self.out[place - 1].kind == "NEWLINE":
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

    def _report(
        self, fault: ClosesNothing | WrongCloser, word: Word, *notes: Note
    ) -> None:
        self.diagnostics.append(Diagnostic(fault, self._span(word), notes))
