"""A grid of variants of one model, priced in one go, and its Pareto front.

The spec is read once. Blocks that several points specialise alike are elaborated and
priced once: `build` is given the specialisations of the points before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import TypeAlias

from archdsl.analysis.cost import Costs
from archdsl.analysis.figures import (
    ADDITIVE,
    FIGURES,
    Priced,
    figures_there,
    known,
    price,
)
from archdsl.analysis.figures import Value as Found
from archdsl.analysis.pareto import front
from archdsl.analysis.part import Part
from archdsl.build import Program, Signature, build, signature
from archdsl.build.conditions import Condition
from archdsl.build.settings import Extent
from archdsl.build.values import Value
from archdsl.diagnostics import SpecError, near
from archdsl.garbage import uncollected
from archdsl.ir.formula import read
from archdsl.ir.graph import Graph

MOST_POINTS = 100_000
_KEPT = 5_000  # points whose blocks are remembered
DEFAULT = ("params", "macs", "flops")
Setting: TypeAlias = int | float | str  # a number, or a value as written in a spec


class PointReport(Part):
    """One variant.

    Attributes:
        settings: What was set: the hyperparameters and axes that the grid is of.
        figures: The columns that were asked for.
        front: Whether no other point is better in every figure of `pareto`; null
            where none were named.
    """

    settings: dict[str, Setting]
    figures: dict[str, Found]
    front: bool | None = None


class FailedReport(Part):
    """A variant that the spec refuses: its first error."""

    settings: dict[str, Setting]
    code: str
    message: str
    file: str
    line: int
    column: int


class SweepReport(Part):
    """What `archdsl sweep` says of a grid.

    Attributes:
        schema_version: Of this form.
        model: The model.
        fixed: What was set to one value for all points.
        columns: The figures of each point.
        pareto: What the front is of; a minus before what should be large.
        where: The condition that points had to fulfil, or "".
        left_out: How many did not.
        points: Those that did, in the order of the grid or sorted.
        failed: Those that are no valid models.
    """

    schema_version: int = 1
    model: str
    fixed: dict[str, Setting]
    columns: tuple[str, ...]
    pareto: tuple[str, ...]
    where: str
    left_out: int
    points: tuple[PointReport, ...]
    failed: tuple[FailedReport, ...]


@dataclass(frozen=True)
class Grid:
    """The values that are tried.

    Attributes:
        settings: Values of hyperparameters, as written in a spec.
        sizes: Sizes of input axes.
        together: Names of either that take their values side by side, not each with
            each.
    """

    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sizes: Mapping[str, Sequence[Extent]] = field(default_factory=dict)
    together: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class View:
    """What is shown of a sweep.

    Attributes:
        columns: The figures of each point.
        pareto: What the front is of; a minus before what should be large.
        where: A condition on settings and figures, in the language of specs.
        sort: A figure or a setting; a minus before it for the largest first.
    """

    columns: Sequence[str] = DEFAULT
    pareto: Sequence[str] = ()
    where: str = ""
    sort: str = ""


@dataclass(frozen=True)
class _Point:
    settings: dict[str, str]
    sizes: dict[str, Extent]

    def shown(self, names: Sequence[str]) -> dict[str, Setting]:
        every = {**self.settings, **self.sizes}
        return {name: plain(name, every[name]) for name in names}


def sweep(program: Program, model: str, grid: Grid, view: View) -> SweepReport:
    """Every point of a grid.

    Raises:
        SpecError: The spec is wrong before anything is set.
        ValueError: The grid or the view names what there is not.
    """
    of = signature(program, model)
    _check(of, grid, view)
    condition = Condition(view.where, of.definition) if view.where else None
    keys = dict.fromkeys([*view.columns, *(p.lstrip("-") for p in view.pareto)])
    asked = tuple(keys)
    every = {**grid.settings, **grid.sizes}
    varied = [name for name, values in every.items() if len(values) > 1]
    found = _Found(program, of.model, asked, condition)
    with uncollected():
        for point in _points(grid):
            found.add(point, point.shown(varied))
    fixed = {n: plain(n, v[0]) for n, v in every.items() if len(v) == 1}
    return SweepReport(
        model=of.model,
        fixed=fixed,
        columns=asked,
        pareto=tuple(view.pareto),
        where=view.where,
        left_out=found.left_out,
        points=tuple(_sorted(_marked(found.points, view.pareto), view.sort)),
        failed=tuple(found.failed),
    )


@dataclass
class _Found:
    """The points so far, and what they have in common."""

    program: Program
    model: str
    asked: tuple[str, ...]
    condition: Condition | None
    points: list[PointReport] = field(default_factory=list)
    failed: list[FailedReport] = field(default_factory=list)
    left_out: int = 0
    costs: Costs = field(default_factory=Costs)
    made: dict[object, Graph | None] = field(default_factory=dict)

    def add(self, point: _Point, shown: dict[str, Setting]) -> None:
        """Builds and prices a point.

        Raises:
            ValueError: The condition is neither true nor false of it.
        """
        if (len(self.points) + len(self.failed) + self.left_out) % _KEPT == 0:
            self.costs, self.made = Costs(), {}
        try:
            graph = build(
                self.program, self.model, point.settings, point.sizes, made=self.made
            )
            priced = price(graph, self.costs)
            values = figures_there(priced, self.asked)
        except SpecError as error:
            self.failed.append(_failed(shown, error))
            return
        condition = self.condition
        if condition is None or condition.holds(_names(priced, condition)):
            self.points.append(PointReport(settings=shown, figures=values))
        else:
            self.left_out += 1


# --- the grid -----------------------------------------------------------------------


def _check(of: Signature, grid: Grid, view: View) -> None:
    """That all names are known, and the grid is not too large.

    Raises:
        ValueError: They are not, or it is.
    """
    for names, there, what in (
        (grid.settings, of.hyperparameters, "hyperparameter"),
        (grid.sizes, of.axes, "input axis"),
    ):
        for name in names:
            if name not in there and not (what == "input axis" and name == "B"):
                hint = near(name, there) or f"there are {', '.join(there)}"
                raise ValueError(f"model `{of.model}` has no {what} {name}; {hint}")
    for key in (*view.columns, *(p.lstrip("-") for p in view.pareto)):
        known(key)
    every: dict[str, Sequence[Extent]] = {**grid.settings, **grid.sizes}
    sort = view.sort.lstrip("-")
    if sort and sort not in {*every, *view.columns, *view.pareto}:
        raise ValueError(f"cannot sort by {sort}: it is no column")
    for group in grid.together:
        _check_together(group, every)
    count = prod(len(together[0][1]) for together in _groups(grid))
    if count > MOST_POINTS:
        raise ValueError(f"this grid has {count:,} points, and {MOST_POINTS:,} is most")


def _check_together(
    names: Sequence[str], every: Mapping[str, Sequence[object]]
) -> None:
    for name in names:
        if name not in every:
            raise ValueError(f"together: no values are given for {name}")
    counts = {len(every[name]) for name in names}
    if len(counts) > 1:
        words = ", ".join(f"{name} has {len(every[name])}" for name in names)
        raise ValueError(f"together: as many values of each are needed; {words}")


def _groups(grid: Grid) -> list[list[tuple[str, Sequence[Extent]]]]:
    """Names with their values, those that go together in one group, in order."""
    every: dict[str, Sequence[Extent]] = {**grid.settings, **grid.sizes}
    groups: list[list[tuple[str, Sequence[Extent]]]] = []
    done: set[str] = set()
    for name in every:
        if name not in done:
            names = next((g for g in grid.together if name in g), (name,))
            groups.append([(n, every[n]) for n in every if n in names])
            done |= set(names)
    return groups


def _points(grid: Grid) -> Iterator[_Point]:
    """The points, the last name's values changing fastest."""
    groups = _groups(grid)
    for turn in product(*(range(len(group[0][1])) for group in groups)):
        chosen = {
            name: values[i]
            for i, group in zip(turn, groups, strict=True)
            for name, values in group
        }
        settings = {name: str(chosen[name]) for name in grid.settings}
        yield _Point(settings, {name: chosen[name] for name in grid.sizes})


def plain(name: str, value: Extent) -> Setting:
    """A setting as JSON has it: numbers as numbers, an open axis as its name."""
    if value is None:
        return name
    if not re.match(r"[-+]?\.?[0-9]", str(value)):
        return str(value)
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return str(value)


# --- points -------------------------------------------------------------------------


def _failed(shown: dict[str, Setting], error: SpecError) -> FailedReport:
    first = error.diagnostics[0]
    return FailedReport(
        settings=shown,
        code=first.code,
        message=first.fault.message(),
        file=first.span.source.name,
        line=first.span.line,
        column=first.span.column,
    )


def _names(priced: Priced, condition: Condition) -> dict[str, Value]:
    """What a condition can name: hyperparameters, sizes of inputs, figures."""
    graph = priced.graph
    names: dict[str, Value] = dict(graph.hyper)  # type: ignore[arg-type]
    for tensor in graph.inputs.values():
        names |= tensor.sizes
    for key in FIGURES.keys() & condition.words:
        if key in ADDITIVE:
            names[key] = ADDITIVE[key](priced.totals)
        else:
            found = FIGURES[key].of(priced)
            names[key] = read(found) if isinstance(found, str) else found
    return names


def _marked(points: list[PointReport], pareto: Sequence[str]) -> list[PointReport]:
    """The points with the front marked.

    Raises:
        ValueError: A figure is a formula.
    """
    if not pareto:
        return points
    rows = []
    for point in points:
        row = []
        for key in pareto:
            value = point.figures[key.lstrip("-")]
            if value is None or isinstance(value, str):
                what = "not known" if value is None else f"a formula, {value}"
                problem = f"{key.lstrip('-')} is {what}"
                raise ValueError(f"no front: {problem}; give every axis a size")
            row.append(-value if key.startswith("-") else value)
        rows.append(tuple(row))
    best = front(rows)
    return [
        point.model_copy(update={"front": i in best}) for i, point in enumerate(points)
    ]


def _sorted(points: list[PointReport], sort: str) -> list[PointReport]:
    if not sort:
        return points
    key = sort.lstrip("-")

    def place(point: PointReport) -> tuple[int, float, str]:
        value = {**point.settings, **point.figures}.get(key)
        if value is None or isinstance(value, str):
            return 1, 0, value or ""
        return 0, value, ""

    return sorted(points, key=place, reverse=sort.startswith("-"))
