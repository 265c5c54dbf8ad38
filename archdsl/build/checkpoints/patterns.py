"""Patterns of keys: what stands between the quotes in the rules of a checkpoint.

A text is cut at its braces. With a comma outside of brackets they hold alternatives,
``{q,k,v}``; else a capture on our side, ``{i}``, and an expression on theirs. A ``*``
is anything, in rules that drop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.diagnostics.faults.checkpoints import BadPattern
from archdsl.record import record
from archdsl.source import Source, Span
from archdsl.syntax import parse, tree

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
        parts = [
            str(values[p.name]) if isinstance(p, Capture) else str(p)
            for p in self.parts
        ]
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
        return SpecError.at(self._at(start, end), fault)

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
