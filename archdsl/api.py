"""The Python interface: what the commands do, on paths, names or texts of specs."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from archdsl.build import Program, build, read
from archdsl.build.files import read_text, shipped
from archdsl.diagnostics import Diagnostic, near
from archdsl.ir.graph import Graph
from archdsl.source import Source

if TYPE_CHECKING:
    from torch import nn

    from archdsl.analysis.candidates import Named
    from archdsl.analysis.compare import CompareReport
    from archdsl.analysis.diff.report import DiffReport
    from archdsl.analysis.report import Report
    from archdsl.analysis.sections import Options
    from archdsl.analysis.sweep import SweepReport
    from archdsl.analysis.verification import Verification
    from archdsl.build.architecture import Architecture

Spec: TypeAlias = "str | os.PathLike[str]"
Settings: TypeAlias = Mapping[str, object]
Sizes: TypeAlias = Mapping[str, "int | str | None"]


@dataclass(frozen=True)
class Opened:
    """A spec that was read, and the model that was named with it."""

    program: Program
    model: str
    name: str


def open_spec(spec: Spec) -> Opened:
    """Reads a spec: a path, ``path:model``, the name of a shipped spec, or its text.

    A string with a line break is the text itself.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if isinstance(spec, str) and "\n" in spec:
        return Opened(read(Source("<text>", spec)), "", "<text>")
    return open_path(os.fspath(spec))


def open_path(spec: str, beside: Path | None = None) -> Opened:
    """Reads a spec: a path, ``path:model``, or the name of a shipped spec.

    What a file uses is looked for beside it, or in another folder if one is given.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
    """
    path, model = _split(spec)
    place = Path(path)
    if place.is_dir() and path:
        raise IsADirectoryError(f"{path} is a folder, not a spec")
    if place.exists() and path:
        source = Source(path, read_text(place))
        return Opened(read(source, beside or place.parent), model, place.name)
    resource = shipped() / f"{path}.arch"
    if path.isidentifier() and resource.is_file():
        source = Source(f"{path}.arch", read_text(resource))
        return Opened(read(source), model, f"{path}.arch")
    files = (each.name for each in shipped().iterdir())
    hint = near(path, [n.removesuffix(".arch") for n in files if n.endswith(".arch")])
    words = f"no spec {path}: neither a file nor a spec that ships"
    raise FileNotFoundError(f"{words}; {hint}" if hint else words)


def _split(spec: str) -> tuple[str, str]:
    path, colon, model = spec.rpartition(":")
    return (path, model) if colon and model.isidentifier() and path else (spec, "")


def parse(
    spec: Spec,
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
    outputs: Sequence[str] = (),
) -> Graph:
    """The graph of a model, its shapes checked.

    Args:
        spec: A path, ``path:model``, the name of a shipped spec, or the text itself.
        settings: Hyperparameters to override, as Python values or texts of a spec.
        sizes: Input axes to override; None leaves an axis open, and ``"32*n"`` makes it
            so much of a symbol.
        outputs: What comes out instead of the model's outputs, the features of a
            backbone: names of values (``as c2``) or paths of layers (``stage.2``).

    Raises:
        SpecError: The spec is not right; every error is in its `diagnostics`.
        FileNotFoundError: There is no such spec.
        TypeError: `outputs` is one text, not a list.
    """
    return _graph(open_spec(spec), settings, sizes, outputs)


def _graph(
    opened: Opened,
    settings: Settings | None,
    sizes: Sizes | None,
    outputs: Sequence[str],
) -> Graph:
    if isinstance(outputs, str):
        raise TypeError(f"outputs are a list of names: write outputs=[{outputs!r}]")
    return build(opened.program, opened.model, _words(settings), sizes, outputs)


def _words(settings: Settings | None) -> dict[str, str]:
    """Values as written in a spec."""
    given = settings or {}
    return {k: v if isinstance(v, str) else _spelled(v) for k, v in given.items()}


def _spelled(value: object) -> str:
    from archdsl.ops.spelling import spelled

    return spelled(value)


def check(spec: Spec, *, allow: Collection[str] = ()) -> tuple[Diagnostic, ...]:
    """Every error and warning of a spec's file, of all its models.

    Args:
        spec: As for `parse`.
        allow: Warnings to leave out: codes, beginnings of codes, or ``all``.

    Raises:
        FileNotFoundError: There is no such spec.
        ValueError: Something in `allow` is no warning's code.
    """
    from archdsl.analysis.check import check as check_program

    opened = open_spec(spec)
    return check_program(opened.program, allow, opened.model)


def format(text: str) -> str:
    """The text of a spec in canonical form: same tree, same comments.

    Raises:
        SpecError: The text has syntax errors.
    """
    from archdsl.syntax.format import format_source

    return format_source(Source("<text>", text))


def analyze(
    spec: Spec,
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
    outputs: Sequence[str] = (),
    sections: Collection[str] = (),
    options: Options | None = None,
) -> Report:
    """Parameters, MACs, FLOPs and memory of a model, in total and by layer.

    Costs are for a batch of one unless `sizes` says otherwise. Other arguments and
    errors are those of `parse`.

    Args:
        spec: As for `parse`.
        settings: As for `parse`.
        sizes: As for `parse`.
        outputs: As for `parse`.
        sections: What else is found: "receptive_field", "memory", "training",
            "roofline", "paths", "closed_forms"; each is a field of the report.
        options: What the sections need to know: the device, the optimizer, ….

    Raises:
        ValueError: There is no such section.
    """
    from archdsl.analysis.report import report
    from archdsl.analysis.sections import SECTIONS

    known = [section.key for section in SECTIONS]
    if unknown := sorted(set(sections) - set(known)):
        raise ValueError(f"no section {unknown[0]!r}; there are {', '.join(known)}")
    graph = parse(spec, settings=settings, sizes=sizes, outputs=outputs)
    return report(graph, sections, options)


def compare(
    *specs: str, settings: Settings | None = None, sizes: Sizes | None = None
) -> CompareReport:
    """Models side by side: what each holds and costs, and each stage of each.

    Args:
        specs: As for `parse`, each with settings of its own in parentheses if need
            be: ``"swin_t(dim = 128, H = 384, W = 384)"``.
        settings: Hyperparameters to override in all models that have them.
        sizes: Input axes to override in all models that have them.

    Raises:
        SpecError: A spec is not right.
        FileNotFoundError: There is no such spec.
        ValueError: A setting is for none of the models.
    """
    from archdsl.analysis.compare import compare as compare_models

    return compare_models(_named(specs, settings, sizes))


def diff(
    before: str,
    after: str,
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
) -> DiffReport:
    """What differs between two models, or two versions of one.

    Arguments and errors are those of `compare`.
    """
    from archdsl.analysis.diff.report import diff as diff_models

    return diff_models(*_named((before, after), settings, sizes))


def _named(
    specs: Sequence[str], settings: Settings | None, sizes: Sizes | None
) -> tuple[Named, ...]:
    from archdsl.analysis.candidates import Candidate, elaborated
    from archdsl.build.operands import operand

    found = []
    for spec in specs:
        asked = operand(spec)
        opened = open_spec(asked.spec)
        found.append(Candidate(asked, opened.program, opened.name, opened.model))
    return elaborated(found, _words(settings), sizes or {})


def sweep(
    spec: Spec,
    *,
    settings: Mapping[str, Sequence[object]] | None = None,
    sizes: Mapping[str, Sequence[int | str | None]] | None = None,
    together: Sequence[Sequence[str]] = (),
    columns: Sequence[str] = ("params", "macs", "flops"),
    pareto: Sequence[str] = (),
    where: str = "",
) -> SweepReport:
    """Every variant of a grid, priced; those that are no valid models with their error.

    Args:
        spec: As for `parse`.
        settings: The values of each hyperparameter.
        sizes: The sizes of each input axis.
        together: Names of either that take their values side by side, not each with
            each.
        columns: The figures of each point.
        pareto: Figures whose front is marked; a minus before what should be large.
        where: A condition that points have to fulfil: ``"params <= 30e6"``.

    Raises:
        SpecError: The spec is wrong before anything is set.
        FileNotFoundError: There is no such spec.
        ValueError: A name, a figure or the condition is wrong.
    """
    from archdsl.analysis.sweep import Grid, View
    from archdsl.analysis.sweep import sweep as sweep_grid

    opened = open_spec(spec)
    values = {
        name: [v if isinstance(v, str) else _spelled(v) for v in each]
        for name, each in (settings or {}).items()
    }
    grid = Grid(values, sizes or {}, together)
    return sweep_grid(opened.program, opened.model, grid, View(columns, pareto, where))


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
    return write(_graph(opened, settings, sizes, outputs), opened.name)


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
    graph = _graph(opened, settings, sizes, outputs)
    given = _words(settings), sizes or {}, outputs
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
    graph = _graph(opened, settings, sizes, outputs)
    given = _words(settings), sizes or {}, outputs
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
        return _graph(opened, settings, {**(sizes or {}), **fixed}, outputs)

    return verify_graph(rebuild({}), rebuild, Options(only, seed, full))


def draw(
    spec: Spec,
    path: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    sizes: Sizes | None = None,
    outputs: Sequence[str] = (),
) -> None:
    """Draws a model into a DOT, SVG, PNG or PDF file, by its ending.

    Arguments and errors are those of `parse`.

    Raises:
        ValueError: The ending is none of these.
    """
    from archdsl.backends.graphviz import draw as draw_graph

    graph = parse(spec, settings=settings, sizes=sizes, outputs=outputs)
    draw_graph(graph, Path(path))
