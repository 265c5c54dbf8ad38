"""Tables as the options of a command want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archdsl.analysis.tables import Table


def written(tables: Sequence[Table], shape: str) -> str:
    """Tables as ``text``, ``csv`` or ``markdown``, without a line break at the end."""
    from archdsl.analysis.tables import csv, markdown, text

    if shape == "csv":
        return csv(tables).rstrip("\n")
    if shape == "markdown":
        return markdown(tables)
    return "\n\n".join(map(text, tables))
