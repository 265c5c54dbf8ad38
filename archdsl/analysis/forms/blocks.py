"""Closed forms by block: what each block and op of a model costs in its own sizes.

A block is elaborated anew with its axes open, and with those of its hyperparameters
that its text lets be open; so a formula says what the spec says, ``4*C**2`` where that
has ``linear(4 * x.C)``. It is kept only where the sizes, put in, give the figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from archdsl.analysis.cost import Costs, blaming
from archdsl.analysis.forms.opened import Form, form, open_axes
from archdsl.diagnostics import Refused, SpecError
from archdsl.ir.dim import Setting, Size, substitute, symbol
from archdsl.ir.graph import Call, Graph, Node, uses
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op


@dataclass(frozen=True)
class Row:
    """The uses of a block or op that have one formula of MACs.

    Attributes:
        name: Of the block or op.
        block: Whether it is a block.
        count: How often the model uses it.
        form: The formulas; None for what is not the same in all of the uses.
    """

    name: str
    block: bool
    count: int
    form: Form

    def again(self, form: Form) -> Row:
        """The row with one use more."""
        params = form.params if form.params == self.form.params else None
        flops = form.flops if form.flops == self.form.flops else None
        same = replace(self.form, params=params, flops=flops)
        return replace(self, count=self.count + 1, form=same)


def forms(graph: Graph) -> tuple[Row, ...]:
    """The closed forms of a model's blocks, then of its ops with matrix products."""
    found = _Forms()
    for inner, node in uses(graph):
        found.add(inner, node)
    return tuple(sorted(found.rows.values(), key=lambda row: not row.block))


class _Forms:
    def __init__(self) -> None:
        self.rows: dict[object, Row] = {}
        self._costs = Costs()
        self._known: dict[object, Form | None] = {}

    def add(self, graph: Graph, node: Node) -> None:
        """Takes in one use."""
        block = isinstance(node.payload, Call)
        if isinstance(node.payload, Call):
            key: object = id(node.payload.graph)
            name = node.payload.graph.name
        else:
            assert isinstance(node.payload, Op)
            key, name = (id(graph), node.id), node.payload.name
        if key not in self._known:
            self._known[key] = self._form(graph, node)
        form = self._known[key]
        if form is None or form.macs is None:
            return
        place = name, block, form.macs
        before = self.rows.get(place)
        self.rows[place] = before.again(form) if before else Row(name, block, 1, form)

    def _form(self, graph: Graph, node: Node) -> Form | None:
        with blaming(node.span):
            if self._costs.node(graph, node).macs == 0:
                return None
            if isinstance(node.payload, Call):
                return _of_block(node.payload.graph, self._costs)
            assert isinstance(node.payload, Op)
            return form(node.payload, graph.ins(node), node.outputs)


# --- blocks -------------------------------------------------------------------------


def _of_block(block: Graph, costs: Costs) -> Form | None:
    """A block's costs in its own sizes: as many of them as can be open.

    Where an ``if`` compares two sizes that are equal here, they get one name.
    """
    numbers = {n: v for n, v in block.hyper.items() if isinstance(v, int) and v > 0}
    numbers = {n: v for n, v in numbers.items() if not isinstance(v, bool)}
    features = {t["C"]: symbol("C") for t in block.inputs.values() if "C" in t}
    tied = {n: features[v] for n, v in numbers.items() if v in features}
    free = {n: symbol(Setting(n)) for n in numbers}
    kept: Mapping[str, Size]
    for kept in (free, free | tied, {}, tied):
        found = _opened(block, numbers, kept, costs)
        if found is not None:
            break
    for name, size in free.items() if found else ():
        if name not in kept:
            more = _opened(block, numbers, {**kept, name: size}, costs)
            if more is not None:
                found, kept = more, {**kept, name: size}
    return found


def _opened(
    block: Graph, numbers: Mapping[str, int], hyper: Mapping[str, Size], costs: Costs
) -> Form | None:
    """A block's costs with some hyperparameters open; None where that cannot be."""
    values: dict[str, Size] = dict(numbers)

    def named(tensor: Tensor) -> Tensor:
        return open_axes(tensor, values)

    try:
        made = block.remake(named, hyper) if block.remake else None
        if made is None:
            return None
        there, exact = Costs().total(made), costs.total(block)
    except (Refused, SpecError):
        return None
    pairs = (
        (there.params, exact.params),
        (there.macs, exact.macs),
        (there.flops, exact.flops),
    )
    kept = [f if substitute(f, values) == figure else None for f, figure in pairs]
    return None if kept[1] is None else Form(*kept)
