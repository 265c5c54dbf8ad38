"""Shared layers: whether two uses can be one layer, made with the same weights."""

from __future__ import annotations

from archdsl.ir.graph import Call, Enter, Graph, Node
from archdsl.ops.base import Op
from archdsl.ops.emit import Emit, Site


def alike(left: Graph, a: Node, right: Graph, b: Node) -> bool:
    """Whether two nodes could be one layer: they are made with the same."""
    if isinstance(a.payload, Call) and isinstance(b.payload, Call):
        return _alike(a.payload.graph, b.payload.graph)
    if not isinstance(a.payload, Op) or not isinstance(b.payload, Op):
        return isinstance(a.payload, Enter) and isinstance(b.payload, Enter)
    if a.payload == b.payload and left.ins(a) == right.ins(b):
        return True
    weights = a.payload.weights(left.ins(a)) == b.payload.weights(right.ins(b))
    made = _written(left, a, a.payload).make == _written(right, b, b.payload).make
    return weights and made


def _alike(left: Graph, right: Graph) -> bool:
    """Whether two specialisations could be one module: their bodies read the same."""
    if left is right:
        return True
    if len(left) != len(right) or left.results != right.results:
        return False
    return all(
        a.path == b.path
        and a.inputs == b.inputs
        and alike(left, a, right, b)
        and _body(left, a) == _body(right, b)
        for a, b in zip(left, right, strict=True)
    )


def _body(graph: Graph, node: Node) -> object:
    if not isinstance(node.payload, Op):
        return None
    emit = _written(graph, node, node.payload)
    return emit.forward, emit.literals, emit.module


def _written(graph: Graph, node: Node, op: Op) -> Emit:
    ins = graph.ins(node)
    layouts = op.arrange(ins, {port: t.names for port, t in ins.items()})
    return op.emit(Site(ins, node.outputs, layouts))
