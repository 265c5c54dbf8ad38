"""Intervals carried through an op."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from archdsl.analysis.receptive_field.hulls import (
    MOST_WORK,
    NONE,
    Hulls,
    Sizes,
    TooMany,
    offsets,
)
from archdsl.lazy import lazy
from archdsl.ops.spread import Reach


@dataclass(frozen=True, eq=False)
class Profile:
    """A reach, asked for every position that it tells apart.

    Attributes:
        axes: The axes of the output that it looks at, in alphabetical order.
        sizes: How many positions each has.
        sources: What each position depends on, the last axis running fastest.
    """

    axes: tuple[str, ...]
    sizes: tuple[int, ...]
    sources: tuple[Sequence[int], ...]

    @lazy
    def gaps(self) -> Hulls | None:
        """Where there is a source at all; None for everywhere."""
        if all(self.sources):
            return None
        ends = [(0, 0) if s else (NONE, -1) for s in self.sources]
        lo, hi = zip(*ends, strict=True)
        return Hulls(self.axes, self.sizes, lo, hi).tidy()


class _Asked(dict[str, int]):
    """A position that remembers which of its axes were looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __missing__(self, axis: str) -> int:
        self.seen.add(axis)
        return 0


def profile(reach: Reach, sizes: Sizes) -> Profile:
    """Asks a reach everything.

    Which axes it looks at shows when it is asked: those that it has not looked at,
    wherever the others are, cannot matter to it.
    """
    axes: tuple[str, ...] = ()
    while True:
        if prod(sizes[a] for a in axes) > MOST_WORK:
            raise TooMany
        at = _Asked()
        sources = _asked(reach, axes, sizes, at)
        if not at.seen:
            counts = tuple(sizes[a] for a in axes)
            return Profile(axes, counts, tuple(sources))
        axes = tuple(sorted({*axes, *at.seen}))


def _asked(
    reach: Reach, axes: tuple[str, ...], sizes: Sizes, at: _Asked
) -> list[Sequence[int]]:
    if not axes:
        return [reach.sources(at)]
    first, rest = axes[0], axes[1:]
    found: list[Sequence[int]] = []
    for i in range(sizes[first]):
        at[first] = i
        found += _asked(reach, rest, sizes, at)
        if at.seen:
            return found
    return found


def through(found: Hulls, profiles: Mapping[str, Profile]) -> Hulls:
    """What an output sees, from what the input of an op sees.

    Args:
        found: The intervals of the op's input.
        profiles: By axis of that input, which positions an output depends on.
    """
    # The axes of the input make way one by one; until then they have a mark, since
    # the output may give the same names to other axes.
    before = Hulls(tuple(f"<{a}" for a in found.axes), found.sizes, found.lo, found.hi)
    for axis in found.axes:
        before = _along(before, f"<{axis}", profiles[axis], found.rises(axis))
    return before.tidy()


def _along(found: Hulls, axis: str, by: Profile, rises: bool) -> Hulls:
    """One axis of the input replaced by the axes of the output that ask it."""
    sizes = dict(zip(found.axes + by.axes, found.sizes + by.sizes, strict=True))
    step = found.strides[axis]
    del sizes[axis]
    axes = tuple(sorted(sizes))
    bases = offsets(axes, sizes, {a: found.strides.get(a, 0) for a in axes})
    asked = offsets(axes, sizes, _strides(by))
    rows = zip(bases, (by.sources[i] for i in asked), strict=True)
    ends = _ends(found, rows, step) if rises else _least(found, rows, step)
    lo, hi = zip(*ends, strict=True)
    return Hulls(axes, tuple(sizes[a] for a in axes), lo, hi)


def _strides(by: Profile) -> Sizes:
    return Hulls(by.axes, by.sizes, (), ()).strides


_Rows = Iterable[tuple[int, Sequence[int]]]


def _ends(found: Hulls, rows: _Rows, step: int) -> list[tuple[int, int]]:
    """Where intervals rise, the first and the last source decide."""
    lo, hi = found.lo, found.hi
    return [
        (lo[b + s[0] * step], hi[b + s[-1] * step]) if s else (NONE, -1)
        for b, s in rows
    ]


def _least(found: Hulls, rows: _Rows, step: int) -> list[tuple[int, int]]:
    """Every source is asked, but one that the position before had asked only once."""
    made: list[tuple[int, int]] = []
    base, known, low, high = -1, range(0), NONE, -1
    work = 0
    for b, sources in rows:
        new = sources
        if b == base and _grows(known, sources):
            new = sources[len(known) :]
        else:
            low, high = NONE, -1
        for s in new:
            low = min(low, found.lo[b + s * step])
            high = max(high, found.hi[b + s * step])
        work += len(new)
        if work > MOST_WORK:
            raise TooMany
        base, known = b, sources if isinstance(sources, range) else range(0)
        made.append((low, high))
    return made


def _grows(known: range, sources: Sequence[int]) -> bool:
    """Whether some sources are those before and perhaps more."""
    if not isinstance(sources, range) or not known:
        return False
    same = (known.start, known.step) == (sources.start, sources.step)
    return same and len(known) <= len(sources)
