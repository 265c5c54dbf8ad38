"""``archdsl check``."""

from __future__ import annotations

import click

from archdsl.analysis.lint import check
from archdsl.cli.common import SpecCommand, color_option, opened, show, stdin_option


@click.command("check", cls=SpecCommand)
@click.argument("specs", nargs=-1, required=True, metavar="FILE…")
@stdin_option
@color_option
def command(specs: tuple[str, ...], stdin_filename: str, color: str) -> None:
    """Report every error and warning of each spec, in all of its models.

    Exits with 1 if there is an error.
    """
    wrong = False
    for spec in specs:
        found = opened(spec, stdin_filename)
        diagnostics = check(found.program)
        if diagnostics:
            show(diagnostics, color)
        if any(d.severity == "error" for d in diagnostics):
            wrong = True
        else:
            models = ", ".join(found.program.models)
            click.echo(f"{spec}: fine ({models or 'blocks only'})")
    if wrong:
        raise click.exceptions.Exit(1)
