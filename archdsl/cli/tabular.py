"""What commands that print tables share: as text, CSV or Markdown, or all as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from archdsl.analysis.tables import Table


def table_options(function: Callable[..., None]) -> Callable[..., None]:
    """``--json``, ``--csv`` and ``--markdown``; the command gets one word, `shape`.

    Raises:
        UsageError: Two of them are given.
    """

    @wraps(function)
    def command(**given: object) -> None:
        chosen = [word for word in _HELP if given.pop(f"as_{word}")]
        if len(chosen) > 1:
            both = " and ".join(f"--{word}" for word in chosen)
            raise click.UsageError(f"{both} do not go together")
        function(**given, shape="".join(chosen) or "text")

    for word, words in _HELP.items():
        option = click.option(f"--{word}", f"as_{word}", is_flag=True, help=words)
        command = option(command)
    return command


_HELP = {
    "markdown": "Tables for a page.",
    "csv": "Tables for spreadsheets.",
    "json": "Everything, for programs.",
}


def written(tables: Sequence[Table], shape: str) -> str:
    """Tables as ``text``, ``csv`` or ``markdown``, without a line break at the end."""
    from archdsl.analysis.tables import csv, markdown, text

    if shape == "csv":
        return csv(tables).rstrip("\n")
    if shape == "markdown":
        return markdown(tables).rstrip("\n")
    return "\n\n".join(map(text, tables))
