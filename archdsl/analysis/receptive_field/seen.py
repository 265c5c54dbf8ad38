"""What a value sees of an input, along each of the input's axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from archdsl.analysis.receptive_field import hulls
from archdsl.analysis.receptive_field import through as passing
from archdsl.analysis.receptive_field.closed import Line, union
from archdsl.analysis.receptive_field.hulls import SOMETHING, Hulls
from archdsl.analysis.receptive_field.through import Profile

Field: TypeAlias = Mapping[str, Hulls]
"""Intervals by axis of the input, and under "" whether there is anything at all.

A position of the value sees the product of its intervals: nothing, if one is empty.
"""
Lines: TypeAlias = Mapping[str, Line | None]


class Seen(NamedTuple):
    """What a value sees of one input.

    Attributes:
        field: Exactly, with all borders; empty where sizes are open.
        lines: The closed figures by axis of the input, None where there are none.
    """

    field: Field
    lines: Lines


class Value(NamedTuple):
    """A value on the way.

    Attributes:
        seen: What it sees, by input; an input that it sees nothing of is missing.
        made: The layer that made it, as an index; -1 for an input of the model.
    """

    seen: Mapping[str, Seen]
    made: int


def is_nothing(field: Field) -> bool:
    """Whether no position of the value sees anything."""
    return any(table.hi == (-1,) for table in field.values())


def has_blind(field: Field) -> bool:
    """Whether some position sees nothing."""
    return any(table.has_gaps for table in field.values())


def interval_at(
    field: Field, axis: str, at: Mapping[str, int]
) -> tuple[int, int] | None:
    """The first and the last input position that one position sees along an axis.

    Args:
        field: What the value sees.
        axis: The axis of the input.
        at: The position, in at least the axes on which the interval depends.

    Returns:
        None where the position sees nothing, along whichever axis that shows.
    """
    asked = [t for t in field.values() if set(t.axes) <= set(at)]
    if any(table.hi[table.index(at)] < 0 for table in asked):
        return None
    place = field[axis].index(at)
    return field[axis].lo[place], field[axis].hi[place]


def whole_gaps(field: Field) -> Field:
    """The same with each interval empty where the product is empty."""
    found = dict(field)
    for gap in field.values():
        if gap.has_gaps:
            found = {axis: hulls.only_where(t, gap) for axis, t in found.items()}
    return found


def settled(field: Field) -> Field:
    """The same with intervals empty where one that shares an axis with them is.

    A union along the shared axis would else take in what no position sees.
    """
    if not any(table.has_gaps for table in field.values()):
        return field
    found = dict(field)
    changed = True
    while changed:
        before = dict(found)
        for gap in before.values():
            for axis, table in before.items():
                if gap.has_gaps and set(gap.axes) & set(table.axes):
                    found[axis] = hulls.only_where(found[axis], gap)
        changed = any(found[a].hi != t.hi or found[a].axes != t.axes
                      for a, t in before.items())  # fmt: skip
    return found


def through(field: Field, profiles: Mapping[str, Profile]) -> Field:
    """What an output sees, from what the input of an op sees.

    Args:
        field: What the input of the op sees.
        profiles: By position axis of that input, which positions an output asks.
    """
    found = {axis: passing.through(table, profiles) for axis, table in field.items()}
    told = {axis for table in field.values() for axis in table.axes}
    for axis, profile in profiles.items():
        if axis not in told and profile.gaps is not None:
            found[""] = hulls.only_where(found[""], profile.gaps)
    return settled(found)


def entering(axes: Mapping[str, int]) -> Field:
    """What an input sees of itself."""
    return {"": SOMETHING, **{a: hulls.itself(a, n) for a, n in axes.items()}}


class Pool:
    """Keeps one of all that are equal, so that blocks that repeat cost little."""

    def __init__(self) -> None:
        self._tables: dict[object, Hulls] = {}
        self._seen: dict[object, Seen] = {}
        self._both: dict[tuple[int, int], tuple[Seen, Seen, Seen]] = {}

    def one(self, found: Seen) -> Seen:
        """The one that is equal and was met first."""
        field = {
            axis: self._tables.setdefault((t.axes, t.sizes, t.lo, t.hi), t)
            for axis, t in found.field.items()
        }
        tables = tuple((axis, id(t)) for axis, t in field.items())
        key = tables, tuple(found.lines.items())
        return self._seen.setdefault(key, Seen(field, found.lines))

    def both(self, one: Seen, other: Seen) -> Seen:
        """What a value sees that takes from two."""
        if one is other:
            return one
        key = id(one), id(other)
        if key not in self._both:
            self._both[key] = one, other, self.one(_both(one, other))
        return self._both[key][2]


def _both(one: Seen, other: Seen) -> Seen:
    lines = {a: union(line, other.lines.get(a)) for a, line in one.lines.items()}
    a, b = one.field, other.field
    if any(t.has_gaps for field in (a, b) for t in field.values()):
        a, b = whole_gaps(a), whole_gaps(b)
    return Seen({axis: hulls.hull(a[axis], b[axis]) for axis in a}, lines)
