"""``archdsl profile``."""

from __future__ import annotations

import click

from archdsl.cli.common import (
    Asked,
    SpecCommand,
    reporting,
    shape_options,
    spec_options,
)
from archdsl.cli.measured import (
    Progress,
    graph_of,
    path_of,
    running,
    show,
    trial_options,
)


@click.command("profile", cls=SpecCommand)
@spec_options
@trial_options
@click.option("--runs", default=20, show_default=True, type=click.IntRange(min=1),
              help="How many runs the medians are of.")  # fmt: skip
@click.option("--warm-up", default=3, show_default=True, type=click.IntRange(min=0),
              help="How many runs are thrown away before.")  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="How many threads a CPU may use.")  # fmt: skip
@click.option("--backward", is_flag=True, help="Time the backward pass, too.")
@click.option("--depth", default=2, show_default=True, type=click.IntRange(min=0),
              help="How many names of a path make a row; 0 for all.")  # fmt: skip
@shape_options
def command(
    asked: Asked,
    color: str,
    form: str,
    device: str,
    batch: int | None,
    seed: int,
    weights: str | None,
    runs: int,
    warm_up: int,
    threads: int | None,
    backward: bool,
    depth: int,
    shape: str,
) -> None:
    """Measure how long each layer of a model takes. Imports torch.

    A layer is a module of the compiled model; functions in between belong to the module
    that calls them. The whole model is timed by itself, first.
    """
    with reporting(color, form), running():
        graph = graph_of(asked, batch)
        from archdsl.backends.torch.measure.trial import Trial

        trial = Trial(graph, device, seed, path_of(weights))
        from archdsl.backends.torch.measure import latency, tables

        found = latency.measure(
            trial, runs, warm_up, threads, backward=backward, turns=Progress()
        )
    show(found, (tables.of_whole(found), tables.of_profile(found, depth)), shape)
