"""The report on what differs between two models."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.analysis.candidates import Named
from archdsl.analysis.cost import Totals, blaming
from archdsl.analysis.diff.structure import Change, Comparer, Kind, Side
from archdsl.analysis.figures import ADDITIVE
from archdsl.analysis.part import Number, Part
from archdsl.analysis.report import TensorReport, number, tensor_report
from archdsl.build.values import StepValue
from archdsl.ir.graph import Graph
from archdsl.ops.spelling import spelled

FIGURES_OF = ("params", "macs", "flops", "weight_bytes", "activation_bytes", "buffers")


class ModelReport(Part):
    """One of the two models."""

    name: str
    file: str
    model: str
    settings: dict[str, str]


class ValueReport(Part):
    """A named value that differs; null on the side that has none.

    Attributes:
        name: Its name.
        before: The value of the first model, as written in a spec.
        after: The value of the second.
    """

    name: str
    before: str | None
    after: str | None


class SideReport(Part):
    """A layer as it is in one of the models.

    Attributes:
        path: Its name, as in the state dict.
        text: The op with its arguments, or the block; for wiring, what it takes.
        takes: What goes in.
        makes: What comes out.
        params: Its learned elements.
        macs: Its multiply-accumulates.
    """

    path: str
    text: str
    takes: tuple[TensorReport, ...]
    makes: tuple[TensorReport, ...]
    params: Number
    macs: Number


class ChangeReport(Part):
    """A difference in structure.

    Attributes:
        kind: "added"; "removed"; "changed", of arguments or op; "reshaped", of types
            only; "moved" to another place; "rewired" to other values; "shared", of
            whose weights a layer uses; "renamed", of weights or a block.
        before: The first model's; null if it has none.
        after: The second model's; null if it has none.
    """

    kind: Kind
    before: SideReport | None
    after: SideReport | None


class FigureReport(Part):
    """A figure of both models; the change is a formula where a size is open."""

    figure: str
    before: Number
    after: Number
    change: Number


class DiffReport(Part):
    """What `archdsl diff` says; empty lists where nothing differs.

    Attributes:
        schema_version: Of this form.
        same: Whether nothing differs.
        before: The first model.
        after: The second model.
        hyperparameters: Those with other values.
        inputs: Inputs of other types, by name.
        outputs: Outputs of other types or orders of axes, by name.
        layers: Differences in structure, in the order of the second model.
        figures: Costs, those that are equal too.
    """

    schema_version: int = 1
    same: bool
    before: ModelReport
    after: ModelReport
    hyperparameters: tuple[ValueReport, ...]
    inputs: tuple[ValueReport, ...]
    outputs: tuple[ValueReport, ...]
    layers: tuple[ChangeReport, ...]
    figures: tuple[FigureReport, ...]


def diff(before: Named, after: Named) -> DiffReport:
    """What differs between two models.

    Raises:
        SpecError: A formula is too long.
    """
    left, right = before.graph, after.graph
    comparer = Comparer()
    with blaming(right.span):
        changes = comparer.models(left, right)
        layers = tuple(map(_change, changes))
        totals = [comparer.costs.total(graph) for graph in (left, right)]
        figures = tuple(_figure(key, *totals) for key in FIGURES_OF)
    hyper = _values(_hyper(left), _hyper(right))
    inputs = _values(_inputs(left), _inputs(right))
    outputs = _values(_outputs(left), _outputs(right))
    return DiffReport(
        same=not (layers or hyper or inputs or outputs),
        before=_model(before),
        after=_model(after),
        hyperparameters=hyper,
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        figures=figures,
    )


def _model(model: Named) -> ModelReport:
    return ModelReport(
        name=model.name,
        file=model.file,
        model=model.graph.name,
        settings=model.settings,
    )


# --- named values -------------------------------------------------------------------


def _values(
    before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[ValueReport, ...]:
    names = dict.fromkeys((*before, *after))
    return tuple(
        ValueReport(name=n, before=before.get(n), after=after.get(n))
        for n in names
        if before.get(n) != after.get(n)
    )


def _hyper(graph: Graph) -> dict[str, str]:
    return {name: _spelled(value) for name, value in graph.hyper.items()}


def _spelled(value: object) -> str:
    """A hyperparameter as written; steps by their name and arguments."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_spelled, value))}]"
    if not isinstance(value, StepValue):
        return spelled(value)
    given = [f"{g.name} = {_spelled(g.value)}" if g.name else _spelled(g.value)
             for g in value.given]  # fmt: skip
    return f"{value.name}({', '.join(given)})" if given else value.name


def _inputs(graph: Graph) -> dict[str, str]:
    return {name: str(tensor) for name, tensor in graph.inputs.items()}


def _outputs(graph: Graph) -> dict[str, str]:
    rows = zip(graph.result_names, graph.outputs, graph.result_orders, strict=True)
    return {name: str(tensor.ordered(order)) for name, tensor, order in rows}


# --- structure and costs ------------------------------------------------------------


def _change(change: Change) -> ChangeReport:
    return ChangeReport(
        kind=change.kind,
        before=change.before and _side(change.before),
        after=change.after and _side(change.after),
    )


def _side(side: Side) -> SideReport:
    return SideReport(
        path=".".join(side.path),
        text=side.text,
        takes=tuple(map(tensor_report, side.takes)),
        makes=tuple(map(tensor_report, side.makes)),
        params=number(side.cost.params),
        macs=number(side.cost.macs),
    )


def _figure(key: str, before: Totals, after: Totals) -> FigureReport:
    old, new = ADDITIVE[key](before), ADDITIVE[key](after)
    return FigureReport(
        figure=key, before=number(old), after=number(new), change=number(new - old)
    )
