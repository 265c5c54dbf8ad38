"""``archdsl verify``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from archdsl.cli.common import (
    Asked,
    SpecCommand,
    reporting,
    shape_options,
    spec_options,
)

if TYPE_CHECKING:
    from archdsl.analysis.verification import Verification


@click.command("verify", cls=SpecCommand)
@spec_options
@click.option("--only", multiple=True, metavar="CHECK,…",
              help="Of: shapes, params, flops, forward, spread, receptive-field,"
              " memory.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="Of weights, inputs, and sizes that are drawn.")  # fmt: skip
@click.option("--draws", default=3, show_default=True, type=click.IntRange(min=1),
              help="At how many sizes a model runs that leaves some open.")  # fmt: skip
@click.option("--full", is_flag=True, help="Run large models and layers, too.")
@shape_options
def command(
    asked: Asked,
    color: str,
    form: str,
    only: tuple[str, ...],
    seed: int,
    draws: int,
    full: bool,
    shape: str,
) -> None:
    """Run the compiled model and compare it with what is said of it.

    Needs torch. Exits with 1 if any figure differs. What is too large to run in
    float64 is left out, and said so; shapes, params and FLOPs need no memory.
    """
    _need_torch()
    from archdsl.backends.torch.verify import Options, Unverifiable, verify

    names = [n.strip() for n in ",".join(only).split(",") if n.strip()]
    try:
        options = Options(names, seed, full, draws, _said if _seen() else _silent)
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="--only") from None
    try:
        with reporting(color, form):
            graph, _ = asked.graph()
            found = verify(graph, lambda sizes: asked.graph(sizes)[0], options)
    except Unverifiable as problem:
        raise click.UsageError(str(problem)) from None
    finally:
        options.progress("")
    click.echo(_shown(found, shape), nl=shape != "csv")
    if not found.ok:
        raise click.exceptions.Exit(1)


def _shown(found: Verification, shape: str) -> str:
    """A verification as it was asked for."""
    from archdsl.analysis import tables, verification

    if shape == "json":
        return found.model_dump_json(indent=1)
    if shape == "csv":
        return tables.csv([verification.whole(found)])
    if shape == "markdown":
        return tables.markdown(verification.tables(found))
    return "\n\n".join(map(tables.text, verification.tables(found)))


def _need_torch() -> None:
    """Says what is missing where torch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError:
        what = "verify runs the compiled model, and torch is not installed"
        raise click.UsageError(f"{what}: pip install 'archdsl[torch]'") from None


def _seen() -> bool:
    """Whether somebody watches."""
    return sys.stderr.isatty() and sys.stdout.isatty()


def _said(words: str) -> None:
    """One line that the next one overwrites, and that nothing is left of."""
    click.echo(f"\r\033[K{words + ' …' if words else ''}", nl=False, err=True)


def _silent(words: str) -> None:
    """Says nothing."""
