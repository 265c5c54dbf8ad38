"""The graph: one per specialisation of a block, topology in networkx.

A node carries one typed payload: an operation, the call of another graph, or the
entry of an input. Node ids count up in the order of construction, which is a
topological order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import networkx as nx

from archdsl.ir.operation import Inputs, Operation
from archdsl.ir.tensor import Layout, Tensor
from archdsl.source import Span

Path: TypeAlias = tuple[str, ...]


class Ref(NamedTuple):
    """One output of a node."""

    node: int
    output: int = 0


@dataclass(frozen=True)
class Enter:
    """Where a tensor comes into a graph."""

    name: str


@dataclass(frozen=True)
class Call:
    """A block at work: the node does what the graph does."""

    graph: Graph


Payload: TypeAlias = Enter | Operation | Call


@dataclass(frozen=True)
class Node:
    """A step of a graph.

    Attributes:
        id: Its number, in topological order.
        path: Its name inside the graph, through loops: ``("stage", "2", "conv")``.
            Nodes of one shared layer have one path.
        payload: What it does.
        inputs: Where each port takes its tensor from.
        outputs: The types of what it makes.
        span: The place in the spec.
        label: The name that the spec gives to its value, or "".
        weights_from: The path of the layer whose weights it uses, where these are
            another's (a tied projection).
    """

    id: int
    path: Path
    payload: Payload
    inputs: tuple[tuple[str, Ref], ...]
    outputs: tuple[Tensor, ...]
    span: Span
    label: str = ""
    weights_from: Path | None = None

    @property
    def name(self) -> str:
        """The path with dots."""
        return ".".join(self.path)


@dataclass(eq=False)
class Graph:
    """A block with its hyperparameters and the types of its inputs fixed."""

    name: str
    span: Span
    is_model: bool = False
    doc: str = ""
    hyper: Mapping[str, object] = field(default_factory=dict)
    results: tuple[Ref, ...] = ()
    result_names: tuple[str, ...] = ()  # a list's items: "name.0", "name.1"…
    result_orders: tuple[Layout, ...] = ()  # the axes as they are promised outside
    assumptions: tuple[str, ...] = ()
    hints: dict[Ref, str] = field(default_factory=dict)  # what a spec calls its values
    net: nx.DiGraph = field(default_factory=nx.DiGraph, repr=False)

    def add(self, node: Node) -> Node:
        """Puts a node after those it takes its inputs from."""
        self.net.add_node(node.id, payload=node)
        for _, ref in node.inputs:
            self.net.add_edge(ref.node, node.id)
        return node

    def __len__(self) -> int:
        return len(self.net)

    def __getitem__(self, key: int) -> Node:
        node = self.net.nodes[key]["payload"]
        assert isinstance(node, Node)
        return node

    def __iter__(self) -> Iterator[Node]:
        """The nodes in topological order."""
        for _, data in self.net.nodes(data="payload"):
            yield data

    def tensor(self, ref: Ref) -> Tensor:
        """The type of a value."""
        return self[ref.node].outputs[ref.output]

    def ins(self, node: Node) -> Inputs:
        """The types that go into a node, by port."""
        return {port: self.tensor(ref) for port, ref in node.inputs}

    def users(self, ref: Ref) -> list[tuple[Node, str]]:
        """The nodes and ports that take a value."""
        return [
            (self[n], port)
            for n in sorted(self.net.successors(ref.node))
            for port, taken in self[n].inputs
            if taken == ref
        ]

    @property
    def entries(self) -> list[tuple[Enter, Node]]:
        """The inputs, in order."""
        return [(n.payload, n) for n in self if isinstance(n.payload, Enter)]

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The types of the inputs, by name."""
        return {enter.name: node.outputs[0] for enter, node in self.entries}

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The types of the results."""
        return tuple(self.tensor(ref) for ref in self.results)

    def calls(self) -> dict[int, Graph]:
        """The graphs called here, each once, by identity, in order of first call."""
        found: dict[int, Graph] = {}
        for node in self:
            if isinstance(node.payload, Call):
                found.setdefault(id(node.payload.graph), node.payload.graph)
        return found


def reachable(graph: Graph) -> list[Graph]:
    """The graph and all that it calls, each once, callees first."""
    done: dict[int, Graph] = {}

    def visit(here: Graph) -> None:
        for key, inner in here.calls().items():
            if key not in done:
                visit(inner)
        done[id(here)] = here

    visit(graph)
    return list(done.values())
