"""Steps: letting a value flow through ops, blocks and shared layers."""

from __future__ import annotations

from functools import partial

from archdsl.build.bind import Blamed
from archdsl.build.hyperparameters import bind_parameters, block_usage
from archdsl.build.nodes import Nodes
from archdsl.build.origins import Frame, call_words
from archdsl.build.sharing import alike
from archdsl.build.values import (
    POISON,
    Definition,
    Given,
    LayerValue,
    StepValue,
    Tensors,
    TensorValue,
    Value,
    poisoned,
)
from archdsl.diagnostics import Note, Refused
from archdsl.diagnostics.faults.arguments import (
    FlowsIn,
    MissingArgument,
    NoAttribute,
    TooManyArguments,
    UnknownArgument,
    WrongTensors,
)
from archdsl.diagnostics.faults.shapes import SharedDiffers
from archdsl.ir.graph import Call, Graph, Node
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op
from archdsl.ops.linear import Transposed
from archdsl.source import Span


class Steps(Nodes):
    """Lets values flow through whatever a step may be."""

    def apply(self, step: StepValue, flow: Value, label: str = "") -> Value:
        """Lets a value flow through a step; `POISON` after an error."""
        target = step.target
        try:
            for given in step.given:
                if isinstance(given.value, (tuple, str)):
                    self.session.weigh((given.value,), step.span)
            if isinstance(target, type):
                return self._op_step(target, step, flow, label)
            if isinstance(target, LayerValue):
                return self._layer(step, target, flow)
            return self._block(step, target, flow, label)
        except Blamed as blamed:
            for each in (blamed, *blamed.more):
                self.report(each.refused.fault, each.span or step.span)
            return POISON
        except Refused as refused:
            return self.report(refused.fault, step.span, refused.notes)

    # -- blocks ----------------------------------------------------------------------

    def _block(
        self, step: StepValue, definition: Definition, flow: Value, label: str
    ) -> Value:
        graph, sources = self._specialised(step, definition, flow)
        if graph is None:
            return POISON
        return self.call(graph, sources, step.span, label)

    def call(self, graph: Graph, sources: Tensors, span: Span, label: str) -> Value:
        """Adds the call of a graph."""
        path = self._take_path(graph.name, label)
        return self._add(Call(graph), sources, graph.outputs, path, span, label)

    def _specialised(
        self, step: StepValue, definition: Definition, flow: Value
    ) -> tuple[Graph | None, Tensors]:
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

        def frame() -> Frame:
            where = ".".join((self.definition.name, *self.namer.prefix))
            words = partial(call_words, definition.name, given)
            return Frame(definition, words, step.span, self.graph, sources, where)

        graph = specialise(self.session, definition, frame, given, types)
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
    ) -> dict[str, Tensors] | None:
        """The tensors of a block by name: what flows is the first unless all are given.

        Under each name stands one tensor, or one for each item of a list.
        """
        names = definition.tensor_names
        if step.tensors is None and len(names) == 1:
            return self._checked(definition, {names[0]: Given(None, flow, step.span)})
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
    ) -> dict[str, Tensors] | None:
        found: dict[str, Tensors] = {}
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
        wrong = [g for g in step.given if not _is_port(layer.step.target, g)]
        if wrong or (step.given and step.transposed):
            return self._layer_called((wrong or step.given)[0], layer)
        if step.transposed:
            return self._transposed(step, layer, flow)
        self.path = layer.path
        flow = self._as_first(layer, flow)
        inner = StepValue(
            layer.step.target,
            layer.step.bound(step.given, step.span).given,
            step.tensors or layer.step.tensors,
            span=step.span,
        )
        before = len(self.graph)
        value = self.apply(inner, flow)
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
            text = given.span.text.rpartition("=")[2].strip()
            return self.report(FlowsIn(what, text, layer.name), given.span)
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


def _types(name: str, found: Tensors) -> Tensor | tuple[Tensor, ...]:
    """The type of what a block gets under a name; of each item, if that is a list."""
    types = tuple([value.type for value in found.values()])
    return types[0] if name in found else types


def _is_port(target: object, given: Given) -> bool:
    """Whether an argument is a further tensor of an op, given by its name."""
    if not isinstance(target, type) or not isinstance(given.value, TensorValue):
        return False
    assert issubclass(target, Op)
    return given.name in [port.name for port in target.ports[1:]]
