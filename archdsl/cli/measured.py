"""What the commands that run a model share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import click

from archdsl.analysis.tables import Table
from archdsl.cli.common import Asked, plotting
from archdsl.ir.graph import Graph

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


F = TypeVar("F", bound=Callable[..., None])
DEVICES = ("cpu", "cuda", "mps")


def trial_options(function: F) -> F:
    """The device, the batch, the seed and the weights."""
    options = [
        click.option("--torch-device", "device", type=click.Choice(DEVICES),
                     default="cpu", show_default=True, help="Where the model runs."),
        click.option("--batch", type=click.IntRange(min=1), metavar="N",
                     help="How many inputs at once: --size B=N."),
        click.option("--seed", default=0, show_default=True,
                     type=click.IntRange(min=0), metavar="N",
                     help="Of random weights and inputs."),
        click.option("--weights", metavar="FILE.safetensors",
                     help="Trained weights, by the names of the state dict."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def graph_of(asked: Asked, batch: int | None, default: int = 1) -> Graph:
    """The graph of a model at a batch; at the default one if none is asked for."""
    if batch is not None:
        return replace(asked, sizes=(*asked.sizes, f"B={batch}")).graph()[0]
    graph, _ = asked.graph()
    if default > 1 and {t.sizes.get("B") for t in graph.inputs.values()} == {1}:
        return graph_of(asked, default)
    return graph


@contextmanager
def running() -> Iterator[None]:
    """What cannot be measured is a wrong use of the command.

    Raises:
        UsageError: It says why.
    """
    try:
        yield
    except ValueError as error:
        from archdsl.backends.torch.measure.trial import Unmeasurable

        if not isinstance(error, Unmeasurable):
            raise
        raise click.UsageError(str(error)) from None
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        what = "there is not enough memory: try a smaller --batch or smaller sizes"
        raise click.UsageError(what) from None


class Progress:
    """Shows how far it is, on a terminal only."""

    label: ClassVar[str] = "measuring"

    def __call__(self, turns: range) -> Iterable[int]:
        """The turns, one after the other."""
        if not sys.stderr.isatty():
            yield from turns
            return
        with click.progressbar(turns, label=self.label, file=sys.stderr) as bar:
            yield from bar


def ready(*files: str | None) -> None:
    """Says what is wrong with a picture before anything long begins.

    Raises:
        UsageError: Its ending is none of a picture, or matplotlib is not installed.
    """
    for file in files:
        if file:
            with plotting(file):
                import matplotlib as _  # noqa: F401


def show(found: DataclassInstance, tables: Sequence[Table], shape: str) -> None:
    """Prints what was found, in the shape that is asked for."""
    from archdsl.analysis import tables as forms

    if shape == "json":
        whole = {"schema_version": 1, **asdict(found)}
        click.echo(json.dumps(_plain(whole), indent=1, ensure_ascii=False))
    elif shape == "csv":
        click.echo(forms.csv(tables), nl=False)
    elif shape == "markdown":
        click.echo(forms.markdown(tables))
    else:
        click.echo("\n\n".join(map(forms.text, tables)))


def _plain(value: object) -> object:
    """JSON has no infinity."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def path_of(file: str | None) -> Path | None:
    """An option's file."""
    return Path(file) if file else None


def places(options: Sequence[str], hint: str) -> dict[str, int]:
    """``AXIS=I,…`` as indices by axis.

    Raises:
        BadParameter: It is not that.
    """
    found: dict[str, int] = {}
    for item in ",".join(options).split(",") if options else ():
        axis, _, index = item.strip().partition("=")
        if not axis.isidentifier() or not index.isdecimal() or len(index) > 12:
            raise click.BadParameter(f"{item!r} is not AXIS=I", param_hint=hint)
        found[axis] = int(index)
    return found
