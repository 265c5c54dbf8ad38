"""Warnings about layers: rules that look at one node and its neighbours.

A line of a spec is elaborated once for each use of its block and each turn of its
loop. It is warned about only if the rule holds in all of them, so that the mend is one
for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from archdsl.analysis.cost import Costs
from archdsl.analysis.lints.windows import checkerboard, windowed
from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.diagnostics.lints import (
    DeadLayer,
    DropoutBeforeNorm,
    LinearTwice,
    NoEffect,
    NormTwice,
    PlaceLost,
    RedundantBias,
)
from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref
from archdsl.ops.activation import Gelu, Relu, Relu6, Sigmoid, Silu, Softmax, Tanh
from archdsl.ops.base import Op
from archdsl.ops.conv import Conv
from archdsl.ops.conv_transpose import ConvTranspose
from archdsl.ops.group_norm import GroupNorm, InstanceNorm
from archdsl.ops.linear import Linear
from archdsl.ops.norm import BatchNorm, LayerNorm, RmsNorm
from archdsl.ops.pool import AvgPool, MaxPool
from archdsl.ops.reduce import Max
from archdsl.ops.regularize import Dropout
from archdsl.source import Span


def lint_layers(graphs: Sequence[Graph]) -> Iterator[Diagnostic]:
    """The warnings about the nodes of some graphs, those they call among them."""
    dead: dict[Span, list[tuple[Graph, Node]]] = {}
    found: dict[tuple[Span, str], list[Diagnostic]] = {}
    for graph in graphs:
        for node in _untaken(graph):
            dead.setdefault(node.span, []).append((graph, node))
        for one in _said(graph):
            found.setdefault((one.span, one.code), []).append(one)
    nodes = [n for g in graphs for n in g.nodes if type(n.payload) is not Enter]
    asked = Counter([node.span for node in nodes])
    yield from [
        Diagnostic(_dead_layer(places), span)
        for span, places in dead.items()
        if len(places) == asked[span]
    ]
    yield from [
        ones[0] for (span, _), ones in found.items() if len(ones) == asked[span]
    ]


def _untaken(graph: Graph) -> list[Node]:
    """The steps of which nothing takes anything."""
    taken = graph.taken
    if len(taken) == len(graph):
        return []
    nodes = [n for n in graph.nodes if n.id not in taken]
    return [n for n in nodes if type(n.payload) is not Enter]


def _said(graph: Graph) -> list[Diagnostic]:
    """What the rules say in a graph: first those of two nodes, then those of one."""
    nodes = graph.nodes
    of_two: list[Diagnostic] = []
    of_one: list[Diagnostic] = []
    for node in nodes:
        kind = type(node.payload)
        if kind in AFTER:
            before = nodes[node.inputs[0][1].node]
            rule = AFTER[kind].get(type(before.payload))
            if rule is not None and (one := rule(graph, before, node)):
                of_two.append(one)
        elif kind in ALONE:
            of_one += ALONE[kind](graph, node)
    return of_two + of_one


# --- neighbours ---------------------------------------------------------------------


def _used_once(graph: Graph, node: Node) -> bool:
    """Whether what a node makes goes into one other, and nowhere else."""
    ref = Ref(node.id)
    return len(graph.users(ref)) == 1 and ref not in graph.results


def maker(graph: Graph, ref: Ref) -> Node:
    """The node that makes a value, inside of the block that puts it out."""
    node = graph[ref.node]
    while isinstance(node.payload, Call):
        graph = node.payload.graph
        ref = graph.results[ref.output]
        node = graph[ref.node]
    return node


@lru_cache(maxsize=1)
def _uses(graph: Graph) -> Counter[Path]:
    """How many nodes of a graph have the weights that lie at a path."""
    return Counter([n.weights_from or n.path for n in graph.nodes])


def _name(node: Node) -> str:
    payload = node.payload
    return payload.graph.name if isinstance(payload, Call) else payload.name


def _by_batch(node: Node) -> bool:
    """Whether a node normalises by the statistics of the batch in training."""
    return isinstance(node.payload, BatchNorm) and not node.payload.frozen


# --- rules --------------------------------------------------------------------------


def _dead_layer(places: list[tuple[Graph, Node]]) -> DeadLayer:
    graph, node = places[0]
    try:
        params = Costs().node(graph, node).params
    except SpecError:  # more than can be counted
        params = 0
    cost = ""
    if params != 0 and len(places) == 1:
        count = f"{params:,}" if isinstance(params, int) else str(params)
        cost = f"; its {count} parameters are counted"
    return DeadLayer(_name(node), cost)


def _redundant_bias(graph: Graph, node: Node, after: Node) -> Diagnostic | None:
    op = node.payload
    assert isinstance(op, (Conv, ConvTranspose, Linear))
    if not op.bias or not _by_batch(after) or not _used_once(graph, node):
        return None
    if _uses(graph)[node.path] > 1:
        return None
    note = Note("the batch norm", after.span)
    return Diagnostic(RedundantBias(op.name), node.span, (note,))


def _dropout(graph: Graph, node: Node, after: Node) -> Diagnostic | None:
    op = node.payload
    assert isinstance(op, Dropout)
    if op.rate > 0 and _by_batch(after) and _used_once(graph, node):
        note = Note("the batch norm", after.span)
        return Diagnostic(DropoutBeforeNorm(), node.span, (note,))
    return None


def _activation(graph: Graph, node: Node, after: Node) -> Diagnostic | None:
    before = maker(graph, after.inputs[0][1])
    what, first = after.payload, before.payload
    assert isinstance(what, Op)
    why = ""
    if isinstance(what, Relu) and isinstance(first, (Relu, Sigmoid, Softmax)):
        why = " has no effect"
    elif type(what) is not type(first) or what != first:
        return None
    assert isinstance(first, Op)
    note = Note(f"`{first.name}` stands here", before.span)
    return Diagnostic(NoEffect(what.name, first.name, why), after.span, (note,))


def _linear_twice(graph: Graph, node: Node, after: Node) -> Diagnostic | None:
    """Two linear maps between which no one calls the value anything."""
    op, then = node.payload, after.payload
    assert isinstance(op, Linear)
    assert isinstance(then, Linear)
    if not _used_once(graph, node):
        return None
    sizes = graph.ins(node)["x"]["C"], op.features, then.features
    known = [s for s in sizes if isinstance(s, int)]
    if len(known) < 3 or known[1] < min(known[0], known[2]):
        return None
    if Ref(node.id) in graph.hints or node.path == after.path:
        return None
    note = Note("the second", after.span)
    return Diagnostic(LinearTwice(*sizes), node.span, (note,))


def _norm_twice(graph: Graph, node: Node, after: Node) -> Diagnostic | None:
    op = node.payload
    assert isinstance(op, Op)
    if not _used_once(graph, node):
        return None
    note = Note("the second", after.span)
    return Diagnostic(NormTwice(op.name), node.span, (note,))


def _place_lost(graph: Graph, node: Node) -> Sequence[Diagnostic]:
    """The largest of a map's numbers, where nothing else looks at the map."""
    op, x = node.payload, graph.ins(node)["x"]
    assert isinstance(op, Max)
    if len(x.positions) < 2 or set(op.over) != set(x.positions):
        return ()
    before = graph[node.inputs[0][1].node]
    while isinstance(before.payload, Relu | Relu6 | Gelu | Silu | BatchNorm):
        before = graph[before.inputs[0][1].node] if _used_once(graph, before) else node
    if not isinstance(before.payload, Conv) or not _used_once(graph, before):
        return ()
    if all(t.kernel == 1 for t in before.payload.taps(graph.ins(before)["x"]).values()):
        return ()
    axes = ", ".join(x.positions)
    note = Note("the convolution", before.span)
    return (Diagnostic(PlaceLost(axes), node.span, (note,)),)


# By the op that a rule begins with; a rule of two asks of the op before it, too.
ALONE: Mapping[type, Callable[[Graph, Node], Sequence[Diagnostic]]] = {
    **dict.fromkeys((Conv, MaxPool, AvgPool), windowed),
    ConvTranspose: checkerboard,
    Max: _place_lost,
}
_NORMS = LayerNorm, RmsNorm, BatchNorm, GroupNorm, InstanceNorm
_ACTIVATIONS = Relu, Relu6, Gelu, Silu, Tanh, Sigmoid, Softmax
OfTwo = Callable[[Graph, Node, Node], Diagnostic | None]
AFTER: dict[type, dict[type, OfTwo]] = {
    Linear: {Linear: _linear_twice},
    **{norm: {norm: _norm_twice} for norm in _NORMS},
    **{act: dict.fromkeys((act, Call), _activation) for act in _ACTIVATIONS},
}
AFTER[Relu] |= dict.fromkeys((Sigmoid, Softmax), _activation)
AFTER[BatchNorm] |= dict.fromkeys((Conv, ConvTranspose, Linear), _redundant_bias)
AFTER[BatchNorm][Dropout] = _dropout
