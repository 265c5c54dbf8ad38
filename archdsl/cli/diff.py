"""``archdsl diff``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from archdsl.cli.common import (
    SpecCommand,
    color_option,
    colored,
    format_option,
    reporting,
    shape_options,
    stdin_option,
)
from archdsl.cli.several import WRITTEN, named, set_option, size_option
from archdsl.cli.tabular import written

_NARROWEST, _WIDTH, _WIDEST = 60, 100, 160  # columns


@click.command("diff", cls=SpecCommand)
@click.argument("before", metavar=WRITTEN)
@click.argument("after", metavar=WRITTEN)
@set_option
@size_option
@click.option("--beside", type=click.Path(exists=True, file_okay=False, path_type=Path),
              metavar="FOLDER", help="Where `use` looks first, for copies of specs"
              " that lie elsewhere (git difftool).")  # fmt: skip
@shape_options
@stdin_option
@color_option
@format_option
def command(
    before: str,
    after: str,
    settings: tuple[str, ...],
    sizes: tuple[str, ...],
    beside: Path | None,
    shape: str,
    stdin_filename: str,
    color: str,
    form: str,
) -> None:
    """Show what differs between two models, or two versions of one.

    Hyperparameters, inputs and outputs, layers, shapes, names of weights, and costs.
    As of diff(1), the exit code is 0 if nothing differs, 1 if something does, and 2 if
    a spec has errors.
    """
    from archdsl.analysis.diff.report import diff
    from archdsl.analysis.diff.text import flat, tables, text

    with reporting(color, form, code=2):
        pair = named((before, after), settings, sizes, stdin_filename, beside)
        report = diff(*pair)
    if shape == "json":
        click.echo(report.model_dump_json(indent=1))
    elif shape == "csv":
        click.echo(written([flat(report)], shape))
    elif shape == "markdown" and not report.same:
        click.echo(written(tables(report), shape))
    elif not report.same:
        shown = text(report, color=colored(color, sys.stdout), width=_width())
        click.echo(shown, color=True)
    raise click.exceptions.Exit(0 if report.same else 1)


def _width() -> int:
    """The columns of the terminal, if it is one, as many as people read."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    return max(_NARROWEST, min(columns, _WIDEST))
