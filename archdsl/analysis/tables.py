"""Tables: what an analysis found, for a terminal, a page or a program."""

from __future__ import annotations

import csv as _csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from archdsl.ir.formula import short

Cell: TypeAlias = str | int | float | None
"""What stands in a row: None where nothing applies, a formula among numbers."""
Row: TypeAlias = tuple[Cell, ...]
Form: TypeAlias = Literal["text", "exact", "short", "bytes", "ratio", "seconds"]

CUT = "… stands for the rest of a formula; --json prints all of it"
_WIDEST = 36  # columns of a formula in a row
_FOLDED = 4  # so many equal layers in running order are one row
_LAST = re.compile(r"((?:.*\.)?)(\d+)((?:\.(?!\d+(?:\.|$))[^.]+)*)")
_NONE = "-"
_UNITS = (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))
_TIMES = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


class Column(NamedTuple):
    """One column.

    Attributes:
        key: Its name for programs, in snake_case.
        title: Its name for people.
        form: How people see it: "exact" is 1,234, "short" 4.491 G, "bytes" 107 MB,
            "ratio" three digits, "seconds" 1.2 ms. Programs get every number whole.
    """

    key: str
    title: str
    form: Form = "text"


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Attributes:
        key: Its name for programs, in snake_case.
        title: A line above it, or "".
        columns: The columns; without any title there is no head for people.
        rows: As many cells as columns each.
        notes: Lines below it: definitions, assumptions.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def collapsed(path: str, depth: int) -> str:
    """The first names of a layer's path, all of them for a depth of 0."""
    return ".".join(path.split(".")[:depth]) if depth else path


# --- for people ---------------------------------------------------------------------


def text(table: Table) -> str:
    """The table for a terminal: words to the left, numbers to the right.

    Formulas stand to the left, too, and equal layers in one row (`folded`). A table
    without rows has no head either: its notes say why.
    """
    if not table.rows:
        return "\n\n".join(filter(None, (table.title, "\n".join(table.notes))))
    rows = [[shown(c, k.form) for c, k in _cells(table, r)] for r in folded(table)]
    if any(column.title for column in table.columns):
        rows.insert(0, [column.title for column in table.columns])
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = [table.title] if table.title else []
    left = [_is_left(table, i) for i in range(len(widths))]
    lines += [_line(left, row, widths) for row in rows]
    if any("…" in cell for row in rows for cell in row):
        lines += ["", CUT]
    return "\n".join([*lines, *(["", *table.notes] if table.notes else [])])


def folded(table: Table) -> list[Row]:
    """The rows of a table by layer, equal layers in running order as one.

    ``layers.0`` to ``layers.11`` of the same figures are ``layers.0 to 11, each``; the
    figures are those of one. Fewer than `_FOLDED` stay as they are.
    """
    if table.columns[0].key != "layer":
        return list(table.rows)
    found: list[Row] = []
    for run in _runs(_layers(table.rows)):
        first, last = run[0], run[-1]
        if len(run) < _FOLDED:
            found += [row for layer in run for row in layer.rows]
            continue
        for ending, cells in first.figures:
            span = f"{first.number} to {last.number}"
            name = f"{first.name}({span}){ending}" if ending else f"{first.name}{span}"
            found.append((f"{name}, each", *cells))
    return found


class _Layer(NamedTuple):
    """Rows that follow one another whose paths have the same last number."""

    name: str  # up to the number
    number: int  # -1 where there is none
    figures: list[tuple[str, Row]]  # the path after the number, and the other cells
    rows: list[Row]


def _layers(rows: Iterable[Row]) -> list[_Layer]:
    found: list[_Layer] = []
    for row in rows:
        match = _LAST.fullmatch(str(row[0]))
        name, number, ending = match.groups() if match else (str(row[0]), -1, "")
        if not match or not found or found[-1][:2] != (name, int(number)):
            found.append(_Layer(name, int(number), [], []))
        found[-1].figures.append((ending, row[1:]))
        found[-1].rows.append(row)
    return found


def _runs(layers: Iterable[_Layer]) -> list[list[_Layer]]:
    """Layers that are equal but for their numbers, which run."""
    runs: list[list[_Layer]] = []
    for layer in layers:
        before = runs[-1][-1] if runs else None
        if before and layer[:3] == (before.name, before.number + 1, before.figures):
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return runs


def _is_left(table: Table, index: int) -> bool:
    """Whether a column holds words, or nothing but formulas."""
    cells = [row[index] for row in table.rows if row[index] is not None]
    is_words = table.columns[index].form == "text"
    return is_words or (bool(cells) and all(isinstance(cell, str) for cell in cells))


def _line(left: Sequence[bool], row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(w) if is_left else cell.rjust(w)
        for is_left, cell, w in zip(left, row, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()


def markdown(tables: Iterable[Table]) -> str:
    """Tables as GitHub's Markdown has them, each under its title."""
    parts = []
    for table in tables:
        lines = [f"### {table.title}", ""] if table.title else []
        lines.append(_marked(column.title for column in table.columns))
        bars = ("---" if c.form == "text" else "---:" for c in table.columns)
        lines.append(_marked(bars))
        for row in folded(table):
            lines.append(_marked(shown(c, k.form, 0) for c, k in _cells(table, row)))
        if table.notes:
            lines += ["", *(f"{_escaped(note)}  " for note in table.notes[:-1])]
            lines.append(_escaped(table.notes[-1]))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _marked(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(words: str) -> str:
    """Words that Markdown leaves as they are."""
    for mark in "\\|*<":
        words = words.replace(mark, f"\\{mark}")
    return words


def shown(cell: Cell, form: Form = "text", widest: int = _WIDEST) -> str:
    """A cell as people see it; a formula in `widest` columns, or whole for 0."""
    if cell is None:
        return _NONE
    if isinstance(cell, str):
        return cell if form == "text" or not widest else short(cell, widest)
    if form == "seconds":
        return _seconds(cell)
    if form == "bytes":
        return f"{_short(cell)}B" if cell >= 1000 else f"{_short(cell)} B"
    if form == "short":
        return _short(cell)
    if form == "ratio":
        if isinstance(cell, float) and abs(cell) < 999.5:
            return f"{cell:.3g}"
        return f"{round(cell):,}"
    return f"{cell:,}" if form == "exact" else str(cell)


def unit(value: int | float) -> str:
    """``4.491 G``, or "" below a thousand."""
    for name, size in _UNITS:
        if abs(value) >= size:
            return f"{value / size:.4g} {name}"
    return ""


def _short(value: int | float) -> str:
    return unit(value) or (f"{value:,}" if isinstance(value, int) else f"{value:.4g}")


def _seconds(value: float) -> str:
    for name, size in _TIMES:
        if value >= size:
            return f"{value / size:.4g} {name}"
    return f"{value * 1e9:.3g} ns" if value else "0"


# --- for programs -------------------------------------------------------------------


def csv(tables: Iterable[Table]) -> str:
    """Tables as comma-separated values, numbers whole; an empty line parts them."""
    parts = []
    for table in tables:
        out = io.StringIO()
        writer = _csv.writer(out, lineterminator="\n")
        writer.writerow([column.key for column in table.columns])
        writer.writerows(table.rows)
        parts.append(out.getvalue())
    return "\n".join(parts)


def _cells(table: Table, row: tuple[Cell, ...]) -> Iterable[tuple[Cell, Column]]:
    return zip(row, table.columns, strict=True)
