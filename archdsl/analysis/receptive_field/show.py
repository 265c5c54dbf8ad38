"""Receptive fields as tables: what outputs see, and how fields grow by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from archdsl.analysis.receptive_field.result import (
    AxisField,
    OutputField,
    ReceptiveField,
)
from archdsl.analysis.tables import Cell, Column, Table, collapsed

_MEANING: tuple[str, ...] = (
    "size, least, centre: input positions from the first to the last that count,",
    "  at most, at least and for the position in the middle; borders cut off",
)
_CLOSED: tuple[str, ...] = (
    "r, stride, padding, offset: without borders (Araujo et al. 2019);",
    "  - where it is not all sliding windows",
)
_GATES = ("no gates, r: factors that lack positions count for nothing",)
_NOWHERE = "no output depends on a position of an input"

_Read: TypeAlias = Callable[[AxisField], Cell]
_Kept: TypeAlias = tuple[tuple[Column, _Read], ...]


def tables(part: ReceptiveField, depth: int) -> tuple[Table, ...]:
    """A table of what outputs see, and one for each input of how fields grow.

    Args:
        part: What was found.
        depth: How many names of a path make a row; 0 for every op.
    """
    names = dict.fromkeys(f.input for layer in part.layers for f in layer.fields)
    return (_summary(part), *(_growth(part, name, depth) for name in names))


def _figures(part: ReceptiveField) -> _Kept:
    """The columns of figures."""
    kept: _Kept = (
        (Column("size", "size", "exact"), lambda f: f.size),
        (Column("least", "least", "exact"), lambda f: f.least),
        (Column("centre", "centre", "exact"), lambda f: f.centre),
    )
    if part.open:
        kept = ()
    elif part.has_gates:
        kept += ((Column("ungated", "no gates", "exact"), lambda f: f.ungated),)
    return (
        *kept,
        (Column("unbounded", "r", "exact"), lambda f: f.unbounded),
        (Column("stride", "stride", "exact"), lambda f: f.stride),
        (Column("padding", "padding", "exact"), lambda f: f.padding),
    )


def _interval(field: AxisField) -> Cell:
    if field.at is None:
        return None
    first, last = field.at
    return f"{first}-{last}" if last > first else str(first)


def _offset(field: AxisField) -> Cell:
    return None if field.offset is None else f"{field.offset:g}"


# --- outputs ------------------------------------------------------------------------


def _summary(part: ReceptiveField) -> Table:
    """A row for each output, input and axis, and for the map before it."""
    rows = list(_results(part))
    kept = _figures(part)
    asked = any(o.field.at or (o.map_field and o.map_field.at) for o in part.outputs)
    head = (
        Column("of", "of"), Column("input", "input"), Column("axis", "axis"),
        Column("length", "length", "exact"),
        *(column for column, _ in kept), Column("offset", "offset"),
        *((Column("at", "at"),) if asked else ()),
        Column("sees", "sees"),
    )  # fmt: skip
    cells = tuple(
        (
            of,
            field.input,
            axes,
            field.length,
            *(read(field) for _, read in kept),
            _offset(field),
            *((at,) if asked else ()),
            None if field.sees == "unknown" else field.sees,
        )
        for of, field, axes, at in rows
    )
    notes: tuple[str, ...] = () if part.open else _MEANING
    notes += _CLOSED + (_GATES if part.has_gates else ())
    if part.open:
        open_ = " and ".join(part.open)
        notes += (f"all else needs numbers for {open_}: --size, or --set",)
    notes = notes + _everything(part) if cells else (_NOWHERE,)
    return Table("receptive_field", "Receptive field", head, cells, notes)


def _results(
    part: ReceptiveField,
) -> Iterator[tuple[str, AxisField, str, str | None]]:
    """What each row is of, its figures, its axes and what the asked position sees."""
    for group in _alike(part.outputs):
        first = group[0]
        axes = ", ".join(o.field.axis for o in group)
        at = [str(_interval(o.field)) for o in group if o.field.at]
        yield f"output {first.output}", first.field, axes, ", ".join(at) or None
        if first.map and first.map_field:
            inside = [o.map_field for o in group if o.map_field]
            at = [str(_interval(field)) for field in inside if field.at]
            yield first.map, first.map_field, axes, ", ".join(at) or None


def _alike(outputs: Iterable[OutputField]) -> list[list[OutputField]]:
    """Outputs that differ in nothing but the axis, together."""
    groups: dict[object, list[OutputField]] = {}
    for output in outputs:
        field, inside = _nameless(output.field), output.map_field
        key = output.model_copy(
            update={"field": field, "map_field": inside and _nameless(inside)}
        )
        groups.setdefault(key, []).append(output)
    return list(groups.values())


def _nameless(field: AxisField) -> AxisField:
    return field.model_copy(update={"axis": "", "at": None})


def _everything(part: ReceptiveField) -> tuple[str, ...]:
    """From which layer on everything is seen, in words."""
    found = []
    for group in _alike(part.outputs):
        first = group[0]
        axes = ", ".join(o.field.axis for o in group)
        what = f"{first.output}: all of {axes} of {first.field.input} from"
        if first.everything_from:
            found.append(f"{what} {first.everything_from} on")
        if first.everything_from_ungated:
            found.append(f"{what} {first.everything_from_ungated} on, without gates")
    return tuple(found)


# --- layers -------------------------------------------------------------------------


_Row: TypeAlias = tuple[str, Mapping[str, AxisField]]  # a path, and fields by axis


def _growth(part: ReceptiveField, name: str, depth: int) -> Table:
    """How the field in an input grows, axes that agree throughout together."""
    rows = grown(part, name, depth)
    head = [Column("layer", "layer")]
    readers: list[tuple[str, _Read]] = []
    for axes in groups(rows):
        together = ", ".join(axes)
        for column, read in (c for c in _figures(part) if c[0].key != "centre"):
            first = len(readers) == 0 or readers[-1][0] != axes[0]
            title = f"{together}: {column.title}" if first else column.title
            head.append(
                column._replace(key=f"{'_'.join(axes)}_{column.key}", title=title)
            )
            readers.append((axes[0], read))
        asked = [a for a in axes if any(fields[a].at for _, fields in rows)]
        head += [Column(f"{a}_at", f"{a} at") for a in asked]
        readers += [(a, _interval) for a in asked]
    cells = tuple(
        (path, *(read(fields[axis]) for axis, read in readers)) for path, fields in rows
    )
    title = f"Receptive field in {name} by layer"
    return Table(f"receptive_field_in_{name}", title, tuple(head), cells)


def grown(part: ReceptiveField, name: str, depth: int) -> list[_Row]:
    """The fields in an input by layer: of the last one of each group.

    Args:
        part: What was found.
        name: The input.
        depth: How many names of a path make a group; 0 for every op.
    """
    found: dict[str, Mapping[str, AxisField]] = {}
    for layer in part.layers:
        fields = {f.axis: f for f in layer.fields if f.input == name}
        if fields:
            path = collapsed(layer.path, depth)
            found.pop(path, None)
            found[path] = fields
    return list(found.items())


def groups(rows: Sequence[_Row]) -> list[list[str]]:
    """The axes of an input, those with the same figures in all rows together."""
    found: dict[object, list[str]] = {}
    for axis in rows[0][1]:
        same = tuple(_nameless(fields[axis]) for _, fields in rows)
        found.setdefault(same, []).append(axis)
    return list(found.values())
