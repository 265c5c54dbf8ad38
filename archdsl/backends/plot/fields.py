"""How the receptive field grows, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from archdsl.analysis.receptive_field.result import AxisField
from archdsl.analysis.receptive_field.show import groups, grown
from archdsl.analysis.report import Report
from archdsl.backends.plot.style import DASHES, MARKERS, PALETTE, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 48  # rows of one picture
_ROW, _FRAME = 0.14, 0.95  # inches
_ABREAST = 2  # panels beside one another, for which a page is wide enough
_NARROW = 22  # letters of a name that leave room for the lines in a column


class _Panel(NamedTuple):
    """The layers of one picture, for axes of an input that agree."""

    title: str
    names: list[str]
    fields: list[AxisField]


def draw(report: Report, depth: int, path: Path) -> None:
    """Lines of the largest and the smallest field, a row for each layer.

    Raises:
        ValueError: There is nothing to draw: no output depends on a position, or there
            are too many rows.
    """
    panels = _panels(report, depth)
    rows = max(len(panel.names) for panel in panels)
    if rows > _MOST:
        raise ValueError(
            f"{rows} layers are too many for one picture: take --depth {depth - 1}"
            if depth > 1
            else f"{rows} layers are too many for one picture: take --depth 1"
        )
    longest = max(len(name) for panel in panels for name in panel.names)
    wide = len(panels) > 1 or longest > _NARROW
    width: Literal["page", "column"] = "page" if wide else "column"
    columns = min(len(panels), _ABREAST)
    deep = -(-len(panels) // columns)
    height = deep * (_FRAME + _ROW * rows)
    with figure(width, height, rows=deep, columns=columns) as (made, axes):
        for panel, here in zip(panels, axes, strict=False):
            _fill(here, panel)
        for empty in axes[len(panels) :]:
            empty.remove()
        made.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center",
                    ncols=5 if wide else 2, handlelength=3)  # fmt: skip
        save(made, path)


def _panels(report: Report, depth: int) -> list[_Panel]:
    part = report.receptive_field
    assert part is not None
    found = []
    for name in report.inputs:
        rows = grown(part, name, depth)
        for axes in groups(rows) if rows else ():
            title = f"{', '.join(axes)} of {name}"
            fields = [fields[axes[0]] for _, fields in rows]
            found.append(_Panel(title, [path for path, _ in rows], fields))
    if not found:
        raise ValueError("no layer depends on a position of an input")
    return found


def _fill(axes: Axes, panel: _Panel) -> None:
    """One panel: fields to the right, layers downwards."""
    from matplotlib.ticker import MaxNLocator

    lines = (
        ("largest", [f.size for f in panel.fields]),
        ("smallest", [f.least for f in panel.fields]),
        ("without gates", [f.ungated for f in panel.fields]),
        ("without borders", [f.unbounded for f in panel.fields]),
    )
    for i, (label, values) in enumerate(lines):
        _line(axes, label, values, i)
    length = panel.fields[0].length
    if length is not None:
        axes.axvline(length, color=PALETTE[5], linewidth=2, zorder=0, label="all of it")
    axes.set_yticks(range(len(panel.names)), panel.names)
    axes.set_ylim(len(panel.names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    axes.grid(axis="x")
    axes.set_xlabel("positions of the input")
    axes.set_title(f"Receptive field, {panel.title}", loc="left")


def _line(axes: Axes, label: str, values: Sequence[int | None], i: int) -> None:
    places = [y for y, value in enumerate(values) if value is not None]
    if not places:
        return
    axes.plot(
        [value for value in values if value is not None],
        places,
        label=label,
        color=PALETTE[i],
        marker=MARKERS[i],
        # Lines often coincide: what is drawn first is larger, and hollow.
        markersize=(6, 3.5, 5, 3)[i],
        fillstyle="none" if i % 2 == 0 else "full",
        linestyle=DASHES[i],
    )
