"""Patterns of keys: what stands between the quotes in the rules of a checkpoint.

A text is cut at its braces. With a comma outside of brackets they hold alternatives,
``{q,k,v}``; else a capture on our side, ``{i}``, and an expression on theirs. A ``*``
is anything, in rules that drop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import TypeAlias

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.diagnostics.faults.checkpoints import BadPattern
from archdsl.record import record
from archdsl.source import Source, Span
from archdsl.syntax import parse, tree

_MOST = 1000  # rules, or items of a list, that alternatives may make
_STARS = 4  # of a pattern: each more is a factor of the time it takes
_NAME = re.compile(r"[a-z_][A-Za-z0-9_]*")
_WORD = re.compile(r"[A-Za-z0-9_.\-]*")
_PLAIN = re.compile(r"[^{}*\\\s]*")
_HEAD = "model m = m("


@record
class Capture:
    """``{i}`` on our side: a number."""

    name: str


@record
class Hole:
    """``{2 * i + 1}`` on their side: a number or a text, from an expression."""

    expression: tree.Expr
    span: Span


@record
class Choice:
    """``{q,k,v}``: one of several texts."""

    words: tuple[str, ...]
    span: Span


@record
class Anything:
    """``*`` in what is dropped."""


Part: TypeAlias = str | Capture | Hole | Choice | Anything


@record
class Pattern:
    """A key, or how several begin."""

    parts: tuple[Part, ...]
    span: Span

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Its alternatives, in order."""
        return tuple(p for p in self.parts if isinstance(p, Choice))

    @property
    def captures(self) -> tuple[str, ...]:
        """The names of the numbers that it captures."""
        return tuple(p.name for p in self.parts if isinstance(p, Capture))

    def chosen(self, words: Sequence[str]) -> Pattern:
        """The pattern with a word for each of its alternatives."""
        left = iter(words)
        parts = tuple(next(left) if isinstance(p, Choice) else p for p in self.parts)
        return Pattern(parts, self.span)

    def regex(self, mark: str = "") -> str:
        """An expression that fits a key; its last group is what follows, without a dot.

        Only for patterns without alternatives and expressions.

        Args:
            mark: What is put after the name of each group, as one expression for
                several patterns has each name once.
        """
        seen: set[str] = set()
        words = [_fitting(part, mark, seen) for part in self.parts]
        return "".join(words) + r"(?:\.(.+))?"

    def filled(self, values: Mapping[str, int], rest: str | None) -> str:
        """The key that it stands for, its captures known; only for our patterns."""
        parts = (
            str(values[p.name]) if isinstance(p, Capture) else str(p)
            for p in self.parts
        )
        return joined("".join(parts), rest)


def joined(head: str, rest: str | None) -> str:
    """A key of its beginning and what follows, if anything does."""
    return head if rest is None else f"{head}.{rest}"


def _fitting(part: Part, mark: str, seen: set[str]) -> str:
    if isinstance(part, Capture):
        name, again = part.name + mark, part.name in seen
        seen.add(part.name)
        return f"(?P={name})" if again else f"(?P<{name}>[0-9]+)"
    if isinstance(part, Anything):
        return ".*"
    assert isinstance(part, str)
    return re.escape(part)


# --- reading ------------------------------------------------------------------------


def read_pattern(text: tree.Literal, *, ours: bool, stars: bool = False) -> Pattern:
    """The pattern of a text.

    Args:
        text: A literal whose value is a text.
        ours: Whether braces capture, not evaluate.
        stars: Whether a ``*`` may stand in it.

    Raises:
        SpecError: It is none.
    """
    reader = _Reader(text.span, ours, stars)
    parts = tuple(reader.parts(text.span.text[1:-1]))
    if sum(isinstance(part, Anything) for part in parts) > _STARS:
        raise reader.wrong(0, 0, f"a pattern has at most {_STARS} `*`", "more here")
    if not parts:
        raise reader.wrong(0, 0, "a key cannot be empty", "no key")
    return Pattern(parts, text.span)


class _Reader:
    """Reads one text; offsets count from its first character."""

    def __init__(self, span: Span, ours: bool, stars: bool) -> None:
        self._span = span
        self._ours = ours
        self._stars = stars

    def _at(self, start: int, end: int) -> Span:
        first = self._span.start + 1
        return Span(self._span.source, first + start, first + max(end, start + 1))

    def wrong(
        self, start: int, end: int, problem: str, found: str, mend: str = ""
    ) -> SpecError:
        """An error at a place of the text."""
        fault = BadPattern(problem, found, mend)
        return SpecError([Diagnostic(fault, self._at(start, end))])

    def parts(self, text: str) -> Iterator[Part]:
        """The parts of the text, in order."""
        at = 0
        while at < len(text):
            plain = _PLAIN.match(text, at)
            assert plain is not None
            if plain[0]:
                yield plain[0]
            at = plain.end()
            if at == len(text):
                return
            if text[at] == "*":
                yield self._star(at)
                at += 1
            elif text[at] == "{":
                end = self._closer(text, at)
                yield self._group(text[at + 1 : end], at + 1)
                at = end + 1
            else:
                raise self._stray(text[at], at)

    def _stray(self, sign: str, at: int) -> SpecError:
        if sign == "}":
            return self.wrong(at, at + 1, "`}` closes nothing", "no `{` before it")
        what = "a backslash" if sign == "\\" else "a blank"
        return self.wrong(at, at + 1, f"no key has {what} in it", "not of a key")

    def _star(self, at: int) -> Anything:
        if self._stars:
            return Anything()
        problem = "`*` stands for any key in what is dropped only"
        mend = "capture a number as `{i}`" if self._ours else "write `-> none` to drop"
        raise self.wrong(at, at + 1, problem, "not here", mend)

    def _closer(self, text: str, start: int) -> int:
        depth = 0
        for at in range(start, len(text)):
            depth += (text[at] == "{") - (text[at] == "}")
            if depth == 0:
                return at
        problem = "this brace is never closed"
        raise self.wrong(start, start + 1, problem, "no `}` follows in this text")

    def _group(self, inside: str, at: int) -> Part:
        words = _split(inside)
        if len(words) > 1:
            for word in words:
                if not _WORD.fullmatch(word):
                    problem = f"`{word}` is no part of a key"
                    end = at + len(inside)
                    raise self.wrong(at, end, problem, "alternatives are plain words")
            return Choice(tuple(words), self._at(at, at + len(inside)))
        if self._ours:
            return self._capture(inside.strip(), at, at + len(inside))
        return self._hole(inside, at)

    def _capture(self, name: str, at: int, end: int) -> Capture:
        if not _NAME.fullmatch(name):
            problem = "on our side, braces capture a number under a name"
            mend = "compute on their side: `{2 * i + 1}` there, `{i}` here"
            raise self.wrong(at, end, problem, "no name", mend)
        return Capture(name)

    def _hole(self, inside: str, at: int) -> Hole:
        source = Source(self._span.source.name, f"{_HEAD}{inside}\n)")
        file, problems = parse(source)
        item = file.items[0] if len(file.items) == 1 and not problems else None
        call = item.value if isinstance(item, tree.Variant) else None
        given = call.arguments if isinstance(call, tree.Call) else ()
        if len(given) != 1 or given[0].name is not None:
            found = "such as `{i}`, `{2 * i + 1}` or `{q,k,v}`"
            end = at + len(inside)
            raise self.wrong(at, end, "these braces hold no expression", found)
        return Hole(given[0].value, self._at(at, at + len(inside)))


def _split(inside: str) -> list[str]:
    """What stands between the commas that no bracket holds."""
    words, depth = [""], 0
    for sign in inside:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            words.append("")
        else:
            words[-1] += sign
    return [word.strip() for word in words] if len(words) > 1 else words


def moved(diagnostic: Diagnostic, hole: Hole) -> Diagnostic:
    """What is wrong with an expression, at its place in the text that holds it."""
    span = diagnostic.span
    source = hole.expression.span.source
    if span.source is not source:
        return diagnostic
    first = hole.span.start - len(_HEAD)
    return replace(
        diagnostic, span=Span(hole.span.source, first + span.start, first + span.end)
    )


# --- alternatives -------------------------------------------------------------------

Sides: TypeAlias = tuple[tuple[Pattern, ...], tuple[Pattern | None, ...]]


def alternatives(
    theirs: Sequence[Pattern], ours: Sequence[Pattern | None], lists: tuple[bool, bool]
) -> Iterator[Sides]:
    """The rules that one with alternatives stands for, in order.

    The alternatives of both sides go side by side, the first with the first. Those
    that only the patterns of a list have are more items of that list.

    Args:
        theirs: The patterns of the left side.
        ours: Those of the right side; None for a piece that is dropped.
        lists: Whether each side is a list.

    Raises:
        SpecError: The sides do not go together.
    """
    for pattern in (*theirs, *ours):
        if pattern is not None:
            _check_count(pattern)
    paired = _paired([*theirs], [p for p in ours if p is not None], lists)
    for turn in product(*(range(len(words)) for words in paired)):
        left = [p for p in _items(theirs, turn) if p is not None]
        yield tuple(left), tuple(_items(ours, turn))


def _paired(
    theirs: Sequence[Pattern], ours: Sequence[Pattern], lists: tuple[bool, bool]
) -> list[tuple[str, ...]]:
    """The alternatives that the sides share: as many as the one with fewest has."""
    if not ours or not theirs:  # what is dropped, or made up, has one side
        return [choice.words for p in (*theirs, *ours) for choice in p.choices]
    patterns = [*theirs, *ours]
    count = min(len(p.choices) for p in patterns)
    for each, is_list in zip((theirs, ours), lists, strict=True):
        if not is_list:
            _check_alone(each, count)
    first = patterns[0].choices[:count]
    for pattern in patterns:
        _check_lengths(first, pattern)
    return [choice.words for choice in first]


def _check_count(pattern: Pattern) -> None:
    total = prod(len(choice.words) for choice in pattern.choices)
    if total > _MOST:
        found = f"{total:,}, and {_MOST:,} are the most"
        raise _refuse("these are too many alternatives", found, pattern.span)


def _check_alone(patterns: Sequence[Pattern], count: int) -> None:
    for pattern in patterns:
        for choice in pattern.choices[count:]:
            problem = "these alternatives have none beside them on the other side"
            mend = 'as many `{a,b}` on both sides, or a list: `["….{q,k,v}"]`'
            raise _refuse(problem, "alone", choice.span, mend)


def _check_lengths(first: Sequence[Choice], pattern: Pattern) -> None:
    for one, other in zip(first, pattern.choices, strict=False):
        if len(one.words) != len(other.words):
            numbers = f"{len(one.words)} and {len(other.words)}"
            problem = f"alternatives go side by side, and these are {numbers}"
            raise _refuse(problem, f"{len(other.words)} here", other.span)


def _refuse(problem: str, found: str, span: Span, mend: str = "") -> SpecError:
    return SpecError([Diagnostic(BadPattern(problem, found, mend), span)])


def _items(
    patterns: Sequence[Pattern | None], turn: Sequence[int]
) -> Iterator[Pattern | None]:
    for pattern in patterns:
        if pattern is None:
            yield None
            continue
        choices = pattern.choices
        fixed = [c.words[at] for c, at in zip(choices, turn, strict=False)]
        for more in product(*(c.words for c in choices[len(turn) :])):
            yield pattern.chosen([*fixed, *more])
