"""Specs as modules: compiled, loaded, verified, and their weights."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.api.given import Settings, Sizes, graph_of, words
from archdsl.build.opening import Opened, Spec, open_spec
from archdsl.ir.graph import Graph

if TYPE_CHECKING:
    from torch import nn

    from archdsl.analysis.verification import Verification
    from archdsl.build.architecture import Architecture


def compile(
    spec: Spec,
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
    outputs: Sequence[str] = (),
) -> str:
    """The model as PyTorch source that stands alone. Arguments as for `parse`."""
    from archdsl.backends.torch.module import write

    opened = open_spec(spec)
    return write(graph_of(opened, settings, sizes, outputs), opened.name)


def load(
    spec: Spec,
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
    outputs: Sequence[str] = (),
    weights: str | os.PathLike[str] | None = None,
    checkpoint: str | None = None,
) -> nn.Module:
    """The model: the source that `compile` makes, imported. Imports torch.

    Its weights are fresh, or those of a checkpoint whose keys are the model's own or
    of a layout that the spec declares; the model then has their type of numbers. Which
    layout it was is logged, at level INFO. Other arguments and errors are those of
    `parse`.

    Args:
        spec: As for `parse`.
        settings: As for `parse`.
        sizes: As for `parse`.
        outputs: As for `parse`.
        weights: A file in safetensors or of torch.save, the index of several, a folder
            with one, or ``owner/name`` on the Hub. No code of it is ever run.
        checkpoint: The layout of its keys: the name of a ``checkpoint`` of the spec, or
            "archdsl" for the model's own; None for the first that fits.

    Raises:
        ValueError: The file cannot be read, or does not fit; every key that is missing,
            surplus or of another shape is listed, and nothing is loaded.
    """
    from archdsl.backends.torch.checkpoints.models import remember
    from archdsl.backends.torch.load import load as load_graph
    from archdsl.build.architecture import Architecture

    opened = open_spec(spec)
    graph = graph_of(opened, settings, sizes, outputs)
    given = words(settings), sizes or {}, outputs
    if weights is None:
        model = load_graph(graph, opened.name)
    else:
        model = _filled(opened, graph, weights, checkpoint)
    remember(model, Architecture.of(opened.program, graph.name, *given))
    return model


def architecture(
    spec: Spec,
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
    outputs: Sequence[str] = (),
) -> Architecture:
    """What a checkpoint holds of a model: all texts. Arguments as for `parse`."""
    from archdsl.build.architecture import Architecture

    opened = open_spec(spec)
    graph = graph_of(opened, settings, sizes, outputs)
    given = words(settings), sizes or {}, outputs
    return Architecture.of(opened.program, graph.name, *given)


def _filled(
    opened: Opened,
    graph: Graph,
    weights: str | os.PathLike[str],
    checkpoint: str | None,
) -> nn.Module:
    """The model of a graph with the weights of a checkpoint; logs the layout of it."""
    import logging

    from archdsl.analysis.weights.fitting import ensure, fit
    from archdsl.analysis.weights.plan import called
    from archdsl.backends.torch.checkpoints import keys, resolve, tensors
    from archdsl.backends.torch.checkpoints.moves import Moved, fill
    from archdsl.backends.torch.load import load as load_graph

    path = resolve(weights)
    plan = fit(opened.program, graph, keys(path), checkpoint)
    ensure(plan, os.fspath(weights), graph.name)
    model = load_graph(graph, opened.name)
    fill(model, Moved(plan, tensors(path)))
    words = f"{os.fspath(weights)} fits {graph.name} by {called(plan.layout)}"
    logging.getLogger("archdsl").info(words)
    return model


def save(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Writes the weights of a model that `load` made, and its architecture.

    The file is safetensors; `from_pretrained` makes the model of it again, and
    `load(spec, weights=path)` reads it, too. It is written whole or not at all.

    Args:
        model: The model, or what torch.compile or a data-parallel wrapper made of it.
        path: A file whose name ends in ``.safetensors``.

    Raises:
        ValueError: The model is none of `load`, or was changed after it was compiled;
            or the file cannot be written.
    """
    from archdsl.backends.torch.checkpoints.models import save as save_model

    save_model(model, Path(path))


def from_pretrained(source: str | os.PathLike[str]) -> nn.Module:
    """The model of a checkpoint that `save` or `save_pretrained` wrote, for evaluation.

    Needs no spec: the checkpoint holds its texts. Nothing of it is run but what any
    spec compiles to.

    Args:
        source: A file, a folder, or ``owner/name``, ``owner/name@revision``,
            ``owner/name:file`` on the Hub.

    Raises:
        FileNotFoundError: There is no such file or repository, or none can be reached.
        ValueError: The file is corrupt, tells no architecture, or is of another one.
        SpecError: Its texts are no spec that this version understands.
    """
    from archdsl.backends.torch.checkpoints import resolve
    from archdsl.backends.torch.checkpoints.models import restore

    return restore(resolve(source))


def verify(
    spec: Spec,
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
    outputs: Sequence[str] = (),
    only: Collection[str] = (),
    seed: int = 0,
    full: bool = False,
) -> Verification:
    """Runs the compiled module and compares it with what is said of it.

    Imports torch. `ok` of the result says whether everything is the same, `differing`
    what is not. A model with open sizes runs at a few that it takes.

    Args:
        spec: As for `parse`, as are settings, sizes and outputs.
        settings: Hyperparameters to override.
        sizes: Input axes to override.
        outputs: What comes out instead of the model's outputs.
        only: Names of checks, as of ``archdsl verify --only``; all, if there is none.
        seed: Of weights, inputs, and sizes that are drawn.
        full: Whether to run in float64 what is large, too.

    Raises:
        SpecError: The spec is not right, or cannot be compiled.
        FileNotFoundError: There is no such spec.
        ValueError: There is no such check, or a hyperparameter is open.
    """
    from archdsl.backends.torch.verify import Options
    from archdsl.backends.torch.verify import verify as verify_graph

    opened = open_spec(spec)

    def rebuild(fixed: Mapping[str, int]) -> Graph:
        return graph_of(opened, settings, {**(sizes or {}), **fixed}, outputs)

    return verify_graph(rebuild({}), rebuild, Options(only, seed, full))
