"""Alternatives, ``{q,k,v}``: one rule that is written for several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import TypeAlias

from archdsl.build.checkpoints.patterns import Choice, Pattern
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.checkpoints import BadPattern

MOST = 1000  # rules, or items of a list, that alternatives may make

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
    if total > MOST:
        found = f"{total:,}, and {MOST:,} are the most"
        fault = BadPattern("these are too many alternatives", found)
        raise SpecError.at(pattern.span, fault)


def _check_alone(patterns: Sequence[Pattern], count: int) -> None:
    for pattern in patterns:
        for choice in pattern.choices[count:]:
            problem = "these alternatives have none beside them on the other side"
            mend = 'as many `{a,b}` on both sides, or a list: `["….{q,k,v}"]`'
            raise SpecError.at(choice.span, BadPattern(problem, "alone", mend))


def _check_lengths(first: Sequence[Choice], pattern: Pattern) -> None:
    for one, other in zip(first, pattern.choices, strict=False):
        if len(one.words) != len(other.words):
            numbers = f"{len(one.words)} and {len(other.words)}"
            problem = f"alternatives go side by side, and these are {numbers}"
            fault = BadPattern(problem, f"{len(other.words)} here")
            raise SpecError.at(other.span, fault)


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
