"""``archdsl measure``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from archdsl.cli.common import (
    Asked,
    SpecCommand,
    plotting,
    reporting,
    shape_options,
    spec_options,
)
from archdsl.cli.measured import (
    Progress,
    graph_of,
    path_of,
    places,
    ready,
    running,
    show,
    trial_options,
)

F = TypeVar("F", bound=Callable[..., None])
_BATCH = 4  # of training, where norms of batches need several


def _samples(count: int) -> Callable[[F], F]:
    return click.option(
        "--samples", default=count, show_default=True, type=click.IntRange(min=1),
        metavar="N", help="How many draws of inputs, and random weights, to average.",
    )  # fmt: skip


_PLOT = click.option("--plot", metavar="FILE.svg|png", help="Draw it, too.")
_INPUT = click.option(
    "--input", "sample", metavar="FILE.png|npy",
    help="The first input: a picture, or an array; random numbers by default.",
)  # fmt: skip


@click.group("measure")
def command() -> None:
    """Measure what only a run can tell. Imports torch.

    The weights are random, or those of --weights.
    """


@command.command(
    "effective-field",
    cls=SpecCommand,
    short_help="what of the input an output depends on",
)
@spec_options
@trial_options
@_samples(16)
@_INPUT
@click.option("--at", multiple=True, metavar="AXIS=I,…",
              help="The position of the output; its centre by default.")  # fmt: skip
@shape_options
@_PLOT
def effective_field(
    asked: Asked,
    color: str,
    form: str,
    device: str,
    batch: int | None,
    seed: int,
    weights: str | None,
    samples: int,
    sample: str | None,
    at: tuple[str, ...],
    shape: str,
    plot: str | None,
) -> None:
    """What of the input an output position really depends on (Luo et al. 2016).

    The gradient of the first output, or of the last map before it (--outputs names
    another value), to the input. Its static estimate stands beside it.
    """
    place = places(at, "--at")
    ready(plot)
    with reporting(color, form), running():
        graph = graph_of(asked, batch)
        from archdsl.backends.torch.measure.trial import Trial

        trial = Trial(graph, device, seed, path_of(weights), path_of(sample))
        from archdsl.backends.torch.measure import effective_field, tables

        found = effective_field.measure(trial, samples, place, Progress())
    if plot:
        with plotting(plot) as path:
            from archdsl.backends.plot import effective_field as picture

            picture.draw(found, path)
    show(found, (tables.of_field(found),), shape)


@command.command(
    "attention", cls=SpecCommand, short_help="how far and where each head attends"
)
@spec_options
@trial_options
@_samples(1)
@_INPUT
@click.option("--query", multiple=True, metavar="AXIS=I,…",
              help="Whose attention the maps show, by its place in the input; the class"
              " token's, or the middle's, by default.")  # fmt: skip
@shape_options
@click.option("--plot", metavar="FILE.svg|png",
              help="Draw the mean distance of every head, too.")  # fmt: skip
@click.option("--maps", metavar="FILE.svg|png", help="Draw maps of attention, too.")
def attention(
    asked: Asked,
    color: str,
    form: str,
    device: str,
    batch: int | None,
    seed: int,
    weights: str | None,
    samples: int,
    sample: str | None,
    query: tuple[str, ...],
    shape: str,
    plot: str | None,
    maps: str | None,
) -> None:
    """How far and where each head attends (Dosovitskiy et al. 2021, figure 7)."""
    place = places(query, "--query")
    ready(plot, maps)
    with reporting(color, form), running():
        graph = graph_of(asked, batch)
        from archdsl.backends.torch.measure.trial import Trial

        trial = Trial(graph, device, seed, path_of(weights), path_of(sample))
        from archdsl.backends.torch.measure import attention, tables

        found = attention.measure(trial, samples, place, Progress())
    for file, kind in ((plot, "distances"), (maps, "maps")):
        if file:
            with plotting(file) as path:
                from archdsl.backends.plot import attention as picture

                getattr(picture, kind)(found, path)
    show(found, (tables.of_attention(found),), shape)


@command.command(
    "gradients", cls=SpecCommand, short_help="where gradients vanish or explode"
)
@spec_options
@trial_options
@_samples(4)
@shape_options
@_PLOT
def gradients(
    asked: Asked,
    color: str,
    form: str,
    device: str,
    batch: int | None,
    seed: int,
    weights: str | None,
    samples: int,
    shape: str,
    plot: str | None,
) -> None:
    """How large the gradient of each layer is: where it vanishes, where it explodes.

    A random gradient of norm 1 is sent back from the outputs, in training; 4 inputs at
    once by default.
    """
    ready(plot)
    with reporting(color, form), running():
        graph = graph_of(asked, batch, _BATCH)
        from archdsl.backends.torch.measure.trial import Trial

        trial = Trial(graph, device, seed, path_of(weights))
        from archdsl.backends.torch.measure import gradients, tables

        found = gradients.measure(trial, samples, Progress())
    if plot:
        with plotting(plot) as path:
            from archdsl.backends.plot import gradients as picture

            picture.draw(found, path)
    show(found, (tables.of_gradients(found),), shape)
