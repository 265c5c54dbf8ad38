"""``archdsl sweep``."""

from __future__ import annotations

import click

from archdsl.cli.common import (
    SpecCommand,
    color_option,
    format_option,
    names_of,
    opened,
    plotting,
    reporting,
    shape_options,
    stdin_option,
)
from archdsl.cli.tabular import written
from archdsl.diagnostics import SpecError


@click.command("sweep", cls=SpecCommand)
@click.argument("spec", metavar="FILE[:MODEL]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE,…",
    help="Values of a hyperparameter: dim=64,96 or dim=64..128:32.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="AXIS=N,…",
    help="Sizes of an input axis: H=224,256.",
)
@click.option(
    "--together",
    multiple=True,
    metavar="NAME,NAME…",
    help="Take these names' values side by side, not each with each.",
)
@click.option(
    "--columns",
    default="params,macs,flops",
    show_default=True,
    metavar="FIGURE,…",
    help="The figures of each point.",
)
@click.option(
    "--pareto",
    default="",
    metavar="FIGURE,…",
    help="Mark the front of the least of these; -FIGURE for the most.",
)
@click.option(
    "--where",
    default="",
    metavar="CONDITION",
    help='Keep what fulfils it: "params <= 30e6 and dim % 32 == 0".',
)
@click.option(
    "--sort",
    default="",
    metavar="COLUMN",
    help="Sort by a figure or a setting; -COLUMN for the largest first.",
)
@click.option(
    "--limit",
    default=0,
    type=click.IntRange(min=0),
    metavar="N",
    help="Print no more than the first N points.",
)
@click.option(
    "--plot", metavar="FILE.svg|png", help="Draw the points, and their front, too.",
)  # fmt: skip
@shape_options
@stdin_option
@color_option
@format_option
def command(
    spec: str,
    settings: tuple[str, ...],
    sizes: tuple[str, ...],
    together: tuple[str, ...],
    columns: str,
    pareto: str,
    where: str,
    sort: str,
    limit: int,
    plot: str | None,
    shape: str,
    stdin_filename: str,
    color: str,
    form: str,
) -> None:
    """Price every variant of a grid, without running any.

    Values are separated by commas, FIRST..LAST:STEP is a range with both ends. Points
    that are no valid models are listed with their error.
    """
    from archdsl.analysis.sweep import Grid, View, sweep
    from archdsl.cli.grid import grid_settings, grid_sizes

    grid = Grid(
        grid_settings(settings),
        grid_sizes(sizes),
        tuple(names_of(group) for group in together),
    )
    view = View(names_of(columns), names_of(pareto), where, sort)
    with reporting(color, form):
        found = opened(spec, stdin_filename)
        try:
            report = sweep(found.program, found.model, grid, view)
        except SpecError:
            raise
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if plot:
        from archdsl.backends.plot.sweep import draw

        with plotting(plot) as path:
            draw(report, path)
    if shape == "json":
        click.echo(report.model_dump_json(indent=1))
    else:
        from archdsl.analysis.sweep_tables import flat, tables

        shown = (flat(report),) if shape == "csv" else tables(report, limit)
        click.echo(written(shown, shape))
    if report.failed and not report.points and not report.left_out:
        raise click.exceptions.Exit(1)
