"""A diff for a terminal, and as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from textwrap import wrap

from archdsl.analysis import tables as render
from archdsl.analysis.diff.lines import Line, layers, values
from archdsl.analysis.diff.report import DiffReport, ModelReport, SideReport
from archdsl.analysis.figures import FIGURES
from archdsl.analysis.part import Number
from archdsl.analysis.tables import Cell, Column, Table

_COLORS = {"+": "32", "-": "31", "~": "33", ">": "36", "=": "36"}
_WIDEST = 52  # columns of what a line is about, before what happened stands below it
_KEPT = re.compile(r"\[[^]]*\]|[\d,]+ x [\d,]+ params|\w+ = ")  # on one line
_BLANK = "\N{NO-BREAK SPACE}"
Paint = Callable[[str, str], str]


def text(report: DiffReport, *, color: bool = False, width: int = 100) -> str:
    """The differences, then the costs; nothing where nothing differs.

    Args:
        report: What differs.
        color: Whether to colour it.
        width: How many columns a line may have.
    """
    if report.same:
        return ""
    paint = _ansi if color else _plain
    head = [paint("-", f"--- {_title(report.before)}"),
            paint("+", f"+++ {_title(report.after)}")]  # fmt: skip
    parts = ["\n".join(head)]
    sections = values(report)
    found = layers(report)
    if found:
        sections["layers"] = found
    for name, lines in sections.items():
        parts.append("\n".join([name, *_aligned(lines, paint, width)]))
    parts.append(render.text(costs(report)))
    return "\n\n".join(parts)


def _title(model: ModelReport) -> str:
    known = model.file in (model.name, model.model) or model.name.startswith(model.file)
    return model.name if known else f"{model.name} ({model.file})"


def _aligned(lines: Sequence[Line], paint: Paint, width: int) -> list[str]:
    """Lines in two columns; what is too long goes on below."""
    widest = min(_WIDEST, width // 2)
    wide = max((len(x.about) for x in lines if len(x.about) <= widest), default=0)
    shown = []
    for mark, about, what in lines:
        kept = _KEPT.sub(lambda match: match[0].replace(" ", _BLANK), what)
        rows = [
            row.replace(_BLANK, " ")
            for row in wrap(kept, width - wide - 4, break_long_words=False)
        ] or [""]
        if len(about) > wide and what:
            rows.insert(0, about)
        else:
            rows[0] = f"{about:{wide}}  {rows[0]}".rstrip()
        below = (f"  {'':{wide}}  {row}" for row in rows[1:])
        shown += [paint(mark, row) for row in (f"{mark} {rows[0]}", *below)]
    return shown


def _ansi(mark: str, line: str) -> str:
    return f"\x1b[{_COLORS[mark]}m{line}\x1b[0m"


def _plain(mark: str, line: str) -> str:
    return line


# --- tables -------------------------------------------------------------------------


def tables(report: DiffReport) -> tuple[Table, ...]:
    """The same as tables; none where nothing differs."""
    if report.same:
        return ()
    columns = (Column("mark", ""), Column("about", "what"), Column("change", "change"))
    sections = values(report)
    found = layers(report)
    if found:
        sections["layers"] = found
    listed = (
        Table(name, name, columns, tuple(map(tuple, lines)))
        for name, lines in sections.items()
    )
    return (*listed, costs(report))


def costs(report: DiffReport) -> Table:
    """The figures of both models."""
    columns = (
        Column("figure", "costs"),
        Column("before", "before", "exact"),
        Column("after", "after", "exact"),
        Column("change", "change", "exact"),
        Column("relative", ""),
    )
    rows = [
        (_figure(f.figure), f.before, f.after, f.change, _relative(f.before, f.change))
        for f in report.figures
    ]
    return Table("costs", "", columns, tuple(rows))


def _figure(key: str) -> str:
    column = FIGURES[key].column
    return f"{column.title} (bytes)" if column.form == "bytes" else column.title


def _relative(before: Number, change: Number) -> Cell:
    if isinstance(before, str) or isinstance(change, str):
        return None
    if not change:
        return "="
    return f"{100 * change / before:+,.2f} %" if before else None


def flat(report: DiffReport) -> Table:
    """Every difference in a row of its own, for programs."""
    columns = [Column("section", "section"), Column("kind", "kind")]
    for side in ("before", "after"):
        columns += [
            Column(f"path_{side}", f"path {side}"),
            Column(side, side),
            Column(f"params_{side}", f"params {side}", "exact"),
            Column(f"macs_{side}", f"MACs {side}", "exact"),
        ]
    rows: list[tuple[Cell, ...]] = []
    for section, found in (
        ("hyperparameters", report.hyperparameters),
        ("inputs", report.inputs),
        ("outputs", report.outputs),
    ):
        for v in found:
            sides = (v.name, v.before, None, None, v.name, v.after, None, None)
            rows.append((section, "changed", *sides))
    for change in report.layers:
        pair = (*_side(change.before), *_side(change.after))
        rows.append(("layers", change.kind, *pair))
    for f in report.figures:
        kind = "changed" if f.change else "same"
        figures = (f.figure, f.before, None, None, f.figure, f.after, None, None)
        rows.append(("costs", kind, *figures))
    return Table("diff", "", tuple(columns), tuple(rows))


def _side(side: SideReport | None) -> tuple[Cell, ...]:
    if side is None:
        return None, None, None, None
    return side.path, side.text, side.params, side.macs
