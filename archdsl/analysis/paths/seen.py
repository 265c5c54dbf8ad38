"""What the positions of a value have seen of one axis of an input.

For every position of a value: the input positions that it depends on, projected on
one axis, by the number of layers on the way. Only those axes of the value are kept
that make a difference, so that a map of 224 by 224 is 224 sets and not 50,176.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeAlias

from archdsl.analysis.paths.masks import Mask, Unions
from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.ir.operation import Inputs
from archdsl.ir.tensor import Tensor
from archdsl.ops.spread import Reach, Spread, Whole

Place: TypeAlias = tuple[int, ...]
Levels: TypeAlias = tuple[Mask, ...]  # after 0, 1, 2, … layers; the last one stays

MOST_POSITIONS = 1 << 18  # of an op, that are looked at one by one
MOST_SEEN = 1 << 12  # of an axis whose positions are told apart


class _At(Mapping[str, int]):
    """An output position that remembers which of its axes were asked for."""

    def __init__(self, indices: dict[str, int], asked: set[str]) -> None:
        self._indices, self._asked = indices, asked

    def __getitem__(self, axis: str) -> int:
        self._asked.add(axis)
        return self._indices[axis]

    def __iter__(self) -> Iterator[str]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


@dataclass(frozen=True)
class Sources:
    """A reach, written out.

    Attributes:
        axes: The axes of the output that it depends on.
        rows: The input indices, for each place along these.
        mixes: Whether some place takes more than one.
        gaps: Whether some place takes none.
        same: Whether each index takes itself.
    """

    axes: tuple[str, ...]
    rows: Mapping[Place, Sequence[int]]
    mixes: bool
    gaps: bool
    same: bool


def sources(reach: Reach, size: int, out: Tensor) -> Sources:
    """Writes a reach out, over those axes of the output that it asks for.

    Args:
        reach: Of one axis of an input.
        size: How long that is.
        out: The type of the output.

    Raises:
        Refused: There are too many positions.
    """
    sizes = numbers(out)
    axes: tuple[str, ...] = ()
    while True:
        asked = set(axes)
        rows: dict[Place, Sequence[int]] = {}
        ranges = [range(sizes[a]) for a in axes]
        check(prod(map(len, ranges)), out)
        for place in product(*ranges):
            here = dict.fromkeys(sizes, 0) | dict(zip(axes, place, strict=True))
            rows[place] = reach.sources(_At(here, asked))
            if len(asked) > len(axes):
                break
        if len(asked) == len(axes):
            break
        axes = tuple(a for a in sizes if a in asked)
    counts = [len(row) for row in rows.values()]
    same = len(axes) == 1 and len(rows) == size
    same = same and all(tuple(row) == place for place, row in rows.items())
    return Sources(axes, rows, max(counts) > 1, min(counts) == 0, same)


def check(count: int, tensor: Tensor, most: int = MOST_POSITIONS) -> None:
    """Refuses more than can be looked at one by one."""
    if count > most:
        what = f"the paths through {tensor} are too many to follow"
        mend = "give the input a smaller size, or leave it open"
        raise Refused(TooMuchWork(what, f"{most:,} positions", mend))


def numbers(tensor: Tensor) -> dict[str, int]:
    """The sizes of the positions, which are known here."""
    sizes = tensor.sizes
    return {a: s for a in tensor.positions if isinstance(s := sizes[a], int)}


Tables: TypeAlias = Mapping[str, Mapping[str, Sources]]  # by port and input axis


def tables(spread: Spread, ins: Inputs, out: Tensor) -> Tables:
    """An op's spread, written out; of an axis of which it says nothing, all matters."""
    whole = {port: numbers(ins[port]) for port in spread}
    return {
        port: {
            axis: sources(reaches.get(axis) or Whole(size), size, out)
            for axis, size in whole[port].items()
        }
        for port, reaches in spread.items()
    }


@dataclass(frozen=True)
class Seen:
    """The sets of a value, for each place along the axes that make a difference."""

    axes: tuple[str, ...]
    places: Mapping[Place, Levels]

    @property
    def depth(self) -> int:
        """The most layers that are told apart."""
        return max(map(len, self.places.values()))

    def level(self, depth: int) -> set[Mask]:
        """The different sets after so many layers."""
        return {levels[min(depth, len(levels) - 1)] for levels in self.places.values()}

    def deeper(self) -> Seen:
        """The same, one layer later."""
        return Seen(self.axes, {p: (0, *m) for p, m in self.places.items()})


def entry(tensor: Tensor, axis: str) -> Seen:
    """An input, each position of which has seen itself.

    Raises:
        Refused: The axis is too long.
    """
    size = numbers(tensor)[axis]
    check(size, tensor, MOST_SEEN)
    return Seen((axis,), {(i,): (1 << i,) for i in range(size)})


def through(found: Tables, seen: Mapping[str, Seen], out: Tensor) -> Seen | None:
    """What an op's output has seen, from what its inputs have; None for nothing.

    It is one layer later where the op relates positions.
    """
    parts = [
        _through(found[p], before, out) for p, before in seen.items() if p in found
    ]
    made = joined(parts, out)
    mixes = any(s.mixes for reaches in found.values() for s in reaches.values())
    return made.deeper() if made is not None and mixes else made


def _through(found: Mapping[str, Sources], seen: Seen, out: Tensor) -> Seen:
    """What the output has seen by way of one port."""
    along = [found[axis] for axis in seen.axes]
    gates = [s for axis, s in found.items() if axis not in seen.axes and s.gaps]
    if not gates and all(s.same for s in along):
        axes = tuple(axis for s in along for axis in s.axes)
        return seen if axes == seen.axes else Seen(axes, seen.places)
    sizes = numbers(out)
    asked = {axis for s in (*along, *gates) for axis in s.axes}
    axes = tuple(a for a in sizes if a in asked)
    ranges = [range(sizes[a]) for a in axes]
    check(prod(map(len, ranges)), out)
    gather = _Gather(seen)
    places: dict[Place, Levels] = {}
    for place in product(*ranges):
        at = dict(zip(axes, place, strict=True))
        if all(_row(gate, at) for gate in gates):
            places[place] = gather.over([_row(s, at) for s in along])
        else:
            places[place] = (0,)
    return Seen(axes, places)


def _row(found: Sources, at: Mapping[str, int]) -> Sequence[int]:
    return found.rows[tuple(at[a] for a in found.axes)]


class _Gather:
    """Unions of what several places have seen."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._unions: list[Unions] = []
        self._known: dict[Mask, Mask] = {}
        if len(seen.axes) == 1:
            rows, depth = [seen.places[i,] for i in range(len(seen.places))], seen.depth
            levels = zip(*(_long(row, depth) for row in rows), strict=True)
            self._unions = [Unions(masks) for masks in levels]

    def over(self, rows: Sequence[Sequence[int]]) -> Levels:
        """What the places have seen that have one index of each row."""
        if self._unions:
            found: Iterable[Mask] = [union.over(rows[0]) for union in self._unions]
        else:
            found = merged([self._seen.places[place] for place in product(*rows)])
        return _short([self._known.setdefault(mask, mask) for mask in found])


def joined(parts: Sequence[Seen], out: Tensor) -> Seen | None:
    """What several have seen together; None for nothing."""
    if len(parts) < 2:
        return parts[0] if parts else None
    sizes = numbers(out)
    asked = {axis for part in parts for axis in part.axes}
    axes = tuple(a for a in sizes if a in asked)
    ranges = [range(sizes[a]) for a in axes]
    check(prod(map(len, ranges)), out)
    places: dict[Place, Levels] = {}
    for place in product(*ranges):
        at = dict(zip(axes, place, strict=True))
        keys = (tuple(at[a] for a in part.axes) for part in parts)
        found = [part.places[key] for part, key in zip(parts, keys, strict=True)]
        places[place] = merged(found)
    return Seen(axes, places)


def merged(several: Sequence[Levels]) -> Levels:
    """What several have seen together, by the number of layers."""
    if len(several) == 1:
        return several[0]
    depth = max(map(len, several), default=1)
    found = [0] * depth
    for levels in several:
        for i, mask in enumerate(_long(levels, depth)):
            found[i] |= mask
    return _short(found)


def _long(levels: Levels, depth: int) -> Levels:
    return levels + levels[-1:] * (depth - len(levels))


def _short(levels: list[Mask]) -> Levels:
    while len(levels) > 1 and levels[-1] == levels[-2]:
        levels.pop()
    return tuple(levels)
