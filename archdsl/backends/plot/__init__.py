"""Plots of reports and measurements: SVG and PNG, by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from archdsl.analysis.report import Report

Plot = Callable[[Report, int, Path], None]


def draw(report: Report, shown: Sequence[str], depth: int, path: Path) -> None:
    """Draws what a report shows: the first section that has a plot, else its costs.

    Args:
        report: What to draw.
        shown: As for `archdsl.analysis.present.as_text`.
        depth: How many names of a path make a row; 0 for every op.
        path: A name that ends in .svg or .png.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
        ValueError: There is nothing to draw: a figure is a formula.
    """
    from archdsl.backends.plot import costs, fields, memory, paths, roofline

    plots: Mapping[str, Plot] = {
        "receptive_field": fields.draw,
        "memory": memory.draw,
        "roofline": roofline.draw,
        "paths": paths.draw,
    }
    chosen = next((plots[key] for key in shown if key in plots), costs.draw)
    chosen(report, depth, path)
