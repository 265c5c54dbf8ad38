"""Warnings about layers: what is legal and probably not meant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from archdsl.analysis.allow import allowed
from archdsl.build import Program
from archdsl.build import check as check_program
from archdsl.diagnostics import Diagnostic
from archdsl.ir.graph import Graph, reachable


def check(program: Program, allow: Collection[str] = ()) -> tuple[Diagnostic, ...]:
    """Every error and every warning of a file.

    Args:
        program: The file.
        allow: Codes of warnings, beginnings of codes, or ``all``, to leave out.

    Raises:
        ValueError: One of them is no warning's.
    """
    checked = check_program(program)
    warnings = [w for graph in checked.graphs for w in lint(graph)]
    found = tuple(dict.fromkeys((*checked.diagnostics, *warnings)))
    return allowed(found, program.module.source, allow)


def lint(model: Graph) -> list[Diagnostic]:
    """The warnings about a model and the blocks it calls."""
    return [w for graph in reachable(model) for rule in RULES for w in rule(graph)]


RULES: tuple[Callable[[Graph], Iterable[Diagnostic]], ...] = ()
