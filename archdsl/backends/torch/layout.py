"""The layout pass: in which physical order every tensor lies.

Convolutions want ``B C H W``, linears and norms of features ``B H W C``, most others
take what comes. Going backwards, each value learns what its first particular consumer
wishes; going forwards, ops that take what comes are given that. So a permute stands
only where an op that insists meets one that insists on something else, and a block is
compiled for the layout that its own body wishes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref
from archdsl.ir.tensor import Layout
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
        if self.graph.is_model and self.given == _declared(self.graph):
            return self.graph.result_orders
        return tuple(self.layouts[ref] for ref in self.graph.results)


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
                    plan.layouts[Ref(node.id)] = next(inputs)
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
        given = tuple(wished[name] or comes[name] for name in graph.inputs)
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
        return {enter.name: wishes[Ref(node.id)] for enter, node in graph.entries}

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


def _declared(graph: Graph) -> tuple[Layout, ...]:
    return tuple(tensor.names for tensor in graph.inputs.values())
