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
from typing import NamedTuple

from archdsl.analysis.cost import Costs
from archdsl.diagnostics import Diagnostic, Lint, Note, SpecError
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


class Found(NamedTuple):
    """What a rule says of a node."""

    lint: Lint
    notes: tuple[Note, ...] = ()


def lint_layers(graphs: Sequence[Graph]) -> Iterator[Diagnostic]:
    """The warnings about the nodes of some graphs, those they call among them."""
    steps = [(g, n) for g in graphs for n in g if not isinstance(n.payload, Enter)]
    asked = Counter([node.span for _, node in steps])
    taken = {id(graph): graph.taken for graph in graphs}
    dead: dict[Span, list[tuple[Graph, Node]]] = {}
    found: dict[tuple[Span, str], list[Found]] = {}
    for graph, node in steps:
        if node.id not in taken[id(graph)]:
            dead.setdefault(node.span, []).append((graph, node))
        kind = type(node.payload)
        if kind not in RULES:
            continue
        ones = [one for rule in RULES[kind] if (one := rule(graph, node))]
        if isinstance(node.payload, WINDOWS):
            x = graph.tensor(node.inputs[0][1])
            ones += _windowed(node.payload, x, node.outputs[0])
        for one in ones:
            found.setdefault((node.span, one.lint.code), []).append(one)
    yield from _everywhere(asked, dead, found)


def _everywhere(
    asked: Mapping[Span, int],
    dead: Mapping[Span, list[tuple[Graph, Node]]],
    found: Mapping[tuple[Span, str], list[Found]],
) -> Iterator[Diagnostic]:
    """What holds wherever the line was elaborated."""
    for span, places in dead.items():
        if len(places) == asked[span]:
            yield Diagnostic(_dead_layer(places), span)
    for (span, _), ones in found.items():
        if len(ones) == asked[span]:
            yield Diagnostic(ones[0].lint, span, ones[0].notes)


# --- neighbours ---------------------------------------------------------------------


def only_user(graph: Graph, node: Node) -> Node | None:
    """The one node that takes what a node makes, if it goes nowhere else."""
    ref = Ref(node.id)
    users = graph.users(ref)
    return users[0][0] if len(users) == 1 and ref not in graph.results else None


def maker(graph: Graph, ref: Ref) -> Node:
    """The node that makes a value, inside of the block that puts it out."""
    node = graph[ref.node]
    while isinstance(node.payload, Call):
        graph = node.payload.graph
        ref = graph.results[ref.output]
        node = graph[ref.node]
    return node


def _before(graph: Graph, node: Node) -> Node:
    return maker(graph, node.inputs[0][1])


@lru_cache(maxsize=1)
def _uses(graph: Graph) -> Counter[Path]:
    """How many nodes of a graph have the weights that lie at a path."""
    return Counter(n.weights_from or n.path for n in graph)


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


def _redundant_bias(graph: Graph, node: Node) -> Found | None:
    op = node.payload
    assert isinstance(op, (Conv, ConvTranspose, Linear))
    after = only_user(graph, node) if op.bias else None
    if after is None or not _by_batch(after):
        return None
    if _uses(graph)[node.path] > 1:
        return None
    note = Note("the batch norm", after.span)
    return Found(RedundantBias(op.name), (note,))


@lru_cache(maxsize=2048)
def _windowed(
    op: Conv | MaxPool | AvgPool, x: Tensor, out: Tensor
) -> tuple[Found, ...]:
    """What is wrong with a window, by itself and on what it slides over."""
    taps = op.taps(x)
    skipped = _skipped(op, taps, out)
    kernel = _kernel(op, taps, x, out) if isinstance(op, Conv) else None
    return tuple([Found(lint) for lint in (skipped, kernel) if lint])


def _skipped(
    op: Conv | MaxPool | AvgPool, taps: Mapping[str, Taps], out: Tensor
) -> SkippedPositions | None:
    for axis, t in taps.items():
        seen = min(t.kernel, t.stride // gcd(t.stride, t.dilation))
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
    odd = kernel % 2 == 0 and kernel >= 16 and stride != kernel
    if not plain or not odd or op.features != features or not isinstance(features, int):
        return None
    return ChannelsFirst(features, kernel, stride if stride > 1 else 3)


def _checkerboard(graph: Graph, node: Node) -> Found | None:
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
            return Found(Checkerboard(axis, fewest, most, why, mend))
    return None


def _dropout(graph: Graph, node: Node) -> Found | None:
    op, after = node.payload, only_user(graph, node)
    assert isinstance(op, Dropout)
    if op.rate > 0 and after is not None and _by_batch(after):
        return Found(DropoutBeforeNorm(), (Note("the batch norm", after.span),))
    return None


def _activation(graph: Graph, node: Node) -> Found | None:
    before = _before(graph, node)
    what, first = node.payload, before.payload
    assert isinstance(what, Op)
    why = ""
    if isinstance(what, Relu) and isinstance(first, (Relu, Sigmoid, Softmax)):
        why = " has no effect"
    elif type(what) is not type(first) or what != first:
        return None
    assert isinstance(first, Op)
    note = Note(f"`{first.name}` stands here", before.span)
    return Found(NoEffect(what.name, first.name, why), (note,))


def _linear_twice(graph: Graph, node: Node) -> Found | None:
    """Two linear maps between which no one calls the value anything."""
    op, after = node.payload, only_user(graph, node)
    if after is None or not isinstance(after.payload, Linear):
        return None
    assert isinstance(op, Linear)
    sizes = graph.ins(node)["x"]["C"], op.features, after.payload.features
    known = [s for s in sizes if isinstance(s, int)]
    if len(known) < 3 or known[1] < min(known[0], known[2]):
        return None
    if Ref(node.id) in graph.hints or node.path == after.path:
        return None
    return Found(LinearTwice(*sizes), (Note("the second", after.span),))


def _norm_twice(graph: Graph, node: Node) -> Found | None:
    after = only_user(graph, node)
    op = node.payload
    if after is None or type(after.payload) is not type(op):
        return None
    assert isinstance(op, Op)
    return Found(NormTwice(op.name), (Note("the second", after.span),))


def _place_lost(graph: Graph, node: Node) -> Found | None:
    """The largest of a map's numbers, where nothing else looks at the map."""
    op, x = node.payload, graph.ins(node)["x"]
    assert isinstance(op, Max)
    if len(x.positions) < 2 or set(op.over) != set(x.positions):
        return None
    before = graph[node.inputs[0][1].node]
    while isinstance(before.payload, Relu | Relu6 | Gelu | Silu | BatchNorm):
        before = graph[before.inputs[0][1].node] if only_user(graph, before) else node
    if not isinstance(before.payload, Conv) or only_user(graph, before) is None:
        return None
    if all(t.kernel == 1 for t in before.payload.taps(graph.ins(before)["x"]).values()):
        return None
    axes = ", ".join(x.positions)
    return Found(PlaceLost(axes), (Note("the convolution", before.span),))


WINDOWS = Conv, MaxPool, AvgPool
Rule = Callable[[Graph, Node], Found | None]
RULES: Mapping[type, tuple[Rule, ...]] = {
    Conv: (_redundant_bias,),
    ConvTranspose: (_redundant_bias, _checkerboard),
    Linear: (_redundant_bias, _linear_twice),
    **dict.fromkeys((MaxPool, AvgPool), ()),  # of windows, see `_windowed`
    Max: (_place_lost,),
    Dropout: (_dropout,),
    **dict.fromkeys(
        (LayerNorm, RmsNorm, BatchNorm, GroupNorm, InstanceNorm), (_norm_twice,)
    ),
    **dict.fromkeys((Relu, Relu6, Gelu, Silu, Tanh, Sigmoid, Softmax), (_activation,)),
}
