"""Where two positions of an input first meet: some value depends on both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

from archdsl.analysis.cost import blaming
from archdsl.analysis.paths.masks import Budget, Mask, bits, stretch
from archdsl.analysis.paths.seen import Seen, entry
from archdsl.analysis.paths.walk import Walk
from archdsl.ir.graph import Graph


@dataclass(frozen=True)
class Meetings:
    """Where the positions of one axis of an input meet.

    Attributes:
        input: The input.
        axis: The axis.
        size: How long it is.
        first: For each distance from 1 on, the fewest layers on the paths to a value
            that depends on some two positions so far apart; None for never.
        every: The same until that holds for every two positions so far apart.
    """

    input: str
    axis: str
    size: int
    first: tuple[int | None, ...]
    every: tuple[int | None, ...]


class _Pairs:
    """Which positions are together in some set, by the number of layers."""

    def __init__(self, size: int, budget: Budget) -> None:
        self.size = size
        self._budget = budget
        self._known: list[set[Mask]] = []
        self._last: list[list[int]] = []  # the end of the longest stretch from here
        self._apart: list[list[Mask]] = []  # distances from here, of sets with gaps

    def observe(self, seen: Seen) -> None:
        """Takes in what a value has seen."""
        for depth in range(seen.depth):
            while len(self._known) <= depth:
                self._known.append(set())
                self._last.append([0] * self.size)
                self._apart.append([0] * self.size)
            for mask in seen.level(depth) - self._known[depth]:
                self._known[depth].add(mask)
                self._add(mask, depth)

    def _add(self, mask: Mask, depth: int) -> None:
        whole = stretch(mask)
        if whole is not None:
            last = self._last[depth]
            last[whole[0]] = max(last[whole[0]], whole[-1])
            return
        self._budget.take(mask.bit_count())
        for i in bits(mask):
            self._apart[depth][i] |= mask >> i

    def distances(self) -> tuple[list[int | None], list[int | None]]:
        """For each distance from 1 on, the layers until some pair and all have met."""
        first: list[int | None] = [None] * (self.size - 1)
        every: list[int | None] = [None] * (self.size - 1)
        met = [1] * self.size  # the distances from each position to what it has met
        for depth, apart in enumerate(self._apart):
            end = 0
            for i, last in enumerate(self._last[depth]):
                end = max(end, last)
                met[i] |= apart[i] | ((2 << max(0, end - i)) - 1)
            some = reduce(or_, met)
            missing = (~m & ((1 << (self.size - i)) - 1) for i, m in enumerate(met))
            lacking = reduce(or_, missing)
            for d in range(1, self.size):
                if some >> d & 1 and first[d - 1] is None:
                    first[d - 1] = depth
                if not lacking >> d & 1 and every[d - 1] is None:
                    every[d - 1] = depth
        return first, every


def meetings(graph: Graph) -> tuple[Meetings, ...]:
    """Where the positions of each input meet, axis by axis.

    Raises:
        SpecError: There are too many positions to follow.
    """
    found = []
    for enter, node in graph.entries:
        tensor = node.outputs[0]
        for axis in tensor.positions:
            size = tensor[axis]
            assert isinstance(size, int)
            pairs = _Pairs(size, budget := Budget())
            with blaming(node.span):
                start = entry(tensor, axis)
            Walk(budget, pairs.observe).graph(graph, {enter.name: start})
            first, every = pairs.distances()
            row = Meetings(enter.name, axis, size, tuple(first), tuple(every))
            found.append(row)
    return tuple(found)
