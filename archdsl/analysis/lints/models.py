"""Warnings about layers: rules that look at a model as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
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
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref
from archdsl.ops.activation import Gelu, Relu, Relu6, Sigmoid, Silu, Softmax, Tanh
from archdsl.ops.arithmetic import Add, Divide, Multiply, Subtract
from archdsl.ops.attention import Attention
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


class Whole(NamedTuple):
    """A model, all graphs that it is made of, callees first, and the kinds of nodes."""

    model: Graph
    graphs: Sequence[Graph]
    kinds: Set[type]


# --- logits -------------------------------------------------------------------------


def squashed_logits(whole: Whole) -> Iterator[Diagnostic]:
    """An output that is called logits and comes out of an activation."""
    model = whole.model
    for name, ref in zip(model.result_names, model.results, strict=True):
        node = maker(model, ref)
        op = node.payload
        if "logit" in name.lower() and isinstance(op, Softmax | Sigmoid | Relu):
            yield Diagnostic(SquashedLogits(name, op.name), node.span)


# --- windows ------------------------------------------------------------------------

_Cuts = tuple[tuple[str, Size, Size], ...]


def shifted_alike(whole: Whole) -> Iterator[Diagnostic]:
    """Windows at one resolution that are all shifted by the same."""
    found: dict[_Cuts, dict[tuple[Size, ...], Span]] = {}
    for graph in whole.graphs:
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


def deep_post_norm(whole: Whole) -> Iterator[Diagnostic]:
    """Many layer norms in a chain, each after an addition of its own input."""
    known: dict[int, list[_Chain]] = {}
    longest = _Chain()
    for graph in whole.graphs:
        chains = _chains(graph, known)
        known[id(graph)] = [chains.get(ref, _NONE) for ref in graph.results]
        for chain in chains.values():
            if chain.norms > longest.norms:
                longest = chain
    if longest.norms > _DEEPEST and longest.last is not None:
        yield Diagnostic(DeepPostNorm(longest.norms), longest.last)


def _chains(graph: Graph, known: dict[int, list[_Chain]]) -> dict[Ref, _Chain]:
    """The chains behind the values of a graph; none where it says nothing."""
    chains: dict[Ref, _Chain] = {}
    steps = [n for n in graph.nodes if isinstance(n.payload, (LayerNorm, Call, Enter))]
    for node in steps:
        if isinstance(node.payload, Enter):
            chains[Ref(node.id)] = _Chain(0, node.payload.name)
        elif isinstance(node.payload, LayerNorm):
            chains[Ref(node.id)] = _normed(graph, node, chains)
        elif isinstance(node.payload, Call):
            for i, inner in enumerate(known[id(node.payload.graph)]):
                if inner is not _NONE:
                    first = [ref for port, ref in node.inputs if port == inner.start]
                    behind = chains.get(first[0], _NONE) if first else None
                    chains[Ref(node.id, i)] = _joined(behind, inner)
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


def no_positions(whole: Whole) -> Iterator[Diagnostic]:
    """Attention over ids in a model that takes them as a set."""
    entries = whole.model.entries
    if len(entries) != 1 or entries[0][1].outputs[0].dtype != "int":
        return
    if not _is_blind(whole.kinds):
        return
    enter, node = entries[0]
    nodes = [n for graph in whole.graphs for n in graph.nodes]
    asks = [(n, n.payload) for n in nodes if isinstance(n.payload, Attention)]
    one = len([n for n in nodes if isinstance(n.payload, Embedding)]) == 1
    row = any(graph.scan is not None for graph in whole.graphs)
    placed = any(op.causal or op.rotary is not None for _, op in asks)
    biased = any(port == "added" for n, _ in asks for port, _ in n.inputs)
    if one and not (row or placed or biased):
        note = Note("attention", asks[0][0].span)
        yield Diagnostic(NoPositions(enter.name), node.span, (note,))


def _is_blind(kinds: Set[type]) -> bool:
    """Whether nodes take positions as a set; only a class token stands apart."""
    token = any(issubclass(kind, ClassToken) for kind in kinds)
    blind = (*_BLIND, Enter, Call, *[Select][: int(token)])
    return all(issubclass(kind, blind) for kind in kinds)


# --- all ----------------------------------------------------------------------------


def _unseen(whole: Whole) -> Iterable[Diagnostic]:
    from archdsl.analysis.lints.reach import unseen_input

    return unseen_input(whole.model, whole.graphs)


# Each with the ops of which a model must have one for the rule to say anything.
RULES: Sequence[tuple[Callable[[Whole], Iterable[Diagnostic]], tuple[type, ...]]] = (
    (squashed_logits, (Softmax, Sigmoid, Relu)),
    (shifted_alike, (WindowAttention,)),
    (deep_post_norm, (LayerNorm,)),
    (no_positions, (Attention,)),
    (_unseen, (Select, Slice)),
)


def lint_models(models: Sequence[Sequence[Graph]]) -> Iterator[Diagnostic]:
    """The warnings about whole models, each given as its graphs, callees first."""
    known: dict[int, set[type]] = {}
    for graphs in models:
        for graph in graphs:
            if id(graph) not in known:
                known[id(graph)] = {type(node.payload) for node in graph.nodes}
    every = set[type]().union(*known.values())
    rules = [(rule, {k for k in every if issubclass(k, ops)}) for rule, ops in RULES]
    for graphs in models:
        kinds = set[type]().union(*[known[id(graph)] for graph in graphs])
        whole = Whole(graphs[-1], graphs, kinds)
        for rule, ops in rules:
            if not kinds.isdisjoint(ops):
                yield from rule(whole)
