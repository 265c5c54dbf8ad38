"""How far each head attends, and what it attends to, as ViT's authors draw it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from archdsl.backends.plot.style import MARKERS, PALETTE, figure, save
from archdsl.backends.torch.measure.attention import AttentionFindings, AttentionLayer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = TypeVar("T")

MOST_ROWS, MOST_COLUMNS = 12, 12  # layers and heads of one picture of maps


def distances(found: AttentionFindings, path: Path) -> None:
    """A dot for each head at its layer (Dosovitskiy et al. 2021, figure 7).

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
        ValueError: Nothing is known of where the positions lie.
    """
    known = [
        (number, layer.distances, layer.uniform)
        for number, layer in enumerate(found.layers)
        if layer.distances is not None
    ]
    if not known:
        raise ValueError(
            "no layer's queries and keys have places in an input to measure"
        )
    from matplotlib.ticker import MaxNLocator

    with figure("column", 2.3) as (made, (axes,)):
        for number, far, even in known:
            first = number == known[0][0]
            name = "a head" if first else None
            dots = axes.plot([number] * len(far), far, MARKERS[0], label=name, zorder=3)
            for dot in dots:
                dot.set(color=PALETTE[0], alpha=0.6, markeredgewidth=0)
            assert even is not None
            axes.plot([number - 0.35, number + 0.35], [even, even], color=PALETTE[1],
                      label="even attention" if first else None)  # fmt: skip
        most = max(max(*far, even or 0) for _, far, even in known)
        axes.set_ylim(0, 1.25 * most)
        axes.set_xlim(-0.6, len(found.layers) - 0.4)
        axes.set_xlabel("layer with attention")
        axes.set_ylabel("mean distance, input positions")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        axes.legend(loc="upper left", ncols=2)
        save(made, path)


def maps(found: AttentionFindings, path: Path) -> None:
    """A row for each layer and a column for each head; each map on its own scale.

    Of sequences, each query is on its own scale.
    Of more layers or heads than fit, those in equal steps.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    rows = _some(range(len(found.layers)), MOST_ROWS)
    columns = min(MOST_COLUMNS, max(len(found.layers[i].maps) for i in rows))
    side = min(1.0, 6.4 / columns)
    height = 0.35 + (side + 0.17) * len(rows)
    with figure("page", height, rows=len(rows), columns=columns) as (made, axes):
        for place, number in enumerate(rows):
            line = axes[place * columns : (place + 1) * columns]
            _row(line, found.layers[number])
            line[0].set_ylabel(f"{number}", rotation=0, ha="right", va="center")
        made.set_layout_engine("constrained", w_pad=0.01, h_pad=0.03)
        made.supylabel("layer", fontsize=8)
        made.suptitle(_title(found.layers[rows[0]]), fontsize=8)
        save(made, path)


def _row(row: list[Axes], layer: AttentionLayer) -> None:
    """The maps of one layer."""
    heads = _some(range(len(layer.maps)), len(row))
    for axes, head in zip(row, heads, strict=False):
        rows = layer.maps[head]
        if layer.query is None:
            rows = tuple(_scaled(row) for row in rows)
        axes.imshow(rows, cmap="Greys", vmin=0, interpolation="nearest")
        axes.set_title(f"{head}", fontsize=7, pad=1.5)
    for axes in row:
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_linewidth(0.3)
    for axes in row[len(heads) :]:
        axes.set_axis_off()


def _scaled(row: tuple[float, ...]) -> tuple[float, ...]:
    """A row whose largest weight is 1: who sees many keys gives little to each."""
    most = max(row)
    return tuple(weight / most for weight in row) if most else row


def _title(layer: AttentionLayer) -> str:
    """What is on the maps, in words."""
    if layer.query is None:
        return "attention of each query (down) to each key (across), each row by itself"
    if not layer.query:
        return "attention of the learned token to each place, by head"
    place = ", ".join(f"{axis} = {index:g}" for axis, index in layer.query.items())
    return f"attention of the query next to {place} to each place, by head"


def _some(items: Sequence[T], most: int) -> list[T]:
    """As many as there is room for, in equal steps, the first and the last too."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
