"""A verification as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from archdsl.analysis.tables import Cell, Column, Table
from archdsl.backends.torch.verify.result import Row, Value, Verification

MARKS = {True: "✓", False: "✗", None: "-"}
_MOST = 20  # of the rows of one check that differ


def tables(found: Verification) -> tuple[Table, ...]:
    """Every figure with its mark; what was not measured, and why, below.

    One table, or one for each of the sizes at which a model was run.
    """
    columns = (
        Column("check", "check"),
        Column("of", "of"),
        Column("static", "static"),
        Column("measured", "measured"),
        Column("ok", ""),
    )
    shown, cut = _cut([row for row in found.rows if row.ok is not None])
    made = []
    for at in dict.fromkeys(row.at for row in shown):
        rows = tuple(_cells(row) for row in shown if row.at == at)
        made.append(Table("verification", at and f"at {at}", columns, rows))
    last = replace(made[-1], notes=(*cut, *_notes(found)))
    return (*made[:-1], last)


def _cells(row: Row) -> tuple[Cell, ...]:
    figures = _words(row.static), _words(row.measured)
    return (row.check, row.of, *figures, MARKS[row.ok])


def _words(value: Value) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _cut(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """The rows, without the last of very many that differ, and a note on these."""
    shown: list[Row] = []
    left: dict[str, int] = {}
    count: dict[tuple[str, str], int] = {}
    for row in rows:
        key = row.check, row.at
        count[key] = count.get(key, 0) + (row.ok is False)
        if row.ok is False and count[key] > _MOST:
            left[row.check] = left.get(row.check, 0) + 1
        else:
            shown.append(row)
    return shown, [
        f"{check}: and {n:,} more; --json has all" for check, n in left.items()
    ]


def _notes(found: Verification) -> list[str]:
    notes = [f"{row.of}: {row.note}" for row in found.differing if row.note]
    notes += [
        f"not measured: {row.check}, {row.of}: {row.note}" for row in found.left_out
    ]
    return [*dict.fromkeys(notes), _verdict(found)]


def _verdict(found: Verification) -> str:
    wrong = len(found.differing)
    if wrong:
        figures = "1 figure differs" if wrong == 1 else f"{wrong:,} figures differ"
        return f"{found.model}: {figures}"
    measured = len(found.rows) - len(found.left_out)
    return f"{found.model}: all {measured} figures are as said"
