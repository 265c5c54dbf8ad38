"""Recurrences of one's own: a body that runs once a position, carrying states.

`scan(T) [x, h = zeros(C = 8)] { … }` becomes one node that calls a graph of its own:
the body of one turn. What the body reads of its surroundings becomes further inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archdsl.build.bind import Blamed, bind_op
from archdsl.build.origins import Frame
from archdsl.build.scope import Scope
from archdsl.build.values import (
    POISON,
    Definition,
    Given,
    StepValue,
    Tensors,
    TensorValue,
    Value,
    kind,
    poisoned,
)
from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import (
    MissingArgument,
    NotATensor,
    ScanReturns,
)
from archdsl.diagnostics.faults.names import DefinedTwice
from archdsl.diagnostics.faults.shapes import (
    AxisMissing,
    AxisTaken,
    StateChanges,
    WrongAxes,
)
from archdsl.ir.dim import Size
from archdsl.ir.graph import Graph, Ref, Scan
from archdsl.ir.tensor import BATCH, FEATURES, Tensor
from archdsl.ops.base import Op
from archdsl.ops.fields import Axis, AxisName, Flag
from archdsl.ops.registry import ops
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.build.flow import Flow

Changes = dict[str, tuple[Tensor, Tensor]]  # of states: as they began, as they are
_USAGE = "scan(T) [x, h = zeros(C = 8)] { … }"


class _How(Op):
    """The arguments of a scan.

    Args:
        over: The axis to run along.
        reverse: Whether to run from the last position to the first.
        last: Whether only the last turn's output comes out.
        states: Whether the final states come out too, after the outputs.
    """

    name = "scan"
    public = False
    ports = ()

    over: Axis
    reverse: Flag = False
    last: Flag = False
    states: Flag = False


class _Outside(Scope):
    """The names around a scan: a tensor that is read becomes an input of its body.

    Args:
        outer: The names.
        sources: The inputs of the body, to which what is read is added.
        enter: Makes the node of an input.
    """

    def __init__(
        self, outer: Scope, sources: Tensors, enter: Callable[[str, Tensor], Value]
    ) -> None:
        super().__init__(outer)
        self._sources = sources
        self._enter = enter
        self._inside: dict[Ref, Value] = {}

    def find(self, name: str) -> tuple[Value] | None:
        """What the name means inside, in a 1-tuple, or None."""
        found = super().find(name)
        return None if found is None else (self._take(name, found[0]),)

    def _take(self, name: str, value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(self._take(f"{name}_{i}", v) for i, v in enumerate(value))
        if isinstance(value, StepValue):
            given = self._given(name, value.given)
            tensors = value.tensors and self._given(name, value.tensors)
            return replace(value, given=given, tensors=tensors, span=value.span)
        if not isinstance(value, TensorValue):
            return value
        if value.ref not in self._inside:
            while name in self._sources:
                name += "_"
            self._sources[name] = value
            self._inside[value.ref] = self._enter(name, value.type)
        return self._inside[value.ref]

    def _given(self, name: str, given: tuple[Given, ...]) -> tuple[Given, ...]:
        return tuple(replace(g, value=self._take(name, g.value)) for g in given)


@dataclass
class _Recurrence:
    """One scan in the making."""

    flow: Flow
    node: tree.Scan
    how: _How
    sequences: Tensors
    states: Tensors  # the first ones

    # -- types -----------------------------------------------------------------------

    def narrow(self) -> dict[str, Tensor]:
        """The states as they are given, with the batch."""
        batch: dict[str, Size] = {}
        for value in self.sequences.values():
            batch |= {a: n for a, n in value.type.axes if a == BATCH}
        return {n: self._with(v.type, batch) for n, v in self.states.items()}

    def wide(self) -> dict[str, Tensor]:
        """The states with every axis that a turn's inputs have."""
        shared: dict[str, Size] = {}
        for value in self.sequences.values():
            shared |= value.type.sizes
        for axis in (self.how.over, FEATURES):
            shared.pop(axis, None)
        return {n: self._with(v.type, shared) for n, v in self.states.items()}

    def grown(self, changed: Changes) -> dict[str, Tensor]:
        """The states with the axes that they come back with."""
        after = {name: last.sizes for name, (_, last) in changed.items()}
        first = {name: value.type for name, value in self.states.items()}
        return {n: self._with(t, after.get(n, {})) for n, t in first.items()}

    def _with(self, tensor: Tensor, axes: Mapping[str, Size]) -> Tensor:
        new = [(a, n) for a, n in axes.items() if a not in tensor]
        ahead = [a for a in new if a[0] == BATCH]
        behind = [a for a in new if a[0] != BATCH]
        return Tensor((*ahead, *tensor.axes, *behind), tensor.dtype)

    # -- the body --------------------------------------------------------------------

    def turn(self, states: dict[str, Tensor]) -> tuple[Graph, Tensors] | None:
        """The graph of one turn, and what it takes; None after an error."""
        from archdsl.build.body import Body

        flow, node, axis = self.flow, self.node, self.how.over
        names = tuple(c.name for c in node.carries)
        name = tree.Name(node.span, "scan")
        block = tree.Block(node.span, name, names, (), node.body)
        definition = Definition(block, flow.definition.module)
        graph = Graph("scan", node.span)
        body = Body(flow.session, definition, graph, {})
        sources: Tensors = {}
        where = ".".join((flow.definition.name, *flow.namer.prefix))
        frame = Frame(
            definition, lambda: f"scan({axis})", node.span, flow.graph, sources, where
        )
        if not flow.session.enter(frame):
            return None
        start = Span(node.span.source, node.span.start, node.span.start)
        inside = Scope()
        for carried, value in (*self.sequences.items(), *self.states.items()):
            tensor = states.get(carried) or value.type.without((axis,))
            sources[carried] = value
            inside.values[carried] = body.enter(carried, tensor, start)
        inside.parent = _Outside(
            flow.scope, sources, lambda name, tensor: body.enter(name, tensor, start)
        )
        body.flow = inside.values[next(iter(self.sequences))]
        body.scope = Scope(inside)
        body.run(node.body)
        values = self.results(body.returned, body.flow)
        flow.session.frames.pop()
        if values is None:
            return None
        graph.assumptions = body.facts.assumptions()
        graph.results = tuple(v.ref for v in values)
        graph.result_names = ("",) * len(values)
        graph.result_orders = tuple(v.type.names for v in values)
        return graph, sources

    def results(
        self, returned: tuple[Value, ...] | None, flow: Value
    ) -> list[TensorValue] | None:
        """A turn's outputs and then its states; None after an error."""
        values = returned or (flow if isinstance(flow, tuple) else (flow,))
        count = len(self.states)
        if len(values) == count == 1:
            values = (*values, *values)  # the state is what comes out
        if poisoned(*values):
            return None
        span = self.place()
        for value in values:
            if not isinstance(value, TensorValue):
                self.flow.report(NotATensor("what a scan returns", kind(value)), span)
                return None
        if len(values) <= count:
            self.flow.report(ScanReturns(len(values), tuple(self.states)), span)
            return None
        return [v for v in values if isinstance(v, TensorValue)]

    def place(self) -> Span:
        """Where the body says what it returns."""
        statements = self.node.body.statements
        return statements[-1].span if statements else self.node.span

    def changed(self, graph: Graph, states: dict[str, Tensor]) -> Changes:
        """States that come back as something else: as they began, as they are."""
        found: Changes = {}
        results = graph.results[len(graph.results) - len(states) :]
        for (name, before), ref in zip(states.items(), results, strict=True):
            after = graph.tensor(ref)
            same = set(before.names) == set(after.names) and before.dtype == after.dtype
            equal = self.flow.facts.equal
            if not same or not all(equal(before[a], after[a]) for a in before.names):
                found[name] = (before, after)
        return found

    def make(self) -> tuple[Graph, Tensors] | None:
        """The graph and what it takes; None after an error.

        A first state may lack axes that the state has later, the batch most of all.
        The body is tried with the batch alone; then with the axes that the states come
        back with, or, where it is wrong so, with all that a turn's inputs have.
        """
        states = self.wide()
        narrow = self.narrow()
        if narrow != states:
            with self.flow.session.trying():
                made = self.turn(narrow)
            changed = self.changed(made[0], narrow) if made else {}
            if made and not changed:
                return self.ready(made, narrow)
            states = self.grown(changed) if changed else states
        made = self.turn(states)
        changed = self.changed(made[0], states) if made else {}
        if changed and self.grown(changed) != states:
            states = self.grown(changed)
            made = self.turn(states)
            changed = self.changed(made[0], states) if made else {}
        for name, (before, last) in changed.items():
            self.flow.report(StateChanges(name, str(before), str(last)), self.place())
        return self.ready(made, states) if made and not changed else None

    def ready(
        self, made: tuple[Graph, Tensors], states: dict[str, Tensor]
    ) -> tuple[Graph, Tensors] | None:
        """The same with first states that have every axis; None after an error."""
        graph, sources = made
        if not self.flow.assume(graph, self.node.span):
            return None
        first = self._widened(states)
        return None if first is None else (graph, sources | first)

    def _widened(self, states: dict[str, Tensor]) -> Tensors | None:
        """The first states, repeated along the axes that they lack."""
        found: Tensors = {}
        for name, value in self.states.items():
            missing = [a for a in states[name].names if a not in value.type]
            wide: Value = value
            for like in self.sequences.values():
                over = tuple(a for a in missing if a in like.type)
                if over:
                    wide = self._expanded(wide, like, over)
                    missing = [a for a in missing if a not in over]
            if missing:
                self.flow.report(
                    StateChanges(name, str(value.type), str(states[name])), self.place()
                )
                return None
            assert isinstance(wide, TensorValue)
            found[name] = TensorValue(wide.ref, wide.type.ordered(states[name].names))
        return found

    def _expanded(
        self, value: Value, like: TensorValue, over: tuple[str, ...]
    ) -> Value:
        span = self.node.span
        axes = tuple(AxisName(a) for a in over)
        given = (Given("like", like, span), Given("over", axes, span))
        return self.flow.apply(StepValue(ops()["expand"], given, span=span), value)


def scan(flow: Flow, node: tree.Scan, label: str) -> Value:
    """Lets what flows go through a scan; `POISON` after an error."""
    head = Span(node.span.source, node.span.start, node.span.start + len("scan"))
    try:
        given = flow.arguments(node.arguments)
        if poisoned(*(g.value for g in given)):
            return POISON
        how, _, _ = bind_op(_How, given)
    except Blamed as blamed:
        return flow.report(blamed.refused.fault, blamed.span or head)
    except Refused as refused:
        return flow.report(refused.fault, head)
    assert isinstance(how, _How)
    recurrence = _begin(flow, node, how, head)
    made = recurrence and recurrence.make()
    if not recurrence or not made:
        return POISON
    graph, sources = made
    size = next(iter(recurrence.sequences.values())).type[how.over]
    carried = tuple(recurrence.sequences), tuple(recurrence.states)
    graph.scan = Scan(how.over, size, *carried, how.reverse, how.last, how.states)
    for ref in graph.results[: len(graph.results) - len(recurrence.states)]:
        made_one = graph.tensor(ref)
        if how.over in made_one and not how.last:
            fault = AxisTaken("scan", how.over, str(made_one))
            return flow.report(fault, recurrence.place())
    return flow.call(graph, sources, head, label)


def _begin(flow: Flow, node: tree.Scan, how: _How, head: Span) -> _Recurrence | None:
    """The scan with what it runs over and starts from; None after an error."""
    sequences: Tensors = {}
    states: Tensors = {}
    for carry in node.carries:
        name = carry.name.id
        if name in sequences or name in states:
            flow.report(DefinedTwice(name), carry.span)
            return None
        value = _carried(flow, carry, head, first=not sequences)
        if value is None:
            return None
        (states if carry.first is not None else sequences)[name] = value
    if not sequences:
        flow.report(MissingArgument("scan", "what a turn takes", _USAGE), head)
        return None
    if not _one_axis(flow, how.over, sequences, head):
        return None
    return _Recurrence(flow, node, how, sequences, states)


def _carried(
    flow: Flow, carry: tree.Carry, head: Span, *, first: bool
) -> TensorValue | None:
    """What a turn takes, or a first state; None after an error."""
    value: Value
    if carry.first is not None:
        value = flow.made(flow.evaluate(carry.first))
    elif first:
        return flow.tensor(flow.flow, "scan", head)
    else:
        value = flow.lookup(carry.name.id, carry.span)
    if isinstance(value, TensorValue) or poisoned(value):
        return value if isinstance(value, TensorValue) else None
    flow.report(NotATensor("`scan`", kind(value)), carry.span)
    return None


def _one_axis(flow: Flow, axis: str, sequences: Tensors, head: Span) -> bool:
    """Whether all that is run over has the axis, as a position, with one size."""
    for value in sequences.values():
        if axis not in value.type:
            there = f"its axes are {', '.join(value.type.names)}"
            flow.report(AxisMissing("scan", axis, str(value.type), there), head)
            return False
    sizes = [v.type[axis] for v in sequences.values()]
    same = all(flow.facts.equal(sizes[0], size) for size in sizes)
    if same and axis not in (BATCH, FEATURES):
        return True
    words = ", ".join(str(v.type) for v in sequences.values())
    needs = "runs along one position axis, of one size"
    flow.report(WrongAxes("scan", needs, words), head)
    return False
