"""The paths of a model, put together from what they are made of."""

from __future__ import annotations

from archdsl.analysis.part import Number
from archdsl.analysis.paths.chain import Longest, chain
from archdsl.analysis.paths.kinds import Figure, Kind, kinds
from archdsl.analysis.paths.meet import Meetings, meetings
from archdsl.analysis.paths.result import InputPaths, KindPaths, ModelPaths
from archdsl.analysis.paths.walk import is_closed
from archdsl.analysis.report import number
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Graph

_OPEN = "path lengths need sizes: give every input axis one with --size"
_LARGE = "path lengths are followed through"
_SMALLER = "give the input a smaller size"


def find(graph: Graph) -> ModelPaths:
    """The paths of a model; where positions are not followed, what needs no walk."""
    longest = chain(graph)
    found, laid, unknown = _walked(graph)
    layers = [row.layers for row in found]
    known = [count for count in layers if count is not None]
    return ModelPaths(
        sequential=_longest(longest.steps),
        depth=_longest(longest.products),
        maximum=max(known, default=0) if found and len(known) == len(layers) else None,
        inputs=found,
        unknown=unknown,
        kinds=tuple(map(_kind, laid)),
    )


def _walked(graph: Graph) -> tuple[tuple[InputPaths, ...], tuple[Kind, ...], str]:
    """Where positions meet, and the kinds of layers; or why that is not known."""
    if not is_closed(graph):
        return (), kinds(graph), _OPEN
    try:
        return tuple(map(_input, meetings(graph))), kinds(graph), ""
    except SpecError as error:
        fault = error.diagnostics[0].fault
        if not isinstance(fault, TooMuchWork):
            raise
        return (), kinds(graph, walked=False), f"{_LARGE} {fault.limit}: {_SMALLER}"


def sequential(graph: Graph) -> Number:
    """The longest chain of a model alone: it needs no walk, whatever the sizes."""
    return _longest(chain(graph).steps)


def _longest(found: Longest) -> Number:
    (first, *others) = found.sizes
    return str(found) if others else number(first)


def _input(row: Meetings) -> InputPaths:
    known = [count for count in row.every if count is not None]
    return InputPaths(
        input=row.input,
        axis=row.axis,
        size=row.size,
        layers=max(known, default=0) if len(known) == len(row.every) else None,
        first=row.first,
        every=row.every,
    )


def _kind(kind: Kind) -> KindPaths:
    figures = (kind.complexity, kind.maximum, kind.meet)
    formulas = [f.formula for f in figures if isinstance(f.formula, Poly)]
    used = kind.axes.union(*(formula.symbols for formula in formulas))
    return KindPaths(
        layer=kind.name,
        block=kind.block,
        count=kind.count,
        sizes={n: number(s) for n, s in kind.sizes.items() if n in used},
        complexity=_value(kind.complexity.value),
        complexity_form=_form(kind.complexity),
        sequential=_longest(kind.sequential),
        stacks=kind.keeps,
        maximum=_value(kind.maximum.value),
        maximum_form=_form(kind.maximum),
        meet=_value(kind.meet.value),
        meet_form=_form(kind.meet),
    )


def _value(size: Size | None) -> Number | None:
    return None if size is None else number(size)


def _form(figure: Figure) -> str | None:
    return None if figure.formula is None else str(figure.formula)
