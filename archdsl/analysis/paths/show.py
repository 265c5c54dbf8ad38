"""The paths of a model as tables."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.paths.result import InputPaths, KindPaths, ModelPaths
from archdsl.analysis.tables import Cell, Column, Table

_KINDS = (
    Column("layer", "layer"),
    Column("count", "uses", "exact"),
    Column("sizes", "sizes"),
    Column("complexity", "complexity"),
    Column("sequential", "sequential", "exact"),
    Column("maximum", "path", "exact"),
    Column("maximum_form", "closed form"),
    Column("meet", "sees all", "exact"),
)
_KIND_NOTES = (
    "complexity: multiply-accumulates that relate positions, without constants",
    "sequential: operations of one layer that wait for one another",
    "path: layers until every position depends on all that it ever will; of a"
    " recurrence, steps",
    "sees all: layers until some position depends on all",
)
_NONE = "no path lengths: no input has positions"


def tables(part: ModelPaths, depth: int) -> tuple[Table, ...]:
    """The whole model, its inputs by distance, and its kinds of layers.

    Args:
        part: The paths.
        depth: 0 for every distance; else powers of two, and the largest.
    """
    found = [_totals(part)]
    if part.kinds:
        rows = tuple(map(_kind_row, part.kinds))
        title = "Layers that relate positions"
        found.append(Table("path_kinds", title, _KINDS, rows, _KIND_NOTES))
    if any(row.size > 1 for row in part.inputs):
        found.append(_distances(part, depth))
    return tuple(found)


def _totals(part: ModelPaths) -> Table:
    columns = (
        Column("figure", "figure"),
        Column("value", "value", "exact"),
        Column("meaning", "meaning"),
    )
    rows: list[tuple[Cell, ...]] = [
        ("sequential steps", part.sequential, "operations that wait for one another"),
        ("depth", part.depth, "those of them that multiply matrices"),
    ]
    if part.inputs:
        longest = "never" if part.maximum is None else part.maximum
        words = "layers until every two positions of an input have met"
        rows.append(("maximum path", longest, words))
    notes = () if part.inputs else (part.unknown or _NONE,)
    return Table("paths", "Paths", columns, tuple(rows), notes)


def _kind_row(kind: KindPaths) -> tuple[Cell, ...]:
    never = "never" if kind.stacks else None
    sizes = ", ".join(n if n == s else f"{n} = {s}" for n, s in kind.sizes.items())
    return (
        kind.layer,
        kind.count,
        sizes,
        kind.complexity_form,
        kind.sequential,
        never if kind.maximum is None else kind.maximum,
        kind.maximum_form,
        never if kind.meet is None else kind.meet,
    )


def _distances(part: ModelPaths, depth: int) -> Table:
    columns = (
        Column("input", "input"),
        Column("axis", "axis"),
        Column("distance", "distance", "exact"),
        Column("first", "some two meet", "exact"),
        Column("every", "every two have met", "exact"),
    )
    rows: list[tuple[Cell, ...]] = []
    alike: dict[object, list[InputPaths]] = {}
    for row in part.inputs:
        alike.setdefault((row.input, row.first, row.every), []).append(row)
    for first, *others in alike.values():
        axes = ", ".join(row.axis for row in (first, *others))
        for d in _shown(first.size, depth):
            counts = (first.first[d - 1], first.every[d - 1])
            met = ("never" if count is None else count for count in counts)
            rows.append((first.input, axes, d, *met))
    title = "Layers until two positions of an input meet"
    note = "layers that relate positions, on the shortest path"
    return Table("path_distances", title, columns, tuple(rows), (note,))


def _shown(size: int, depth: int) -> Iterator[int]:
    """The distances that make rows."""
    if not depth:
        yield from range(1, size)
        return
    distance = 1
    while distance < size - 1:
        yield distance
        distance *= 2
    if size > 1:
        yield size - 1
