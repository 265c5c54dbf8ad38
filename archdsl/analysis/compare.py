"""Models side by side: their figures, and those of the stages that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archdsl.analysis.candidates import Named
from archdsl.analysis.cost import Costs, blaming
from archdsl.analysis.figures import (
    ADDITIVE,
    FIGURES,
    Priced,
    Value,
    field_size,
    figures,
    figures_if_any,
    known,
    price,
)
from archdsl.analysis.part import Part
from archdsl.analysis.receptive_field.result import ReceptiveField
from archdsl.analysis.report import TensorReport, number, tensor_report
from archdsl.analysis.stages import Stage, stages
from archdsl.analysis.tables import Cell, Column, Table

OF_MODELS = ("params", "macs", "flops", "weight_bytes", "activation_bytes")
# What stands beside them unless figures are named, where it can be found.
_ALSO = ("training_bytes", "receptive_field", "sequential", "path_length")
OF_STAGES = ("params", "macs")
_FIELD = "receptive_field"
_ABREAST = 5  # figures in one table of models


class ComparedReport(Part):
    """A model of a comparison.

    Attributes:
        name: What it is called here.
        file: Where it comes from.
        model: Its name there.
        settings: What was set of it, as written in a spec.
        inputs: What it takes.
        figures: What it holds and costs.
    """

    name: str
    file: str
    model: str
    settings: dict[str, str]
    inputs: dict[str, TensorReport]
    figures: dict[str, Value]


class StageReport(Part):
    """A stage of one model.

    Attributes:
        layers: What it consists of, in words.
        output: The last that it makes.
        figures: Its share of the model's.
    """

    layers: str
    output: TensorReport
    figures: dict[str, Value]


class RowReport(Part):
    """A stage, and what it is in each model that has it, by name."""

    stage: str
    models: dict[str, StageReport]


class CompareReport(Part):
    """What `archdsl compare` says; stages are those of docs/compare.md."""

    schema_version: int = 1
    models: tuple[ComparedReport, ...]
    stages: tuple[RowReport, ...]


def compare(
    models: Sequence[Named],
    columns: Sequence[str] = (),
    by_stage: Sequence[str] = OF_STAGES,
) -> CompareReport:
    """Models side by side, their stages aligned by resolution.

    Args:
        models: The models.
        columns: The figures of each; what every model has, and what more can be found,
            where none are named.
        by_stage: The figures of each stage; none for no stages.

    Raises:
        SpecError: A formula is too long.
        ValueError: A figure is unknown, or not one that stages have a share of.
    """
    for key in (*columns, *by_stage):
        known(key)
    for key in by_stage:
        if key not in (*ADDITIVE, _FIELD):
            there = ", ".join((*ADDITIVE, *({_FIELD} & FIGURES.keys())))
            raise ValueError(f"{key} is of a whole model; stages have {there}")
    costs = Costs()
    priced = {model.name: price(model.graph, costs) for model in models}
    found = {}
    for name, each in priced.items():
        with blaming(each.graph.span):
            found[name] = stages(each.graph, costs)
    return CompareReport(
        models=tuple(_compared(m, priced[m.name], columns) for m in models),
        stages=tuple(_rows(found, priced, by_stage)),
    )


def _compared(model: Named, priced: Priced, columns: Sequence[str]) -> ComparedReport:
    graph = model.graph
    return ComparedReport(
        name=model.name,
        file=model.file,
        model=graph.name,
        settings=model.settings,
        inputs={name: tensor_report(t) for name, t in graph.inputs.items()},
        figures=figures(priced, columns) if columns else _every(priced),
    )


def _every(priced: Priced) -> dict[str, Value]:
    also = [key for key in _ALSO if key in FIGURES]
    return figures(priced, OF_MODELS) | figures_if_any(priced, also)


def _rows(
    found: Mapping[str, tuple[Stage, ...]],
    priced: Mapping[str, Priced],
    keys: Sequence[str],
) -> list[RowReport]:
    """The stages of all models, finer ones first, and decoders after encoders."""
    places = {(s.place, s.label) for each in found.values() for s in each}
    rows = []
    for place, label in sorted(places):
        mine = {
            name: _stage(stage, priced[name], keys)
            for name, each in found.items()
            for stage in each
            if (stage.place, stage.label) == (place, label)
        }
        rows.append(RowReport(stage=label, models=mine))
    return rows


def _stage(stage: Stage, priced: Priced, keys: Sequence[str]) -> StageReport:
    found: dict[str, Value] = {}
    for key in keys:
        if key == _FIELD:
            found[key] = _seen(stage, priced.part(_FIELD))
        else:
            found[key] = number(ADDITIVE[key](stage.totals))
    return StageReport(
        layers=stage.layers, output=tensor_report(stage.output), figures=found
    )


def _seen(stage: Stage, part: object) -> int | None:
    """The receptive field of the last that a stage makes, along its widest axis."""
    assert isinstance(part, ReceptiveField)
    path = ".".join(stage.units[-1].path)
    fields = [
        layer.fields for layer in part.layers if f"{layer.path}.".startswith(f"{path}.")
    ]
    sizes = map(field_size, fields[-1] if fields else ())
    return max((size for size in sizes if size is not None), default=None)


# --- tables -------------------------------------------------------------------------


def tables(report: CompareReport) -> tuple[Table, ...]:
    """The models, and for each of what stages have a table of stages by models."""
    names = [model.name for model in report.models]
    keys = next((list(s.figures) for r in report.stages for s in r.models.values()), [])
    if not keys:
        return tuple(_models(report))
    return (
        *_models(report),
        _matrix(report, names, Column("layers", "layers"), lambda s: s.layers),
        _matrix(report, names, Column("output", "output, positions x C"),
                lambda s: _extent(s.output)),
        *(_matrix(report, names, FIGURES[key].column, _figure(key)) for key in keys),
    )  # fmt: skip


def _models(report: CompareReport) -> list[Table]:
    """The figures of the models, some abreast."""
    keys = list(report.models[0].figures)
    found = []
    for start in range(0, len(keys), _ABREAST):
        some = keys[start : start + _ABREAST]
        columns = (Column("model", "model"), *(FIGURES[key].column for key in some))
        rows = tuple((m.name, *(m.figures[key] for key in some)) for m in report.models)
        found.append(Table("models", "" if start else "models", columns, rows))
    return found


def _matrix(
    report: CompareReport,
    names: Sequence[str],
    column: Column,
    of: Callable[[StageReport], Cell],
) -> Table:
    columns = [Column("stage", "stage")]
    columns += [Column(name, name, column.form) for name in names]
    rows = tuple(
        (row.stage, *(of(row.models[n]) if n in row.models else None for n in names))
        for row in report.stages
    )
    return Table(f"stage_{column.key}", column.title, tuple(columns), rows)


def _figure(key: str) -> Callable[[StageReport], Cell]:
    return lambda stage: stage.figures[key]


def _extent(tensor: TensorReport) -> str:
    """``56x56x256``: positions, then features."""
    sizes = dict(tensor.axes)
    order = [n for n in sizes if n not in ("B", "C")] + ["C"] * ("C" in sizes)
    words = (str(sizes[name]) for name in order)
    return "x".join(w if w.isalnum() else f"({w})" for w in words)


def flat(report: CompareReport) -> Table:
    """Every stage of every model in a row, and each whole model, for programs."""
    keys = list(dict.fromkeys(k for m in report.models for k in m.figures))
    keys += [k for r in report.stages for s in r.models.values() for k in s.figures]
    keys = list(dict.fromkeys(keys))
    columns = [Column(key, key) for key in ("model", "stage", "layers", "output")]
    columns += [FIGURES[key].column for key in keys]
    rows: list[tuple[Cell, ...]] = []
    for model in report.models:
        whole = (model.figures.get(key) for key in keys)
        rows.append((model.name, "all", None, None, *whole))
        for row in report.stages:
            stage = row.models.get(model.name)
            if stage is not None:
                figures = (stage.figures.get(key) for key in keys)
                output = _extent(stage.output)
                rows.append((model.name, row.stage, stage.layers, output, *figures))
    return Table("models", "", tuple(columns), tuple(rows))
