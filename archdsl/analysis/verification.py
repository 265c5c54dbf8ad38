"""What `archdsl verify` found: what is said of a model, and what it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

from archdsl.analysis.part import Part
from archdsl.analysis.tables import Cell, Column, Table

Value: TypeAlias = int | str
MARKS = {True: "✓", False: "✗", None: "-"}
_MOST = 20  # of the rows of one check that differ
_COLUMNS = (
    Column("check", "check"),
    Column("of", "of"),
    Column("static", "static"),
    Column("measured", "measured"),
    Column("ok", ""),
)


class Row(Part):
    """One figure, said and measured.

    Attributes:
        check: The check that it belongs to.
        of: What the figure is of: the whole model, or the path of a layer.
        static: What is said without running.
        measured: What the compiled module does.
        ok: Whether they are equal; None where it was not measured.
        note: Why it was not measured, or what went wrong.
        at: The sizes for which this holds, where the model leaves some open.
    """

    check: str
    of: str
    static: Value = ""
    measured: Value = ""
    ok: bool | None
    note: str = ""
    at: str = ""


class Verification(Part):
    """What holds of a model, and what does not."""

    schema_version: int = 1
    model: str
    seed: int
    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether all that was measured is as it was said."""
        return not self.differing

    @property
    def differing(self) -> tuple[Row, ...]:
        """The figures that are not what was said."""
        return tuple(row for row in self.rows if row.ok is False)

    @property
    def left_out(self) -> tuple[Row, ...]:
        """The figures that were not measured."""
        return tuple(row for row in self.rows if row.ok is None)


def equal(check: str, of: str, static: Value, measured: Value) -> Row:
    """A figure that must be the same."""
    ok = type(static) is type(measured) and static == measured
    return Row(check=check, of=of, static=static, measured=measured, ok=ok)


def skipped(check: str, of: str, why: str) -> Row:
    """A figure that was not measured."""
    return Row(check=check, of=of, ok=None, note=why)


# --- tables -------------------------------------------------------------------------


def tables(found: Verification) -> tuple[Table, ...]:
    """Every figure with its mark; what was not measured, and why, below.

    One table, or one for each of the sizes at which a model was run.
    """
    shown, cut = _cut([row for row in found.rows if row.ok is not None])
    made = []
    for at in dict.fromkeys(row.at for row in shown):
        rows = tuple(_cells(row) for row in shown if row.at == at)
        made.append(Table("verification", at and f"at {at}", _COLUMNS, rows))
    last = replace(made[-1], notes=(*cut, *_notes(found)))
    return (*made[:-1], last)


def _cells(row: Row) -> tuple[Cell, ...]:
    figures = _words(row.static), _words(row.measured)
    return (row.check, row.of, *figures, MARKS[row.ok])


def whole(found: Verification) -> Table:
    """Every figure for programs, numbers as numbers."""
    columns = tuple(Column(key, key) for key in Row.model_fields)
    rows = tuple(tuple(row.model_dump().values()) for row in found.rows)
    return Table("verification", "", columns, rows)


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
