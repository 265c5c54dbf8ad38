"""The figures of a whole model by name: what sweeps and comparisons have columns of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from archdsl.analysis.cost import Costs, Totals, blaming, count_layers
from archdsl.analysis.report import Number, number
from archdsl.analysis.tables import Column
from archdsl.diagnostics import near
from archdsl.ir.dim import Size
from archdsl.ir.graph import Graph


class Priced(NamedTuple):
    """A model with its costs; what a figure is made of."""

    graph: Graph
    totals: Totals


class Figure(NamedTuple):
    """One number that a model has.

    Attributes:
        column: What it is called, and how it is written.
        of: The number itself, a formula where a size is open.
        meaning: In a few words.
    """

    column: Column
    of: Callable[[Priced], Size]
    meaning: str


def _figure(
    key: str, title: str, form: str, meaning: str, of: Callable[[Priced], Size]
) -> Figure:
    return Figure(Column(key, title, form), of, meaning)  # type: ignore[arg-type]


FIGURES: Mapping[str, Figure] = {
    f.column.key: f
    for f in (
        _figure("params", "params", "exact", "learned elements, shared ones once",
                lambda p: p.totals.params),
        _figure("macs", "MACs", "short", "multiply-accumulates of matrix products",
                lambda p: p.totals.macs),
        _figure("flops", "FLOPs", "short", "2 x MACs and all element-wise arithmetic",
                lambda p: p.totals.flops),
        _figure("matmul_flops", "matmul FLOPs", "short", "2 x MACs",
                lambda p: p.totals.matmul_flops),
        _figure("weight_bytes", "weights", "bytes", "bytes of the parameters",
                lambda p: p.totals.weight_bytes),
        _figure("activation_bytes", "activations", "bytes",
                "bytes of all tensors that ops write",
                lambda p: p.totals.activation_bytes),
        _figure("buffers", "buffers", "exact", "elements held and not learned",
                lambda p: p.totals.buffers),
        _figure("layers", "layers", "exact", "ops, all blocks opened",
                lambda p: count_layers(p.graph)),
    )
}  # fmt: skip


# What the parts of a model add up to.
ADDITIVE: Mapping[str, Callable[[Totals], Size]] = {
    "params": lambda t: t.params,
    "macs": lambda t: t.macs,
    "flops": lambda t: t.flops,
    "matmul_flops": lambda t: t.matmul_flops,
    "weight_bytes": lambda t: t.weight_bytes,
    "activation_bytes": lambda t: t.activation_bytes,
    "buffers": lambda t: t.buffers,
}


def price(graph: Graph, costs: Costs | None = None) -> Priced:
    """A model with its costs, blocks that were priced before looked up in `costs`.

    Raises:
        SpecError: A formula is too long.
    """
    costs = costs or Costs()
    return Priced(graph, costs.total(graph))


def figures(priced: Priced, keys: Sequence[str]) -> dict[str, Number]:
    """Some figures of a model.

    Raises:
        SpecError: A formula is too long.
    """
    with blaming(priced.graph.span):
        return {key: number(FIGURES[key].of(priced)) for key in keys}


def known(key: str) -> str:
    """The name of a figure, checked.

    Raises:
        ValueError: There is no such figure.
    """
    if key not in FIGURES:
        hint = near(key, FIGURES) or f"there are {', '.join(FIGURES)}"
        raise ValueError(f"no figure is called {key!r}; {hint}")
    return key
