"""Where each layer stands under the roof of a device."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.analysis.memory.result import LayerTime, Roofline
from archdsl.analysis.report import Report
from archdsl.analysis.tables import unit
from archdsl.backends.plot.style import MARKERS, PALETTE, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LARGEST = 60.0  # square points of the layer that takes longest


def draw(report: Report, depth: int, path: Path) -> None:
    """Layers by FLOPs a byte and the FLOP/s that they can reach; area is their time.

    See Williams, Waterman & Patterson 2009, figure 1. `depth` has no effect: it is ops
    that a roof bounds.
    """
    part = report.roofline
    assert part is not None
    with figure("column", 2.7) as (made, (axes,)):
        _roof(axes, part)
        longest = max(layer.seconds for layer in part.layers)
        for i, (kind, found) in enumerate(_kinds(part).items()):
            axes.scatter(
                [layer.flops / layer.bytes for layer in found],
                [layer.flops / layer.seconds for layer in found],
                s=[3 + _LARGEST * layer.seconds / longest for layer in found],
                marker=MARKERS[i],
                color=PALETTE[i],
                edgecolors="white",
                linewidths=0.3,
                label=kind,
                zorder=2 + i,
            )
        axes.set(xscale="log", yscale="log", xlabel="FLOPs per byte moved")
        axes.set_ylabel("FLOP/s, at most")
        title = (
            f"{report.model}, {part.precision}: at least {part.seconds * 1e3:.3g} ms"
        )
        axes.set_title(f"{title}\non {part.device}")
        axes.grid(visible=True)
        handles = made.legend(loc="outside lower center", ncols=3).legend_handles
        for handle in handles:
            handle.set_sizes([12])  # type: ignore[union-attr]
        save(made, path)


def _kinds(part: Roofline) -> dict[str, list[LayerTime]]:
    """Layers that compute, by what most of their work is; the rarest as others."""
    found: dict[str, list[LayerTime]] = defaultdict(list)
    for layer in part.layers:
        if layer.flops and layer.seconds:
            found[layer.kind].append(layer)
    ranked = sorted(found, key=lambda kind: -sum(n.seconds for n in found[kind]))
    most = len(MARKERS)
    if len(ranked) <= most:
        return {kind: found[kind] for kind in ranked}
    others = [layer for kind in ranked[most - 1 :] for layer in found[kind]]
    return {**{kind: found[kind] for kind in ranked[: most - 1]}, "others": others}


def _roof(axes: Axes, part: Roofline) -> None:
    found = [n.flops / n.bytes for n in part.layers if n.flops and n.bytes]
    ridge = part.matmul_peak / part.bandwidth
    low, high = min([*found, ridge]) / 2, max([*found, ridge]) * 3
    same = part.matmul_peak == part.vector_peak
    roofs = [("peak" if same else "matmul", part.matmul_peak, "-", 2, "bottom")]
    if not same:
        roofs.append(("all else", part.vector_peak, "--", -2, "top"))
    for name, peak, dash, apart, side in roofs:
        axes.plot(
            [low, peak / part.bandwidth, high], [low * part.bandwidth, peak, peak],
            color="#555555", linewidth=0.9, linestyle=dash, zorder=1,
        )  # fmt: skip
        axes.annotate(
            f"{name}: {unit(peak)}FLOP/s", (high, peak), (0, apart),
            textcoords="offset points", ha="right", va=side, fontsize=7,
        )  # fmt: skip
