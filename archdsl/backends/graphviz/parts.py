"""The parts that a body is drawn as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from archdsl.ir.graph import Call, Graph, Node, Path, Ref

TALLEST_CHAIN = 4
_LEADERS = ("convolution and pooling", "linear")
_FOLLOWERS = ("activation", "normalisation", "regularisation")


@dataclass(frozen=True)
class Leaf:
    """One node."""

    node: Node


@dataclass(frozen=True)
class Chain:
    """An op and those after it that only shape its values, such as a relu: one box."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Turn:
    """One turn of a loop."""

    path: Path
    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        """What the loop is called."""
        return next(name for name in reversed(self.path) if not name.isdigit())

    @property
    def title(self) -> str:
        """The loop and the number of the turn."""
        return f"{self.name} {self.path[-1]}"


@dataclass(frozen=True)
class Fold:
    """Several turns in a chain, of which the first is drawn.

    Attributes:
        items: The parts of one turn.
        turns: The nodes of each turn, in the same order.
        shared: Whether all turns use the same weights.
        grows: Whether they are equal but for the sizes that come in, as in DenseNet.
    """

    items: tuple[Item, ...]
    turns: tuple[tuple[int, ...], ...]
    shared: bool
    grows: bool = False

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.turns)


@dataclass(frozen=True)
class Lump:
    """Several parts drawn as one closed box."""

    items: tuple[Item, ...]
    title: str = ""


Item: TypeAlias = Leaf | Chain | Turn | Fold | Lump


def leaves(items: Sequence[Item]) -> Iterator[Node]:
    """The nodes that are drawn."""
    for item in items:
        if isinstance(item, Leaf):
            yield item.node
        elif isinstance(item, Chain):
            yield from item.nodes
        elif not isinstance(item, Lump):
            yield from leaves(item.items)


def size(items: Sequence[Item]) -> int:
    """How many boxes are drawn."""
    return sum(
        1 if isinstance(item, Leaf | Chain | Lump) else size(item.items)
        for item in items
    )


def members(items: Sequence[Item]) -> list[int]:
    """All nodes of some parts, those that a fold or a lump hides included."""
    found: list[int] = []
    for item in items:
        if isinstance(item, Leaf):
            found.append(item.node.id)
        elif isinstance(item, Chain):
            found += [node.id for node in item.nodes]
        elif isinstance(item, Fold):
            found += [n for turn in item.turns for n in turn]
        else:
            found += members(item.items)
    return found


def drawn(items: Sequence[Item]) -> list[int]:
    """The nodes that parts draw: of a fold, the first turn."""
    return [
        n
        for item in items
        for n in (item.turns[0] if isinstance(item, Fold) else members([item]))
    ]


def refs_into(graph: Graph, inside: set[int]) -> Iterator[Ref]:
    """What nodes take from outside of them, once a use, in order."""
    for n in sorted(inside):
        for _, ref in graph[n].inputs:
            if ref.node not in inside:
                yield ref


# --- fewer boxes ---------------------------------------------------------------------


def compact(graph: Graph, items: Sequence[Item]) -> tuple[Item, ...]:
    """The same parts, with chains joined and frames that say nothing left out."""
    plain: list[Item] = []
    for item in items:
        if isinstance(item, Turn):
            inner = compact(graph, item.items)
            plain += inner if _says_nothing(item) else (Turn(item.path, inner),)
        elif isinstance(item, Fold):
            inner = compact(graph, item.items)
            plain.append(replace(item, items=inner))
        else:
            plain.append(item)
    return tuple(_chained(graph, plain))


def _says_nothing(turn: Turn) -> bool:
    """Whether a loop has no name but that of the first layer in it."""
    name = turn.name.rstrip("0123456789").rstrip("_")
    return any(name == called(node) for node in leaves(turn.items))


def called(node: Node) -> str:
    """The name of an op or a block."""
    if isinstance(node.payload, Call):
        return node.payload.graph.name
    return str(getattr(node.payload, "name", ""))


def _chained(graph: Graph, items: Sequence[Item]) -> Iterator[Item]:
    run: list[Node] = []
    for item in items:
        node = item.node if isinstance(item, Leaf) else None
        if node is not None and run and _follows(graph, run, node):
            run.append(node)
            continue
        yield from _box(run)
        run = [node] if node is not None else []
        if node is None:
            yield item
    yield from _box(run)


def _box(run: list[Node]) -> Iterator[Item]:
    if run:
        yield Leaf(run[0]) if len(run) == 1 else Chain(tuple(run))


def _follows(graph: Graph, run: list[Node], node: Node) -> bool:
    """Whether a node only shapes the values of the box before it, and it alone."""
    taken = [ref for _, ref in node.inputs]
    return (
        len(run) < TALLEST_CHAIN
        and _group(run[0]) in _LEADERS
        and _group(node) in _FOLLOWERS
        and taken == [Ref(run[-1].id)]
        and list(graph.net.successors(run[-1].id)) == [node.id]
        and all(ref.node != run[-1].id for ref in graph.results)
    )


def _group(node: Node) -> str:
    return str(getattr(node.payload, "group", ""))


# --- what does not fit ---------------------------------------------------------------


def fitted(items: tuple[Item, ...], most: int, kept: int) -> tuple[Item, ...]:
    """At most about `most` boxes: turns closed, then the middle left out.

    Args:
        items: The parts of a body.
        most: How many boxes may be drawn.
        kept: How many are, where the middle is left out.
    """
    if size(items) <= most:
        return items
    closed = tuple(_closed(item) for item in items)
    if size(closed) <= most:
        return closed
    head, tail = kept // 2, len(closed) - kept // 2
    if tail <= head:
        return (Lump(closed),)
    return (*closed[:head], Lump(closed[head:tail]), *closed[tail:])


def _closed(item: Item) -> Item:
    if isinstance(item, Turn):
        return Lump(item.items, item.title)
    if isinstance(item, Fold):
        return Fold(tuple(map(_closed, item.items)), item.turns, item.shared)
    return item
