"""Intervals of input positions, one for each position of a value.

The set of input positions that a position of a value depends on is described by its
hull: one interval along each axis of the input. Hulls compose exactly when they are
carried from the input on, since the hull of a union is the hull of the members' hulls,
whatever holes the members have; so no set is ever listed.

A `Hulls` holds the intervals along one input axis, for those axes of the value on
which they depend at all: two axes that an op keeps apart stay two short tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from archdsl.lazy import lazy

MOST_WORK = 1_000_000  # intervals that are compared in one step
NONE = 1 << 62  # the first of no positions; the last one is -1

Sizes = Mapping[str, int]


class TooMany(Exception):
    """A step would compare more intervals than `MOST_WORK`."""


@dataclass(frozen=True, eq=False)
class Hulls:
    """An interval for each position along some axes of a value.

    Attributes:
        axes: The axes, in alphabetical order.
        sizes: How many positions each has.
        lo: The first input position of each interval, the last axis running fastest;
            `NONE` where there is no position.
        hi: The last input positions; -1 where there is none.
    """

    axes: tuple[str, ...]
    sizes: tuple[int, ...]
    lo: tuple[int, ...]
    hi: tuple[int, ...]

    @lazy
    def strides(self) -> dict[str, int]:
        """How far apart two neighbours along an axis are."""
        found, step = {}, 1
        for axis, size in zip(reversed(self.axes), reversed(self.sizes), strict=True):
            found[axis] = step
            step *= size
        return found

    @lazy
    def has_gaps(self) -> bool:
        """Whether a position depends on nothing."""
        return min(self.hi, default=0) < 0

    @lazy
    def widths(self) -> list[int]:
        """The size of each interval that is not empty."""
        return [b - a + 1 for a, b in zip(self.lo, self.hi, strict=True) if b >= 0]

    def rises(self, axis: str) -> bool:
        """Whether no interval begins or ends before that of the position before it."""
        if axis not in self._rising:
            self._rising[axis] = not self.has_gaps and self._rises(axis)
        return self._rising[axis]

    @lazy
    def _rising(self) -> dict[str, bool]:
        return {}

    def _rises(self, axis: str) -> bool:
        step, size = self.strides[axis], self.sizes[self.axes.index(axis)]
        if len(self.axes) == 1:
            return all(a <= b for ends in (self.lo, self.hi) for a, b in pairwise(ends))
        return all(
            ends[i] <= ends[i + step]
            for ends in (self.lo, self.hi)
            for i in range(len(ends) - step)
            if i // step % size < size - 1
        )

    def index(self, at: Mapping[str, int]) -> int:
        """Where the interval of a position stands."""
        return sum(at[a] * self.strides[a] for a in self.axes)

    def at(self, axis: str, index: int) -> Hulls:
        """The intervals at one position of an axis, which goes."""
        if axis not in self.axes:
            return self
        sizes = dict(zip(self.axes, self.sizes, strict=True))
        del sizes[axis]
        first = index * self.strides[axis]
        found = offsets(tuple(sizes), sizes, self.strides)
        lo = tuple(self.lo[first + i] for i in found)
        return Hulls(
            tuple(sizes),
            tuple(sizes.values()),
            lo,
            tuple(self.hi[first + i] for i in found),
        )

    def spread_out(self, sizes: Sizes) -> Hulls:
        """The same intervals over more axes."""
        axes = tuple(sorted({*self.axes, *sizes}))
        if axes == self.axes:
            return self
        every = {**sizes, **dict(zip(self.axes, self.sizes, strict=True))}
        found = offsets(axes, every, self.strides)
        return Hulls(
            axes,
            tuple(every[a] for a in axes),
            tuple(self.lo[i] for i in found),
            tuple(self.hi[i] for i in found),
        )

    def tidy(self) -> Hulls:
        """The same without the axes along which nothing changes."""
        found = self
        for axis in self.axes:
            if found._is_even(axis):
                found = found.at(axis, 0)
        return found

    def _is_even(self, axis: str) -> bool:
        if len(self.axes) == 1:
            return (
                self.lo.count(self.lo[0]) == len(self.lo) == self.hi.count(self.hi[0])
            )
        step, size = self.strides[axis], self.sizes[self.axes.index(axis)]
        return all(
            ends[i] == ends[i - step]
            for ends in (self.lo, self.hi)
            for i in range(step, len(ends))
            if i // step % size
        )


def offsets(axes: Sequence[str], sizes: Sizes, strides: Sizes) -> list[int]:
    """Where each position stands in a table that may lack some of the axes."""
    if prod(sizes[a] for a in axes) > MOST_WORK:
        raise TooMany
    found = [0]
    for axis in axes:
        steps = [i * strides.get(axis, 0) for i in range(sizes[axis])]
        found = [o + s for o in found for s in steps]
    return found


def itself(axis: str, size: int) -> Hulls:
    """Of an input: each position is its own interval."""
    if size > MOST_WORK:
        raise TooMany
    each = tuple(range(size))
    return Hulls((axis,), (size,), each, each).tidy()


SOMETHING = Hulls((), (), (0,), (0,))
NOTHING = Hulls((), (), (NONE,), (-1,))


# --- two of them --------------------------------------------------------------------


def _paired(
    one: Hulls, other: Hulls, both: Callable[[Hulls, Hulls], Iterable[tuple[int, int]]]
) -> Hulls:
    sizes = dict(zip(one.axes + other.axes, one.sizes + other.sizes, strict=True))
    one, other = one.spread_out(sizes), other.spread_out(sizes)
    lo, hi = zip(*both(one, other), strict=True)
    return Hulls(one.axes, one.sizes, lo, hi).tidy()


def hull(one: Hulls, other: Hulls) -> Hulls:
    """The smallest intervals that hold both."""
    if one is other or other is NOTHING:
        return one

    def both(a: Hulls, b: Hulls) -> Iterable[tuple[int, int]]:
        lows, highs = map(min, a.lo, b.lo), map(max, a.hi, b.hi)
        return zip(lows, highs, strict=True)

    return _paired(one, other, both)


def only_where(one: Hulls, other: Hulls) -> Hulls:
    """The first intervals, where the second ones are not empty."""

    def both(a: Hulls, b: Hulls) -> Iterable[tuple[int, int]]:
        rows = zip(a.lo, a.hi, b.hi, strict=True)
        return ((lo, hi) if there >= 0 else (NONE, -1) for lo, hi, there in rows)

    return _paired(one, other, both)


def stacked(turns: Sequence[Hulls], axis: str) -> Hulls:
    """Intervals of the turns of a recurrence, side by side along an axis."""
    if all(turn is turns[0] for turn in turns):
        return turns[0]
    sizes = {a: n for turn in turns for a, n in zip(turn.axes, turn.sizes, strict=True)}
    wide = [turn.spread_out(sizes) for turn in turns]
    if len(turns) * len(wide[0].lo) > MOST_WORK:
        raise TooMany
    # One after another they have the new axis first; then it goes to its place.
    every = {f"<{axis}": len(turns), **dict(sorted(sizes.items()))}
    whole = Hulls(
        tuple(every),
        tuple(every.values()),
        tuple(i for turn in wide for i in turn.lo),
        tuple(i for turn in wide for i in turn.hi),
    )
    strides = {axis if a == f"<{axis}" else a: n for a, n in whole.strides.items()}
    sizes |= {axis: len(turns)}
    axes = tuple(sorted(sizes))
    places = offsets(axes, sizes, strides)
    return Hulls(
        axes,
        tuple(sizes[a] for a in axes),
        tuple(whole.lo[i] for i in places),
        tuple(whole.hi[i] for i in places),
    ).tidy()
