"""Specs read, checked, priced, compared and drawn; nothing here runs a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.api.given import Settings, Sizes, graph_of, word, words
from archdsl.build.opening import Spec, open_spec
from archdsl.diagnostics import Diagnostic
from archdsl.ir.graph import Graph
from archdsl.source import Source

if TYPE_CHECKING:
    import os

    from archdsl.analysis.candidates import Named
    from archdsl.analysis.compare import CompareReport
    from archdsl.analysis.diff.report import DiffReport
    from archdsl.analysis.report import Report
    from archdsl.analysis.sections import Options
    from archdsl.analysis.sweep import SweepReport


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
    return graph_of(open_spec(spec), settings, sizes, outputs)


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
    return elaborated(found, words(settings), sizes or {})


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
    values = {k: [word(v) for v in each] for k, each in (settings or {}).items()}
    grid = Grid(values, sizes or {}, together)
    return sweep_grid(opened.program, opened.model, grid, View(columns, pareto, where))


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
