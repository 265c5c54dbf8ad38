"""Where the parameters and MACs of a model are, block by block."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archdsl.analysis.report import Report
from archdsl.analysis.tables import collapsed, unit
from archdsl.backends.plot.rows import fewer
from archdsl.backends.plot.style import PALETTE, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _FRAME = 0.16, 0.75  # inches


class _Row(NamedTuple):
    path: str
    params: int
    macs: int


def draw(report: Report, depth: int, path: Path) -> None:
    """Bars of parameters and MACs, a row each for what `depth` names of a path share.

    Raises:
        ValueError: A figure is a formula of open sizes.
    """
    rows = _fewer(_rows(report, depth))
    with figure("page", _FRAME + _ROW * len(rows), columns=2) as (made, (left, right)):
        _bars(left, "parameters", [row.params for row in rows], PALETTE[0])
        _bars(right, "MACs", [row.macs for row in rows], PALETTE[2])
        left.set_yticks(range(len(rows)), [row.path for row in rows])
        right.set_yticks([])
        save(made, path)


def _bars(axes: Axes, name: str, values: list[int], colour: str) -> None:
    total, places = sum(values), range(len(values))
    axes.barh(places, values, height=0.7, color=colour)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(0, 1.4 * max(*values, 1))
    axes.set_title(f"{name}: {unit(total) or total}")
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params("y", length=0)
    for place, value in zip(places, values, strict=True):
        share = f"{unit(value) or value}  {100 * value / max(total, 1):.1f} %"
        axes.text(value, place, f" {share}", va="center", fontsize=7)


def _rows(report: Report, depth: int) -> list[_Row]:
    found: dict[str, _Row] = {}
    for layer in report.layers:
        if isinstance(layer.params, str) or isinstance(layer.macs, str):
            open_ = ", ".join(report.symbols)
            raise ValueError(f"bars have lengths: give sizes for {open_} with --size")
        path = collapsed(layer.path, depth)
        _, params, macs = found.get(path, _Row(path, 0, 0))
        found[path] = _Row(path, params + layer.params, macs + layer.macs)
    return [row for row in found.values() if row.params or row.macs]


def _fewer(rows: list[_Row]) -> list[_Row]:
    params = max(sum(row.params for row in rows), 1)
    macs = max(sum(row.macs for row in rows), 1)

    def weight(row: _Row) -> float:
        return row.params / params + row.macs / macs

    def together(rest: list[_Row]) -> _Row:
        sums = sum(row.params for row in rest), sum(row.macs for row in rest)
        return _Row(f"{len(rest)} others", *sums)

    return fewer(rows, weight, together)
