"""The layout pass: in which physical order every tensor lies.

Convolutions want ``B C H W``, linears and norms of features ``B H W C``, most others
take what comes. Going backwards, each value learns what its first particular consumer
wishes; going forwards, ops that take what comes are given that. So a permute stands
only where an op that insists meets one that insists on something else, and a block is
compiled for the layout that its own body wishes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref, Scan
from archdsl.ir.tensor import BATCH, Layout
from archdsl.ops.base import Op
from archdsl.ops.emit import Emit, Site

Key: TypeAlias = tuple[int, tuple[Layout, ...]]


@dataclass(eq=False)
class Plan:
    """A graph with the layouts of its values.

    Attributes:
        graph: What is planned.
        given: The layout of each input, in order.
        layouts: The layout in which each value is made.
        needs: The layout in which each port of a node takes its value.
        emits: How each op is written.
        callees: The plan behind each call.
        shared: The layout in which each called layer takes its inputs.
    """

    graph: Graph
    given: tuple[Layout, ...]
    layouts: dict[Ref, Layout] = field(default_factory=dict)
    needs: dict[tuple[int, str], Layout] = field(default_factory=dict)
    emits: dict[int, Emit] = field(default_factory=dict)
    callees: dict[int, Plan] = field(default_factory=dict)
    shared: dict[Path, tuple[Layout, ...]] = field(default_factory=dict)

    @property
    def results(self) -> tuple[Layout, ...]:
        """The layouts in which the results are handed out."""
        scan = self.graph.scan
        if self.graph.is_model and self.given == _declared(self.graph):
            return self.graph.result_orders
        if scan is None:
            return tuple(self.layouts[ref] for ref in self.graph.results)
        made = [layout for _, layout in self.made]
        made = made if scan.last else [along(layout, scan) for layout in made]
        final = [layout for _, layout in self.carried] if scan.keep else []
        return (*made, *final)

    @property
    def returned(self) -> list[tuple[Ref, Layout]]:
        """What the body returns, and in which layout; of a scan, the body of a turn."""
        if self.graph.scan is None:
            return list(zip(self.graph.results, self.results, strict=True))
        return list(dict.fromkeys([*self.made, *self.carried]))

    def uses(self) -> Counter[Ref]:
        """How often each value is taken, or put out."""
        counts = Counter(ref for node in self.graph for _, ref in node.inputs)
        counts.update(ref for ref, _ in self.returned)
        return counts

    @property
    def made(self) -> list[tuple[Ref, Layout]]:
        """The outputs of one turn of a scan; one that is a state lies as that does."""
        assert self.graph.scan is not None
        states = dict(self.carried)
        refs = self.graph.results[: len(self.graph.results) - len(states)]
        return [(ref, states.get(ref, self.layouts[ref])) for ref in refs]

    @property
    def carried(self) -> list[tuple[Ref, Layout]]:
        """The states that one turn of a scan returns, laid out as it takes them."""
        assert self.graph.scan is not None
        names = self.graph.scan.states
        given = dict(zip(self.graph.inputs, self.given, strict=True))
        refs = self.graph.results[len(self.graph.results) - len(names) :]
        return [(ref, given[name]) for ref, name in zip(refs, names, strict=True)]


class Planner:
    """Plans graphs, each once for each combination of input layouts."""

    def __init__(self) -> None:
        self._plans: dict[Key, Plan] = {}
        self._wishes: dict[int, dict[Ref, Layout | None]] = {}

    def plan(self, graph: Graph) -> Plan:
        """The plan of a model, whose inputs lie as declared."""
        return self._plan(graph, _declared(graph))

    def _plan(self, graph: Graph, given: tuple[Layout, ...]) -> Plan:
        key = (id(graph), given)
        if key not in self._plans:
            plan = Plan(graph, given)
            inputs = iter(given)
            for node in graph:
                if isinstance(node.payload, Enter):
                    layout = one_turn(next(inputs), node.payload.name, graph.scan)
                    plan.layouts[Ref(node.id)] = layout
                else:
                    self._place(plan, node)
            self._plans[key] = plan
        return self._plans[key]

    def _place(self, plan: Plan, node: Node) -> None:
        comes = {port: plan.layouts[ref] for port, ref in node.inputs}
        if isinstance(node.payload, Call):
            self._place_call(plan, node, node.payload.graph, comes)
            return
        assert isinstance(node.payload, Op)
        ins = plan.graph.ins(node)
        wishes = self.wishes(plan.graph)
        wish = wishes[Ref(node.id)]
        offered = {
            port: node.payload.wish(ins, port, wish) or layout
            for port, layout in comes.items()
        }
        needs = node.payload.arrange(ins, offered)
        plan.needs |= {(node.id, port): layout for port, layout in needs.items()}
        emit = node.payload.emit(Site(ins, node.outputs, needs))
        plan.emits[node.id] = emit
        for i, layout in enumerate(emit.layouts):
            plan.layouts[Ref(node.id, i)] = layout

    def _place_call(
        self, plan: Plan, node: Node, graph: Graph, comes: Mapping[str, Layout]
    ) -> None:
        wished = self.input_wishes(graph)
        given = tuple(
            _nearest(wished[name], comes[name], name, graph.scan)
            for name in graph.inputs
        )
        # One shared layer is laid out as at its first use.
        given = plan.shared.setdefault(node.path, given)
        callee = self._plan(graph, given)
        plan.callees[node.id] = callee
        for (port, _), layout in zip(node.inputs, given, strict=True):
            plan.needs[node.id, port] = layout
        for i, layout in enumerate(callee.results):
            plan.layouts[Ref(node.id, i)] = layout

    # -- wishes ----------------------------------------------------------------------

    def input_wishes(self, graph: Graph) -> dict[str, Layout | None]:
        """The layout that a graph's body would like each input to have."""
        if graph.is_model:
            return dict(zip(graph.inputs, _declared(graph), strict=True))
        wishes = self.wishes(graph)
        found = {enter.name: wishes[Ref(node.id)] for enter, node in graph.entries}
        for name in graph.scan.sequences if graph.scan else ():
            wish = found[name]
            found[name] = along(wish, graph.scan) if wish and graph.scan else None
        return found

    def wishes(self, graph: Graph) -> dict[Ref, Layout | None]:
        """For each value, the layout that its first particular consumer wishes."""
        if id(graph) not in self._wishes:
            found: dict[Ref, Layout | None] = {}
            for node in reversed(list(graph)):
                for i in range(len(node.outputs)):
                    found.setdefault(Ref(node.id, i), None)
                for port, ref in node.inputs:
                    wish = self._wish(graph, node, port, found)
                    if wish is not None:
                        found[ref] = wish  # an earlier consumer overrules
            self._wishes[id(graph)] = found
        return self._wishes[id(graph)]

    def _wish(
        self, graph: Graph, node: Node, port: str, found: Mapping[Ref, Layout | None]
    ) -> Layout | None:
        if isinstance(node.payload, Call):
            return self.input_wishes(node.payload.graph)[port]
        assert isinstance(node.payload, Op)
        after = found[Ref(node.id)]
        if after is None and graph.is_model and Ref(node.id) in graph.results:
            after = graph.result_orders[graph.results.index(Ref(node.id))]
        return node.payload.wish(graph.ins(node), port, after)


def along(layout: Layout, scan: Scan) -> Layout:
    """A turn's layout with the axis of the scan: behind the batch."""
    at = int(layout[:1] == (BATCH,))
    return (*layout[:at], scan.axis, *layout[at:])


def one_turn(layout: Layout, name: str, scan: Scan | None) -> Layout:
    """An input's layout inside of a body: of a sequence, that of one position."""
    if scan is None or name not in scan.sequences:
        return layout
    return tuple(a for a in layout if a != scan.axis)


def _nearest(
    wish: Layout | None, comes: Layout, name: str, scan: Scan | None
) -> Layout:
    """The layout that is wished; of a sequence, only the order inside a turn counts."""
    if wish is None or one_turn(wish, name, scan) == one_turn(comes, name, scan):
        return comes
    return wish


def _declared(graph: Graph) -> tuple[Layout, ...]:
    return tuple(tensor.names for tensor in graph.inputs.values())
