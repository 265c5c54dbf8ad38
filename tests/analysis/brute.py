"""Paths by brute force: breadth first, over every position, one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import archdsl
from archdsl.ir.graph import Call, Enter, Graph, Ref
from archdsl.ir.tensor import Tensor

Place = tuple[int, ...]
Hops = Mapping[tuple[str, Place], int]  # by input and place: the fewest layers
Edges = Sequence[Iterable[int]]  # by output position: the inputs that it takes


def model(body: str, shape: str = "[B, N = 8, C = 4]", before: str = "") -> Graph:
    """A model of a few lines."""
    text = f"{before}model m {{\n  input x: {shape}\n{body}\n  output y\n}}\n"
    return archdsl.parse(text)


# --- layers of one kind, stacked ----------------------------------------------------


def stacked(layers: Sequence[Edges]) -> tuple[int | None, int | None]:
    """Layers until all pairs that ever will have met, and until one has seen all.

    Args:
        layers: One after another, and over again; there is a way around each.
    """
    n = len(layers[0])
    seen = [{i} for i in range(n)]
    last, sees_all, quiet = 0, (1 if n == 1 else None), 0
    for depth in itertools.count(1):
        edges = layers[(depth - 1) % len(layers)]
        new = [seen[i].union(*(seen[j] for j in edges[i])) for i in range(n)]
        quiet = quiet + 1 if new == seen else 0
        last = last if quiet else depth
        seen = new
        if sees_all is None and any(len(s) == n for s in seen):
            sees_all = depth
        if quiet == len(layers):
            break
    pairs = itertools.combinations(range(n), 2)
    apart = any(i not in seen[j] and j not in seen[i] for i, j in pairs)
    return (None if apart else max(last, 1)), sees_all


def window(n: int, k: int, d: int = 1, causal: bool = False) -> Edges:
    """A convolution's taps."""
    first = -d * (k - 1) if causal else -d * (k - 1) // 2
    taps = [first + d * t for t in range(k)]
    return [[i + t for t in taps if 0 <= i + t < n] for i in range(n)]


def windows(n: int, m: int, shift: int = 0) -> Edges:
    """Attention inside windows that begin at `shift`, and at the border."""
    part = [(i - shift) // m for i in range(n)]
    return [[j for j in range(n) if part[j] == part[i]] for i in range(n)]


def everyone(n: int, causal: bool = False) -> Edges:
    """Attention."""
    return [range(i + 1 if causal else n) for i in range(n)]


def recurrence(
    n: int, layers: int, both: bool, last: bool | str
) -> tuple[int | None, int | None]:
    """The same of an unrolled LSTM: edges from cell to cell, and up a layer."""
    ways = (0, 1)[: 1 + both]
    starts = [distances(n, layers, ways, j) for j in range(n)]
    top = [[(layers - 1, w, t) for w in ways] for t in range(n)]
    if last:
        ends = [
            (layer, w, n - 1 if w == 0 else 0)
            for w in ways
            for layer in range(0 if last == "all" else layers - 1, layers)
        ]
        top = [ends]
    table = [[min(s.get(c, 10**9) for c in cells) for s in starts] for cells in top]
    met = [[h for h in row if h < 10**9] for row in table]
    return max(map(max, met)), min(max(r) for r in met if len(r) == n)


def distances(n: int, layers: int, ways: Sequence[int], start: int) -> dict:
    """The fewest steps from an input to each cell."""
    found = {(0, w, start): 1 for w in ways}
    queue = list(found)
    for layer, way, t in queue:
        step = t + 1 if way == 0 else t - 1
        nexts = [(layer, way, step)] + [(layer + 1, w, t) for w in ways]
        for cell in nexts:
            if cell not in found and 0 <= cell[2] < n and cell[0] < layers:
                found[cell] = found[layer, way, t] + 1
                queue.append(cell)
    return found


# --- whole graphs -------------------------------------------------------------------


class Everything:
    """Every place of every value of a graph, calls and turns opened."""

    def __init__(self, graph: Graph) -> None:
        self.values: list[dict[Place, Hops]] = []
        self.inside = 0
        entries = {
            enter.name: {p: {(enter.name, p): 0} for p in places(node.outputs[0])}
            for enter, node in graph.entries
        }
        self.results = self.graph(graph, entries)

    def graph(self, graph: Graph, entries: Mapping) -> list[dict[Place, Hops]]:
        if graph.scan is not None:
            return self.scan(graph, entries)
        return self.once(graph, entries)

    def once(self, graph: Graph, entries: Mapping) -> list[dict[Place, Hops]]:
        known: dict[Ref, dict[Place, Hops]] = {}
        for node in graph:
            ins = {port: known[ref] for port, ref in node.inputs}
            if isinstance(node.payload, Enter):
                made = [entries[node.payload.name]]
            elif isinstance(node.payload, Call):
                made = self.graph(node.payload.graph, ins)
            else:
                made = [self.op(graph, node, ins)] * len(node.outputs)
            known |= {Ref(node.id, i): value for i, value in enumerate(made)}
        return [known[ref] for ref in graph.results]

    def op(self, graph: Graph, node, ins: Mapping) -> dict[Place, Hops]:
        types, out = graph.ins(node), node.outputs[0]
        spread = node.payload.spread(types, node.outputs)
        sources = {
            place: {
                port: list(
                    itertools.product(
                        *(reaches[a].sources(at(out, place)) for a in reaches)
                    )
                )
                for port, tensor in types.items()
                if port in spread
                for reaches in [{a: spread[port][a] for a in tensor.positions}]
            }
            for place in places(out)
        }
        mixes = any(
            len(reach.sources(at(out, place))) > 1
            for place in places(out)
            for port in spread
            for reach in (spread[port][a] for a in types[port].positions)
        )
        found = {}
        for place, ports in sources.items():
            parts = [ins[p][s] for p, several in ports.items() for s in several]
            found[place] = together(parts, int(mixes))
        if not self.inside:
            self.values.append(found)
        return found

    def scan(self, graph: Graph, entries: Mapping) -> list[dict[Place, Hops]]:
        scan = graph.scan
        self.inside += 1
        carried = {name: entries[name] for name in scan.states}
        where = {
            enter.name: graph.along(node.outputs[0]).positions.index(scan.axis)
            for enter, node in graph.entries
            if enter.name in scan.sequences
        }
        count = len(graph.results) - len(scan.states)
        outs: list[dict[Place, Hops]] = [{} for _ in range(count)]
        order = range(scan.steps)
        for turn in reversed(order) if scan.reverse else order:
            here = {
                name: {
                    p[:k] + p[k + 1 :]: h
                    for p, h in entries[name].items()
                    if p[k] == turn
                }
                for name, k in where.items()
            }
            made = self.once(graph, {**entries, **here, **carried})
            for i, value in enumerate(made[:count]):
                tensor = graph.tensor(graph.results[i])
                k = graph.along(tensor).positions.index(scan.axis)
                if scan.last:
                    outs[i] = dict(value)
                else:
                    outs[i] |= {(*p[:k], turn, *p[k:]): h for p, h in value.items()}
            carried = dict(zip(scan.states, made[count:], strict=True))
        self.inside -= 1
        more = int(scan.steps > 1)
        found = [*outs, *(carried.values() if scan.keep else ())]
        deeper = [{p: together([h], more) for p, h in v.items()} for v in found]
        if not self.inside:
            self.values += deeper
        return deeper

    def meetings(self, name: str, axis: int, size: int) -> tuple[list, list]:
        """For each distance: layers until some two have met, and until all have."""
        met: dict[tuple[int, int], int] = {}
        for value in self.values:
            for hops in value.values():
                near: dict[int, int] = {}
                for (source, place), count in hops.items():
                    if source == name:
                        near[place[axis]] = min(count, near.get(place[axis], count))
                for i, j in itertools.combinations(sorted(near), 2):
                    count = max(near[i], near[j])
                    met[i, j] = min(count, met.get((i, j), count))
        first, every = [], []
        for d in range(1, size):
            counts = [met.get((i, i + d)) for i in range(size - d)]
            known = [c for c in counts if c is not None]
            first.append(min(known, default=None))
            every.append(max(known) if len(known) == len(counts) else None)
        return first, every


def together(parts: Iterable[Hops], more: int) -> Hops:
    found: dict[tuple[str, Place], int] = {}
    for hops in parts:
        for key, count in hops.items():
            found[key] = min(count + more, found.get(key, count + more))
    return found


def places(tensor: Tensor) -> list[Place]:
    return list(itertools.product(*(range(tensor[a]) for a in tensor.positions)))


def at(tensor: Tensor, place: Place) -> dict[str, int]:
    return dict(zip(tensor.positions, place, strict=True))
