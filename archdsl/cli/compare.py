"""``archdsl compare``."""

from __future__ import annotations

import click

from archdsl.cli.common import (
    SpecCommand,
    color_option,
    format_option,
    names_of,
    reporting,
    shape_options,
    stdin_option,
)
from archdsl.cli.several import WRITTEN, named, set_option, size_option
from archdsl.cli.tabular import written
from archdsl.diagnostics import SpecError


@click.command("compare", cls=SpecCommand)
@click.argument("specs", nargs=-1, required=True, metavar=f"{WRITTEN} …")
@set_option
@size_option
@click.option("--columns", metavar="FIGURE,…", default="",
              help="The figures of each model, for those that are usual.")  # fmt: skip
@click.option("--stages", metavar="FIGURE,…", default="params,macs", show_default=True,
              help='The figures of each stage; "" for no stages.')  # fmt: skip
@shape_options
@stdin_option
@color_option
@format_option
def command(
    specs: tuple[str, ...],
    settings: tuple[str, ...],
    sizes: tuple[str, ...],
    columns: str,
    stages: str,
    shape: str,
    stdin_filename: str,
    color: str,
    form: str,
) -> None:
    """Show models side by side, their stages aligned by resolution.

    A model may have settings of its own: "swin_t(dim = 128, H = 384, W = 384)".
    """
    from archdsl.analysis.compare import compare, flat, tables

    if len(specs) < 2:
        raise click.UsageError("a comparison takes two models or more")
    with reporting(color, form):
        models = named(specs, settings, sizes, stdin_filename)
        try:
            report = compare(models, names_of(columns), names_of(stages))
        except SpecError:
            raise
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if shape == "json":
        click.echo(report.model_dump_json(indent=1))
        return
    shown = (flat(report),) if shape == "csv" else tables(report)
    click.echo(written(shown, shape))
