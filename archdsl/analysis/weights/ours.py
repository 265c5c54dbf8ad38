"""The keys of a compiled module's state dict, known from its graph alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from archdsl.ir.dim import Size
from archdsl.ir.graph import Call, Enter, Graph

Shape: TypeAlias = tuple[Size, ...]
COUNTER = "num_batches_tracked"


def keys(graph: Graph) -> Mapping[str, Shape]:
    """The shape of every tensor that a state dict of the model holds, by key.

    Shared layers are there once, and so are tied weights, under the layer that owns
    them.
    """
    return dict(_keys(graph, "", {}))


_Local: TypeAlias = tuple[tuple[str, Shape], ...]


def _keys(
    graph: Graph, prefix: str, known: dict[int, _Local]
) -> Iterator[tuple[str, Shape]]:
    for name, shape in _local(graph, known):
        yield prefix + name, shape


def _local(graph: Graph, known: dict[int, _Local]) -> _Local:
    """The keys of a graph; those of a block that is called often are made once."""
    if id(graph) not in known:
        found: dict[str, Shape] = {}
        for node in graph:
            if isinstance(node.payload, Enter):
                continue
            head = f"{node.name}."
            if isinstance(node.payload, Call):
                found |= dict(_keys(node.payload.graph, head, known))
                continue
            for weight in node.payload.weights(graph.ins(node)):
                if weight.saved:
                    found[head + weight.name] = weight.shape
        known[id(graph)] = tuple(found.items())
    return known[id(graph)]
