"""Receptive fields of a model: walks it and reads the figures off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from archdsl.analysis.receptive_field.closed import Line
from archdsl.analysis.receptive_field.hulls import Hulls
from archdsl.analysis.receptive_field.numbers import Numbers
from archdsl.analysis.receptive_field.passing import Passing
from archdsl.analysis.receptive_field.result import (
    AxisField,
    LayerField,
    OutputField,
    ReceptiveField,
    Sees,
)
from archdsl.analysis.receptive_field.seen import (
    Field,
    Seen,
    Value,
    has_blind,
    interval_at,
    whole_gaps,
)
from archdsl.analysis.receptive_field.walk import Walk, inputs_of
from archdsl.build.settings import typed
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.models import BadSetting
from archdsl.ir.graph import Enter, Graph, reachable
from archdsl.ir.tensor import Tensor


def published(model: Graph, passing: Passing | None = None) -> ReceptiveField:
    """What the outputs of a model see where gates do not count, and no layer's figures.

    It is all that `ReceptiveField.published` asks for, in one walk.

    Args:
        model: The model's graph.
        passing: What walks of other models found out.

    Raises:
        SpecError: There are too many positions to follow.
    """
    return _Reader(model, {}, False, passing).read(layers=False)


def find(model: Graph, at: Mapping[str, int] | None = None) -> ReceptiveField:
    """Which input positions every layer and every output of a model depends on.

    Args:
        model: The model's graph.
        at: A position whose own interval is wanted, in every layer that has the axes.

    Raises:
        SpecError: There are too many positions to follow, or no value has the
            position that is asked for.
    """
    return _Reader(model, at or {}).read()


def intervals(model: Graph) -> dict[tuple[str, str, str], Hulls]:
    """What each position of each output sees: by output, input and axis of that.

    A pair that is missing has no effect. The intervals stand for those axes of the
    output on which they depend; `Hulls.spread_out` gives them for all of them.

    Raises:
        SpecError: There are too many positions to follow.
    """
    walk = Walk(model, Numbers(model), gates=True)
    return {
        (output, name, axis): table
        for output, value in zip(model.result_names, walk.results, strict=True)
        for name, seen in value.seen.items()
        for axis, table in whole_gaps(seen.field).items()
        if axis
    }


@dataclass
class _Reader:
    """Reads figures off one or two walks."""

    model: Graph
    at: Mapping[str, int]
    gates: bool = True
    passing: Passing | None = None

    def __post_init__(self) -> None:
        self.numbers = Numbers(self.model)
        self._check_asked()
        passing = self.passing or Passing()
        walk = partial(Walk, self.model, self.numbers, passing=passing)
        self.full = self.bare = walk(gates=self.gates)
        self.gated = self.full.gated
        if self.gated and self.gates:  # the same layers in the same order
            self.bare = walk(gates=False)
        self.inputs = self.model.inputs
        self._known: dict[tuple[object, ...], AxisField] = {}

    def _check_asked(self) -> None:
        """Refuses a position that no value of the model has."""
        if not self.at:
            return
        nodes = (node for graph in reachable(self.model) for node in graph)
        made = (n.outputs for n in nodes if not isinstance(n.payload, Enter))
        tensors = [tensor for outputs in made for tensor in outputs]
        known = tuple(sorted({a for t in tensors for a in t.positions}))
        words = ",".join(f"{axis}={index}" for axis, index in self.at.items())
        problem = ""
        for axis, index in self.at.items():
            sizes = [self.numbers.whole(t[axis]) for t in tensors if axis in t]
            if axis not in known:
                problem = f"no layer has positions along {axis}"
            elif index >= max(sizes):
                problem = f"the largest {axis} has indices 0 to {max(sizes) - 1}"
        if not problem and not any(set(self.at) <= set(t.positions) for t in tensors):
            problem = "no layer has all of these axes"
        if problem:
            fault = BadSetting("--at", words, problem, known)
            raise SpecError.at(typed("--at", words), fault)

    def read(self, *, layers: bool = True) -> ReceptiveField:
        """All figures; those of layers are most of them."""
        shown = (
            LayerField(path=".".join(layer.path), fields=self.layer(i))
            for i, layer in enumerate(self.full.layers if layers else ())
        )
        return ReceptiveField(
            outputs=tuple(self.outputs()),
            layers=tuple(layer for layer in shown if layer.fields),
            has_gates=self.gated,
            open=self.numbers.symbols,
        )

    # -- layers ----------------------------------------------------------------------

    def layer(self, index: int) -> tuple[AxisField, ...]:
        """What a layer sees, by input and axis."""
        full, bare = self.full.layers[index], self.bare.layers[index]
        return tuple(self.axes(inputs_of(full), full.turns, bare.turns, full.tensor))

    def axes(
        self,
        names: Iterable[str],
        full: list[Mapping[str, Seen]],
        bare: list[Mapping[str, Seen]],
        tensor: Tensor,
    ) -> Iterator[AxisField]:
        """The figures of what one or several turns see."""
        for name in names:
            seen = [turn[name] for turn in full if name in turn]
            without = [turn[name] for turn in bare if name in turn]
            # Layers that work position by position pass on what they were given. What
            # sees everything is the same on maps of all sizes, whose places differ.
            places = tuple((a, tensor[a]) for a in tensor.positions)
            same = (*map(id, seen), *map(id, without), places)
            for axis in self.inputs[name].positions:
                key = (name, axis, *same)
                if key not in self._known:
                    self._known[key] = self._field(name, axis, seen, without, tensor)
                yield self._known[key]

    def _field(
        self, name: str, axis: str, seen: list[Seen], bare: list[Seen], tensor: Tensor
    ) -> AxisField:
        size = self.inputs[name][axis]
        length = size if isinstance(size, int) else None
        lines = {one.lines[axis] for one in bare}
        line = lines.pop() if len(lines) == 1 else None
        known = {} if line is None else _closed(line)
        tables = [one.field[axis] for one in seen if one.field]
        if not tables or length is None:
            return AxisField(input=name, axis=axis, length=length, **known)
        widths = [w for t in tables for w in (min(t.widths), max(t.widths))]
        without = [max(one.field[axis].widths) for one in bare if one.field]
        middle = {a: self.numbers.whole(n) // 2 for a, n in tensor.axes}
        fields = [one.field for one in seen if one.field]
        field = fields[len(fields) // 2]
        sees: Sees = "all" if min(widths) == length else _form(field[axis], length)
        return AxisField(
            input=name,
            axis=axis,
            length=length,
            size=max(widths),
            least=min(widths),
            centre=_width(interval_at(field, axis, middle)),
            at=self._asked(field, axis, tensor) if len(fields) == 1 else None,
            sees="window" if any(map(has_blind, fields)) else sees,
            ungated=max(without, default=None) if self.gated else None,
            **known,
        )

    def _asked(self, field: Field, axis: str, tensor: Tensor) -> tuple[int, int] | None:
        """The interval of the position that was asked for, if there is such a one."""
        if not self.at or not set(field[axis].axes) <= set(self.at):
            return None
        if not set(self.at) <= set(tensor.positions):
            return None
        if any(i >= self.numbers.whole(tensor[a]) for a, i in self.at.items()):
            return None
        return interval_at(field, axis, self.at)

    # -- outputs ---------------------------------------------------------------------

    def outputs(self) -> Iterator[OutputField]:
        """What each output sees, by input and axis."""
        rows = zip(
            self.model.result_names,
            self.model.results,
            self.full.results,
            self.bare.results,
            strict=True,
        )
        for output, ref, full, bare in rows:
            tensor = self.numbers.tensor(self.model.tensor(ref))
            found = self.axes(full.seen, [full.seen], [bare.seen], tensor)
            for field in found:
                yield self._output(output, field, full, bare, tensor)

    def _output(
        self, output: str, field: AxisField, full: Value, bare: Value, tensor: Tensor
    ) -> OutputField:
        name, axis = field.input, field.axis
        made = OutputField(output=output, field=field)
        clear = _before(self.bare, bare.made, name)
        first = _first(self.full, full, field)
        plain = _first(self.bare, bare, field) if self.gated else None
        update: dict[str, object] = {
            "everything_from": first,
            "everything_from_ungated": plain,
        }
        maps = [i for i in clear if self.bare.layers[i].tensor.positions]
        if self.numbers.are_open:  # the last of which anything is known
            maps = [i for i in maps if self._line(i, name, axis)]
        if maps and not tensor.positions:
            update["map"] = ".".join(self.bare.layers[maps[-1]].path)
            fields = self.layer(maps[-1])
            update["map_field"] = next(
                f for f in fields if (f.input, f.axis) == (name, axis)
            )
        return made.model_copy(update=update)

    def _line(self, index: int, name: str, axis: str) -> bool:
        turns = self.bare.layers[index].turns
        return all(name in turn and turn[name].lines[axis] for turn in turns)


def _before(walk: Walk, last: int, name: str) -> list[int]:
    """The layers through which one sees an input, itself included, in order."""
    found = {last}
    todo = [last]
    while todo:
        layer = todo.pop()
        parents = walk.layers[layer].parents.get(name, set()) if layer >= 0 else set()
        todo += parents - found
        found |= parents
    return sorted(found - {-1})


def _first(walk: Walk, value: Value, field: AxisField) -> str | None:
    """The layer from which on all that lead to a value see everything, as it does."""
    if not _sees_all([value.seen], field):
        return None
    first = None
    for index in reversed(_before(walk, value.made, field.input)):
        if not _sees_all(walk.layers[index].turns, field):
            break
        first = ".".join(walk.layers[index].path)
    return first


def _sees_all(turns: list[Mapping[str, Seen]], field: AxisField) -> bool:
    """Whether every position sees the whole of an axis."""
    fields = [turn[field.input].field for turn in turns if field.input in turn]
    return bool(fields) and all(
        found and not has_blind(found) and min(found[field.axis].widths) == field.length
        for found in fields
    )


class _Closed(TypedDict, total=False):
    unbounded: int
    stride: int
    padding: int
    offset: float


def _closed(line: Line) -> _Closed:
    return {
        "unbounded": line.size,
        "stride": line.stride,
        "padding": line.padding,
        "offset": line.offset,
    }


def _width(interval: tuple[int, int] | None) -> int | None:
    return None if interval is None else interval[1] - interval[0] + 1


def _form(table: Hulls, length: int) -> Sees:
    each = tuple(range(length))
    if table.hi == each and not any(table.lo):
        return "prefix"
    if table.lo == each and min(table.hi) == length - 1:
        return "suffix"
    return "window"
