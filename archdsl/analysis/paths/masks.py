"""Sets of positions as the bits of whole numbers, and relations between positions.

A relation has a set for each output position: the input positions that it depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import accumulate
from operator import or_, xor
from typing import TypeAlias

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.limits import TooMuchWork

MOST_STEPS = 3_000_000  # of a search
Mask: TypeAlias = int
Relation: TypeAlias = tuple[Mask, ...]


def bits(mask: Mask) -> Iterator[int]:
    """The positions of a set, rising."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def stretch(mask: Mask) -> range | None:
    """The positions of a set where they have no gap, else None."""
    if not mask:
        return None
    low = (mask & -mask).bit_length() - 1
    whole = mask >> low
    return None if whole & (whole + 1) else range(low, mask.bit_length())


class Unions:
    """Unions of neighbouring sets, each in one step, once asked for."""

    def __init__(self, masks: Sequence[Mask]) -> None:
        self._rows = [list(masks)]  # of 1, 2, 4, … neighbours

    def over(self, indices: Sequence[int]) -> Mask:
        """The union of the sets with these indices."""
        count = len(indices)
        if count < 3 or not isinstance(indices, range) or indices.step != 1:
            return reduce(or_, map(self._rows[0].__getitem__, indices), 0)
        level = count.bit_length() - 1
        while len(self._rows) <= level:
            last, half = self._rows[-1], 1 << (len(self._rows) - 1)
            self._rows.append([a | b for a, b in zip(last, last[half:], strict=False)])
        row = self._rows[level]
        return row[indices[0]] | row[indices[-1] + 1 - (1 << level)]


class Budget:
    """The steps that a search may take."""

    def __init__(self, most: int = MOST_STEPS) -> None:
        self._most = self._left = most

    def take(self, steps: int) -> None:
        """Takes some of them.

        Raises:
            Refused: There are not as many left.
        """
        self._left -= steps
        if self._left < 0:
            mend = "give the input a smaller size, or leave it open"
            what = "the paths through this model are too many to follow"
            raise Refused(TooMuchWork(what, f"{self._most:,} steps", mend))


def after(later: Relation, earlier: Relation, budget: Budget) -> Relation:
    """One relation upon another."""
    budget.take(len(later))
    unions = Unions(earlier)
    found = []
    for mask in later:
        indices: Sequence[int] | None = stretch(mask)
        if indices is None:
            budget.take(mask.bit_count())
            indices = tuple(bits(mask))
        found.append(unions.over(indices))
    return tuple(found)


def turned(relation: Relation) -> Relation:
    """The positions that depend on each, of as many."""
    changes = [0] * (len(relation) + 1)
    for j, mask in enumerate(relation):
        for i in bits(mask ^ mask << 1):  # where a stretch begins or has ended
            changes[i] ^= 1 << j
    return tuple(accumulate(changes[:-1], xor))


class Stack:
    """Layers upon one another, and over again, each beside a way around it.

    Args:
        layers: One after another, of as many positions each.
        budget: The steps that it may take.
    """

    def __init__(self, layers: Sequence[Relation], budget: Budget) -> None:
        self.size = len(layers[0])
        self._budget = budget
        self._steps = [
            tuple(m | 1 << i for i, m in enumerate(layer)) for layer in layers
        ]
        turn = reduce(lambda lower, upper: after(upper, lower, budget), self._steps)
        self._powers = [turn]
        while (twice := after(turn, turn, budget)) != turn:
            self._powers.append(turn := twice)

    @property
    def ever(self) -> Relation:
        """What depends on what after any number of layers."""
        return self._powers[-1]

    def apart(self) -> bool:
        """Whether there are two positions of which neither ever sees the other."""
        full = (1 << self.size) - 1
        seen_by = turned(self.ever)
        return any(m | n != full for m, n in zip(self.ever, seen_by, strict=True))

    def maximum(self) -> int | None:
        """The layers until every position sees all that it ever will.

        None where two positions never come together.
        """
        return None if self.apart() else self._layers(lambda r: r == self.ever)

    def meet(self) -> int | None:
        """The layers until some position sees all; None where none ever does."""
        full = (1 << self.size) - 1
        return self._layers(lambda relation: full in relation)

    def _layers(self, reached: Callable[[Relation], bool]) -> int | None:
        """The fewest layers after which something holds, that holds from then on."""
        if not reached(self.ever):
            return None
        found = tuple(1 << i for i in range(self.size))
        turns = 0
        for power in reversed(range(len(self._powers))):
            trial = after(self._powers[power], found, self._budget)
            if not reached(trial):
                found, turns = trial, turns + (1 << power)
        for count, step in enumerate(self._steps, 1):
            found = after(step, found, self._budget)
            if reached(found):
                return turns * len(self._steps) + count
        raise AssertionError("a turn more was enough")
