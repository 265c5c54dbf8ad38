"""How far the weight of an input position reaches, estimated without weights.

Every layer is taken to average what it sees. Then the impact of the input positions on
one output position is a distribution, and going backwards each layer widens it: over n
plain layers of k taps it comes to a variance of ``n * (k**2 - 1) / 12``, and in general
to ``sum((jump * dilation)**2 * (kernel**2 - 1) / 12)``, where a jump is the product of
the strides before (Luo et al. 2016, Understanding the Effective Receptive Field in Deep
Convolutional Neural Networks, section 2). Its support is the theoretical field.

Branches that are added count alike, those that are concatenated by their features. A
tensor that lacks an axis of another, as a gate does, is left out along with all that it
sees. Zeros around a map take their share away, as in a real convolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product as combinations

from archdsl.ir.dim import Size
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref
from archdsl.ir.operation import Inputs
from archdsl.ir.tensor import FEATURES
from archdsl.ops.base import Op
from archdsl.ops.concat import Concat
from archdsl.ops.spread import At, Reach, Same, Sown, Spread, Taps, Upto


@dataclass(frozen=True)
class Impact:
    """What reaches a tensor, as one distribution an axis.

    Attributes:
        mass: How much there is of it; zeros around a map take some away.
        axes: For each position axis, the share of each index; the sum is 1.
    """

    mass: float
    axes: Mapping[str, tuple[float, ...]]

    def bounds(self, axis: str) -> tuple[int, int]:
        """The first and the last index that anything comes from."""
        reached = [i for i, share in enumerate(self.axes[axis]) if share > 0]
        return reached[0], reached[-1]

    def std(self, axis: str) -> float:
        """The standard deviation along an axis, in positions."""
        return moments(self.axes[axis])[1]


def moments(shares: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of the indices, weighted."""
    whole = math.fsum(shares)
    mean = math.fsum(i * s for i, s in enumerate(shares)) / whole
    square = math.fsum((i - mean) ** 2 * s for i, s in enumerate(shares)) / whole
    return mean, math.sqrt(square)


def point(size: int, index: int) -> tuple[float, ...]:
    """All of it at one index."""
    return tuple(float(i == index) for i in range(size))


def estimate(
    graph: Graph, result: Ref, at: Mapping[str, int]
) -> dict[str, Impact] | None:
    """The impact of each input on one position of a value; sizes are numbers here.

    Args:
        graph: The graph of a model.
        result: One of its values.
        at: The index of the position, by axis.

    Returns:
        What reaches each input that the value depends on, by name; None if it comes
        through a `scan`, of which nothing is known before it runs.
    """
    sizes = {a: graph.tensor(result)[a] for a in graph.tensor(result).positions}
    axes = {a: point(s, at[a]) for a, s in sizes.items() if isinstance(s, int)}
    return _back(graph, {result: Impact(1.0, axes)})


def _back(graph: Graph, found: dict[Ref, Impact]) -> dict[str, Impact] | None:
    """What reaches the inputs of a graph, from what leaves some of its values."""
    if graph.scan is not None:
        return None
    arrived: dict[str, Impact] = {}
    for node in reversed(graph.nodes):
        refs = [Ref(node.id, i) for i in range(len(node.outputs))]
        leaving = {ref.output: found[ref] for ref in refs if ref in found}
        if not leaving:
            continue
        if isinstance(node.payload, Enter):
            arrived[node.payload.name] = leaving[0]
            continue
        inner = _node(graph, node, leaving)
        if inner is None:
            return None
        for port, ref in node.inputs:
            if port in inner:
                found[ref] = _mixed([*_there(found, ref), inner[port]])
    return arrived


def _there(found: Mapping[Ref, Impact], ref: Ref) -> list[Impact]:
    return [found[ref]] if ref in found else []


def _node(
    graph: Graph, node: Node, leaving: Mapping[int, Impact]
) -> dict[str, Impact] | None:
    """What reaches the ports of a node."""
    if isinstance(node.payload, Call):
        inner = node.payload.graph
        results: dict[Ref, Impact] = {}
        for output, impact in leaving.items():
            ref = inner.results[output]
            results[ref] = _mixed([*_there(results, ref), impact])
        return _back(inner, results)
    assert isinstance(node.payload, Op)
    ins = graph.ins(node)
    spread = node.payload.spread(ins, node.outputs)
    return {
        port: _through(node.payload, spread[port], ins, port, _mixed(leaving.values()))
        for port in _seen(spread, ins)
    }


def _seen(spread: Spread, ins: Inputs) -> list[str]:
    """The ports whose positions have a say: not those that are broadcast."""
    most = max((len(ins[port].positions) for port in spread), default=0)

    def broadcast(port: str) -> bool:
        alike = all(isinstance(reach, Same) for reach in spread[port].values())
        return alike and len(ins[port].positions) < most

    return [port for port in spread if port in ins and not broadcast(port)]


def _mixed(parts: Iterable[Impact]) -> Impact:
    """Several impacts on one tensor, each by its mass."""
    parts = [part for part in parts if part.mass > 0]
    if len(parts) == 1:
        return parts[0]
    mass = math.fsum(part.mass for part in parts)
    axes = {
        axis: tuple(
            math.fsum(part.mass * part.axes[axis][i] for part in parts) / mass
            for i in range(len(parts[0].axes[axis]))
        )
        for axis in parts[0].axes
    }
    return Impact(mass, axes)


def _through(
    op: Op, reaches: Mapping[str, Reach], ins: Inputs, port: str, impact: Impact
) -> Impact:
    """The impact on one input of an op, from that on its output."""
    mass, axes = impact.mass, {}
    if isinstance(op, Concat) and op.over == FEATURES:
        whole = sum(_number(t[FEATURES]) for t in ins.values())
        mass *= _number(ins[port][FEATURES]) / whole
    for axis in ins[port].positions:
        shares = _axis(reaches[axis], impact.axes, _number(ins[port][axis]))
        left = math.fsum(shares)
        mass *= left
        axes[axis] = tuple(share / left for share in shares) if left else tuple(shares)
    return Impact(mass, axes)


def _number(size: Size) -> int:
    assert isinstance(size, int)
    return size


def _axis(
    reach: Reach, after: Mapping[str, Sequence[float]], size: int
) -> Sequence[float]:
    """The shares of an input axis, from those of the output's axes."""
    if isinstance(reach, Same):
        return after[reach.axis]
    shares = [0.0] * size
    if isinstance(reach, Upto):
        left = 0.0
        for i in reversed(range(size)):
            left += after[reach.axis][i] / (i + 1)
            shares[i] = left
        return shares
    for at, share in _places(reach, after):
        sources = reach.sources(at)
        for i in sources:
            shares[i] += share / _parts(reach, sources)
    return shares


def _parts(reach: Reach, sources: Sequence[int]) -> float:
    """Among how many an output's share is divided: a window counts in full."""
    if isinstance(reach, Taps):
        return reach.kernel
    if isinstance(reach, Sown):  # on average
        return reach.kernel / reach.stride
    return len(sources)


def _places(
    reach: Reach, after: Mapping[str, Sequence[float]]
) -> Iterator[tuple[At, float]]:
    """The output positions that differ to a reach, each with its share."""
    asked = _Asked(dict.fromkeys(after, 0))
    reach.sources(asked)
    axes = [axis for axis in after if axis in asked.axes]
    rows = [[(i, s) for i, s in enumerate(after[axis]) if s > 0] for axis in axes]
    for picked in combinations(*rows):
        at = {axis: i for axis, (i, _) in zip(axes, picked, strict=True)}
        yield at, math.prod(share for _, share in picked)


class _Asked(dict[str, int]):
    """A position that notes which of its axes are looked at."""

    def __init__(self, at: At) -> None:
        super().__init__(at)
        self.axes: set[str] = set()

    def __getitem__(self, axis: str) -> int:
        self.axes.add(axis)
        return super().__getitem__(axis)
