"""Warnings about layers: what is legal and probably not meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from archdsl.build import Program
from archdsl.build import check as check_program
from archdsl.diagnostics import Diagnostic
from archdsl.ir.graph import Graph, reachable


def check(program: Program) -> tuple[Diagnostic, ...]:
    """Every error and every warning of a file."""
    checked = check_program(program)
    warnings = [w for graph in checked.graphs for w in lint(graph)]
    return tuple(dict.fromkeys((*checked.diagnostics, *warnings)))


def lint(model: Graph) -> list[Diagnostic]:
    """The warnings about a model and the blocks it calls."""
    return [w for graph in reachable(model) for rule in RULES for w in rule(graph)]


RULES: tuple[Callable[[Graph], Iterable[Diagnostic]], ...] = ()
