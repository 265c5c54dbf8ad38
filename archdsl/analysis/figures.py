"""The figures of a whole model by name: what sweeps and comparisons have columns of.

A figure of a section of the report, a receptive field or the memory of training, is
found when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, cast

from archdsl.analysis.cost import Costs, Totals, blaming, count_layers
from archdsl.analysis.part import Number
from archdsl.analysis.receptive_field.result import AxisField, ReceptiveField
from archdsl.analysis.report import number
from archdsl.analysis.sections import SECTIONS, Options
from archdsl.analysis.tables import Column, Form
from archdsl.diagnostics import SpecError, near
from archdsl.ir.dim import Size
from archdsl.ir.graph import Graph

Value: TypeAlias = Number | None
"""A number, a formula where a size is open, None where there is no such number."""


@dataclass(frozen=True)
class Priced:
    """A model with its costs; what a figure is made of.

    Attributes:
        graph: The model.
        totals: What it costs.
    """

    graph: Graph
    totals: Totals
    _parts: dict[str, object] = field(default_factory=dict)

    def part(self, key: str) -> object:
        """A section of its report, made once."""
        if key not in self._parts:
            section = next(s for s in SECTIONS if s.key == key)
            self._parts[key] = section.find(self.graph, Options())
        return self._parts[key]


class Figure(NamedTuple):
    """One number that a model has.

    Attributes:
        column: What it is called, and how it is written.
        meaning: In a few words.
        of: The number itself.
        section: The section of the report that it is of, or "".
    """

    column: Column
    meaning: str
    of: Callable[[Priced], Value]
    section: str = ""


# What the parts of a model add up to.
ADDITIVE: Mapping[str, Callable[[Totals], Size]] = {
    "params": lambda t: t.params,
    "trainable_params": lambda t: t.trainable,
    "macs": lambda t: t.macs,
    "flops": lambda t: t.flops,
    "matmul_flops": lambda t: t.matmul_flops,
    "weight_bytes": lambda t: t.weight_bytes,
    "activation_bytes": lambda t: t.activation_bytes,
    "buffers": lambda t: t.buffers,
}


def _total(key: str, title: str, form: Form, meaning: str) -> Figure:
    of = ADDITIVE[key]
    return Figure(Column(key, title, form), meaning, lambda p: number(of(p.totals)))


def _field(key: str, title: str, form: Form, meaning: str, place: str) -> Figure:
    """A field of a section: ``memory.training``."""
    section, _, name = place.partition(".")

    def of(priced: Priced) -> Value:
        return cast("Value", getattr(priced.part(section), name))

    return Figure(Column(key, title, form), meaning, of, section)


_ALL = (
    _total("params", "params", "exact", "learned elements, shared ones once"),
    _total("trainable_params", "trainable", "exact", "params that training changes"),
    _total("macs", "MACs", "short", "multiply-accumulates of matrix products"),
    _total("flops", "FLOPs", "short", "2 x MACs and all element-wise arithmetic"),
    _total("matmul_flops", "matmul FLOPs", "short", "2 x MACs"),
    _total("weight_bytes", "weights", "bytes", "bytes of the parameters"),
    _total("activation_bytes", "activations", "bytes", "bytes that ops write"),
    _total("buffers", "buffers", "exact", "elements held and not learned"),
    Figure(Column("layers", "layers", "exact"), "ops, all blocks opened",
           lambda p: count_layers(p.graph)),
    _field("training_bytes", "training", "bytes", "peak of a step of training",
           "memory.training"),
    _field("inference_bytes", "inference", "bytes", "peak of inference",
           "memory.inference"),
    Figure(Column("receptive_field", "receptive field", "exact"),
           "input positions that the last map sees along an axis, borders cut off",
           lambda p: _widest(p.part("receptive_field")), "receptive_field"),
    Figure(Column("sequential", "sequential", "exact"),
           "operations that wait for one another", lambda p: _sequential(p.graph),
           "paths"),
    _field("path_length", "path", "exact", "layers until all positions have met",
           "paths.maximum"),
)  # fmt: skip
FIGURES: Mapping[str, Figure] = {figure.column.key: figure for figure in _ALL}


def _sequential(graph: Graph) -> Value:
    """The longest chain, which is known where paths have too many positions, too."""
    from archdsl.analysis.paths.find import sequential

    return sequential(graph)


def _widest(part: object) -> int | None:
    """The largest field of the last maps before the outputs."""
    assert isinstance(part, ReceptiveField)
    fields = [output.map_field or output.field for output in part.outputs]
    return max(filter(None, map(field_size, fields)), default=None)


def field_size(seen: AxisField) -> int | None:
    """The field along an axis, without borders where the axis is open."""
    return seen.size if seen.size is not None else seen.unbounded


def price(graph: Graph, costs: Costs | None = None) -> Priced:
    """A model with its costs, blocks that were priced before looked up in `costs`.

    Raises:
        SpecError: A formula is too long.
    """
    costs = costs or Costs()
    return Priced(graph, costs.total(graph))


def figures(priced: Priced, keys: Sequence[str]) -> dict[str, Value]:
    """Some figures of a model.

    Raises:
        SpecError: A formula is too long.
    """
    with blaming(priced.graph.span):
        return {key: FIGURES[key].of(priced) for key in keys}


def figures_if_any(priced: Priced, keys: Sequence[str]) -> dict[str, Value]:
    """Some figures of a model; None for those that an analysis refuses to find."""
    found: dict[str, Value] = {}
    for key in keys:
        try:
            found |= figures(priced, [key])
        except SpecError:
            found[key] = None
    return found


def figures_there(priced: Priced, keys: Sequence[str]) -> dict[str, Value]:
    """Some figures of a model that is valid; None where a section refuses to find one.

    Raises:
        SpecError: A formula of what every model has is too long.
    """
    own = [key for key in keys if not FIGURES[key].section]
    also = [key for key in keys if FIGURES[key].section]
    found = figures(priced, own) | figures_if_any(priced, also)
    return {key: found[key] for key in keys}


def known(key: str) -> str:
    """The name of a figure, checked.

    Raises:
        ValueError: There is no such figure.
    """
    if key not in FIGURES:
        hint = near(key, FIGURES) or f"there are {', '.join(FIGURES)}"
        raise ValueError(f"no figure is called {key!r}; {hint}")
    return key
