"""The report on a model: what the numbers are, for people's eyes and for programs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from archdsl.analysis.cost import MOST_LAYERS, Costs, blaming, count_layers, layers
from archdsl.analysis.forms.result import ClosedForms
from archdsl.analysis.memory.result import Memory, Roofline, Training
from archdsl.analysis.part import Number, Part
from archdsl.analysis.paths.result import ModelPaths
from archdsl.analysis.receptive_field.result import ReceptiveField
from archdsl.analysis.sections import SECTIONS, Options
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.ir.assumption import Assumption
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Graph
from archdsl.ir.operation import Operation
from archdsl.ir.tensor import Layout, Tensor, as_written


class TensorReport(Part):
    """Named axes with their sizes, in order, and the kind of elements."""

    axes: tuple[tuple[str, Number], ...]
    dtype: str

    def __str__(self) -> str:
        """As a spec writes it."""
        return as_written(self.axes, self.dtype)


class TotalsReport(Part):
    """A model's costs; for the meaning of each figure see docs/numbers.md."""

    params: Number
    buffers: Number
    macs: Number
    matmul_flops: Number
    flops: Number
    elementwise: dict[str, Number]
    activation_bytes: Number
    weight_bytes: Number
    buffer_bytes: Number
    trainable_params: Number


class LayerReport(Part):
    """One op of the model."""

    path: str
    op: str
    block: str
    output: TensorReport
    params: Number
    macs: Number
    flops: Number
    line: int
    column: int


class AssumptionReport(Part):
    """What open sizes must be.

    Attributes:
        text: In words: ``32 divides H``.
        condition: In Python: ``H % 32 == 0``.
        needed_for: "shapes", so that other sizes are refused; or "costs", whose
            formulas are for such sizes only.
        cause: The op, or "a claim" or "require".
        file: Where the cause stands.
        line: From 1.
        column: From 1.
    """

    text: str
    condition: str
    needed_for: Literal["shapes", "costs"]
    cause: str
    file: str
    line: int
    column: int


class Report(Part):
    """What `archdsl analyze` says of a model; numbers are formulas of `symbols`.

    Sections that nobody asked for are None.
    """

    schema_version: int = 1
    model: str
    symbols: tuple[str, ...]
    inputs: dict[str, TensorReport]
    outputs: dict[str, TensorReport]
    totals: TotalsReport
    assumptions: tuple[AssumptionReport, ...]
    layers: tuple[LayerReport, ...]
    receptive_field: ReceptiveField | None = None
    memory: Memory | None = None
    training: Training | None = None
    roofline: Roofline | None = None
    paths: ModelPaths | None = None
    closed_forms: ClosedForms | None = None


def number(size: Size) -> Number:
    """A size as a report holds it."""
    return str(size) if isinstance(size, Poly) else size


def symbols(graph: Graph) -> tuple[str, ...]:
    """The names that a model's sizes depend on."""
    sizes = [s for n in graph for t in n.outputs for s in t.sizes.values()]
    known = [*sizes, *graph.hyper.values()]
    found = (s.symbols for s in known if isinstance(s, Poly))
    return tuple(sorted(frozenset().union(*found)))


def _assumption(assumption: Assumption) -> AssumptionReport:
    return AssumptionReport(
        text=str(assumption),
        condition=assumption.condition,
        needed_for="costs" if assumption.costs else "shapes",
        cause=assumption.cause,
        file=assumption.span.source.name,
        line=assumption.span.line,
        column=assumption.span.column,
    )


def tensor_report(tensor: Tensor, order: Layout | None = None) -> TensorReport:
    """A type as a report holds it, its axes in an order where one is given."""
    shown = tensor.ordered(order) if order else tensor
    axes = tuple((name, number(size)) for name, size in shown.axes)
    return TensorReport(axes=axes, dtype=tensor.dtype)


def as_json(found: Report) -> str:
    """The report for programs, without the sections that nobody asked for."""
    missing = {s.key for s in SECTIONS if getattr(found, s.key) is None}
    return found.model_dump_json(indent=1, exclude=missing)


def report(
    graph: Graph, sections: Collection[str] = (), options: Options | None = None
) -> Report:
    """The report on a model's graph.

    Args:
        graph: The model.
        sections: Keys of `SECTIONS` to be made besides what every report has.
        options: What the sections need to know.

    Raises:
        SpecError: The model has too many layers to list, or a formula is too long.
    """
    count = count_layers(graph)
    if count > MOST_LAYERS:
        what = f"model `{graph.name}` has {count:,} layers, too many to list"
        fault = TooMuchWork(what, f"{MOST_LAYERS:,} layers")
        raise SpecError.at(graph.span, fault)
    parts = {
        s.key: s.find(graph, options or Options())
        for s in SECTIONS
        if s.key in sections
    }
    with blaming(graph.span):
        return _report(graph).model_copy(update=parts)


def _report(graph: Graph) -> Report:
    costs = Costs()
    results = zip(graph.result_names, graph.outputs, graph.result_orders, strict=True)
    return Report(
        model=graph.name,
        symbols=symbols(graph),
        inputs={name: tensor_report(t) for name, t in graph.inputs.items()},
        outputs={name: tensor_report(t, order) for name, t, order in results},
        totals=_totals(graph, costs),
        assumptions=tuple(map(_assumption, graph.assumptions)),
        layers=tuple(_layers(graph, costs)),
    )


def _totals(graph: Graph, costs: Costs) -> TotalsReport:
    total = costs.total(graph)
    return TotalsReport(
        params=number(total.params),
        buffers=number(total.buffers),
        macs=number(total.macs),
        matmul_flops=number(total.matmul_flops),
        flops=number(total.flops),
        elementwise={k: number(v) for k, v in sorted(total.elementwise.items())},
        activation_bytes=number(total.activation_bytes),
        weight_bytes=number(total.weight_bytes),
        buffer_bytes=number(total.buffer_bytes),
        trainable_params=number(total.trainable),
    )


def _layers(graph: Graph, costs: Costs) -> list[LayerReport]:
    found = []
    for layer in layers(graph, costs):
        assert isinstance(layer.node.payload, Operation)
        found.append(
            LayerReport(
                path=".".join(layer.path),
                op=layer.node.payload.name,
                block=layer.block,
                output=tensor_report(layer.node.outputs[0]),
                params=number(layer.cost.params),
                macs=number(layer.cost.macs),
                flops=number(layer.cost.flops),
                line=layer.node.span.line,
                column=layer.node.span.column,
            )
        )
    return found
