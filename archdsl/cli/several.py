"""What commands on several models share: naming, setting and reading them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archdsl.build.operands import operand
from archdsl.cli.common import STDIN, opened, settings_of, sizes_of
from archdsl.diagnostics import SpecError

if TYPE_CHECKING:
    from archdsl.analysis.candidates import Candidate, Named

WRITTEN = "FILE[:MODEL][(NAME = VALUE, AXIS = N)]"
set_option = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE",
    help="Override a hyperparameter of all models that have it.",
)  # fmt: skip
size_option = click.option(
    "--size", "sizes", multiple=True, metavar="AXIS=N,…",
    help="Override input axes of all models that have them.",
)  # fmt: skip


def named(
    specs: Sequence[str],
    settings: tuple[str, ...],
    sizes: tuple[str, ...],
    stdin_filename: str,
    beside: Path | None = None,
) -> tuple[Named, ...]:
    """The models that a command line names, elaborated.

    Raises:
        SpecError: A spec has errors.
        UsageError: A file is not there, or a setting is for none.
    """
    from archdsl.analysis.candidates import elaborated

    if (
        sum(spec.partition(":")[0].partition("(")[0] in ("-", STDIN) for spec in specs)
        > 1
    ):
        raise click.UsageError("standard input (-) can be read once only")
    candidates = [_candidate(spec, stdin_filename, beside) for spec in specs]
    try:
        return elaborated(candidates, settings_of(settings), sizes_of(sizes))
    except SpecError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _candidate(spec: str, stdin_filename: str, beside: Path | None) -> Candidate:
    from archdsl.analysis.candidates import Candidate

    try:
        asked = operand(spec)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    found = opened(asked.spec, stdin_filename, beside)
    file = asked.spec.removesuffix(f":{found.model}") if found.model else asked.spec
    return Candidate(asked, found.program, file, found.model)
