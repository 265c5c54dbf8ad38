"""``archdsl draw``."""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.cli.common import Asked, SpecCommand, reporting, spec_options
from archdsl.diagnostics import SpecError


@click.command("draw", cls=SpecCommand)
@spec_options
@click.option(
    "-o",
    "--output",
    metavar="PICTURE",
    help="The file to write: .dot, .svg, .png or .pdf; MODEL.svg by default.",
)
def command(
    asked: Asked,
    color: str,
    form: str,
    output: str | None,
) -> None:
    """Draw a model: blocks as clusters, repeats folded, shapes on the edges."""
    from archdsl.backends.graphviz import DrawingError, draw

    with reporting(color, form):
        graph, _ = asked.graph()
        path = Path(output or f"{graph.name}.svg")
        try:
            draw(graph, path)
        except SpecError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise click.UsageError(f"cannot write {path}: {reason}") from None
        except (ValueError, DrawingError) as error:
            raise click.UsageError(str(error)) from None
    click.echo(str(path))
