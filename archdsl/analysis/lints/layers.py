"""Warnings about layers: rules that look at one node and its neighbours.

A line of a spec is elaborated once for each use of its block and each turn of its
loop. It is warned about only if the rule holds in all of them, so that the mend is one
for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import gcd

from archdsl.analysis.cost import Costs
from archdsl.diagnostics import Diagnostic, Note, SpecError
from archdsl.diagnostics.lints import (
    ChannelsFirst,
    Checkerboard,
    DeadLayer,
    DropoutBeforeNorm,
    KernelInPadding,
    LinearTwice,
    NoEffect,
    NormTwice,
    PlaceLost,
    RedundantBias,
    SkippedPositions,
)
from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref
from archdsl.ir.tensor import Tensor
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
from archdsl.ops.spread import Taps
from archdsl.source import Span

_LARGE = 16  # a kernel that may have been meant as features


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
        if kind in ALONE:
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


def _windowed(graph: Graph, node: Node) -> Sequence[Diagnostic]:
    """What is wrong with a window, by itself or on what it slides over."""
    op, x = node.payload, graph.tensor(node.inputs[0][1])
    assert isinstance(op, (Conv, MaxPool, AvgPool))
    if isinstance(op, Conv) and _is_plain(op, x):
        return ()
    taps, out = op.taps(x), node.outputs[0]
    skipped = _skipped(op, taps, out)
    kernel = _kernel(op, taps, x, out) if isinstance(op, Conv) else None
    return [Diagnostic(lint, node.span) for lint in (skipped, kernel) if lint]


def _is_plain(op: Conv, x: Tensor) -> bool:
    """Whether the numbers of a convolution leave nothing to ask of its windows.

    Where no axis is shorter than a window and a stride, every tap meets the input in
    the first window or the last, whatever is put around it.
    """
    kernel, stride, dilation = op.kernel, op.stride, op.dilation
    if not isinstance(kernel, int) or not isinstance(stride, int):
        return False
    if not isinstance(dilation, int) or kernel >= _LARGE:
        return False
    if kernel > 1 and _seen(kernel, stride, dilation) < stride:
        return False
    room, sizes = dilation * (kernel - 1) + stride, x.sizes
    found = [sizes[axis] for axis in x.positions]
    return not [size for size in found if isinstance(size, int) and size < room]


def _seen(kernel: int, stride: int, dilation: int) -> int:
    """Of as many positions as a stride has, those that a window looks at."""
    return min(kernel, stride // gcd(stride, dilation))


def _skipped(
    op: Conv | MaxPool | AvgPool, taps: Mapping[str, Taps], out: Tensor
) -> SkippedPositions | None:
    for axis, t in taps.items():
        seen = _seen(t.kernel, t.stride, t.dilation)
        if t.kernel > 1 and seen < t.stride and out[axis] != 1:
            factor = ", without a factor of the dilation" if t.dilation > 1 else ""
            numbers = (t.kernel, t.stride, t.dilation)
            return SkippedPositions(op.name, axis, seen, *numbers, factor)
    return None


def _kernel(
    op: Conv, taps: Mapping[str, Taps], x: Tensor, out: Tensor
) -> ChannelsFirst | KernelInPadding | None:
    """A kernel that is too large for its axis, or was meant as another number."""
    swapped = _channels_first(op, x["C"], taps)
    if swapped is not None:
        return swapped
    for axis, t in taps.items():
        size, count = x[axis], out[axis]
        if not isinstance(size, int) or not isinstance(count, int):
            continue
        outside = _outside(t, size, count)
        if 2 * outside > t.kernel:
            return KernelInPadding(op.name, axis, size, t.kernel, outside)
    return None


def _outside(t: Taps, size: int, count: int) -> int:
    """The taps that meet the input in none of `count` windows."""
    before = -((t.padding - (count - 1) * t.stride) // -t.dilation)
    behind = t.kernel + (size + t.padding) // -t.dilation
    return min(t.kernel, max(0, before) + max(0, behind))


def _channels_first(
    op: Conv, features: object, taps: Mapping[str, Taps]
) -> ChannelsFirst | None:
    """``conv(3, 64)`` on C = 3: nobody has 64 × 64 kernels that keep 3 features."""
    kernels = {t.kernel for t in taps.values()}
    strides = {t.stride for t in taps.values()}
    kernel, stride = max(kernels), max(strides)
    plain = len(taps) > 1 and len(kernels) == 1 and op.groups == 1
    odd = kernel % 2 == 0 and kernel >= _LARGE and stride != kernel
    if not plain or not odd or op.features != features or not isinstance(features, int):
        return None
    return ChannelsFirst(features, kernel, stride if stride > 1 else 3)


def _checkerboard(graph: Graph, node: Node) -> Sequence[Diagnostic]:
    """Outputs whose place modulo the stride decides how many taps reach them."""
    op = node.payload
    assert isinstance(op, ConvTranspose)
    for axis, (sown, _) in op.sown(graph.ins(node)["x"]).items():
        kernel, stride = sown.kernel, sown.stride
        turns = stride // gcd(stride, sown.dilation)  # until a tap's place comes again
        most = -(-kernel // turns)
        fewest = kernel // turns if turns == stride else 0
        if fewest != most:
            why = f"its stride of {stride} and dilation have a common factor"
            mend = "use a dilation of 1"
            if turns == stride:
                why = f"its stride of {stride} does not divide the kernel of {kernel}"
                better = {kernel - kernel % stride, kernel + -kernel % stride} - {0}
                mend = f"use kernel = {' or '.join(map(str, sorted(better)))}"
            return (Diagnostic(Checkerboard(axis, fewest, most, why, mend), node.span),)
    return ()


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
    **dict.fromkeys((Conv, MaxPool, AvgPool), _windowed),
    ConvTranspose: _checkerboard,
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
