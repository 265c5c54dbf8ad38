"""Nodes: an op or a call, with what goes in and comes out, put into a graph."""

from __future__ import annotations

from functools import partial

from archdsl.build.bind import bind_op, spans_of
from archdsl.build.expressions import Expressions
from archdsl.build.origins import lost, shrinking
from archdsl.build.session import Session
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
from archdsl.diagnostics import Note, Refused
from archdsl.diagnostics.faults.arguments import MissingArgument, NoFlow, NotATensor
from archdsl.diagnostics.faults.shapes import (
    AxisMissing,
    NotDivisible,
    TooSmall,
    WindowDoesNotDivide,
    WrongAxes,
    WrongDtype,
)
from archdsl.ir.graph import Graph, Node, Path, Payload, Ref
from archdsl.ir.operation import Inputs, Outputs
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Facts, Op, Port
from archdsl.source import Span
from archdsl.syntax import tree

_node = partial(tuple.__new__, Node)  # nodes and refs without a call of Python's
_ref = partial(tuple.__new__, Ref)
_OF_SIZES = TooSmall, NotDivisible, WindowDoesNotDivide  # that steps before have made


class Nodes(Expressions):
    """Adds nodes to the graph of one body."""

    def __init__(self, session: Session, definition: Definition, graph: Graph) -> None:
        super().__init__(session, definition.module)
        self.definition = definition
        self.graph = graph
        self.facts = Facts()
        self.path: Path | None = None  # what the next layer must be called, if anything

    # -- ops -------------------------------------------------------------------------

    def _op_step(
        self, op_type: type[Op], step: StepValue, flow: Value, label: str
    ) -> Value:
        path, self.path = self.path, None
        known, bound = self.session.known, None
        if isinstance(flow, TensorValue):
            bound = known.bound(op_type, step.given, flow.type.names)
        if bound is None:
            return self._new_op(op_type, step, flow, label, path)
        assert isinstance(flow, TensorValue)
        op, facts = bound.op, self.facts
        facts.at(op.name, step.span)
        outs = bound.layers.get(flow.type)
        if outs is None:
            sources, before = bound.sources(flow, step.given), facts.consulted
            try:
                outs = _outputs(op, sources, facts)
            except Refused as refused:
                spans = spans_of(bound.places, step.given)
                return self._refused(refused, sources, spans, step.span)
            if facts.consulted == before:
                known.keep(bound, flow.type, outs)
        inputs = bound.inputs(flow, step.given)
        path = path or self.namer.fresh(op.name, label)
        return self.put(op, inputs, outs, path, step.span, label)

    def _new_op(
        self,
        op_type: type[Op],
        step: StepValue,
        flow: Value,
        label: str,
        path: Path | None,
    ) -> Value:
        """An op with lists or steps among its arguments, or without what flows."""
        axes = flow.type.names if isinstance(flow, TensorValue) else ()
        before = len(self.graph.nodes)
        given = [g.of(self.made(g.value)) for g in step.given]
        path = self._unless_inside(path, before)
        if poisoned(*(g.value for g in given)):
            return POISON
        op, tensors, places = bind_op(op_type, given, axes)
        sources = self._sources(op, tensors, flow, step.span)
        if sources is None:
            return POISON
        path = path or self.namer.fresh(op.name, label)
        spans = spans_of(places, given)
        return self._add_op(op, sources, path, step.span, spans, label)

    def arguments(self, arguments: tuple[tree.Argument, ...]) -> tuple[Given, ...]:
        """A call's arguments, evaluated; their layers do not take the call's path."""
        evaluate = self.evaluate
        if not arguments:
            return ()
        if self.path is None:
            return tuple([Given(a.name, evaluate(a.value), a.span) for a in arguments])
        path, before = self.path, len(self.graph.nodes)
        self.path = None
        given = self.arguments(arguments)
        self.path = self._unless_inside(path, before)
        return given

    def _unless_inside(self, path: Path | None, before: int) -> Path | None:
        """The path of a turn's only layer, unless others now lie in it."""
        inside = len(self.graph.nodes) > before and path == self.namer.prefix
        return None if inside else path

    def _add_op(
        self,
        op: Op,
        sources: Tensors,
        path: Path,
        span: Span,
        spans: dict[str, Span],
        label: str = "",
        weights_from: Path | None = None,
    ) -> Value:
        self.facts.at(op.name, span)
        try:
            outs = _outputs(op, sources, self.facts)
        except Refused as refused:
            return self._refused(refused, sources, spans, span)
        return self._add(op, sources, outs, path, span, label, weights_from)

    def _refused(
        self, refused: Refused, sources: Tensors, spans: dict[str, Span], span: Span
    ) -> Value:
        """Reports tensors that an op does not take."""
        notes = self._origins(refused, sources) + refused.notes
        return self.report(refused.fault, spans.get(refused.at, span), notes)

    def _origins(self, refused: Refused, sources: Tensors) -> tuple[Note, ...]:
        """Where the sizes that do not fit come from, or where an axis ended."""
        axis, frames = getattr(refused.fault, "axis", ""), self.session.frames
        notes: list[Note] = []
        for value in sources.values():
            if axis in value.type:
                notes.append(self.session.origin(self.graph, value, axis))
            elif isinstance(refused.fault, AxisMissing):
                notes += self.lost(value, axis)
            if isinstance(refused.fault, WrongAxes) and not value.type.positions:
                notes += self.lost(value, "")
            if isinstance(refused.fault, _OF_SIZES) and axis in value.type.positions:
                notes += shrinking(frames, self.graph, value, axis)
        return tuple(dict.fromkeys(notes))

    def _sources(
        self, op: Op, tensors: Tensors, flow: Value, span: Span
    ) -> Tensors | None:
        """The tensors by port, in the order of the ports; None after an error."""
        found: Tensors = {}
        for index, port in enumerate(op.ports):
            if port.many:
                found |= {k: v for k, v in tensors.items() if k.startswith(port.name)}
                if not found:
                    self.report(
                        MissingArgument(
                            op.name, "a list of tensors", f"{op.name}([a, b])"
                        ),
                        span,
                    )
                    return None
            elif port.name in tensors:
                found[port.name] = tensors[port.name]
            elif index == 0:
                value = self.tensor(flow, op.name, span)
                if value is None:
                    return None
                found[port.name] = value
            elif not port.optional:
                usage = f"{op.name}({port.name} = tensor)"
                self.report(MissingArgument(op.name, port.name, usage), span)
                return None
        return found

    def tensor(self, flow: Value, what: str, span: Span) -> TensorValue | None:
        """What flows, as one tensor; None after an error."""
        if poisoned(flow):
            return None
        if flow is None:
            self.report(NoFlow(what), span)
            return None
        if not isinstance(flow, TensorValue):
            mend = "take it apart: `let a, b = …`" if isinstance(flow, tuple) else ""
            self.report(NotATensor(f"`{what}`", kind(flow), mend), span)
            return None
        return flow

    def lost(self, value: TensorValue, axis: str) -> tuple[Note, ...]:
        """Where a tensor lost an axis, or, with "", its positions."""
        return lost(self.session.frames, self.graph, value, axis)

    # -- nodes -----------------------------------------------------------------------

    def _take_path(self, kind: str, label: str) -> Path:
        path, self.path = self.path, None
        return path or self.namer.fresh(kind, label)

    def _add(
        self,
        payload: Payload,
        sources: Tensors,
        outs: tuple[Tensor, ...],
        path: Path,
        span: Span,
        label: str = "",
        weights_from: Path | None = None,
    ) -> Value:
        inputs = tuple([(port, value.ref) for port, value in sources.items()])
        return self.put(payload, inputs, outs, path, span, label, weights_from)

    def put(
        self,
        payload: Payload,
        inputs: tuple[tuple[str, Ref], ...],
        outs: tuple[Tensor, ...],
        path: Path,
        span: Span,
        label: str = "",
        weights_from: Path | None = None,
    ) -> Value:
        """Adds a node; what it makes."""
        number = len(self.graph.nodes)
        parts = (number, path, payload, inputs, outs, span, label, weights_from)
        node = _node(parts)
        self.session.new_node(node)
        self.graph.add(node)
        if len(outs) == 1:
            return TensorValue(_ref((number, 0)), outs[0])
        return tuple(TensorValue(Ref(number, i), t) for i, t in enumerate(outs))


def _outputs(op: Op, sources: Tensors, facts: Facts) -> Outputs:
    """What an op makes of its tensors.

    Raises:
        Refused: It does not take them.
    """
    ins = {port: value.type for port, value in sources.items()}
    for port in op.ports:
        if port.dtype != "any":
            _check_dtypes(op, port, ins)
    return op.outputs(ins, facts)


def _check_dtypes(op: Op, port: Port, ins: Inputs) -> None:
    """Refuses tensors of another kind; ``xs0`` goes to the port ``xs``."""
    for name, tensor in ins.items():
        found = tensor.dtype
        if found == port.dtype:
            continue
        if name == port.name or (port.many and name.startswith(port.name)):
            mend = ""
            if found == "int":
                mend = "ids become features by `embedding(vocab, dim)`"
            elif port.dtype == "int":
                mend = "declare the input as ids: `input tokens: int[B, T = 64]`"
            raise Refused(WrongDtype(f"`{op.name}`", port.dtype, found, mend))
