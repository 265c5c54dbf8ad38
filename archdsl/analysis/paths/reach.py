"""How far layers of one kind reach that stand on one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TypeAlias

from archdsl.analysis.paths.masks import Relation, Stack
from archdsl.analysis.paths.seen import Seen, entry, numbers, through
from archdsl.analysis.paths.walk import Walk
from archdsl.ir.dim import Size
from archdsl.ir.graph import Call, Graph, Node
from archdsl.ir.operation import Inputs
from archdsl.ir.tensor import Tensor

Layer: TypeAlias = tuple[Graph, Node]
_NOTHING = Seen((), {(): (0,)})


@dataclass(frozen=True)
class Reach:
    """How many layers it takes; None for never, or where they do not stack.

    Attributes:
        maximum: Until every position depends on all that it ever will.
        meet: Until some position depends on all.
        keeps: Whether as many positions come out as go in, so that layers stack.
    """

    maximum: Size | None
    meet: Size | None
    keeps: bool


def reach_of(layers: Sequence[Layer], ins: Inputs, walk: Walk) -> Reach | None:
    """How far some layers of one kind reach; None if they leave positions apart."""
    out = layers[0][1].outputs[0]
    ports = {port: tensor for port, tensor in ins.items() if numbers(tensor)}
    axes = [_Axis(p, t, a, layers, walk) for p, t in ports.items() for a in numbers(t)]
    mixing = [axis for axis in axes if axis.mixes]
    if not mixing:
        return None
    keeps = len(ports) == 1
    keeps = keeps and all(numbers(out).get(a.name) == a.size for a in mixing)
    if not keeps:
        once = 1 if all(axis.whole for axis in mixing) else None
        return Reach(once, once, False)
    stacks = [axis.stack() for axis in mixing]
    maximum = _largest([stack.maximum() for stack in stacks])
    return Reach(maximum, _largest([stack.meet() for stack in stacks]), True)


class _Axis:
    """What comes out of each of some layers of an axis of what goes in."""

    def __init__(
        self, port: str, tensor: Tensor, name: str, layers: Sequence[Layer], walk: Walk
    ) -> None:
        self.name, self.size = name, numbers(tensor)[name]
        self._budget = walk.budget
        self._order = [(id(graph), node.id) for graph, node in layers]
        start = entry(tensor, name)
        self._seen: dict[tuple[int, int], Seen] = {}
        for key, (graph, node) in zip(self._order, layers, strict=True):
            if key not in self._seen:
                found = _through(graph, node, port, start, walk)
                self._seen[key] = found or _NOTHING

    @property
    def mixes(self) -> bool:
        """Whether some position has seen more than one."""
        return any(m & (m - 1) for s in self._seen.values() for m in s.level(s.depth))

    @property
    def whole(self) -> bool:
        """Whether every position has seen all, after one layer."""
        full = {(1 << self.size) - 1}
        return all(s.level(s.depth) == full for s in self._seen.values())

    def stack(self) -> Stack:
        """The layers on one another, as the model has them."""
        made = {k: _relation(s, self.name, self.size) for k, s in self._seen.items()}
        order = [made[key] for key in self._order]
        return Stack(order[: _period(order)], self._budget)


def _period(order: list[Relation]) -> int:
    """After how many layers they are the same again."""
    count = len(order)
    lengths = (n for n in range(1, count) if count % n == 0 and order[n:] == order[:-n])
    return next(lengths, count)


def _largest(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None


def _through(
    graph: Graph, node: Node, port: str, start: Seen, walk: Walk
) -> Seen | None:
    """What comes out of one layer of what goes in at a port."""
    if isinstance(node.payload, Call):
        return walk.graph(node.payload.graph, {port: start})[0]
    return through(walk.tables(graph, node), {port: start}, node.outputs[0])


def _relation(seen: Seen, axis: str, size: int) -> Relation:
    """The sets by the position along one axis."""
    if axis not in seen.axes:
        return (reduce(or_, seen.level(seen.depth)),) * size
    at = seen.axes.index(axis)
    found = [0] * size
    for place, levels in seen.places.items():
        found[place[at]] |= levels[-1]
    return tuple(found)
