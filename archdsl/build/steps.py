"""Steps: letting a value flow through ops, blocks and shared layers."""

from __future__ import annotations

from functools import partial

from archdsl.build.bind import (
    Blamed,
    bind_op,
    bind_parameters,
    block_usage,
)
from archdsl.build.expressions import Expressions
from archdsl.build.origins import Frame, call_words, lost, shrinking
from archdsl.build.session import Session
from archdsl.build.values import (
    POISON,
    Definition,
    Given,
    LayerValue,
    StepValue,
    TensorValue,
    Value,
    kind,
    poisoned,
)
from archdsl.diagnostics import Note, Refused
from archdsl.diagnostics.faults.arguments import (
    FlowsIn,
    MissingArgument,
    NoAttribute,
    NoFlow,
    NotATensor,
    TooManyArguments,
    UnknownArgument,
    WrongTensors,
)
from archdsl.diagnostics.faults.shapes import (
    AxisMissing,
    NotDivisible,
    SharedDiffers,
    TooSmall,
    WindowDoesNotDivide,
    WrongAxes,
    WrongDtype,
)
from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Payload, Ref
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Facts, Op, Port
from archdsl.ops.emit import Emit, Site
from archdsl.ops.linear import Transposed
from archdsl.source import Span
from archdsl.syntax import tree

Sources = dict[str, TensorValue]
_OF_SIZES = TooSmall, NotDivisible, WindowDoesNotDivide  # that steps before have made


class Steps(Expressions):
    """Adds nodes to the graph of one body."""

    def __init__(self, session: Session, definition: Definition, graph: Graph) -> None:
        super().__init__(session, definition.module)
        self.definition = definition
        self.graph = graph
        self.facts = Facts()
        self.path: Path | None = None  # what the next layer must be called, if anything

    def apply(self, step: StepValue, flow: Value, label: str = "") -> Value:
        """Lets a value flow through a step; `POISON` after an error."""
        try:
            return self._apply(step, flow, label)
        except Blamed as blamed:
            for each in (blamed, *blamed.more):
                self.report(each.refused.fault, each.span or step.span)
            return POISON
        except Refused as refused:
            return self.report(refused.fault, step.span, refused.notes)

    def _apply(self, step: StepValue, flow: Value, label: str) -> Value:
        target = step.target
        self.session.weigh((g.value for g in step.given), step.span)
        if isinstance(target, LayerValue):
            return self._layer(step, target, flow)
        if isinstance(target, Definition):
            return self._block(step, target, flow, label)
        return self._op_step(target, step, flow, label)

    # -- ops -------------------------------------------------------------------------

    def _op_step(
        self, op_type: type[Op], step: StepValue, flow: Value, label: str
    ) -> Value:
        path, before = self.path, len(self.graph)
        self.path = None
        given = [g.of(self.made(g.value)) for g in step.given]
        path = self._unless_inside(path, before)
        if poisoned(*(g.value for g in given)):
            return POISON
        axes = flow.type.names if isinstance(flow, TensorValue) else ()
        op, tensors, spans = bind_op(op_type, given, axes)
        sources = self._sources(op, tensors, flow, step.span)
        if sources is None:
            return POISON
        path = path or self.namer.fresh(op.name, label)
        return self._add_op(op, sources, path, step.span, spans, label)

    def arguments(self, arguments: tuple[tree.Argument, ...]) -> tuple[Given, ...]:
        """A call's arguments, evaluated; their layers do not take the call's path."""
        path, before = self.path, len(self.graph)
        self.path = None
        given = super().arguments(arguments)
        self.path = self._unless_inside(path, before)
        return given

    def _unless_inside(self, path: Path | None, before: int) -> Path | None:
        """The path of a turn's only layer, unless others now lie in it."""
        inside = path == self.namer.prefix and len(self.graph) > before
        return None if inside else path

    def _add_op(
        self,
        op: Op,
        sources: Sources,
        path: Path,
        span: Span,
        spans: dict[str, Span],
        label: str = "",
        weights_from: Path | None = None,
    ) -> Value:
        ins = {port: value.type for port, value in sources.items()}
        try:
            self.facts.at(op.name, span)
            outs = op.outputs(ins, self.facts)
        except Refused as refused:
            notes = self._origins(refused, sources) + refused.notes
            return self.report(refused.fault, spans.get(refused.at, span), notes)
        return self._add(op, sources, outs, path, span, label, weights_from)

    def _origins(self, refused: Refused, sources: Sources) -> tuple[Note, ...]:
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
        self, op: Op, tensors: Sources, flow: Value, span: Span
    ) -> Sources | None:
        """The tensors by port, in the order of the ports; None after an error."""
        found: Sources = {}
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
        return found if self._dtypes_fit(op, found, span) else None

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

    def _dtypes_fit(self, op: Op, sources: Sources, span: Span) -> bool:
        for name, value in sources.items():
            port = _port(op, name)
            found = value.type.dtype
            if port.dtype in ("any", found):
                continue
            mend = ""
            if found == "int":
                mend = "ids become features by `embedding(vocab, dim)`"
            elif port.dtype == "int":
                mend = "declare the input as ids: `input tokens: int[B, T = 64]`"
            self.report(WrongDtype(f"`{op.name}`", port.dtype, found, mend), span)
            return False
        return True

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
        sources: Sources,
        outs: tuple[Tensor, ...],
        path: Path,
        span: Span,
        label: str = "",
        weights_from: Path | None = None,
    ) -> Value:
        node = Node(
            id=len(self.graph),
            path=path,
            payload=payload,
            inputs=tuple((port, value.ref) for port, value in sources.items()),
            outputs=outs,
            span=span,
            label=label,
            weights_from=weights_from,
        )
        self.session.new_node(node)
        self.graph.add(node)
        values = tuple(TensorValue(Ref(node.id, i), t) for i, t in enumerate(outs))
        return values[0] if len(values) == 1 else values

    # -- blocks ----------------------------------------------------------------------

    def _block(
        self, step: StepValue, definition: Definition, flow: Value, label: str
    ) -> Value:
        graph, sources = self._specialised(step, definition, flow)
        if graph is None:
            return POISON
        return self.call(graph, sources, step.span, label)

    def call(self, graph: Graph, sources: Sources, span: Span, label: str) -> Value:
        """Adds the call of a graph."""
        path = self._take_path(graph.name, label)
        return self._add(Call(graph), sources, graph.outputs, path, span, label)

    def _specialised(
        self, step: StepValue, definition: Definition, flow: Value
    ) -> tuple[Graph | None, Sources]:
        from archdsl.build.specialise import specialise

        found, missing = bind_parameters(definition, step.given)
        if missing:
            fault = MissingArgument(
                f"`{definition.name}`", missing[0], block_usage(definition)
            )
            self.report(fault, step.span)
            return None, {}
        chosen = self._block_sources(step, definition, flow)
        if chosen is None:
            return None, {}
        sources = {n: v for names in chosen.values() for n, v in names.items()}
        types = {name: _types(name, found) for name, found in chosen.items()}
        given = {name: g.value for name, g in found.items()}
        where = ".".join((self.definition.name, *self.namer.prefix))
        words = partial(call_words, definition.name, given)
        frame = Frame(definition, words, step.span, self.graph, sources, where)
        graph = specialise(self.session, frame, given, types)
        if graph is not None and not self.assume(graph, step.span):
            return None, {}
        return graph, sources

    def assume(self, graph: Graph, span: Span) -> bool:
        """Assumes what a block that is called assumes; reports where that cannot be."""
        for assumption in graph.assumptions:
            try:
                self.facts.take(assumption)
            except Refused as refused:
                called = Note(f"`{graph.name}` is called here", span)
                self.report(refused.fault, assumption.span, (*refused.notes, called))
                return False
        return True

    def _block_sources(
        self, step: StepValue, definition: Definition, flow: Value
    ) -> dict[str, Sources] | None:
        """The tensors of a block by name: what flows is the first unless all are given.

        Under each name stands one tensor, or one for each item of a list.
        """
        names = definition.tensor_names()
        given = step.tensors or ()
        positional = [g for g in given if g.name is None]
        named = {g.name: g for g in given if g.name is not None}
        chosen: dict[str, Given] = {}
        free = [n for n in names if n not in named]
        if len(positional) < len(free) and free[0] == names[0]:
            chosen[free.pop(0)] = Given(None, flow, step.span)
        chosen |= dict(zip(free, positional, strict=False))
        chosen |= named
        if len(positional) != len(free) or set(named) - set(names):
            self._wrong_tensors(step, definition, names)
            return None
        return self._checked(definition, {n: chosen[n] for n in names})

    def _checked(
        self, definition: Definition, chosen: dict[str, Given]
    ) -> dict[str, Sources] | None:
        found: dict[str, Sources] = {}
        for name, given in chosen.items():
            items = given.value if isinstance(given.value, tuple) else None
            if items and not definition.is_model:
                names = definition.item_names(name, len(items))
            else:
                names, items = (name,), (given.value,)
            tensors = [self.tensor(v, definition.name, given.span) for v in items]
            if None in tensors:
                return None
            found[name] = dict(zip(names, tensors, strict=True))  # type: ignore[arg-type]
        return found

    def _wrong_tensors(
        self, step: StepValue, definition: Definition, names: tuple[str, ...]
    ) -> None:
        what, usage = f"`{definition.name}`", block_usage(definition)
        given = step.tensors or ()
        for one in given:
            if one.name is not None and one.name not in names:
                brackets = f"`{definition.name}[…]`"
                unknown = UnknownArgument(brackets, one.name, names[1:])
                self.report(unknown, one.span)
                return
        takes = f"{len(names)} tensor{'s' * (len(names) != 1)} ({', '.join(names)})"
        missing = names[1 + len(given) :]
        if missing:
            gets = f"no {' and no '.join(missing)}"
            lacks = f"{', '.join(missing)} in brackets"
            fault = WrongTensors(what, takes, gets, usage, f"needs {lacks}")
        else:
            gets = f"{len(given)} in brackets"
            lacks = f"{names[0]} is what flows" if names else "takes none"
            fault = WrongTensors(what, takes, gets, usage, lacks)
        self.report(fault, step.span)

    # -- shared layers ---------------------------------------------------------------

    def _layer(self, step: StepValue, layer: LayerValue, flow: Value) -> Value:
        if layer.owner is not self.graph:
            fault = NoAttribute(
                f"`{self.definition.name}`", f"layer {layer.name}",
                "a layer is used in the body that declares it",
            )  # fmt: skip
            return self.report(fault, step.span)
        if step.given:
            return self._layer_called(step.given[0], layer)
        if step.transposed:
            return self._transposed(step, layer, flow)
        self.path = layer.path
        flow = self._as_first(layer, flow)
        inner = StepValue(
            layer.step.target,
            layer.step.given,
            step.tensors or layer.step.tensors,
            span=step.span,
        )
        before = len(self.graph)
        value = self._apply(inner, flow, "")
        self.path = None
        if poisoned(value) or len(self.graph) == before:
            return value
        return self._same_weights(
            layer, self.graph[len(self.graph) - 1], value, step.span
        )

    def _layer_called(self, given: Given, layer: LayerValue) -> Value:
        """Reports arguments of a layer, which has had its own."""
        what = f"`{layer.name}`"
        if isinstance(given.value, TensorValue):
            return self.report(FlowsIn(what, given.span.text, layer.name), given.span)
        usage = f"`{layer.name}`, its arguments being those of `layer {layer.name}`"
        fault = TooManyArguments(what, "no arguments", usage)
        return self.report(fault, given.span)

    def _as_first(self, layer: LayerValue, flow: Value) -> Value:
        """What flows, its axes displayed in the order of the layer's first use."""
        first = layer.first
        if not isinstance(first, Node) or not isinstance(flow, TensorValue):
            return flow
        names = next(iter(self.graph.ins(first).values())).names
        if set(names) != set(flow.type.names):
            return flow
        return TensorValue(flow.ref, flow.type.ordered(names))

    def _same_weights(
        self, layer: LayerValue, node: Node, value: Value, span: Span
    ) -> Value:
        if layer.first is None:
            layer.first = node
            return value
        assert isinstance(layer.first, Node)
        if alike(self.graph, layer.first, self.graph, node):
            return value
        here, there = (
            ", ".join(map(str, self.graph.ins(n).values())) for n in (node, layer.first)
        )
        return self.report(SharedDiffers(layer.name, here, there), span)

    def _transposed(self, step: StepValue, layer: LayerValue, flow: Value) -> Value:
        first = layer.first
        if not isinstance(first, Node) or not isinstance(first.payload, Op):
            mend = f"let something flow through `{layer.name}` first"
            if first is not None:
                mend = "only a linear or an embedding can be used the other way round"
            return self.report(
                NoAttribute(f"`{layer.name}`", "transposed", mend), step.span
            )
        made = Transposed.of(first.payload, self.graph.ins(first))
        if made is None:
            mend = "only a linear or an embedding can be used the other way round"
            return self.report(
                NoAttribute(f"`{layer.name}`", "transposed", mend), step.span
            )
        sources = self._sources(made, {}, flow, step.span)
        if sources is None:
            return POISON
        path = self.namer.fresh(f"{layer.name}_transposed")
        return self._add_op(made, sources, path, step.span, {}, weights_from=layer.path)


def _types(name: str, found: Sources) -> Tensor | tuple[Tensor, ...]:
    """The type of what a block gets under a name; of each item, if that is a list."""
    types = tuple(value.type for value in found.values())
    return types[0] if name in found else types


def _port(op: Op, name: str) -> Port:
    """The port that a source goes to; ``xs0`` goes to the port ``xs``."""
    for port in op.ports:
        if port.name == name or (port.many and name.startswith(port.name)):
            return port
    raise KeyError(name)


def alike(left: Graph, a: Node, right: Graph, b: Node) -> bool:
    """Whether two nodes could be one layer: they are made with the same."""
    if isinstance(a.payload, Call) and isinstance(b.payload, Call):
        return _alike(a.payload.graph, b.payload.graph)
    if not isinstance(a.payload, Op) or not isinstance(b.payload, Op):
        return isinstance(a.payload, Enter) and isinstance(b.payload, Enter)
    if a.payload == b.payload and left.ins(a) == right.ins(b):
        return True
    weights = a.payload.weights(left.ins(a)) == b.payload.weights(right.ins(b))
    made = _written(left, a, a.payload).make == _written(right, b, b.payload).make
    return weights and made


def _alike(left: Graph, right: Graph) -> bool:
    """Whether two specialisations could be one module: their bodies read the same."""
    if left is right:
        return True
    if len(left) != len(right) or left.results != right.results:
        return False
    return all(
        a.path == b.path
        and a.inputs == b.inputs
        and alike(left, a, right, b)
        and _body(left, a) == _body(right, b)
        for a, b in zip(left, right, strict=True)
    )


def _body(graph: Graph, node: Node) -> object:
    if not isinstance(node.payload, Op):
        return None
    emit = _written(graph, node, node.payload)
    return emit.forward, emit.literals, emit.module


def _written(graph: Graph, node: Node, op: Op) -> Emit:
    ins = graph.ins(node)
    layouts = op.arrange(ins, {port: t.names for port, t in ins.items()})
    return op.emit(Site(ins, node.outputs, layouts))
