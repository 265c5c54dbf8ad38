"""The paths of a model as a part of its report; docs/paths.md has the definitions."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.paths.chain import Longest, chain
from archdsl.analysis.paths.kinds import Figure, Kind, kinds
from archdsl.analysis.paths.meet import Meetings, meetings
from archdsl.analysis.report import Number, Part, number, symbols
from archdsl.analysis.tables import Cell, Column, Table
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Graph
from archdsl.ir.tensor import BATCH


class KindPaths(Part):
    """Layers of one kind, in numbers and in closed form.

    Attributes:
        layer: The op or block; "scan" for a recurrence that is written out.
        block: Whether it is a block.
        count: How many layers of the kind the model runs.
        sizes: What the names in the formulas stand for.
        complexity: Multiply-accumulates that relate positions, without constants.
        complexity_form: Its formula.
        sequential: Operations of one layer that wait for one another.
        stacks: Whether the layer keeps its positions, so that it can stand on itself.
        maximum: Layers until every position depends on all that it ever will; steps,
            of a recurrence. None for never, and for layers that do not stack.
        maximum_form: Its formula, where one is known that gives the number.
        meet: Layers until some position depends on all.
        meet_form: Its formula.
    """

    layer: str
    block: bool
    count: int
    sizes: dict[str, Number]
    complexity: Number | None
    complexity_form: str | None
    sequential: Number
    stacks: bool
    maximum: Number | None
    maximum_form: str | None
    meet: Number | None
    meet_form: str | None


class InputPaths(Part):
    """Where the positions of an axis of an input meet in the model.

    Attributes:
        input: The input.
        axis: The axis.
        size: How long it is.
        layers: The layers until every two positions have met; None for never.
        first: For each distance from 1 on, the layers until some two positions so far
            apart have met; None for never.
        every: The same for every two positions so far apart.
    """

    input: str
    axis: str
    size: int
    layers: int | None
    first: tuple[int | None, ...]
    every: tuple[int | None, ...]


class Paths(Part):
    """How far apart positions are.

    Attributes:
        sequential: The longest chain of operations that wait for one another.
        depth: Those of such a chain that multiply matrices.
        maximum: The layers on the longest of the shortest paths over which two
            positions of an input meet; None for never, and where a size is open.
        inputs: The same by input, axis and distance; none where a size is open.
        kinds: The kinds of layers that relate positions.
    """

    sequential: Number
    depth: Number
    maximum: int | None
    inputs: tuple[InputPaths, ...]
    kinds: tuple[KindPaths, ...]


def find(graph: Graph) -> Paths:
    """The paths of a model.

    Raises:
        SpecError: There are too many positions to follow.
    """
    longest = chain(graph)
    is_open = set(symbols(graph)) - {BATCH}
    found = () if is_open else tuple(map(_input, meetings(graph)))
    layers = [row.layers for row in found]
    known = [count for count in layers if count is not None]
    return Paths(
        sequential=_longest(longest.steps),
        depth=_longest(longest.products),
        maximum=max(known, default=0) if found and len(known) == len(layers) else None,
        inputs=found,
        kinds=tuple(map(_kind, kinds(graph))),
    )


def _longest(found: Longest) -> Number:
    (first, *others) = found.sizes
    return str(found) if others else number(first)


def _input(row: Meetings) -> InputPaths:
    known = [count for count in row.every if count is not None]
    return InputPaths(
        input=row.input,
        axis=row.axis,
        size=row.size,
        layers=max(known, default=0) if len(known) == len(row.every) else None,
        first=row.first,
        every=row.every,
    )


def _kind(kind: Kind) -> KindPaths:
    figures = (kind.complexity, kind.maximum, kind.meet)
    used = {
        s for f in figures if isinstance(f.formula, Poly) for s in f.formula.symbols
    }
    shape = {name for name in kind.sizes if name.isupper() and kind.block}
    return KindPaths(
        layer=kind.name,
        block=kind.block,
        count=kind.count,
        sizes={n: number(s) for n, s in kind.sizes.items() if n in used | shape},
        complexity=_value(kind.complexity.value),
        complexity_form=_form(kind.complexity),
        sequential=_longest(kind.sequential),
        stacks=kind.keeps,
        maximum=_value(kind.maximum.value),
        maximum_form=_form(kind.maximum),
        meet=_value(kind.meet.value),
        meet_form=_form(kind.meet),
    )


def _value(size: Size | None) -> Number | None:
    return None if size is None else number(size)


def _form(figure: Figure) -> str | None:
    return None if figure.formula is None else str(figure.formula)


# --- tables -------------------------------------------------------------------------

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
    "complexity: multiply-accumulates that relate positions, without constants;"
    " sequential: operations of one layer that wait for one another",
    "path: layers of the kind until every position depends on all that it ever will"
    " (steps, of a recurrence); sees all: until some position does",
)
_OPEN = "path lengths need sizes: give every input axis one with --size"


def tables(part: Paths, depth: int) -> tuple[Table, ...]:
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
    if part.inputs:
        found.append(_distances(part, depth))
    return tuple(found)


def _totals(part: Paths) -> Table:
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
    notes = () if part.inputs else (_OPEN,)
    return Table("paths", "Paths", columns, tuple(rows), notes)


def _kind_row(kind: KindPaths) -> tuple[Cell, ...]:
    never = "never" if kind.stacks else None
    sizes = ", ".join(f"{name} = {size}" for name, size in kind.sizes.items())
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


def _distances(part: Paths, depth: int) -> Table:
    columns = (
        Column("input", "input"),
        Column("axis", "axis"),
        Column("distance", "distance", "exact"),
        Column("first", "some two meet", "exact"),
        Column("every", "every two have met", "exact"),
    )
    rows: list[tuple[Cell, ...]] = []
    for row in part.inputs:
        for d in _shown(row.size, depth):
            counts = (row.first[d - 1], row.every[d - 1])
            met = ("never" if count is None else count for count in counts)
            rows.append((row.input, row.axis, d, *met))
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
