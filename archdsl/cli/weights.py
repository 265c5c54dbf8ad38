"""``archdsl weights``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from archdsl.build.opening import Opened
from archdsl.cli.common import (
    Asked,
    SpecCommand,
    reporting,
    shape_options,
    spec_options,
)
from archdsl.cli.tabular import written

if TYPE_CHECKING:
    from archdsl.analysis.weights.expansion import Expanded
    from archdsl.analysis.weights.report import WeightsReport
    from archdsl.ir.graph import Graph

F = TypeVar("F", bound=Callable[..., None])


@click.group("weights")
def command() -> None:
    """Checkpoints: how their keys map to a model's, and checkpoints of its own keys."""


def _layout_option(function: F) -> F:
    option = click.option(
        "--checkpoint", "layout", metavar="NAME",
        help="The layout of the keys: a `checkpoint` of the spec, or archdsl for the"
        " model's own; the first that fits, if none is named.",
    )  # fmt: skip
    return option(function)


@command.command("show", cls=SpecCommand)
@spec_options
@click.argument("file", metavar="[CKPT]", required=False)
@_layout_option
@shape_options
def show(
    asked: Asked,
    file: str | None,
    layout: str | None,
    shape: str,
    color: str,
    form: str,
) -> None:
    """Show how the keys of a checkpoint map to those of a model.

    CKPT is a file (safetensors, or one of torch.save), the index of several, a folder,
    or owner/name on the Hub. Of safetensors only the header is read. Without CKPT, the
    layouts that the spec declares are shown over the model's keys. Exits with 1 if the
    checkpoint does not fit.
    """
    with reporting(color, form), _refusing():
        graph, found = asked.graph()
        made = _layouts(found, graph, layout, file)
        if file is None:
            from archdsl.analysis.weights.report import of_layout

            reports = [of_layout(each) for each in made]
        else:
            reports = [_of_file(made, file)]
    _echo(reports, shape)
    if any(report.fits is False for report in reports):
        raise click.exceptions.Exit(1)


def _layouts(
    found: Opened, graph: Graph, layout: str | None, file: str | None
) -> list[Expanded]:
    """The layouts to show: those declared if there is no file."""
    from archdsl.analysis.weights.fitting import written_out

    made = list(written_out(found.program, graph, layout))
    return made[1:] if file is None and layout is None and len(made) > 1 else made


def _of_file(made: list[Expanded], file: str) -> WeightsReport:
    from archdsl.analysis.weights.fitting import nearest
    from archdsl.analysis.weights.report import of_plan
    from archdsl.backends.torch.checkpoints import keys, resolve

    plan = nearest(made, keys(resolve(file)))
    chosen = next(each for each in made if each.layout == plan.layout)
    return of_plan(chosen, plan)


def _echo(reports: list[WeightsReport], shape: str) -> None:
    if shape == "json":
        lines = ",\n".join(report.model_dump_json(indent=1) for report in reports)
        click.echo(lines if len(reports) == 1 else f"[\n{lines}\n]")
        return
    tables = [table for report in reports for table in report.tables()]
    click.echo(written(tables, shape))


@command.command("convert", cls=SpecCommand)
@spec_options
@click.argument("file", metavar="CKPT")
@click.option("-o", "--output", required=True, metavar="OUT.safetensors",
              help="The file to write, whole or not at all.")  # fmt: skip
@_layout_option
def convert(
    asked: Asked, file: str, output: str, layout: str | None, color: str, form: str
) -> None:
    """Write a checkpoint in the keys of the compiled model.

    What `archdsl compile` writes loads it by itself. The types of numbers stay as they
    are, and the file carries the text of the spec, so that it knows its architecture.
    """
    if Path(output).suffix != ".safetensors":
        raise click.UsageError(f"{output}: what is written ends in .safetensors")
    with reporting(color, form), _refusing():
        graph, found = asked.graph()
        from archdsl.backends.torch.checkpoints.convert import convert as write

        used = write(found.program, graph, file, Path(output), layout, asked.given())
    click.echo(f"{output}: {graph.name}, from {used}")


@contextmanager
def _refusing() -> Iterator[None]:
    """What is wrong with a file is an error of the command, in a line or a list."""
    from archdsl.analysis.weights.fitting import Misfitting
    from archdsl.diagnostics import SpecError

    try:
        yield
    except SpecError:
        raise
    except Misfitting as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(1) from None
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        what = "this needs torch and safetensors: pip install 'archdsl[torch]'"
        raise click.UsageError(what) from None
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
