"""A sweep as tables: the points, and those that failed."""

from __future__ import annotations

from archdsl.analysis.figures import FIGURES
from archdsl.analysis.sweep import Setting, SweepReport
from archdsl.analysis.tables import Cell, Column, Table

FRONT = "*"


def tables(report: SweepReport, limit: int = 0) -> tuple[Table, ...]:
    """The tables of a sweep.

    Args:
        report: What to show.
        limit: How many points at most; 0 for all.
    """
    found = [_points(report, limit)]
    if report.failed:
        found.append(_failed(report))
    return tuple(found)


def _points(report: SweepReport, limit: int) -> Table:
    names = _settings(report)
    columns = [_setting_column(report, name) for name in names]
    columns += [FIGURES[key].column for key in report.columns]
    columns += [Column("front", "front")] * bool(report.pareto)
    shown = report.points[: limit or None]
    rows: list[tuple[Cell, ...]] = []
    for point in shown:
        row: list[Cell] = [point.settings[name] for name in names]
        row += [point.figures[key] for key in report.columns]
        if report.pareto:
            row.append(FRONT if point.front else "")
        rows.append(tuple(row))
    return Table("points", _title(report), tuple(columns), tuple(rows),
                 tuple(_notes(report, len(shown))))  # fmt: skip


def _settings(report: SweepReport) -> list[str]:
    first = (*report.points, *report.failed)[:1]
    return [name for point in first for name in point.settings]


def _setting_column(report: SweepReport, name: str) -> Column:
    """A column of numbers where all values are whole."""
    values = [p.settings[name] for p in (*report.points, *report.failed)]
    whole = all(isinstance(v, int) for v in values)
    key = f"set_{name}" if name in FIGURES else name
    return Column(key, name, "exact" if whole else "text")


def _title(report: SweepReport) -> str:
    fixed = ", ".join(f"{n} = {v}" for n, v in report.fixed.items())
    return f"{report.model}({fixed})" if fixed else report.model


def _notes(report: SweepReport, shown: int) -> list[str]:
    notes = []
    count, left = len(report.points), len(report.points) - shown
    words = f"{count:,} point{'s' * (count != 1)}"
    if report.where:
        words += f" with {report.where}, {report.left_out:,} without"
    if left:
        words += f"; the first {shown:,} are shown"
    if report.pareto:
        best = sum(bool(point.front) for point in report.points)
        words += f"; {FRONT} marks the {best:,} of the front of {_aim(report)}"
    notes.append(words)
    return notes


def _aim(report: SweepReport) -> str:
    aims = [f"{'most' if k.startswith('-') else 'least'} "
            f"{FIGURES[k.lstrip('-')].column.title}" for k in report.pareto]  # fmt: skip
    return " and ".join(aims)


def _failed(report: SweepReport) -> Table:
    names = _settings(report)
    columns = [_setting_column(report, name) for name in names]
    columns += [Column("code", "code"), Column("message", "what is wrong")]
    rows = tuple(
        (*_values(f.settings, names), f.code, f.message) for f in report.failed
    )
    count = len(rows)
    title = f"{count:,} point{'s are' if count > 1 else ' is'} no valid model"
    return Table("failed", title, tuple(columns), rows)


def _values(settings: dict[str, Setting], names: list[str]) -> tuple[Cell, ...]:
    return tuple(settings[name] for name in names)
