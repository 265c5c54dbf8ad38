"""The norm of each layer's gradient, from the first layer to the last."""

from __future__ import annotations

from pathlib import Path

from archdsl.backends.plot.style import DASHES, MARKERS, PALETTE, figure, save
from archdsl.backends.torch.measure.gradients import FAR, GradientFindings


def draw(found: GradientFindings, path: Path) -> None:
    """Draws the gradients to outputs and weights over the layers, in powers of ten.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
        ValueError: No gradient is larger than 0.
    """
    lines = {
        "to the layer's output": [layer.output for layer in found.layers],
        "to its weights": [layer.weight for layer in found.layers],
    }
    if not any(value for values in lines.values() for value in values):
        raise ValueError("no gradient is larger than 0: there is nothing to draw")
    from matplotlib.ticker import MaxNLocator

    with figure("column", 2.4) as (made, (axes,)):
        for i, (name, values) in enumerate(lines.items()):
            pairs = [(n, v) for n, v in enumerate(values) if v]
            axes.plot(*zip(*pairs, strict=True), color=PALETTE[2 * i], label=name,
                      marker=MARKERS[i], linestyle=DASHES[i], markersize=2.5,
                      linewidth=0.8)  # fmt: skip
        axes.set_yscale("log")
        last = next(v for v in reversed(lines["to the layer's output"]) if v)
        low, high = axes.get_ylim()
        for edge, name in ((last / FAR, "1/1000"), (last * FAR, "1000 times")):
            if low < edge < high:
                axes.axhline(edge, color=PALETTE[1], linestyle=DASHES[3], linewidth=0.8,
                             label=f"{name} of the last")  # fmt: skip
        axes.set_ylim(min(low, last / 30), max(high, last * 30))
        axes.set_xlabel("layer, from the input to the output")
        axes.set_ylabel("norm of the gradient")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        made.legend(loc="outside upper center", ncols=2)
        save(made, path)
