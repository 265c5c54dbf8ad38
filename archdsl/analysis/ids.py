"""Which ids a model knows, so that random ones can be drawn for it."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.cost import Layer, layers
from archdsl.ir.dim import Size
from archdsl.ir.graph import Enter, Graph
from archdsl.ops.base import Op


def known_ids(graph: Graph) -> Iterator[Size]:
    """How many ids each op knows that takes some which come from outside.

    An id that is below all of these is known everywhere.
    """
    for layer in layers(graph):
        op = layer.node.payload
        assert isinstance(op, Op)
        found = op.ids(layer.graph.ins(layer.node))
        if found is not None and _is_given(layer):
            yield found


def _is_given(layer: Layer) -> bool:
    """Whether the ids are an input, of the model or of a block: none are computed."""
    sources = [layer.graph[ref.node] for _, ref in layer.node.inputs]
    return any(
        isinstance(node.payload, Enter) and node.outputs[0].dtype == "int"
        for node in sources
    )
