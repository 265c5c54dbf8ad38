"""What training holds, and how much of it each layer saves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from archdsl.analysis.memory.result import Memory
from archdsl.analysis.report import Report
from archdsl.analysis.tables import collapsed, shown
from archdsl.backends.plot.rows import fewer
from archdsl.backends.plot.style import HATCHES, PALETTE, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _FRAME = 0.16, 1.2  # inches
_Row: TypeAlias = tuple[str, int]


def draw(report: Report, depth: int, path: Path) -> None:
    """A bar of all that training holds, and bars of what is saved for backward.

    Raises:
        ValueError: A figure is a formula of open sizes, or not known.
    """
    part = report.memory
    assert part is not None
    held = _held(part, report.symbols)
    rows = _rows(part, depth)
    parts, height = (1.0, max(1.0, len(rows) / 3)), _FRAME + _ROW * len(rows)
    with figure("page", height, rows=2, parts=parts) as (made, (top, below)):
        _stack(top, held)
        values = [size for _, size in rows]
        places = range(len(rows))
        below.barh(places, values, height=0.7, color=PALETTE[2])
        below.set_yticks(places, [name for name, _ in rows])
        below.set_ylim(len(rows) - 0.4, -0.6)
        below.set_xlim(0, 1.25 * max(values, default=1))
        below.set_title(f"saved for backward: {shown(part.saved, 'bytes')}")
        for place, value in zip(places, values, strict=True):
            words = f" {shown(value, 'bytes')}"
            below.text(value, place, words, va="center", fontsize=7)
        for axes in (top, below):
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            axes.tick_params("y", length=0)
        made.legend(
            *top.get_legend_handles_labels(), loc="outside upper center", ncols=5
        )
        save(made, path)


def _held(part: Memory, symbols: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    rows = {
        "weights": part.weights,
        "gradients": part.gradients,
        f"optimizer ({part.optimizer})": part.optimizer_state,
        "buffers": part.buffers,
        "saved": part.saved,
    }
    for name, size in rows.items():
        if isinstance(size, str):
            open_ = ", ".join(symbols)
            raise ValueError(f"bars have lengths: give sizes for {open_} with --size")
        if size is None:
            raise ValueError(f"what is saved is not known: {part.unknown}")
        found[name] = size
    return found


def _stack(axes: Axes, held: dict[str, int]) -> None:
    start, whole = 0, sum(held.values())
    for i, (name, size) in enumerate(held.items()):
        axes.barh(
            [0], [size], left=start, height=0.7, color=PALETTE[i], hatch=HATCHES[i],
            edgecolor="white", linewidth=0.3, label=f"{name} {shown(size, 'bytes')}",
        )  # fmt: skip
        start += size
    axes.set_yticks([])
    axes.set_xlim(0, max(whole, 1))
    axes.set_title(f"training holds {shown(whole, 'bytes')}")


def _rows(part: Memory, depth: int) -> list[_Row]:
    found: dict[str, int] = {}
    for layer in part.saved_by_layer:
        path = collapsed(layer.path, depth) or "(model)"
        found[path] = found.get(path, 0) + layer.bytes
    rows = [(name, size) for name, size in found.items() if size]
    return fewer(rows, lambda row: row[1], _together)


def _together(rest: list[_Row]) -> _Row:
    return f"{len(rest)} others", sum(size for _, size in rest)
