"""``archdsl check``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from archdsl.analysis.check import check
from archdsl.analysis.lints.allow import selected
from archdsl.cli.common import (
    SpecCommand,
    color_option,
    format_option,
    opened,
    show,
    stdin_option,
)
from archdsl.diagnostics import Diagnostic


@click.command("check", cls=SpecCommand)
@click.argument("specs", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--allow", "allows", multiple=True, metavar="CODE,…",
    help="Leave out a warning, such as W101, or W1 for all that begin so, or all.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@stdin_option
@color_option
@format_option
def command(
    specs: tuple[str, ...],
    allows: tuple[str, ...],
    strict: bool,
    stdin_filename: str,
    color: str,
    form: str,
) -> None:
    """Report every error and warning of each spec, in all of its models.

    Exits with 1 if there is an error. A warning is left out where the spec says so:
    `# allow W101` at the end of its line, or alone on the line above.
    """
    try:
        selected(allows)
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="--allow") from None
    everything: list[Diagnostic] = []
    missing = False
    for spec in specs:
        try:
            found = opened(spec, stdin_filename)
        except click.UsageError as problem:
            problem.show()
            missing = True
            continue
        diagnostics = check(found.program, allows, found.model)
        everything += diagnostics
        if form != "text":
            continue
        show(diagnostics, color)
        if not _wrong(diagnostics, strict=strict):
            models = ", ".join(found.program.models)
            click.echo(f"{spec}: fine ({models or 'blocks only'})")
    if form != "text":
        show(everything, color, form)
    if missing or _wrong(everything, strict=strict):
        raise click.exceptions.Exit(2 if missing else 1)


def _wrong(diagnostics: Sequence[Diagnostic], *, strict: bool) -> bool:
    return any(strict or d.severity == "error" for d in diagnostics)
