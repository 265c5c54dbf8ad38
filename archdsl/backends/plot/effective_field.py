"""The effective field as a heat map with its profiles (Luo et al. 2016, figure 1)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.backends.plot.style import DASHES, PALETTE, figure, save
from archdsl.backends.torch.measure.effective_field import AxisField, EffectiveField

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(found: EffectiveField, path: Path) -> None:
    """Draws a map if there are two axes or more, and the profile of each of them.

    Of more than two axes the last two are on the map, the others added up.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    shown = found.axes[-2:]
    if len(shown) == 1:
        with figure("column", 2.0) as (made, (axes,)):
            _profile(axes, shown[0])
            made.legend(loc="outside lower center", ncols=3)
            save(made, path)
        return
    with figure("page", 2.5, columns=3) as (made, (image, first, second)):
        _map(image, found)
        for axes, axis in zip((first, second), shown, strict=True):
            _profile(axes, axis)
        second.set_ylabel("")
        handles, names = first.get_legend_handles_labels()
        made.legend(handles, names, loc="outside lower right", ncols=len(names))
        save(made, path)


def _map(axes: Axes, found: EffectiveField) -> None:
    """The impact of each position, dark where it is large."""
    rows, columns = found.axes[-2:]
    size = rows.size * columns.size
    layers = [found.impact[i : i + size] for i in range(0, len(found.impact), size)]
    whole = [math.fsum(cells) for cells in zip(*layers, strict=True)]
    most = max(whole)
    # The root makes what is faint visible; the scale says so.
    picture = [
        [
            math.sqrt(max(0.0, cell) / most)
            for cell in whole[i * columns.size : (i + 1) * columns.size]
        ]
        for i in range(rows.size)
    ]
    seen = axes.imshow(picture, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    made = axes.get_figure()
    assert made is not None
    bar = made.colorbar(seen, ax=axes, shrink=0.75, ticks=[0, 0.5, 1])
    bar.set_ticklabels(["0", "25 %", "100 %"])
    bar.outline.set_linewidth(0.4)
    _frames(axes, rows, columns)
    axes.set_xlabel(columns.axis)
    axes.set_ylabel(rows.axis)
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.set_title("impact; ring: 2 std")


def _frames(axes: Axes, rows: AxisField, columns: AxisField) -> None:
    """The theoretical field as a box, two standard deviations as an ellipse."""
    from matplotlib.patches import Ellipse, Rectangle

    if rows.first is not None and columns.first is not None:
        assert rows.last is not None and columns.last is not None
        corner = columns.first - 0.5, rows.first - 0.5
        width = columns.last - columns.first + 1
        height = rows.last - rows.first + 1
        box = Rectangle(corner, width, height, fill=False)
        box.set(edgecolor=PALETTE[1], linewidth=1.2, linestyle=DASHES[1], clip_on=False)
        axes.add_patch(box)
    ring = Ellipse((columns.mean, rows.mean), 4 * columns.std, 4 * rows.std, fill=False)
    ring.set(edgecolor=PALETTE[2], linewidth=1.2)
    axes.add_patch(ring)


def _profile(axes: Axes, axis: AxisField) -> None:
    """The impact along one axis, its Gaussian, and what can reach it."""
    places = range(axis.size)
    most = max(axis.profile)
    axes.fill_between(places, [p / most for p in axis.profile], step="mid",
                      color="#cccccc", linewidth=0, label="measured")  # fmt: skip
    if axis.std > 0:
        bell = _bell(axis, most)
        axes.plot(places, bell, color=PALETTE[2], linestyle=DASHES[0],
                  label="Gaussian of that std")  # fmt: skip
    if axis.first is not None and axis.last is not None:
        for edge in (axis.first - 0.5, axis.last + 0.5):
            name = "theoretical" if edge < axis.first else None
            axes.axvline(edge, color=PALETTE[1], linestyle=DASHES[1], label=name)
    axes.set_xlim(-0.5, axis.size - 0.5)
    axes.set_ylim(0, 1.05)
    axes.set_xlabel(axis.axis)
    axes.set_ylabel("impact / largest")
    axes.set_title(f"along {axis.axis}: std {axis.std:.3g}, R² {axis.fit:.2f}")


def _bell(axis: AxisField, most: float) -> list[float]:
    """The Gaussian that has the moments of a profile, scaled to fit it best."""
    bell = [
        math.exp(-(((i - axis.mean) / axis.std) ** 2) / 2) for i in range(axis.size)
    ]
    scale = math.fsum(b * p for b, p in zip(bell, axis.profile, strict=True))
    scale /= math.fsum(b * b for b in bell) * most
    return [scale * b for b in bell]
