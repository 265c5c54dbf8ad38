"""STUB until the lead's lands."""

from __future__ import annotations

import csv as _csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Cell: TypeAlias = str | int | float | None


class Column(NamedTuple):
    key: str
    title: str
    form: Literal["text", "exact", "short", "bytes", "ratio", "seconds"] = "text"


@dataclass(frozen=True)
class Table:
    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def _cell(v: Cell, form: str) -> str:
    if v is None:
        return "-"
    if isinstance(v, str):
        return v
    if form == "exact":
        return f"{v:,}"
    if form in ("short", "bytes"):
        for u, s in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
            if v >= s:
                return f"{v / s:.4g} {u}" + ("B" if form == "bytes" else "")
    return str(v)


def text(t: Table) -> str:
    rows = [[c.title for c in t.columns]] + [
        [_cell(v, c.form) for v, c in zip(r, t.columns)] for r in t.rows
    ]
    w = [max(len(r[i]) for r in rows) for i in range(len(t.columns))]
    ls = [
        "  ".join(
            x.ljust(n) if c.form == "text" else x.rjust(n)
            for x, n, c in zip(r, w, t.columns)
        ).rstrip()
        for r in rows
    ]
    return "\n".join(([t.title] if t.title else []) + ls + list(t.notes))


def csv(ts: Sequence[Table]) -> str:
    o = io.StringIO()
    w = _csv.writer(o)
    for t in ts:
        w.writerow([c.key for c in t.columns])
        w.writerows(t.rows)
    return o.getvalue()


def markdown(ts: Sequence[Table]) -> str:
    return "\n\n".join(text(t) for t in ts)
