"""The longest chain of operations that wait for one another, without running.

An op starts when all that goes into it is there, and a turn of a recurrence when the
turn before it is over. What does not wait for one another runs at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.analysis.cost import blaming
from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.ir.dim import Size
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref
from archdsl.ir.operation import Operation
from archdsl.ops.base import Op

_MOST = 16  # formulas of which none is known to be the largest


@dataclass(frozen=True)
class Longest:
    """The largest of some sizes: several, where that depends on a symbol."""

    sizes: tuple[Size, ...] = (0,)

    def plus(self, size: Size) -> Longest:
        """All of them longer by so much."""
        return Longest(tuple(s + size for s in self.sizes)) if size != 0 else self

    def times(self, count: Size) -> Longest:
        """All of them so many times."""
        return Longest(tuple(s * count for s in self.sizes))

    def together(self, other: Longest) -> Longest:
        """One after the other."""
        return largest([Longest(tuple(s + o for o in other.sizes)) for s in self.sizes])

    def __str__(self) -> str:
        if len(self.sizes) == 1:
            return str(self.sizes[0])
        return f"max({', '.join(map(str, self.sizes))})"


def largest(several: list[Longest]) -> Longest:
    """The largest of several.

    Raises:
        Refused: Too many depend on too many symbols.
    """
    kept: list[Size] = []
    for size in dict.fromkeys(s for one in several for s in one.sizes):
        if not any(_at_least(other, size) for other in kept):
            kept = [other for other in kept if not _at_least(size, other)] + [size]
    if len(kept) > _MOST:
        what = "which chain of operations is the longest depends on too many sizes"
        raise Refused(TooMuchWork(what, f"{_MOST} formulas", "give the input a size"))
    return Longest(tuple(kept) or (0,))


def _at_least(size: Size, other: Size) -> bool:
    if isinstance(size, int) and isinstance(other, int):
        return size >= other
    from archdsl.ir.ranges import at_least  # fractions take long to import

    return at_least(size, other) is True


@dataclass(frozen=True)
class Chain:
    """How long a chain is.

    Attributes:
        steps: In operations; a view is none, a recurrence takes its turns.
        products: In those that multiply matrices: what people call depth.
    """

    steps: Longest = Longest()
    products: Longest = Longest()


def chain(graph: Graph) -> Chain:
    """The longest chain of a model or block, from its inputs to its results.

    Raises:
        SpecError: Which is the longest depends on too many open sizes.
    """
    return _ends(graph, {})[-1]


def _ends(graph: Graph, entries: Mapping[str, Chain]) -> list[Chain]:
    """Where each output of a graph stands in the longest chain, and where all do."""
    if graph.scan is None:
        return _once(graph, entries)
    with blaming(graph.span):
        begun = _latest(list(entries.values()))
        turn, count = _once(graph, {})[-1], graph.scan.steps
        steps = begun.steps.together(turn.steps.times(count))
        products = begun.products.together(turn.products.times(count))
    return [Chain(steps, products)] * (len(graph.outputs) + 1)


def _once(graph: Graph, entries: Mapping[str, Chain]) -> list[Chain]:
    values: dict[Ref, Chain] = {}
    for node in graph:
        with blaming(node.span):
            ends = _node(graph, node, values, entries)
        for i, end in enumerate(ends[: len(node.outputs)]):
            values[Ref(node.id, i)] = end
    made = [values[ref] for ref in graph.results]
    with blaming(graph.span):
        return [*made, _latest(made)]


def _node(
    graph: Graph, node: Node, values: Mapping[Ref, Chain], entries: Mapping[str, Chain]
) -> list[Chain]:
    if isinstance(node.payload, Enter):
        return [entries.get(node.payload.name, Chain())]
    ins = {port: values[ref] for port, ref in node.inputs}
    if isinstance(node.payload, Call):
        return _ends(node.payload.graph, ins)
    return [_after(node.payload, graph, node, _latest(list(ins.values())))] * len(
        node.outputs
    )


def _after(op: Operation, graph: Graph, node: Node, begun: Chain) -> Chain:
    """The chain with an op at its end."""
    assert isinstance(op, Op)
    ins = graph.ins(node)
    steps = op.steps(ins)
    products = steps if op.cost(ins, node.outputs).macs != 0 else 0
    return Chain(begun.steps.plus(steps), begun.products.plus(products))


def _latest(chains: list[Chain]) -> Chain:
    if len(chains) == 1:
        return chains[0]
    return Chain(
        largest([c.steps for c in chains]), largest([c.products for c in chains])
    )
