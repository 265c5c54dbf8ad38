"""The points of a sweep as a scatter, with their front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archdsl.analysis.figures import FIGURES
from archdsl.analysis.sweep import PointReport, SweepReport
from archdsl.analysis.tables import shown
from archdsl.backends.plot.style import MARKERS, PALETTE, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOG = 20  # times the least that the most is, for a scale of powers
_HEIGHT, _ROW = 2.3, 0.17  # inches, without the legend, and of a row of it


class _Group(NamedTuple):
    name: str
    points: list[PointReport]


def draw(report: SweepReport, path: Path) -> None:
    """Draws each point by two figures: those of the front, or the first two columns.

    What should be small is on the horizontal axis. Points are told apart by the first
    setting that has few values; the front is joined by a line.

    Raises:
        ValueError: There are fewer than two figures, or one is a formula.
    """
    across, up = _axes(report)
    for point in report.points:
        for key in (across, up):
            if not isinstance(point.figures[key], int | float):
                raise ValueError(f"{key} is no number: give every axis a size")
    groups = _groups(report)
    best = [p for p in report.points if p.front]
    named = len(groups) + bool(best)
    rows = -(-named // 2) if named > 1 else 0
    with figure("column", _HEIGHT + _ROW * rows) as (made, (axes,)):
        _front(axes, best, across, up)
        for i, group in enumerate(groups):
            axes.plot(
                [_value(p, across) for p in group.points],
                [_value(p, up) for p in group.points],
                linestyle="none",
                marker=MARKERS[i],
                color=PALETTE[i],
                markeredgecolor="white",
                markeredgewidth=0.3,
                label=group.name,
            )
        _scales(axes, report, across, up)
        axes.set_title(report.model)
        if rows:
            made.legend(loc="outside lower center", ncols=2)
        save(made, path)


def _axes(report: SweepReport) -> tuple[str, str]:
    """The figures of the horizontal and of the vertical axis."""
    keys = [key.lstrip("-") for key in report.pareto]
    keys = list(dict.fromkeys((*keys, *report.columns)))[:2]
    if len(keys) < 2:
        raise ValueError("a scatter needs two figures: name them by --columns")
    least = [key for key in report.pareto if not key.startswith("-")]
    across = next((key for key in keys if key in least), keys[0])
    return across, keys[0] if across == keys[1] else keys[1]


def _groups(report: SweepReport) -> list[_Group]:
    """Points by the first setting with so few values that each has a marker."""
    points = list(report.points)
    for name in points[0].settings if points else ():
        values = list(dict.fromkeys(p.settings[name] for p in points))
        if 1 < len(values) <= len(MARKERS):
            return [
                _Group(f"{name} = {v}", [p for p in points if p.settings[name] == v])
                for v in values
            ]
    return [_Group("points", points)]


def _front(axes: Axes, points: Sequence[PointReport], across: str, up: str) -> None:
    if points:
        places = sorted((_value(p, across), _value(p, up)) for p in points)
        xs, ys = zip(*places, strict=True)
        axes.plot(xs, ys, color="#8c8c8c", linewidth=0.8, label="front", zorder=1)


def _value(point: PointReport, key: str) -> float:
    value = point.figures[key]
    assert isinstance(value, int | float)
    return value


def _scales(axes: Axes, report: SweepReport, across: str, up: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for axis, key in ((axes.xaxis, across), (axes.yaxis, up)):
        column = FIGURES[key].column
        form = "bytes" if column.form == "bytes" else "short"
        values = [_value(p, key) for p in report.points if _value(p, key) > 0]
        if values and max(values) > _LOG * min(values):
            axes.set(**{f"{axis.axis_name}scale": "log"})
            axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda v, _, f=form: shown(v, f)))
        axis.set_label_text(column.title)
    axes.grid(visible=True)
