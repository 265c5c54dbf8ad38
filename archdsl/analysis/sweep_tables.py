"""A sweep as tables: the points, and those that failed."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.figures import FIGURES
from archdsl.analysis.sweep import FailedReport, Setting, SweepReport
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
    return list(next(_every(report), {}))


def _every(report: SweepReport) -> Iterator[dict[str, Setting]]:
    """The settings of all points."""
    yield from (point.settings for point in report.points)
    yield from (failed.settings for failed in report.failed)


def _setting_column(report: SweepReport, name: str) -> Column:
    """A column of numbers where all values are whole."""
    whole = all(isinstance(settings[name], int) for settings in _every(report))
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
    aims = []
    for key in report.pareto:
        title = FIGURES[key.lstrip("-")].column.title
        aims.append(f"{'most' if key.startswith('-') else 'least'} {title}")
    return " and ".join(aims)


def _failed(report: SweepReport) -> Table:
    """What is wrong with points, each error once with the first point that has it."""
    groups: dict[tuple[str, str], list[FailedReport]] = {}
    for failed in report.failed:
        groups.setdefault((failed.code, failed.message), []).append(failed)
    columns = (
        Column("code", "code"),
        Column("message", "what is wrong"),
        Column("points", "points", "exact"),
        Column("first", "such as"),
    )
    rows = []
    for (code, message), group in groups.items():
        first = ", ".join(f"{n} = {v}" for n, v in group[0].settings.items())
        rows.append((code, message, len(group), first))
    count = len(report.failed)
    title = f"{count:,} point{'s are' if count > 1 else ' is'} no valid model"
    return Table("failed", title, columns, tuple(rows))


def flat(report: SweepReport) -> Table:
    """Every point in a row, those that failed last, for programs."""
    names = _settings(report)
    columns = [_setting_column(report, name) for name in names]
    columns += [FIGURES[key].column for key in report.columns]
    columns += [Column("front", "front"), Column("code", "code")]
    columns += [Column("message", "message")]
    rows: list[tuple[Cell, ...]] = []
    for point in report.points:
        settings = (point.settings[name] for name in names)
        figures = (point.figures[key] for key in report.columns)
        front = None if point.front is None else int(point.front)
        rows.append((*settings, *figures, front, None, None))
    nothing = (None,) * (len(report.columns) + 1)
    for failed in report.failed:
        settings = (failed.settings[name] for name in names)
        rows.append((*settings, *nothing, failed.code, failed.message))
    return Table("points", "", tuple(columns), tuple(rows))
