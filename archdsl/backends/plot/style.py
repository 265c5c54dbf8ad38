"""How plots look: sizes of a two-column paper, colours that survive greyscale."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archdsl.backends.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#14365c", "#c1502e", "#4aa3a2", "#e8b04a", "#9a8fb8", "#8c8c8c")
"""From dark to light, so that a print without colour keeps them apart."""
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
HATCHES = ("", "////", "....", "xxxx", "----", "oo")

_WIDTHS = {"column": 3.3, "page": 6.9}  # inches
_SETTINGS = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "grid.linewidth": 0.4,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "savefig.dpi": 300,
    "svg.hashsalt": "archdsl",  # ids do not differ from run to run
    "font.family": "DejaVu Sans",  # comes with matplotlib
}


@contextmanager
def figure(
    width: Literal["column", "page"] = "column",
    height: float = 2.2,
    rows: int = 1,
    columns: int = 1,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure as wide as a column or a page, `height` inches tall, and its axes.

    What is drawn and saved inside of the ``with`` has the style; plots of others that
    run in the same process keep theirs.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_SETTINGS):  # type: ignore[arg-type]
        made = Figure(figsize=(_WIDTHS[width], height), layout="constrained")
        FigureCanvasAgg(made)
        axes = made.subplots(rows, columns, squeeze=False)
        yield made, list(axes.flat)


def save(made: Figure, path: Path) -> None:
    """Writes an SVG or PNG file, by its ending: whole or not at all, each time alike.

    Raises:
        OSError: The file cannot be written.
    """
    out = io.BytesIO()
    kind = path.suffix.lower()[1:]
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    made.savefig(out, format=kind, metadata=metadata)
    write_bytes(path, out.getvalue())
