"""Converting: a checkpoint in the keys of the compiled module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from archdsl.analysis.weights.fitting import ensure, fit
from archdsl.analysis.weights.plan import Plan
from archdsl.backends.torch.checkpoints.files import keys, tensors, write
from archdsl.backends.torch.checkpoints.models import KEY
from archdsl.backends.torch.checkpoints.moves import Moved
from archdsl.backends.torch.checkpoints.places import resolve
from archdsl.build import Program
from archdsl.build.architecture import Architecture
from archdsl.build.settings import Extent
from archdsl.ir.graph import Graph
from archdsl.version import VERSION

Given: TypeAlias = tuple[Mapping[str, str], Mapping[str, Extent], Sequence[str]]
"""What was set of a model: hyperparameters, sizes, and what comes out."""


def convert(
    program: Program,
    graph: Graph,
    source: str,
    path: Path,
    layout: str | None,
    given: Given,
) -> str:
    """Writes a checkpoint under our keys; returns the name of the layout it had.

    Args:
        program: The file of the model.
        graph: The model.
        source: The checkpoint, as of `resolve`.
        path: The file to write, whole or not at all.
        layout: The layout of its keys; None for the first that fits.
        given: What was set of the model.

    Raises:
        SpecError: A layout is wrong.
        ValueError: The checkpoint cannot be read, or does not fit.
    """
    found = resolve(source)
    plan: Plan = fit(program, graph, keys(found), layout)
    ensure(plan, source, graph.name)
    architecture = Architecture.of(program, graph.name, *given)
    texts = {
        "format": "pt",
        KEY: architecture.to_json(VERSION),
        "origin": _origin(source),
    }
    write(path, Moved(plan, tensors(found)), texts)
    return plan.layout


def _origin(source: str) -> str:
    """What a checkpoint is called, without the folders of this machine."""
    return Path(source).name if Path(source).exists() else source
