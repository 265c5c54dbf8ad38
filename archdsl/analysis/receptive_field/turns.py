"""Recurrences: what a turn takes, and what the turns make together."""

from __future__ import annotations

from itertools import chain

from archdsl.analysis.receptive_field import hulls
from archdsl.analysis.receptive_field.seen import (
    Field,
    Lines,
    Seen,
    Value,
    is_nothing,
    settled,
)
from archdsl.ir.graph import Scan


def turn_of(value: Value, axis: str, t: int) -> Value:
    """What a turn sees of a sequence."""
    found = {}
    for name, (tables, lines) in value.seen.items():
        here: Field = {a: table.at(axis, t) for a, table in tables.items()}
        if not is_nothing(here):
            found[name] = Seen(here, _cut(lines, axis))
    return Value(found, value.made)


def _cut(lines: Lines, axis: str) -> Lines:
    return {a: None if li is None or li.axis == axis else li for a, li in lines.items()}


def joined(turns: list[Value], scan: Scan) -> Value:
    """An output of a scan, from that of each turn."""
    if scan.last:
        return turns[-1]
    if scan.reverse:
        turns = turns[::-1]
    found = {}
    for name in dict.fromkeys(chain.from_iterable(turn.seen for turn in turns)):
        some = next(turn.seen[name] for turn in turns if name in turn.seen)
        empty = dict.fromkeys(some.field, hulls.NOTHING)
        fields = [t.seen[name].field if name in t.seen else empty for t in turns]
        here = {a: hulls.stacked([f[a] for f in fields], scan.axis) for a in empty}
        found[name] = Seen(settled(here), some.lines)
    return Value(found, turns[0].made)
