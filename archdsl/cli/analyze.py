"""``archdsl analyze``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import click
from click.core import ParameterSource

from archdsl.analysis.memory.devices import DEVICES
from archdsl.analysis.memory.names import (
    OPTIMIZERS,
    PRECISIONS,
    Optimizer,
    Precision,
)
from archdsl.analysis.sections import SECTIONS, Options
from archdsl.cli.common import (
    Asked,
    SpecCommand,
    places,
    plotting,
    reporting,
    shape_options,
    spec_options,
)

F = TypeVar("F", bound=Callable[..., None])


def _section_options(function: F) -> F:
    for section in reversed(SECTIONS):
        option = click.option(section.option, section.key, is_flag=True,
                              help=section.help)  # fmt: skip
        function = option(function)
    return function


# What has an effect on some sections alone: on which, by the options that ask for them.
_OF_SECTIONS = {
    "optimizer": {"memory": "--memory"},
    "precision": {"memory": "--memory", "roofline": "--device"},
    "fused": {"roofline": "--device"},
}
_PLOTS = {
    "receptive_field": "--receptive-field",
    "memory": "--memory",
    "roofline": "--device",
    "paths": "--paths",
    "params": "--params",
    "flops": "--flops",
}


def _check_effects(shown: Collection[str]) -> None:
    """Refuses options that would do nothing, for lack of what they act on.

    Raises:
        UsageError: There is one.
    """
    source = click.get_current_context().get_parameter_source
    for name, sections in _OF_SECTIONS.items():
        given = source(name) is ParameterSource.COMMANDLINE
        if given and sections.keys().isdisjoint(shown):
            asks = " or ".join(sections.values())
            raise click.UsageError(f"--{name} has no effect without {asks}")


def _check_plot(shown: Sequence[str], shape: str) -> None:
    """Refuses to draw more than a plot can show.

    Raises:
        UsageError: It is more.
    """
    if shape != "text":
        raise click.UsageError(f"--plot and --{shape} are two forms: ask for one")
    asked = [_PLOTS[key] for key in shown if key in _PLOTS]
    of_costs = {"--params", "--flops"}
    if len(asked) > 1 and not of_costs.issuperset(asked):
        raise click.UsageError(f"a plot shows one of {', '.join(asked)}: ask for one")


@click.command("analyze", cls=SpecCommand)
@spec_options
@click.option("--params", is_flag=True, help="Show parameters and buffers.")
@click.option("--flops", is_flag=True, help="Show MACs and FLOPs, itemised by kind.")
@_section_options
@click.option("--at", multiple=True, metavar="AXIS=I,…",
              help="With --receptive-field: what this position sees.")  # fmt: skip
@click.option("--optimizer", default="adam", show_default=True,
              type=click.Choice(list(OPTIMIZERS)),
              help="With --memory: what trains the model.")  # fmt: skip
@click.option("--precision", default="fp32", show_default=True,
              type=click.Choice(list(PRECISIONS)),
              help="With --memory, --device: of numbers; 16 bits train mixed, with "
                   "copies in fp32.")  # fmt: skip
@click.option("--device", type=click.Choice(list(DEVICES)),
              help="Show the least time of each layer on this device.")  # fmt: skip
@click.option("--fused", is_flag=True,
              help="With --device: element-wise ops move nothing.")  # fmt: skip
@click.option("--depth", default=2, show_default=True, type=click.IntRange(min=0),
              help="How many names of a path make a row; 0 for every op.")  # fmt: skip
@shape_options
@click.option("--plot", metavar="FILE.svg|png", help="Draw what is shown instead.")
@click.option("--ir", is_flag=True, help="The graph as text.")
def command(
    asked: Asked,
    color: str,
    form: str,
    at: tuple[str, ...],
    optimizer: Optimizer,
    precision: Precision,
    device: str | None,
    fused: bool,
    depth: int,
    shape: str,
    plot: str | None,
    ir: bool,
    **flags: bool,
) -> None:
    """Say what a model holds and costs, without running it.

    Costs are for a batch of one; --size B=8 makes it eight. One MAC is one multiply and
    one add; FLOPs are two a MAC and all other arithmetic.
    """
    flags["roofline"] |= device is not None
    flags["closed_forms"] |= flags["flops"]
    place = places(at)
    flags["receptive_field"] |= bool(place)
    shown = [key for key, on in flags.items() if on]
    _check_effects(shown)
    if plot:
        _check_plot(shown, shape)
    options = Options(
        at=place,
        optimizer=optimizer,
        precision=precision,
        device=device or "h100",
        fused=fused,
    )
    with reporting(color, form):
        graph, _ = asked.graph()
        if ir:
            from archdsl.ir.text import text

            click.echo(text(graph), nl=False)
            return
        from archdsl.analysis.report import as_json, report

        found = report(graph, shown, options)
    if plot:
        with plotting(plot) as path:
            from archdsl.backends.plot import draw

            draw(found, shown, depth, path)
        click.echo(str(path))
        return
    if shape == "json":
        click.echo(as_json(found))
        return
    from archdsl.analysis import present, tables

    shown = shown or list(present.BASE)
    if shape == "csv":
        click.echo(tables.csv(present.as_tables(found, shown, depth)), nl=False)
    elif shape == "markdown":
        click.echo(present.as_markdown(found, shown, depth))
    else:
        click.echo(present.as_text(found, shown, depth))
