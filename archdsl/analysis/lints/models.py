"""Warnings about layers: rules that look at a model as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from archdsl.analysis.lints.layers import maker
from archdsl.diagnostics import Diagnostic, Note
from archdsl.diagnostics.lints import (
    DeepPostNorm,
    NoPositions,
    ShiftedAlike,
    SquashedLogits,
)
from archdsl.ir.dim import Size
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref, reachable
from archdsl.ops.activation import Gelu, Relu, Relu6, Sigmoid, Silu, Softmax, Tanh
from archdsl.ops.arithmetic import Add, Divide, Multiply, Subtract
from archdsl.ops.attention import Attention
from archdsl.ops.base import Op
from archdsl.ops.embedding import Embedding
from archdsl.ops.group_norm import GroupNorm, InstanceNorm
from archdsl.ops.linear import Linear, Transposed
from archdsl.ops.norm import BatchNorm, LayerNorm, RmsNorm
from archdsl.ops.position_embedding import ClassToken
from archdsl.ops.reduce import Max, Mean, Sum
from archdsl.ops.regularize import Dropout, DropPath
from archdsl.ops.slice import Select, Slice
from archdsl.ops.window_attention import WindowAttention
from archdsl.source import Span

_DEEPEST = 24  # post-norms: 12 layers of two branches, as many as BERT has
# What gives the same at each position, whatever the order of the positions.
_BLIND = (
    Embedding, Linear, Transposed, LayerNorm, BatchNorm, Dropout, DropPath, Relu, Relu6,
    Gelu, Silu, Tanh, Sigmoid, Softmax, Add, Subtract, Multiply, Divide, Mean, Max, Sum,
    ClassToken, Attention, RmsNorm, GroupNorm, InstanceNorm,
)  # fmt: skip


# --- logits -------------------------------------------------------------------------


def squashed_logits(model: Graph) -> Iterator[Diagnostic]:
    """An output that is called logits and comes out of an activation."""
    for name, ref in zip(model.result_names, model.results, strict=True):
        node = maker(model, ref)
        op = node.payload
        if "logit" in name.lower() and isinstance(op, Softmax | Sigmoid | Relu):
            yield Diagnostic(SquashedLogits(name, op.name), node.span)


# --- windows ------------------------------------------------------------------------

_Cuts = tuple[tuple[str, Size, Size], ...]


def shifted_alike(model: Graph) -> Iterator[Diagnostic]:
    """Windows at one resolution that are all shifted by the same."""
    found: dict[_Cuts, dict[tuple[Size, ...], Span]] = {}
    for graph in reachable(model):
        for node in graph:
            op = node.payload
            if isinstance(op, WindowAttention):
                cuts = op.cuts(graph.ins(node)["x"])
                where = tuple((c.axis, c.size, c.window) for c in cuts)
                shifts = tuple(c.shift for c in cuts)
                found.setdefault(where, {}).setdefault(shifts, node.span)
    for where, by_shift in found.items():
        (shifts, span), *others = by_shift.items()
        if not others and any(shifts):
            sizes = ", ".join(f"{axis} = {size}" for axis, size, _ in where)
            words = ", ".join(map(str, dict.fromkeys(shifts)))
            yield Diagnostic(ShiftedAlike(sizes, words), span)


# --- norms --------------------------------------------------------------------------


class _Chain(NamedTuple):
    """How many post-norms lie behind a value, from which input on, and the last."""

    norms: int = 0
    start: str = ""
    last: Span | None = None


_NONE = _Chain()


def deep_post_norm(model: Graph) -> Iterator[Diagnostic]:
    """Many layer norms in a chain, each after an addition of its own input."""
    graphs = reachable(model)
    if not any(_is_post_norm(graph, node) for graph in graphs for node in graph):
        return
    known: dict[int, list[_Chain]] = {}
    longest = _Chain()
    for graph in graphs:
        chains = _chains(graph, known)
        known[id(graph)] = [chains.get(ref, _NONE) for ref in graph.results]
        longest = max((longest, *chains.values()), key=lambda c: c.norms)
    if longest.norms > _DEEPEST and longest.last is not None:
        yield Diagnostic(DeepPostNorm(longest.norms), longest.last)


def _chains(graph: Graph, known: dict[int, list[_Chain]]) -> dict[Ref, _Chain]:
    """The chains behind the values of a graph; none where it says nothing."""
    chains: dict[Ref, _Chain] = {}
    for node in graph:
        if isinstance(node.payload, Enter):
            chains[Ref(node.id)] = _Chain(0, node.payload.name)
        elif isinstance(node.payload, LayerNorm):
            chains[Ref(node.id)] = _normed(graph, node, chains)
        elif isinstance(node.payload, Call):
            ins = {port: chains.get(ref, _NONE) for port, ref in node.inputs}
            for i, inner in enumerate(known[id(node.payload.graph)]):
                chains[Ref(node.id, i)] = _joined(ins.get(inner.start), inner)
    return chains


def _is_post_norm(graph: Graph, node: Node) -> bool:
    """Whether it is a norm after an addition of two tensors."""
    if not isinstance(node.payload, LayerNorm):
        return False
    before = graph[node.inputs[0][1].node]
    return isinstance(before.payload, Add) and len(before.inputs) > 1


def _normed(graph: Graph, node: Node, chains: dict[Ref, _Chain]) -> _Chain:
    """One norm more than behind the longer side of the addition before it."""
    if not _is_post_norm(graph, node):
        return _NONE
    before = graph[node.inputs[0][1].node]
    behind = [chains.get(ref, _NONE) for _, ref in before.inputs]
    longer = max(behind, key=lambda c: c.norms)
    return _Chain(longer.norms + 1, longer.start, node.span)


def _joined(first: _Chain | None, then: _Chain) -> _Chain:
    if first is None:
        return then
    return _Chain(first.norms + then.norms, first.start, then.last or first.last)


# --- positions ----------------------------------------------------------------------


def no_positions(model: Graph) -> Iterator[Diagnostic]:
    """Attention over ids in a model that takes them as a set."""
    if len(model.entries) != 1:
        return
    enter, node = model.entries[0]
    if node.outputs[0].dtype != "int":
        return
    graphs = reachable(model)
    nodes = [n for graph in graphs for n in graph]
    ops = [n.payload for n in nodes if isinstance(n.payload, Op)]
    asks = [n for n in nodes if isinstance(n.payload, Attention)]
    token = any(isinstance(op, ClassToken) for op in ops)
    one = sum(isinstance(op, Embedding) for op in ops) == 1
    row = any(graph.scan is not None for graph in graphs)
    biased = any(port == "added" for node in asks for port, _ in node.inputs)
    if (
        asks
        and one
        and not biased
        and not row
        and all(_is_blind(op, token) for op in ops)
    ):
        note = Note("attention", asks[0].span)
        yield Diagnostic(NoPositions(enter.name), node.span, (note,))


def _is_blind(op: Op, token: bool) -> bool:
    """Whether an op takes positions as a set; only a class token stands apart."""
    if isinstance(op, Attention):
        return not op.causal and op.rotary is None
    return isinstance(op, _BLIND) or (isinstance(op, Select) and token)


def lint_models(models: Iterable[Graph]) -> Iterator[Diagnostic]:
    """The warnings about whole models."""
    from archdsl.analysis.lints.reach import unseen_input

    # Each with the ops of which a model must have one for the rule to say anything.
    rules: tuple[tuple[Callable[[Graph], Iterable[Diagnostic]], tuple[type, ...]], ...]
    rules = (
        (squashed_logits, (Softmax, Sigmoid, Relu)),
        (shifted_alike, (WindowAttention,)),
        (deep_post_norm, (LayerNorm,)),
        (no_positions, (Attention,)),
        (unseen_input, (Select, Slice)),
    )
    known: dict[int, set[type]] = {}
    for model in models:
        graphs = reachable(model)
        for graph in graphs:
            if id(graph) not in known:
                known[id(graph)] = {type(node.payload) for node in graph}
        kinds = set[type]().union(*(known[id(graph)] for graph in graphs))
        for rule, ops in rules:
            if any(issubclass(kind, ops) for kind in kinds):
                yield from rule(model)
