"""Which positions of its inputs a model's outputs depend on at all.

Backwards from the outputs, every value is needed at some positions of each of its
axes; `None` is all of them. Where that is hard to say it is taken to be all, so that
what is said to be unseen is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod

from archdsl.diagnostics import Diagnostic, Note
from archdsl.diagnostics.lints import UnseenInput
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op
from archdsl.ops.slice import Select, Slice
from archdsl.ops.spread import (
    Affine,
    Digit,
    Joined,
    Reach,
    Same,
    Some,
    Sown,
    Taps,
    Tiles,
    Upto,
)

_MOST_WORK = 100_000  # positions that are followed one by one
_KNOWN = Same | Upto | Taps | Sown | Tiles | Affine | Digit | Joined
_Needed = frozenset[int] | None
_Needs = Mapping[str, _Needed]


def unseen_input(model: Graph, graphs: Sequence[Graph]) -> Iterator[Diagnostic]:
    """An input of which less than half of an axis has any effect.

    Only where one position is taken after layers that mix neighbours: who takes a part
    of the input itself has said so.

    Args:
        model: The model.
        graphs: All that it is made of.
    """
    cuts = [n for g in graphs for n in g if isinstance(n.payload, Select | Slice)]
    tensors = (t for g in graphs for n in g for t in n.outputs)
    if not cuts or not all(isinstance(s, int) for t in tensors for _, s in t.axes):
        return
    search = _Search()
    results: list[_Needs] = [{}] * len(model.results)
    for name, needs in search.entries(model, results).items():
        node = next(n for enter, n in model.entries if enter.name == name)
        for axis, needed in needs.items():
            size = node.outputs[0][axis]
            assert isinstance(size, int)
            if needed is not None and 2 * len(needed) < size and search.mixed:
                note = Note("a part is taken here", cuts[0].span)
                lint = UnseenInput(name, axis, len(needed), size)
                yield Diagnostic(lint, node.span, (note,))


class _Search:
    """One walk backwards, through the graphs that are called."""

    def __init__(self) -> None:
        self.mixed = False  # whether some positions came from others beside them
        self.work = 0
        self._known: dict[object, dict[str, _Needs]] = {}

    def entries(self, graph: Graph, results: list[_Needs]) -> dict[str, _Needs]:
        """What is needed of each input, from what is needed of each result."""
        parts = (tuple(i for i in r.items() if i[1] is not None) for r in results)
        key = id(graph), tuple(parts)
        if key not in self._known:
            self._known[key] = self._entries(graph, results)
        return self._known[key]

    def _entries(self, graph: Graph, results: list[_Needs]) -> dict[str, _Needs]:
        needs: dict[Ref, _Needs] = {}
        for ref, need in zip(graph.results, results, strict=True):
            _add(needs, ref, graph.tensor(ref), need)
        found: dict[str, _Needs] = {}
        for node in reversed(graph.nodes):
            outs = [needs.get(Ref(node.id, i)) for i in range(len(node.outputs))]
            if all(out is None for out in outs):
                continue
            if isinstance(node.payload, Enter):
                found[node.payload.name] = outs[0] or {}
            else:
                self._node(graph, node, outs, needs)
        return found

    def _node(
        self,
        graph: Graph,
        node: Node,
        outs: list[_Needs | None],
        needs: dict[Ref, _Needs],
    ) -> None:
        ports: Mapping[str, _Needs]
        inner = node.payload.graph if isinstance(node.payload, Call) else None
        if inner is not None and inner.scan is not None:
            ports = {port: {} for port, _ in node.inputs}
        elif inner is not None:
            ports = self.entries(inner, [out or {} for out in outs])
        else:
            ports = self._op(graph, node, [out for out in outs if out is not None])
        for port, ref in node.inputs:
            if port in ports:
                _add(needs, ref, graph.tensor(ref), ports[port])

    def _op(self, graph: Graph, node: Node, outs: list[_Needs]) -> dict[str, _Needs]:
        op, ins = node.payload, graph.ins(node)
        assert isinstance(op, Op)
        spread = op.spread(ins, node.outputs)
        out = node.outputs[0]
        needs = outs[0] if len(outs) == len(node.outputs) == 1 else {}
        return {
            port: {
                axis: self._sources(spread[port][axis], needs, out, tensor, axis)
                for axis in tensor.positions
                if axis in spread.get(port, {})
            }
            for port, tensor in ins.items()
        }

    def _sources(
        self, reach: Reach, needs: _Needs, out: Tensor, tensor: Tensor, axis: str
    ) -> _Needed:
        """The positions of an input's axis that the needed outputs depend on."""
        if isinstance(reach, Some):
            return _whole(frozenset(reach.indices), tensor, axis)
        if not isinstance(reach, _KNOWN):
            return None
        axes = reach.axes if isinstance(reach, Joined) else (reach.axis,)
        if all(needs.get(a) is None for a in axes) and not isinstance(reach, Affine):
            return None
        ranges = [_indices(needs.get(a), out, a) for a in axes]
        each = reach.kernel if isinstance(reach, Taps | Sown) else 1
        if self.work + each * prod(map(len, ranges)) > _MOST_WORK:
            return None  # before any of them is made: an axis may have 2**60 positions
        found = set[int]()
        for place in product(*ranges):
            sources = reach.sources(dict(zip(axes, place, strict=True)))
            self.work += 1 + len(sources)
            if self.work > _MOST_WORK:
                return None
            found.update(sources)
        if isinstance(reach, Upto | Taps | Sown | Tiles):
            self.mixed = True
        return _whole(frozenset(found), tensor, axis)


def _indices(needed: _Needed, out: Tensor, axis: str) -> frozenset[int] | range:
    size = out[axis]
    assert isinstance(size, int)
    return range(size) if needed is None else needed


def _whole(found: frozenset[int], tensor: Tensor, axis: str) -> _Needed:
    return None if len(found) == tensor[axis] else found


def _add(needs: dict[Ref, _Needs], ref: Ref, tensor: Tensor, new: _Needs) -> None:
    """What was needed of a value, and what is needed now; axes not named, in full."""
    if ref not in needs:
        needs[ref] = {axis: new.get(axis) for axis in tensor.positions}
        return
    both: dict[str, _Needed] = {}
    for axis in tensor.positions:
        old, more = needs[ref][axis], new.get(axis)
        both[axis] = None if old is None or more is None else old | more
    needs[ref] = both
