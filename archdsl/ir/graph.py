"""The graph: one per specialisation of a block, and a networkx graph on demand.

A node carries one typed payload: an operation, the call of another graph, or the
entry of an input. Node ids count up in the order of construction, which is a
topological order. `Graph.net` is the same graph for networkx's algorithms; it is made
when it is asked for, since importing networkx takes longer than pricing Swin-T does
(docs/decisions/0002-networkx-on-demand.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from archdsl.ir.assumption import Assumption
from archdsl.ir.dim import Size
from archdsl.ir.operation import Inputs, Operation
from archdsl.ir.tensor import BATCH, Layout, Tensor
from archdsl.source import Span

if TYPE_CHECKING:
    import networkx as nx

    from archdsl.ir.promise import Promise

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
class Scan:
    """How a graph runs once a position of an axis, each turn with the last one's state.

    The graph's own results are those of one turn: its outputs, then a value for each
    state. From outside it gives each output with the axis, one position a turn.

    Attributes:
        axis: What it runs along.
        steps: The size of that axis.
        sequences: The inputs that have the axis, of which a turn takes one position.
        states: The inputs that hold the first states.
        reverse: Whether it runs from the last position to the first.
        last: Whether only the last turn's outputs come out, without the axis.
        keep: Whether the final states come out too.
    """

    axis: str
    steps: Size
    sequences: tuple[str, ...]
    states: tuple[str, ...]
    reverse: bool = False
    last: bool = False
    keep: bool = False


class Node(NamedTuple):
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


class Remake(Protocol):
    """Makes a block's graph anew, as its text says, for other sizes."""

    def __call__(
        self, named: Callable[[Tensor], Tensor], hyper: Mapping[str, Size]
    ) -> Graph | None:
        """The graph; None where the text does not allow these sizes.

        Args:
            named: The type of an input in the place of the one that was given.
            hyper: Hyperparameters that are other than given.
        """
        ...


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
    assumptions: tuple[Assumption, ...] = ()
    hints: dict[Ref, str] = field(default_factory=dict)  # what a spec calls its values
    nodes: list[Node] = field(default_factory=list, repr=False)
    scan: Scan | None = None
    named: Mapping[str, tuple[Ref, ...]] = field(default_factory=dict)
    remake: Remake | None = field(default=None, repr=False)  # of a block on its own
    promises: tuple[Promise, ...] = ()  # of a model that stands for itself
    _users: dict[Ref, list[tuple[int, str]]] = field(default_factory=dict, repr=False)
    _entries: list[tuple[Enter, Node]] = field(default_factory=list, repr=False)
    _called: dict[int, Graph] = field(default_factory=dict, repr=False)

    def add(self, node: Node) -> Node:
        """Puts a node after those it takes its inputs from."""
        number, users = node.id, self._users
        assert number == len(self.nodes)
        self.nodes.append(node)
        for port, ref in node.inputs:
            assert ref.node < number
            if ref in users:
                users[ref].append((number, port))
            else:
                users[ref] = [(number, port)]
        payload = node.payload
        if isinstance(payload, Call):
            self._called.setdefault(id(payload.graph), payload.graph)
        elif isinstance(payload, Enter):
            self._entries.append((payload, node))
        if "net" in self.__dict__:
            del self.net
        return node

    def empty(self) -> Graph:
        """The graph without its nodes, and what is said of them."""
        bare = replace(self, nodes=[], _users={}, _entries=[], _called={})
        bare.named, bare.hints, bare.promises = {}, {}, ()
        return bare

    @cached_property
    def net(self) -> nx.DiGraph:
        """The topology for networkx: ids as nodes, a `Node` as each one's payload."""
        import networkx as nx

        net = nx.DiGraph()
        net.add_nodes_from((node.id, {"payload": node}) for node in self.nodes)
        edges = ((ref.node, node.id) for node in self.nodes for _, ref in node.inputs)
        net.add_edges_from(edges)
        return net

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, key: int) -> Node:
        return self.nodes[key]

    def __iter__(self) -> Iterator[Node]:
        """The nodes in topological order."""
        return iter(self.nodes)

    def tensor(self, ref: Ref) -> Tensor:
        """The type of a value."""
        return self.nodes[ref.node].outputs[ref.output]

    def ins(self, node: Node) -> Inputs:
        """The types that go into a node, by port."""
        return {port: self.tensor(ref) for port, ref in node.inputs}

    def is_used(self, ref: Ref) -> bool:
        """Whether a node takes a value."""
        return ref in self._users

    @property
    def taken(self) -> set[int]:
        """The nodes of which another node, or the outside, takes something."""
        return {ref.node for ref in (*self._users, *self.results)}

    def users(self, ref: Ref) -> list[tuple[Node, str]]:
        """The nodes and ports that take a value."""
        return [(self.nodes[i], port) for i, port in self._users.get(ref, ())]

    @property
    def entries(self) -> list[tuple[Enter, Node]]:
        """The inputs, in order."""
        return list(self._entries)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The types that a call gives, by name."""
        types = {enter.name: node.outputs[0] for enter, node in self.entries}
        if self.scan is not None:
            types |= {n: self.along(types[n]) for n in self.scan.sequences}
        return types

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The types that a call makes."""
        types = tuple([self.tensor(ref) for ref in self.results])
        if self.scan is None:
            return types
        count = len(types) - len(self.scan.states)
        made, final = types[:count], types[count:]
        made = made if self.scan.last else tuple(map(self.along, made))
        return made + final if self.scan.keep else made

    def along(self, tensor: Tensor) -> Tensor:
        """One turn's type, with the axis of the scan."""
        assert self.scan is not None
        at = int(tensor.names[:1] == (BATCH,))
        axis = (self.scan.axis, self.scan.steps)
        return Tensor((*tensor.axes[:at], axis, *tensor.axes[at:]), tensor.dtype)

    def calls(self) -> dict[int, Graph]:
        """The graphs called here, each once, by identity, in order of first call."""
        return dict(self._called)


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


def uses(graph: Graph) -> Iterator[tuple[Graph, Node]]:
    """Every op and call of a model in order, blocks opened."""
    for node in graph:
        if not isinstance(node.payload, Enter):
            yield graph, node
        if isinstance(node.payload, Call):
            yield from uses(node.payload.graph)
