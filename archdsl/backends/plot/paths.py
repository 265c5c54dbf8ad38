"""How many layers lie between positions at a distance."""

from __future__ import annotations

from pathlib import Path

from archdsl.analysis.report import Report
from archdsl.backends.plot.style import DASHES, PALETTE, figure, save


def draw(report: Report, depth: int, path: Path) -> None:
    """The layers until two positions have met, by their distance; axes alike share one.

    `depth` has no effect: it is positions that meet, whatever the blocks are.

    Raises:
        ValueError: A size is open, or no input has positions that meet.
    """
    part = report.paths
    assert part is not None
    lines: dict[tuple[tuple[int | None, ...], tuple[int | None, ...]], list[str]] = {}
    for row in part.inputs:
        name = f"{row.input}.{row.axis}" if len(report.inputs) > 1 else row.axis
        if len(row.first) > 0:
            lines.setdefault((row.first, row.every), []).append(name)
    if not lines:
        open_ = ", ".join(report.symbols)
        mend = f": give sizes for {open_} with --size" if open_ else ""
        raise ValueError(f"no positions of an input are known to meet{mend}")
    from matplotlib.ticker import MaxNLocator

    with figure("column", 2.3) as (made, (axes,)):
        for i, ((first, every), names) in enumerate(lines.items()):
            colour = PALETTE[i % len(PALETTE)]
            for layers, words, dash in (
                (first, "some two", DASHES[1]), (every, "every two", DASHES[0]),
            ):  # fmt: skip
                met = [(d, n) for d, n in enumerate(layers, 1) if n is not None]
                if met:
                    axes.step(
                        *zip(*met, strict=True), where="post", color=colour,
                        linestyle=dash, label=f"{words}, {' and '.join(names)}",
                    )  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="distance in positions of the input")
        axes.set_ylabel("layers until they meet")
        axes.set_title(report.model)
        axes.grid(visible=True)
        made.legend(loc="outside lower center", ncols=2)
        save(made, path)
