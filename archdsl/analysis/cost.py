"""Costs: parameters, MACs, FLOPs and memory, by layer and in total, without running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from archdsl.diagnostics import Refused, SpecError
from archdsl.ir.dim import Size, total
from archdsl.ir.graph import Call, Enter, Graph, Node, Path
from archdsl.ir.operation import Cost, Inputs, Operation, Outputs, Weight
from archdsl.record import record
from archdsl.source import Span

MOST_LAYERS = 50_000  # of a flat list


@record
class Totals:
    """What a graph holds and does in one run.

    Attributes:
        params: Elements of learned tensors, shared ones once.
        buffers: Elements of tensors that are held and not learned.
        macs: Multiply-accumulates of matrix products.
        elementwise: All other arithmetic, by kind.
        weight_bytes: Bytes of the parameters.
        buffer_bytes: Bytes of the buffers.
        activation_bytes: Bytes of all tensors that ops write; views write none.
        frozen: Elements of the parameters that training leaves as they are.
    """

    params: Size = 0
    buffers: Size = 0
    macs: Size = 0
    elementwise: Mapping[str, Size] = field(default_factory=dict)
    weight_bytes: Size = 0
    buffer_bytes: Size = 0
    activation_bytes: Size = 0
    frozen: Size = 0

    @property
    def trainable(self) -> Size:
        """Elements of the parameters that training changes."""
        return self.params - self.frozen

    @property
    def matmul_flops(self) -> Size:
        """Two a MAC: what PyTorch's own counter counts."""
        return 2 * self.macs

    @property
    def flops(self) -> Size:
        """Two a MAC, and all element-wise operations."""
        return Cost(self.macs, self.elementwise).flops

    def __add__(self, other: Totals) -> Totals:
        return Totals.sum((self, other))

    @staticmethod
    def sum(parts: Sequence[Totals]) -> Totals:
        """All of several together."""
        kinds: dict[str, list[Size]] = {}
        for part in parts:
            for kind, count in part.elementwise.items():
                kinds.setdefault(kind, []).append(count)
        return Totals(
            total(p.params for p in parts),
            total(p.buffers for p in parts),
            total(p.macs for p in parts),
            {kind: total(counts) for kind, counts in kinds.items()},
            total(p.weight_bytes for p in parts),
            total(p.buffer_bytes for p in parts),
            total(p.activation_bytes for p in parts),
            total(p.frozen for p in parts),
        )

    def times(self, count: Size) -> Totals:
        """The same weights at work several times."""
        return Totals(
            self.params,
            self.buffers,
            self.macs * count,
            {kind: n * count for kind, n in self.elementwise.items()},
            self.weight_bytes,
            self.buffer_bytes,
            self.activation_bytes * count,
            self.frozen,
        )

    def without_weights(self) -> Totals:
        """The work alone: what a second use of the same weights adds."""
        return Totals(
            macs=self.macs,
            elementwise=self.elementwise,
            activation_bytes=self.activation_bytes,
        )


class Costs:
    """Costs of graphs, each specialisation counted once, as long as it lives."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Graph, Totals] = WeakKeyDictionary()
        self._ops: dict[tuple[object, ...], tuple[Operation, Totals]] = {}

    def total(self, graph: Graph) -> Totals:
        """What a graph costs, its calls included."""
        known = self._known.get(graph)
        if known is None:
            known = _turns(graph, self.together(graph, graph))
            self._known[graph] = known
        return known

    def together(self, graph: Graph, nodes: Iterable[Node]) -> Totals:
        """What some nodes of a graph cost, weights that they share once."""
        parts, seen = [], set[Path]()
        for node in nodes:
            cost = self.node(graph, node)
            parts.append(cost.without_weights() if node.path in seen else cost)
            seen.add(node.path)
        with blaming(graph.span):
            return Totals.sum(parts)

    def node(self, graph: Graph, node: Node) -> Totals:
        """What a node costs by itself, as if it shared nothing."""
        if isinstance(node.payload, Enter):
            return Totals()
        if isinstance(node.payload, Call):
            return self.total(node.payload.graph)
        return self._op(node, node.payload, graph.ins(node))

    def _op(self, node: Node, op: Operation, ins: Inputs) -> Totals:
        """What an op costs: many layers of a model are one op on one shape."""
        key = (id(op), *ins.items(), node.outputs)
        known = self._ops.get(key)
        if known is None:
            with blaming(node.span):
                # Kept with the op, so that no other has its id.
                known = self._ops[key] = op, _cost(op, ins, node.outputs)
        return known[1]


def _turns(graph: Graph, once: Totals) -> Totals:
    """What a graph costs, from what one turn costs; a scan copies what it puts out."""
    if graph.scan is None:
        return once
    with blaming(graph.span):
        made = graph.outputs[: len(graph.results) - len(graph.scan.states)]
        copied: Size = 0 if graph.scan.last else total(t.nbytes for t in made)
        return once.times(graph.scan.steps) + Totals(activation_bytes=copied)


def _cost(op: Operation, ins: Inputs, outs: Outputs) -> Totals:
    """What one op costs."""
    cost = op.cost(ins, outs)
    weights = op.weights(ins)
    params, weight_bytes = _held(weights, learned=True)
    buffers, buffer_bytes = _held(weights, learned=False)
    return Totals(
        params,
        buffers,
        cost.macs,
        cost.elementwise,
        weight_bytes,
        buffer_bytes,
        0 if op.view else total(t.nbytes for t in outs),
        total(w.numel for w in weights if w.frozen),
    )


@contextmanager
def blaming(span: Span) -> Iterator[None]:
    """A refusal inside, of a formula that grows too long, is an error at a place."""
    try:
        yield
    except Refused as refused:
        raise SpecError.at(span, refused.fault) from None


def _held(weights: tuple[Weight, ...], *, learned: bool) -> tuple[Size, Size]:
    count: Size = 0
    size: Size = 0
    for weight in weights:
        if weight.learned == learned:
            count = count + weight.numel
            size = size + weight.numel * weight.itemsize
    return count, size


@dataclass(frozen=True)
class Layer:
    """One op of a model, with its full path.

    Attributes:
        path: Its name from the model down, as in the compiled module's state dict.
        block: The block whose body it stands in.
        node: The op.
        graph: The specialisation that it stands in.
        cost: What it costs; without weights if these were counted already.
    """

    path: Path
    block: str
    node: Node
    graph: Graph
    cost: Totals


def layers(graph: Graph, costs: Costs | None = None) -> Iterator[Layer]:
    """Every op of a model in order, blocks opened: a view, made on demand."""
    costs = costs or Costs()
    counted: set[Path] = set()
    yield from _layers(graph, (), costs, counted, 1)


def _layers(
    graph: Graph, prefix: Path, costs: Costs, counted: set[Path], turns: Size
) -> Iterator[Layer]:
    if graph.scan is not None:
        turns = turns * graph.scan.steps
    for node in graph:
        path = prefix + node.path
        if isinstance(node.payload, Call):
            yield from _layers(node.payload.graph, path, costs, counted, turns)
        elif not isinstance(node.payload, Enter):
            cost = costs.node(graph, node)
            cost = cost if turns == 1 else cost.times(turns)
            if path in counted:
                cost = cost.without_weights()
            counted.add(path)
            yield Layer(path, graph.name, node, graph, cost)


def count_layers(graph: Graph, known: dict[int, int] | None = None) -> int:
    """How many ops a model has with all blocks opened, without opening them."""
    known = {} if known is None else known
    if id(graph) not in known:
        known[id(graph)] = sum(
            count_layers(node.payload.graph, known)
            if isinstance(node.payload, Call)
            else not isinstance(node.payload, Enter)
            for node in graph
        )
    return known[id(graph)]
