"""What a step of training computes: the forward pass, and the gradients.

A gradient is computed where one is needed: of every learned tensor, and of what
depends on one; not of an image, not of ids, and not of a value that leads to no
result. So each op is asked for the cost of its backward pass with the ports that need
a gradient. A block is looked at once for each way in which it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from archdsl.analysis.cost import Totals, blaming
from archdsl.ir.dim import Size
from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref, Scan
from archdsl.ir.operation import Cost, Operation

Flags: TypeAlias = tuple[bool, ...]
Key: TypeAlias = tuple[int, Flags, Flags]


@dataclass(frozen=True)
class Gradient:
    """One op's backward pass, with the op's full path."""

    path: Path
    cost: Cost


class Training:
    """Costs of backward passes, each use of a specialisation counted once."""

    def __init__(self) -> None:
        self._costs: dict[Key, Cost] = {}
        self._needs: dict[tuple[int, Flags], dict[Ref, bool]] = {}
        self._reads: dict[tuple[int, Flags], set[Ref]] = {}

    def backward(self, graph: Graph) -> Cost:
        """What the gradients of a model's results cost; its inputs need none."""
        inputs = (False,) * len(graph.inputs)
        return self._graph(graph, inputs, (True,) * len(graph.outputs))

    def layers(self, graph: Graph) -> Iterator[Gradient]:
        """The same, op by op, blocks opened; ops without a backward pass too."""
        inputs = (False,) * len(graph.inputs)
        yield from self._opened(graph, (), inputs, (True,) * len(graph.outputs), 1)

    # -- costs -----------------------------------------------------------------------

    def _graph(self, graph: Graph, inputs: Flags, wanted: Flags) -> Cost:
        key = (id(graph), inputs, wanted)
        if key not in self._costs:
            parts = []
            for needs, live, times in self._turns(graph, inputs, wanted):
                once = [self._node(graph, n, needs, live) for n in graph]
                with blaming(graph.span):
                    parts += [_times(cost, times) for cost in once]
            with blaming(graph.span):
                self._costs[key] = _sum(parts)
        return self._costs[key]

    def _node(self, graph: Graph, node: Node, needs: Flags, live: Flags) -> Cost:
        """What the backward pass of a node costs in one turn."""
        known = self._needing(graph, needs)
        wanted = self._wanted(graph, node, known, live)
        if isinstance(node.payload, Enter) or not any(wanted):
            return Cost()
        if isinstance(node.payload, Call):
            inputs = tuple(known[ref] for _, ref in node.inputs)
            return self._graph(node.payload.graph, inputs, wanted)
        ports = [port for port, ref in node.inputs if known[ref]]
        with blaming(node.span):
            return node.payload.backward(graph.ins(node), node.outputs, ports)

    def _opened(
        self, graph: Graph, prefix: Path, inputs: Flags, wanted: Flags, times: Size
    ) -> Iterator[Gradient]:
        """Every op; one of a scan once, with the costs of all turns."""
        kinds = [
            list(self._body(graph, prefix, needs, live, times * count))
            for needs, live, count in self._turns(graph, inputs, wanted)
        ]
        for rows in zip(*kinds, strict=True):
            yield Gradient(rows[0].path, _sum([row.cost for row in rows]))

    def _body(
        self, graph: Graph, prefix: Path, needs: Flags, live: Flags, times: Size
    ) -> Iterator[Gradient]:
        """Every op of some equal turns."""
        known = self._needing(graph, needs)
        for node in graph:
            path = prefix + node.path
            if isinstance(node.payload, Call):
                given = tuple(known[ref] for _, ref in node.inputs)
                out = self._wanted(graph, node, known, live)
                yield from self._opened(node.payload.graph, path, given, out, times)
            elif not isinstance(node.payload, Enter):
                cost = self._node(graph, node, needs, live)
                with blaming(node.span):
                    yield Gradient(path, _times(cost, times))

    # -- what needs a gradient -------------------------------------------------------

    def _needing(self, graph: Graph, inputs: Flags) -> dict[Ref, bool]:
        """Whether each value needs a gradient, from whether the inputs do."""
        key = (id(graph), inputs)
        if key not in self._needs:
            given = dict(zip((e.name for e, _ in graph.entries), inputs, strict=True))
            found: dict[Ref, bool] = {}
            for node in graph:
                for i, flag in enumerate(self._made(graph, node, found, given)):
                    found[Ref(node.id, i)] = flag
            self._needs[key] = found
        return self._needs[key]

    def _made(
        self,
        graph: Graph,
        node: Node,
        found: Mapping[Ref, bool],
        given: Mapping[str, bool],
    ) -> Flags:
        """Whether what a node makes needs a gradient."""
        if isinstance(node.payload, Enter):
            return (given[node.payload.name],)
        inputs = tuple(found[ref] for _, ref in node.inputs)
        if isinstance(node.payload, Call):
            return self._results(node.payload.graph, inputs)
        weights = node.payload.weights(graph.ins(node))
        frozen = getattr(node.payload, "frozen", False)  # of another layer's weights
        tied = node.weights_from is not None and not frozen
        trained = tied or any(w.trained for w in weights)
        read = any(found[ref] for port, ref in node.inputs if _is_read(node, port))
        return tuple(t.dtype == "float" and (trained or read) for t in node.outputs)

    def _results(self, graph: Graph, inputs: Flags) -> Flags:
        """Whether the results of a call need a gradient."""
        if graph.scan is None:
            found = self._needing(graph, inputs)
            return tuple(found[ref] for ref in graph.results)
        flags = self._turn_inputs(graph, inputs)[-1]
        found = self._needing(graph, flags)
        results = tuple(found[ref] for ref in graph.results)
        made, final = _parted(graph.scan, results)
        return made + final if graph.scan.keep else made

    # -- what leads to a result ------------------------------------------------------

    def _wanted(
        self, graph: Graph, node: Node, known: Mapping[Ref, bool], live: Flags
    ) -> Flags:
        """Which results of a node need a gradient and lead to one that is wanted."""
        used = self._used(graph, live)
        refs = (Ref(node.id, i) for i in range(len(node.outputs)))
        return tuple(ref in used and known[ref] for ref in refs)

    def _used(self, graph: Graph, live: Flags) -> set[Ref]:
        """The values that lead to some of the results."""
        key = (id(graph), live)
        if key not in self._reads:
            used = {r for r, on in zip(graph.results, live, strict=True) if on}
            for node in reversed(graph.nodes):
                on = tuple(Ref(node.id, i) in used for i in range(len(node.outputs)))
                if any(on):
                    used |= {ref for _, ref in self._read(node, on)}
            self._reads[key] = used
        return self._reads[key]

    def _read(self, node: Node, on: Flags) -> list[tuple[str, Ref]]:
        """The inputs of a node that lead to some of its results."""
        if not isinstance(node.payload, Call):
            if all(t.dtype != "float" for t in node.outputs):
                return []  # ids pass no gradient on
            return [(p, r) for p, r in node.inputs if _is_read(node, p)]
        inner = node.payload.graph
        body = self._turn_results(inner, on)[0] if inner.scan else on
        used = self._used(inner, body)
        reads = {e.name for e, n in inner.entries if Ref(n.id) in used}
        return [(port, ref) for port, ref in node.inputs if port in reads]

    # -- turns of a scan -------------------------------------------------------------

    def _turns(
        self, graph: Graph, inputs: Flags, wanted: Flags
    ) -> Iterator[tuple[Flags, Flags, Size]]:
        """The kinds of turns: what its inputs need, which results count, how often.

        The first states may need no gradient where later ones do, and the last states
        may lead nowhere where earlier ones do.
        """
        if graph.scan is None:
            yield inputs, wanted, 1
            return
        early, late = (
            self._turn_inputs(graph, inputs),
            self._turn_results(graph, wanted),
        )
        steps = graph.scan.steps
        if isinstance(steps, int) and steps < len(early) + len(late):
            for i in range(steps):
                ahead = early[min(i, len(early) - 1)]
                yield ahead, late[max(0, len(late) - steps + i)], 1
            return
        yield from ((needs, late[0], 1) for needs in early)
        yield early[-1], late[0], steps - len(early) - len(late)
        yield from ((early[-1], live, 1) for live in late)

    def _turn_inputs(self, graph: Graph, inputs: Flags) -> list[Flags]:
        """What the inputs of the first turns need, until it stays the same."""
        assert graph.scan is not None
        names, states = list(graph.inputs), graph.scan.states
        turns = [inputs]
        while True:
            found = self._needing(graph, turns[-1])
            _, final = _parted(graph.scan, tuple(found[r] for r in graph.results))
            new = dict(zip(names, turns[-1], strict=True))
            new |= dict(zip(states, final, strict=True))
            if tuple(new.values()) == turns[-1] or len(turns) > len(states) + 1:
                return turns
            turns.append(tuple(new.values()))

    def _turn_results(self, graph: Graph, wanted: Flags) -> list[Flags]:
        """Which results of the last turns count, from where it is always the same."""
        assert graph.scan is not None
        count = len(graph.results) - len(graph.scan.states)
        made, final = wanted[:count], wanted[count:]
        nothing = (False,) * len(graph.scan.states)
        turns = [made + (final if graph.scan.keep else nothing)]
        entries = {e.name: Ref(n.id) for e, n in graph.entries}
        always = (False,) * count if graph.scan.last else made
        while True:
            used = self._used(graph, turns[0])
            states = tuple(entries[name] in used for name in graph.scan.states)
            if always + states == turns[0] or len(turns) > len(states) + 2:
                return turns
            turns.insert(0, always + states)


def _is_read(node: Node, port: str) -> bool:
    """Whether an op reads the numbers of an input, and not its sizes alone."""
    assert isinstance(node.payload, Operation)
    return port not in node.payload.sized


def _parted(scan: Scan, results: Flags) -> tuple[Flags, Flags]:
    """What a turn puts out, and its states."""
    count = len(results) - len(scan.states)
    return results[:count], results[count:]


def _times(cost: Cost, count: Size) -> Cost:
    if count == 1:
        return cost
    kinds = {kind: n * count for kind, n in cost.elementwise.items()}
    return Cost(cost.macs * count, kinds)


def _sum(parts: list[Cost]) -> Cost:
    found = Totals.sum([Totals(macs=c.macs, elementwise=c.elementwise) for c in parts])
    return Cost(found.macs, found.elementwise)
