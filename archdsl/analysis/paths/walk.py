"""Following what values have seen: through a graph, those it calls, and turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product

from archdsl.analysis.cost import blaming
from archdsl.analysis.paths.masks import Budget
from archdsl.analysis.paths.seen import (
    Levels,
    Place,
    Seen,
    Tables,
    numbers,
    tables,
    through,
)
from archdsl.ir.dim import Poly
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref, reachable
from archdsl.ir.tensor import BATCH, Tensor
from archdsl.ops.base import Op

Entries = Mapping[str, Seen | None]  # by input; None for nothing


def is_closed(graph: Graph) -> bool:
    """Whether all sizes but the batch are numbers, so that a graph can be walked."""
    return all(
        _is_number(size)
        for inner in reachable(graph)
        for node in inner
        for size in (*_sizes(node), inner.scan.steps if inner.scan else 0)
    )


def _sizes(node: Node) -> Iterator[object]:
    for tensor in node.outputs:
        yield from (size for axis, size in tensor.axes if axis != BATCH)
    if isinstance(node.payload, Op):
        yield from (value for _, value in node.payload)


def _is_number(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_number, value))
    return not isinstance(value, Poly)


def _ignore(seen: Seen) -> None:
    """Does nothing."""


class Walk:
    """Walks of one or several graphs; what an op does is looked at once.

    Args:
        budget: The steps that it may take.
        observe: Gets what each value has seen, but those inside of turns.
    """

    def __init__(
        self, budget: Budget, observe: Callable[[Seen], None] = _ignore
    ) -> None:
        self.budget = budget
        self._observe = observe
        self._tables: dict[tuple[int, int], Tables] = {}
        self._inside = 0

    def graph(self, graph: Graph, entries: Entries) -> list[Seen | None]:
        """What the outputs have seen, from what the inputs have, as from outside."""
        if graph.scan is not None:
            return self._scan(graph, entries)
        return self._once(graph, entries)

    def _once(self, graph: Graph, entries: Entries) -> list[Seen | None]:
        values: dict[Ref, Seen | None] = {}
        last = {ref: node.id for node in graph for _, ref in node.inputs}
        last |= dict.fromkeys(graph.results, len(graph))
        for node in graph:
            if isinstance(node.payload, Enter):
                made = [entries.get(node.payload.name)]
            else:
                ins = {port: values[ref] for port, ref in node.inputs}
                made = self._node(graph, node, ins)
            for i, seen in enumerate(made):
                values[Ref(node.id, i)] = seen
            for _, ref in node.inputs:
                if last[ref] == node.id:
                    values.pop(ref, None)  # it may be large
        return [values[ref] for ref in graph.results]

    def _node(self, graph: Graph, node: Node, ins: Entries) -> list[Seen | None]:
        if isinstance(node.payload, Call):
            return self.graph(node.payload.graph, ins)
        known = {port: seen for port, seen in ins.items() if seen is not None}
        with blaming(node.span):
            seen = through(self.tables(graph, node), known, node.outputs[0])
            if all(seen is not before for before in known.values()):
                self._look(seen)
        return [seen] * len(node.outputs)

    def _look(self, seen: Seen | None) -> None:
        if seen is not None:
            self.budget.take(len(seen.places) * seen.depth)
            if not self._inside:
                self._observe(seen)

    def tables(self, graph: Graph, node: Node) -> Tables:
        """The spread of an op, written out."""
        key = id(graph), node.id
        if key not in self._tables:
            assert isinstance(node.payload, Op)
            ins = graph.ins(node)
            spread = node.payload.spread(ins, node.outputs)
            self._tables[key] = tables(spread, ins, node.outputs[0])
        return self._tables[key]

    # -- turns -----------------------------------------------------------------------

    def _scan(self, graph: Graph, entries: Entries) -> list[Seen | None]:
        """All turns one after another; a recurrence is one layer, however long."""
        scan = graph.scan
        assert scan is not None and isinstance(scan.steps, int)
        sequences = {name: entries.get(name) for name in scan.sequences}
        carried = {name: entries.get(name) for name in scan.states}
        count = len(graph.results) - len(scan.states)
        turns: list[dict[int, Seen | None]] = [{} for _ in range(count)]
        self._inside += 1
        order = range(scan.steps)
        for turn in reversed(order) if scan.reverse else order:
            here = {name: _at(s, scan.axis, turn) for name, s in sequences.items()}
            made = self._once(graph, {**entries, **here, **carried})
            for i, seen in enumerate(made[:count]):
                turns[i][turn] = seen
            carried = dict(zip(scan.states, made[count:], strict=True))
        self._inside -= 1
        types = [graph.tensor(ref) for ref in graph.results[:count]]
        if scan.last:
            found = [list(seen.values())[-1] for seen in turns]
        else:
            rows = zip(turns, types, strict=True)
            found = [_together(s, scan.axis, graph.along(t)) for s, t in rows]
        found += list(carried.values()) if scan.keep else []
        deeper = [s.deeper() if s and scan.steps > 1 else s for s in found]
        with blaming(graph.span):
            for seen in deeper:
                self._look(seen)
        return deeper


def _at(seen: Seen | None, axis: str, index: int) -> Seen | None:
    """One position of a sequence."""
    if seen is None or axis not in seen.axes:
        return seen
    at = seen.axes.index(axis)
    places = {
        place[:at] + place[at + 1 :]: levels
        for place, levels in seen.places.items()
        if place[at] == index
    }
    return Seen(seen.axes[:at] + seen.axes[at + 1 :], places)


def _together(turns: Mapping[int, Seen | None], axis: str, out: Tensor) -> Seen | None:
    """The outputs of all turns as one value; None if none has seen anything."""
    made = {turn: seen for turn, seen in turns.items() if seen is not None}
    if not made:
        return None
    sizes = numbers(out)
    rest = tuple(a for a in sizes if any(a in seen.axes for seen in made.values()))
    places: dict[Place, Levels] = {}
    for turn in turns:
        for place in product(*(range(sizes[a]) for a in rest)):
            at = dict(zip(rest, place, strict=True))
            seen = made.get(turn)
            levels = seen.places[tuple(at[a] for a in seen.axes)] if seen else (0,)
            places[turn, *place] = levels
    return Seen((axis, *rest), places)
