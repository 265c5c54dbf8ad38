"""The layers of two models, aligned: what was added, removed, changed, moved, renamed.

Graphs are aligned node by node; a pair of calls whose graphs differ is opened, each
pair of graphs once. A change of wiring is one that the nodes that came or went do not
account for: a pair takes something else than what stands, through these, in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from archdsl.analysis.cost import Costs, Totals
from archdsl.analysis.diff.align import align
from archdsl.analysis.diff.tokens import Tokens, flags, scan_of, sources
from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref
from archdsl.ir.tensor import Tensor

Kind: TypeAlias = Literal[
    "added", "removed", "changed", "reshaped", "moved", "rewired", "shared", "renamed"
]
Link: TypeAlias = tuple[int, int]  # a node and which of its outputs


_GONE = -1  # in the place of a node that has no partner


@dataclass(frozen=True)
class Side:
    """A layer as it is in one of the models.

    Attributes:
        path: Its name.
        text: The op with its arguments, the block; or, of wiring, what is taken.
        takes: The types that go in.
        makes: The types that come out.
        cost: What it costs.
    """

    path: Path
    text: str
    takes: tuple[Tensor, ...] = ()
    makes: tuple[Tensor, ...] = ()
    cost: Totals = field(default_factory=Totals)

    def under(self, prefix: Path) -> Side:
        """The same, seen from outside."""
        return replace(self, path=prefix + self.path)


@dataclass(frozen=True)
class Change:
    """One difference; `before` is missing of what was added, `after` of what went."""

    kind: Kind
    before: Side | None
    after: Side | None

    def under(self, before: Path, after: Path) -> Change:
        """The same, seen from outside."""
        return Change(
            self.kind,
            self.before and self.before.under(before),
            self.after and self.after.under(after),
        )


@dataclass
class Comparer:
    """Compares graphs; each pair of graphs is looked at once."""

    tokens: Tokens = field(default_factory=Tokens)
    costs: Costs = field(default_factory=Costs)
    _known: dict[tuple[Graph, Graph], tuple[Change, ...]] = field(default_factory=dict)

    def models(self, left: Graph, right: Graph) -> tuple[Change, ...]:
        """What differs in two models, in the order of the second."""
        pair = _Pair(self, left, right)
        return (*pair.changes(), *pair.outputs())

    def blocks(self, left: Graph, right: Graph) -> tuple[Change, ...]:
        """What differs in two blocks that are called in each other's place."""
        key = left, right
        if key not in self._known:
            pair = _Pair(self, left, right)
            found = (*pair.changes(), *pair.results(), *pair.scans())
            self._known[key] = found
        return self._known[key]

    def same(self, left: Graph, right: Graph) -> bool:
        """Whether two graphs do the same; layers may be called otherwise."""
        return self.tokens.graph(left) == self.tokens.graph(right)

    def side(self, graph: Graph, node: Node) -> Side:
        """A node as a layer."""
        takes = tuple(graph.ins(node).values())
        cost = self.costs.node(graph, node)
        return Side(node.path, written(node), takes, node.outputs, cost)


def written(node: Node) -> str:
    """An op with its arguments, or the name of a block."""
    what = node.payload
    if isinstance(what, Enter):
        return f"input {what.name}"
    return what.graph.name if isinstance(what, Call) else what.text()


class _Pair:
    """Two graphs, their nodes aligned."""

    def __init__(self, comparer: Comparer, left: Graph, right: Graph) -> None:
        self.all = comparer
        self.left, self.right = left, right
        node = comparer.tokens.node
        self.tokens = [node(left, n) for n in left], [node(right, n) for n in right]
        self.pairs = dict(align(*self.tokens))
        self.back = {b: a for a, b in self.pairs.items()}
        self.first = _first(left), _first(right)

    def changes(self) -> Iterator[Change]:
        """All differences: nodes in the order of the second graph, then the results."""
        moved = self._moves()
        gone = [n for n in self.left if n.id not in self.pairs and n.id not in moved]
        for node in self.right:
            before = self.back.get(node.id)
            while gone and (before is None or gone[0].id < before):
                yield from self._one_sided("removed", self.left, gone.pop(0))
                if before is None:
                    break
            if before is not None:
                yield from self._pair(self.left[before], node)
            elif node.id not in moved.values():
                yield from self._one_sided("added", self.right, node)
        for node in gone:
            yield from self._one_sided("removed", self.left, node)
        for a, b in moved.items():
            yield self._change("moved", self.left[a], self.right[b])

    def _one_sided(self, kind: Kind, graph: Graph, node: Node) -> Iterator[Change]:
        if isinstance(node.payload, Enter):
            return  # of a model it is reported by name; of a block, the calls say so
        side = self.all.side(graph, node)
        first = self.first[kind == "added"][node.path]
        if first != node.id:
            side = replace(side, cost=side.cost.without_weights())
        yield Change(kind, None, side) if kind == "added" else Change(kind, side, None)

    def _moves(self) -> dict[int, int]:
        """Nodes without a partner that do exactly what another without one does."""
        free: dict[int, list[int]] = {}
        for i, token in enumerate(self.tokens[1]):
            if i not in self.back:
                free.setdefault(token.exact, []).append(i)
        found = {}
        for i, token in enumerate(self.tokens[0]):
            if i not in self.pairs and free.get(token.exact):
                found[i] = free[token.exact].pop(0)
        return found

    # -- pairs -----------------------------------------------------------------------

    def _change(self, kind: Kind, a: Node, b: Node) -> Change:
        return Change(kind, self.all.side(self.left, a), self.all.side(self.right, b))

    def _pair(self, a: Node, b: Node) -> Iterator[Change]:
        yield from self._renamed(a, b)
        if self.tokens[0][a.id].exact != self.tokens[1][b.id].exact:
            yield from self._inside(a, b)
        yield from self._wiring(a, b)
        yield from self._sharing(a, b)

    def _inside(self, a: Node, b: Node) -> Iterator[Change]:
        """What differs in a pair that does not do the same."""
        if isinstance(a.payload, Call) and isinstance(b.payload, Call):
            found = self.all.blocks(a.payload.graph, b.payload.graph)
            yield from (change.under(a.path, b.path) for change in found)
            if found:
                return
        if isinstance(a.payload, Enter):
            return  # what makes it says so, or the report on inputs
        same = written(a) == written(b)
        yield self._change("reshaped" if same else "changed", a, b)

    def _renamed(self, a: Node, b: Node) -> Iterator[Change]:
        """Names of weights, or of a block; those of other layers say nothing."""
        held = self._holds(self.left, a) or self._holds(self.right, b)
        if a.path == b.path or not (held or _is_block(a)):
            return
        old, new = list(a.path), list(b.path)
        while len(old) > 1 and len(new) > 1 and old[-1] == new[-1]:
            old.pop()
            new.pop()
        yield Change("renamed", Side(tuple(old), ""), Side(tuple(new), ""))

    def _holds(self, graph: Graph, node: Node) -> bool:
        cost = self.all.costs.node(graph, node)
        return cost.params != 0 or cost.buffers != 0

    # -- wiring ----------------------------------------------------------------------

    def _wiring(self, a: Node, b: Node) -> Iterator[Change]:
        left, right = sources(a), sources(b)
        wrong = [
            (left.get(port), right.get(port))
            for port in dict.fromkeys((*left, *right))
            if not self._accounted(left.get(port), right.get(port))
        ]
        if wrong:
            old = ", ".join(_source(self.left, ref, a.path) for ref, _ in wrong)
            new = ", ".join(_source(self.right, ref, b.path) for _, ref in wrong)
            left_side = Side(a.path, f"takes {old}")
            yield Change("rewired", left_side, Side(b.path, f"takes {new}"))

    def _accounted(self, old: Ref | None, new: Ref | None) -> bool:
        """Whether one value stands in the place of the other, through what changed."""
        if old is None or new is None:
            return False
        roots = self._roots(old, self.left, self.pairs)
        mine = {(self.pairs[i], output) for i, output in roots}
        return bool(mine & set(self._roots(new, self.right, self.back)))

    def _roots(self, ref: Ref, graph: Graph, paired: dict[int, int]) -> Iterator[Link]:
        """The values of paired nodes that a value is made of by others."""
        seen: set[Ref] = set()
        waiting = [ref]
        while waiting:
            here = waiting.pop()
            if here in seen:
                continue
            seen.add(here)
            if here.node in paired:
                yield here.node, here.output
            else:
                waiting += [source for _, source in graph[here.node].inputs]

    # -- sharing, results and scans --------------------------------------------------

    def _sharing(self, a: Node, b: Node) -> Iterator[Change]:
        """Layers that are one layer on one side only, or one with others."""
        old, new = _owner(self.first[0], a), _owner(self.first[1], b)
        there = None if old is None else self.pairs.get(old, _GONE)
        if there != new and not (there == _GONE and new is not None):
            left = Side(a.path, _weights(self.left, old))
            yield Change("shared", left, Side(b.path, _weights(self.right, new)))

    def outputs(self) -> Iterator[Change]:
        """Outputs of a model that are other values than those of their names."""
        left = dict(zip(self.left.result_names, self.left.results, strict=True))
        for name, new in zip(self.right.result_names, self.right.results, strict=True):
            old = left.get(name)
            if old is not None and not self._accounted(old, new):
                yield Change(
                    "rewired",
                    Side((), f"output {name} takes {_source(self.left, old)}"),
                    Side((), f"output {name} takes {_source(self.right, new)}"),
                )

    def results(self) -> Iterator[Change]:
        """Values that a block gives back."""
        left, right = self.left.results, self.right.results
        if len(left) != len(right) or not all(map(self._accounted, left, right)):
            yield Change("rewired", _given(self.left), _given(self.right))

    def scans(self) -> Iterator[Change]:
        """How a block runs along an axis."""
        if scan_of(self.left) != scan_of(self.right):
            left, right = Side((), _scan(self.left)), Side((), _scan(self.right))
            yield Change("changed", left, right)


def _weights(graph: Graph, owner: int | None) -> str:
    return "weights of its own" if owner is None else f"weights of {graph[owner].name}"


def _is_block(node: Node) -> bool:
    return isinstance(node.payload, Call)


def _source(graph: Graph, ref: Ref | None, seen_from: Path = ()) -> str:
    """What a value is called, in a turn of a loop without the name of the turn."""
    if ref is None:
        return "nothing"
    node = graph[ref.node]
    if isinstance(node.payload, Enter):
        return written(node)
    turn = seen_from[:-1]
    inside = bool(turn) and node.path[: len(turn)] == turn and node.path != turn
    name = ".".join(node.path[len(turn) :] if inside else node.path)
    return f"{name}.{ref.output}" if ref.output else name


def _first(graph: Graph) -> dict[Path, int]:
    """The first node of each path."""
    return {node.path: node.id for node in reversed(graph.nodes)}


def _owner(first: dict[Path, int], node: Node) -> int | None:
    """The first node whose weights a node uses, if that is another."""
    owner = first.get(node.weights_from or node.path, node.id)
    return None if owner == node.id else owner


def _given(graph: Graph) -> Side:
    names: Iterable[str] = (_source(graph, ref) for ref in graph.results)
    return Side((), f"returns {', '.join(names)}")


def _scan(graph: Graph) -> str:
    scan = graph.scan
    if scan is None:
        return "no scan"
    words = [scan.axis, f"steps = {scan.steps}"]
    names = ("reverse", "last", "keep")
    words += [f"{n} = true" for n, on in zip(names, flags(scan), strict=True) if on]
    words += [f"sequences = {', '.join(scan.sequences)}"]
    words += [f"states = {', '.join(scan.states)}"]
    return f"scan({', '.join(words)})"
