"""Line breaks and depth: what of a text's shape means something."""

from __future__ import annotations

from typing import TypeVar

from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.faults.syntax import TooNested
from archdsl.source import Source, Span
from archdsl.syntax.words import Plain, Word

DEEPEST = 64  # brackets in brackets

CLOSER = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
OPENER = {closer: opener for opener, closer in CLOSER.items()}

_SIGNS = {"PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "POWER", "COMPARE"}
_WORDS = {"OR", "AND", "NOT", "AS", "IN", "IF", "ELSE", "FOR"}
GOES_ON = frozenset(_SIGNS | _WORDS | {"COMMA", "EQUAL", "COLON", "DOT"})
GOES_ON_AFTER = GOES_ON | CLOSER.keys() | {"ARROW", "NEWLINE"}
GOES_ON_BEFORE = (GOES_ON - {"NOT"}) | OPENER.keys() | {"NEWLINE"}
_SHAPING = frozenset({*CLOSER, *OPENER, "NEWLINE", "ARROW", "ELSE"})
_BEGINS = frozenset({"NEWLINE", "LBRACE", "ARROW"})  # what a line may begin after

_Word = TypeVar("_Word", bound=Plain)


def significant(  # noqa: C901 - one loop without calls is quick
    words: list[_Word], mended: bool = False
) -> list[_Word] | None:
    """The words without the line breaks that mean nothing.

    Where brackets pair and the grammar takes the words, `Balance` has nothing to mend:
    a body that it opens, or a bracket that it closes, would need a line break that
    counts where the grammar has none. What it has `mended` has as many closers as
    openers; where one closes another kind, the parser says what it thinks of that.

    Args:
        words: The words.
        mended: Whether `Balance` has made them.

    Returns:
        The words that count; None if a bracket is alone, or too many are open at once.
    """
    out: list[_Word] = []
    stack: list[str] = []
    within = False  # in ( ) or [ ]
    last = "NEWLINE"
    for word in words:
        kind = word[0]
        if kind not in _SHAPING:
            pass
        elif kind == "NEWLINE":
            if within or last in _BEGINS:
                continue
        elif kind in CLOSER:
            stack.append(kind)
            within = kind != "LBRACE"
            if len(stack) > DEEPEST and not mended:
                return None
        elif kind in OPENER:
            if not stack or (stack.pop() != OPENER[kind] and not mended):
                return None
            within = bool(stack) and stack[-1] != "LBRACE"
        elif last == "NEWLINE" and out:  # an arrow or `else`
            out.pop()
        out.append(word)
        last = kind
    return None if stack else out


def too_deep(source: Source, words: list[Word]) -> Diagnostic | None:
    """An error at the bracket that is one too many, if there is one."""
    depth = 0
    for word in words:
        if word.kind in CLOSER:
            depth += 1
            if depth > DEEPEST:
                span = Span(source, word.start, word.end)
                return Diagnostic(TooNested("brackets", DEEPEST), span)
        elif word.kind in OPENER and depth:
            depth -= 1
    return None
