"""Which blocks are equal, and which are the same but for their numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from archdsl.ir.graph import Call, Enter, Graph, Node, reachable
from archdsl.ops.base import Op

OpKey = Callable[[Graph, Node, Op], Hashable]


class Keys:
    """A small number for each graph and node; alike things have the same."""

    def __init__(self, root: Graph, op_key: OpKey) -> None:
        self._op_key = op_key
        self._numbers: dict[Hashable, int] = {}
        self._graphs: dict[int, int] = {}
        for graph in reachable(root):
            self._graphs[id(graph)] = self._number(self._form(graph))

    def graph(self, graph: Graph) -> int:
        """The number of a graph."""
        return self._graphs[id(graph)]

    def node(self, graph: Graph, node: Node) -> int:
        """The number of what a node does, wherever its inputs come from."""
        payload = node.payload
        what: Hashable = ""
        if isinstance(payload, Call):
            what = self._graphs[id(payload.graph)]
        elif isinstance(payload, Enter):
            what = payload.name
        elif isinstance(payload, Op):
            what = self._op_key(graph, node, payload)
        ports = tuple(port for port, _ in node.inputs)
        return self._number((type(payload).__name__, what, ports, node.weights_from))

    def _form(self, graph: Graph) -> Hashable:
        first: dict[tuple[str, ...], int] = {}
        nodes = tuple(
            (
                self.node(graph, node),
                tuple(ref for _, ref in node.inputs),
                first.setdefault(node.path, node.id),
            )
            for node in graph
        )
        return graph.name, nodes, graph.results, graph.scan

    def _number(self, what: Hashable) -> int:
        return self._numbers.setdefault(what, len(self._numbers))


def exact(root: Graph) -> Keys:
    """Equal in all but the rates of dropout and stochastic depth."""
    return Keys(root, _exact)


def _exact(graph: Graph, node: Node, op: Op) -> Hashable:
    what = op.name if is_regularisation(op) else op.text()
    ins = tuple(graph.tensor(ref) for _, ref in node.inputs)
    return what, ins, node.outputs


def is_regularisation(payload: object) -> bool:
    """Whether a payload only acts in training."""
    return isinstance(payload, Op) and payload.group == "regularisation"


def kinds(root: Graph) -> Keys:
    """The same layers in the same order, whatever their sizes.

    A number that is 0 in one and not in the other makes them differ, as does a word or
    a flag: a window that shifts is another thing than one that does not.
    """
    return Keys(root, _kind)


def _kind(_graph: Graph, _node: Node, op: Op) -> Hashable:
    if is_regularisation(op):
        return op.name
    fields = type(op).model_fields
    return op.name, tuple(_quality(getattr(op, name)) for name in fields)


def _quality(value: object) -> Hashable:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, tuple):
        return tuple(map(_quality, value))
    return 0 if value == 0 else "number"


def differing(graphs: Iterable[Graph]) -> set[str]:
    """The hyperparameters in which specialisations of one block differ."""
    first, *others = graphs
    return {
        name
        for name, value in first.hyper.items()
        if any(other.hyper.get(name) != value for other in others)
    }
