"""Everything that is wrong with a file, and what is legal and probably not meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from archdsl.analysis.lints.allow import allowed
from archdsl.analysis.lints.layers import lint_layers
from archdsl.analysis.lints.models import lint_models
from archdsl.analysis.lints.names import lint_names, unread_values
from archdsl.analysis.scopes import Names
from archdsl.build import Program
from archdsl.build import check as check_program
from archdsl.build.session import MOST_ERRORS
from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.faults.names import BrokenPlugin, OpClash, UnknownName
from archdsl.diagnostics.lints import DeadLayer
from archdsl.garbage import uncollected
from archdsl.ir.graph import Graph, reachable

_NO_OPS = (BrokenPlugin, OpClash)  # no name can be looked up where the ops fail


@uncollected()
def check(
    program: Program, allow: Collection[str] = (), model: str = ""
) -> tuple[Diagnostic, ...]:
    """Every error of a file; where there is none, every warning.

    Args:
        program: The file.
        allow: Codes of warnings, beginnings of codes, or ``all``, to leave out.
        model: One that the file must have, if a name is given.

    Raises:
        ValueError: One of them is no warning's.
    """
    checked = check_program(program, model)
    no_ops = any(isinstance(d.fault, _NO_OPS) for d in checked.diagnostics)
    so_far = [*checked.diagnostics, *_broken(checked.graphs)]
    layouts: list[Diagnostic] = []
    if not checked.diagnostics and checked.layouts is not None:
        from archdsl.analysis.weights.lints import lint_checkpoints

        layouts = lint_checkpoints(checked.layouts, checked.graphs)
        so_far += [d for d in layouts if d.severity == "error"]
    if program.diagnostics or no_ops:
        return allowed(tuple(so_far), program.module.source, allow)
    names = Names(program.module)
    found = [*so_far, *_unknown(names, so_far)]
    if not any(d.severity == "error" for d in found):
        found += [*lint(names, checked.graphs), *layouts]
    return allowed(tuple(dict.fromkeys(found)), program.module.source, allow)


def _broken(models: Iterable[Graph]) -> list[Diagnostic]:
    """The promises that models do not keep."""
    promising = [graph for graph in models if graph.promises]
    if not promising:
        return []
    from archdsl.analysis.promises import Common, broken

    common = Common()
    found = [one for graph in promising for one in broken(graph, common)]
    return found[:MOST_ERRORS]


def _unknown(names: Names, found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Names that nothing defines, where no model comes by."""
    errors = [d for d in found if d.severity == "error"]
    # By where they start: of `nn.Conv2d` the whole is unknown, here its beginning.
    known = {d.span[:2] for d in errors if isinstance(d.fault, UnknownName)}
    new = [u for u in names.unknown if u.name.span[:2] not in known]
    return [
        Diagnostic(UnknownName(u.name.id, known=u.known), u.name.span)
        for u in new[: max(0, MOST_ERRORS - len(errors))]
    ]


def lint(names: Names, models: Iterable[Graph]) -> list[Diagnostic]:
    """The warnings about a file's names, and about its models and what they call."""
    parts = [reachable(model) for model in models]
    graphs = list({id(graph): graph for one in parts for graph in one}.values())
    said = unread_values(names)
    layers = [*lint_layers(graphs), *lint_models(parts)]
    found = [
        *lint_names(names, graphs),
        *(d for d in layers if not isinstance(d.fault, DeadLayer) or not said(d.span)),
    ]
    return sorted(found, key=lambda d: (d.span.source.name, d.span.start))[:MOST_ERRORS]
