"""Chains of equal parts, drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from archdsl.backends.graphviz.alike import Keys, differing
from archdsl.backends.graphviz.parts import (
    Fold,
    Item,
    Leaf,
    Turn,
    compact,
    leaves,
    members,
    size,
)
from archdsl.ir.graph import Call, Enter, Graph, Node, Path

MOST_PERIOD = 8  # parts that alternate, as the two blocks of Swin do
FEW_TURNS = 3  # of a block on sizes that grow, that are worth it
FEW_OPS = 4  # what a chain of single ops must save to be worth a frame


def parts(graph: Graph, keys: Keys, kinds: Keys) -> tuple[Item, ...]:
    """The body of a graph, inputs left out, in turns, folds and chains.

    Args:
        graph: The graph.
        keys: Which nodes are equal.
        kinds: Which blocks are the same but for their numbers.
    """
    nodes = [node for node in graph if not isinstance(node.payload, Enter)]
    return compact(graph, _Folder(graph, keys, kinds).fold(_turns(nodes, 0)))


def _scopes(path: Path) -> list[Path]:
    """The turns that a layer stands in, the outer ones first."""
    return [
        path[: i + 1]
        for i in range(len(path) - 1)
        if path[i].isdigit() and not path[i + 1].isdigit()
    ]


def _turns(nodes: Sequence[Node], level: int) -> list[Item]:
    """Gathers nodes by turn, with all that stands between a turn's first and last."""
    scopes = [(_scopes(node.path)[level:] or [()])[0] for node in nodes]
    last = {scope: i for i, scope in enumerate(scopes)}
    items: list[Item] = []
    i = 0
    while i < len(nodes):
        if not scopes[i]:
            items.append(Leaf(nodes[i]))
            i += 1
            continue
        end = last[scopes[i]] + 1
        inner = _turns(nodes[i:end], level + 1)
        items.append(Turn(scopes[i], tuple(inner)))
        i = end
    return items


# --- folds ---------------------------------------------------------------------------

Wire: TypeAlias = tuple[str, str, object, int]  # port, where from, which node, output


class _Folder:
    """Finds chains of equal parts in one graph."""

    def __init__(self, graph: Graph, keys: Keys, kinds: Keys) -> None:
        self.graph = graph
        self.kinds = kinds
        self.keys = {node.id: keys.node(graph, node) for node in graph}
        self.results = {ref.node for ref in graph.results}

    def fold(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """The items, with chains of equal ones as folds."""
        flat = [tuple(members([item])) for item in items]
        words = [tuple(self.keys[n] for n in ids) for ids in flat]
        out: list[Item] = []
        i = 0
        while i < len(items):
            period, turns = self._best(items, flat, words, i)
            group = items[i : i + period]
            inner = self.fold(group) if period > 1 and turns else self._open(group)
            grows = not turns
            turns = turns or self._growing(items, flat, words, i)
            if turns:
                shared = self._path(turns[0]) == self._path(turns[1])
                out.append(Fold(inner, tuple(turns), shared, grows))
            else:
                out += inner
            i += period * max(len(turns), 1)
        return tuple(out)

    def _open(self, group: Sequence[Item]) -> tuple[Item, ...]:
        return tuple(
            Turn(i.path, self.fold(i.items)) if isinstance(i, Turn) else i
            for i in group
        )

    def _best(
        self,
        items: Sequence[Item],
        flat: list[tuple[int, ...]],
        words: list[tuple[int, ...]],
        start: int,
    ) -> tuple[int, list[tuple[int, ...]]]:
        """The period and the turns of the longest fold from here; no turns if none."""
        best: tuple[int, list[tuple[int, ...]]] = (1, [])
        for period in range(1, MOST_PERIOD + 1):
            if words[start] != _at(words, start + period):
                continue
            turns = self._chain(flat, words, start, period)
            group = items[start : start + period]
            if not _worth(group, len(turns)):
                continue
            if len(turns) * period > best[0] * len(best[1]):
                best = period, turns
        return best

    def _growing(
        self,
        items: Sequence[Item],
        flat: list[tuple[int, ...]],
        words: list[tuple[int, ...]],
        start: int,
    ) -> list[tuple[int, ...]]:
        """Calls of one block from here on, each with other sizes coming in.

        They do the same on all sizes. Few are drawn one by one, with their numbers.
        """
        turns, seen = [flat[start]], {words[start]}
        wiring: list[Wire] | None = None
        for at in range(start + 1, len(items)):
            if words[at] in seen or not self._alike(items[start], items[at]):
                break
            if (wiring := self._goes_on(turns, flat[at], wiring)) is None:
                break
            turns.append(flat[at])
            seen.add(words[at])
        return turns if len(turns) >= FEW_TURNS else []

    def _alike(self, one: Item, other: Item) -> bool:
        """Whether two calls differ in the sizes of what they take alone."""
        graphs = [
            item.node.payload.graph
            for item in (one, other)
            if isinstance(item, Leaf) and isinstance(item.node.payload, Call)
        ]
        if len(graphs) < 2 or differing(graphs):
            return False
        return self.kinds.graph(graphs[0]) == self.kinds.graph(graphs[1])

    def _chain(
        self,
        flat: list[tuple[int, ...]],
        words: list[tuple[int, ...]],
        start: int,
        period: int,
    ) -> list[tuple[int, ...]]:
        """Equal groups of `period` items, each of which feeds only the next."""
        first = words[start : start + period]
        turns = [_joined(flat[start : start + period])]
        wiring: list[Wire] | None = None
        for at in range(start + period, len(flat) - period + 1, period):
            turn = _joined(flat[at : at + period])
            if words[at : at + period] != first:
                break
            if (wiring := self._goes_on(turns, turn, wiring)) is None:
                break
            turns.append(turn)
        return turns

    def _goes_on(
        self,
        turns: list[tuple[int, ...]],
        turn: tuple[int, ...],
        wiring: list[Wire] | None,
    ) -> list[Wire] | None:
        """How a turn is wired that goes on with a chain, or None.

        Args:
            turns: The chain.
            turn: What comes after it.
            wiring: How its turns are wired but the first; None if it has but that.
        """
        if not self._feeds(turns[-1], turn):
            return None
        wires = self._wires(turn, turns[-1])
        if wiring is None and not self._begins(turns[0], wires):
            return None
        if wiring not in (None, wires) or not self._fits(turns, turn):
            return None
        return wires

    def _wires(self, turn: tuple[int, ...], before: tuple[int, ...]) -> list[Wire]:
        here = {n: i for i, n in enumerate(turn)}
        there = {n: i for i, n in enumerate(before)}
        wires: list[Wire] = []
        for n in turn:
            for port, ref in self.graph[n].inputs:
                if ref.node in here:
                    wires.append((port, "here", here[ref.node], ref.output))
                elif ref.node in there:
                    wires.append((port, "before", there[ref.node], ref.output))
                else:
                    wires.append((port, "outside", ref.node, ref.output))
        return wires

    def _begins(self, first: tuple[int, ...], wires: list[Wire]) -> bool:
        """Whether the first turn is wired as the others, but for its start."""
        carried: dict[tuple[object, int], tuple[object, int]] = {}
        for own, later in zip(self._wires(first, ()), wires, strict=True):
            if later[1] == "before":
                source = carried.setdefault(later[2:], own[2:])
                if own[1] != "outside" or source != own[2:]:
                    return False
            elif own != later:
                return False
        return bool(carried)

    def _feeds(self, turn: tuple[int, ...], after: tuple[int, ...]) -> bool:
        """Whether only a turn and the one after it use what the turn makes."""
        allowed = {*turn, *after}
        return self.results.isdisjoint(turn) and all(
            user in allowed for n in turn for user in self.graph.net.successors(n)
        )

    def _fits(self, turns: list[tuple[int, ...]], turn: tuple[int, ...]) -> bool:
        """Whether weights are shared by all turns, or by none."""
        first, here = self._path(turns[0]), self._path(turn)
        if len(turns) == 1:
            return here == first or set(here).isdisjoint(first)
        same = self._path(turns[1]) == first
        return here == first if same else set(here).isdisjoint(first)

    def _path(self, turn: tuple[int, ...]) -> list[Path]:
        return [self.graph[n].path for n in turn]


def _at(words: list[tuple[int, ...]], index: int) -> tuple[int, ...] | None:
    return words[index] if index < len(words) else None


def _joined(groups: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(n for group in groups for n in group)


def _worth(group: Sequence[Item], count: int) -> bool:
    if count < 2:
        return False
    whole = any(isinstance(i, Turn) for i in group) or any(
        isinstance(node.payload, Call) for node in leaves(group)
    )
    return whole or size(group) * (count - 1) >= FEW_OPS
