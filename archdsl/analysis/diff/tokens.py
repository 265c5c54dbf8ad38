"""Tokens: numbers that are equal where what nodes and graphs do is equal.

A graph's token says all that it does, and nothing of what things are called: the ops
with their arguments, the types of all values, how they are wired, and which layers are
one. So renaming a block leaves its token as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref, Scan
from archdsl.ops.base import Op


class Token(NamedTuple):
    """What a node is, from exactly to roughly.

    Attributes:
        exact: All that it does, with the types that go in and come out.
        same: The op with its arguments, or the block's name.
        kind: The op, or what ops a block consists of.
        group: The chapter of ops that it is of.
        path: Its name in its graph.
        text: What sorts it among others, the same in every run.
    """

    exact: int
    same: int
    kind: int
    group: int
    path: Path
    text: str


@dataclass
class Tokens:
    """The tokens of nodes and graphs, each graph looked at once."""

    _numbers: dict[Hashable, int] = field(default_factory=dict)
    _graphs: dict[Graph, int] = field(default_factory=dict)
    _bags: dict[Graph, Counter[str]] = field(default_factory=dict)

    def _number(self, what: Hashable) -> int:
        return self._numbers.setdefault(what, len(self._numbers))

    def graph(self, graph: Graph) -> int:
        """What a graph does."""
        if graph not in self._graphs:
            first: dict[Path, int] = {}
            rows = []
            for node in graph:
                owner = first.setdefault(node.path, node.id)
                tied = first.get(node.weights_from) if node.weights_from else None
                wires = tuple(sources(node).items())
                rows.append((self._exact(graph, node), wires, owner, tied))
            what = (tuple(rows), graph.results, scan_of(graph))
            self._graphs[graph] = self._number(what)
        return self._graphs[graph]

    def node(self, graph: Graph, node: Node) -> Token:
        """What a node is."""
        exact = self._exact(graph, node)
        what = node.payload
        if isinstance(what, Enter):
            kind = self._number(("input",))
            name = what.name if graph.is_model else ""
            same, group, text = self._number(("input", name)), kind, "input"
        elif isinstance(what, Call):
            name = what.graph.name
            same, text = self._number(("block", name)), f"block {name}"
            kind = self._number(("ops", frozenset(self._bag(what.graph).items())))
            group = self._number(("block",))
        else:
            assert isinstance(what, Op)
            text = what.text()
            same, kind = self._number(("op", text)), self._number(("kind", what.name))
            group = self._number(("group", what.group))
        types = f"{text} {[str(t) for t in node.outputs]} {node.name}"
        return Token(exact, same, kind, group, node.path, types)

    def _exact(self, graph: Graph, node: Node) -> int:
        what = node.payload
        does: Hashable
        if isinstance(what, Enter):
            entries = [enter.name for enter, _ in graph.entries]
            does = what.name if graph.is_model else entries.index(what.name)
        elif isinstance(what, Call):
            does = self.graph(what.graph)
        else:
            does = what.text()
        ins = tuple((port, graph.tensor(ref)) for port, ref in sources(node).items())
        return self._number((type(what).__name__, does, ins, node.outputs))

    def _bag(self, graph: Graph) -> Counter[str]:
        """How many of which ops there are, blocks opened."""
        if graph not in self._bags:
            bag: Counter[str] = Counter()
            for node in graph:
                if isinstance(node.payload, Call):
                    bag.update(self._bag(node.payload.graph))
                elif not isinstance(node.payload, Enter):
                    bag[node.payload.name] += 1
            self._bags[graph] = bag
        return self._bags[graph]


def sources(node: Node) -> dict[str | int, Ref]:
    """Where a node takes its tensors from; the ports of a block by their place."""
    if isinstance(node.payload, Call):
        return {i: ref for i, (_, ref) in enumerate(node.inputs)}
    return dict(node.inputs)


def scan_of(graph: Graph) -> Hashable:
    """How a graph runs along an axis, its inputs by their place."""
    scan = graph.scan
    if scan is None:
        return None
    places = {enter.name: i for i, (enter, _) in enumerate(graph.entries)}
    return (
        scan.axis,
        scan.steps,
        tuple(places[name] for name in scan.sequences),
        tuple(places[name] for name in scan.states),
        *flags(scan),
    )


def flags(scan: Scan) -> tuple[bool, bool, bool]:
    """What a scan gives, and which way it runs."""
    return scan.reverse, scan.last, scan.keep
