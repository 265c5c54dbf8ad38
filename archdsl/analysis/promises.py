"""Whether models keep their promises: `expect params == 28288354`.

One function computes each figure that a promise may be about, when one asks for it.
Figures of open sizes are formulas: an equation of two holds if they are one formula, an
inequality if it follows from what the model assumes of its sizes; what a size speaks
against is broken, with that size as the example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from archdsl.analysis.cost import Costs, Totals, blaming
from archdsl.analysis.settle import POINTS, TURNED, Value, Verdict, at, settle
from archdsl.build.functions import arithmetic, call, is_number
from archdsl.diagnostics import Diagnostic, Fault, Refused, SpecError
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.diagnostics.faults.promises import BrokenPromise, NotOfThat, OpenPromise
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Graph
from archdsl.ir.promise import Applied, Figure, Number, Promise, Term, figures

if TYPE_CHECKING:
    from archdsl.analysis.receptive_field import ReceptiveField
    from archdsl.analysis.receptive_field.passing import Passing

_MOST_WORK = 1_000_000  # looks at factors of formulas, for one model: some seconds
_SIGNS = {
    "==": "promised", "!=": "promised: anything but", "<=": "promised: at most",
    "<": "promised: less than", ">=": "promised: at least", ">": "promised: more than",
}  # fmt: skip


class Common:
    """What the models of a file have in common, each found out once."""

    def __init__(self) -> None:
        self.costs = Costs()  # of blocks

    @cached_property
    def passing(self) -> Passing:
        """What ops let through."""
        from archdsl.analysis.receptive_field.passing import Passing

        return Passing()


class Model:
    """The figures of a model, each computed once."""

    def __init__(self, graph: Graph, common: Common) -> None:
        self.graph = graph
        self._common = common
        self._work = 0

    @cached_property
    def totals(self) -> Totals:
        """What the model holds and costs."""
        return self._common.costs.total(self.graph)

    @cached_property
    def fields(self) -> ReceptiveField:
        """What its outputs depend on, as papers count it."""
        from archdsl.analysis.receptive_field import published

        return published(self.graph, self._common.passing)

    def value(self, term: Term, instead: Mapping[str, str] | None = None) -> Value:
        """What a term is worth.

        Args:
            term: The term.
            instead: Figures to read in place of others, by name.

        Raises:
            SpecError: It has no value; at its place.
        """
        if isinstance(term, Number):
            return term.value
        try:
            if isinstance(term, Figure):
                name = (instead or {}).get(term.name, term.name)
                return FIGURES[name](self, term)
            return self._applied(term, [self.value(t, instead) for t in term.terms])
        except Refused as refused:
            found = Diagnostic(refused.fault, term.span, refused.notes)
            raise SpecError([found]) from None

    def settled(self, sign: str, left: Value, right: Value) -> Verdict:
        """Whether ``left sign right`` holds.

        Raises:
            Refused: There is too much to reckon.
        """
        if isinstance(left, Poly) or isinstance(right, Poly):
            self._spend(POINTS * (_factors(left) + _factors(right)))
        return settle(sign, left, right, self.graph.assumptions)

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > _MOST_WORK:
            what = "the promises of this model take too much work"
            limit = f"{_MOST_WORK:,} steps with formulas"
            raise Refused(TooMuchWork(what, limit, "give the input axes sizes"))

    def _applied(self, term: Applied, values: list[Value]) -> Value:
        self._spend(math.prod(map(_factors, values)))
        if term.name.isidentifier():
            found = call(term.name, list(values))
        else:
            found = arithmetic(term.name, *values)
        assert is_number(found)
        return found  # type: ignore[return-value]


def _factors(value: Value) -> int:
    return value.factors if isinstance(value, Poly) else 1


def _receptive_field(model: Model, figure: Figure) -> Size:
    found = model.fields.published(figure.axis, figure.input)
    if found is None:
        problem = "the receptive field needs sizes that are numbers"
        open_ = " and ".join(model.fields.open)
        mend = f"give {open_} a size, or promise it of a variant that does"
        raise Refused(NotOfThat(problem, f"{open_} left open", mend))
    return found


def _sequential_steps(model: Model, figure: Figure) -> Size:
    """The longest chain of operations that wait for one another."""
    from archdsl.analysis.paths.chain import chain

    (first, *others) = chain(model.graph).steps.sizes
    if others:
        problem = "which chain of operations is the longest depends on open sizes"
        raise Refused(NotOfThat(problem, "several formulas", "give the axes sizes"))
    return first


def _path_length(model: Model, figure: Figure) -> Size:
    """The layers until every two positions of an axis have met."""
    from archdsl.analysis.paths.find import find

    found = find(model.graph)
    rows = [r for r in found.inputs if r.input == figure.input]
    for row in rows:
        if row.axis == figure.axis and row.layers is not None:
            return row.layers
    never = f"not all positions along {figure.axis} meet"
    raise Refused(NotOfThat(found.unknown or never, "no such length", ""))


FIGURES: Mapping[str, Callable[[Model, Figure], Size]] = {
    "params": lambda model, _: model.totals.params,
    "trainable_params": lambda model, _: model.totals.trainable,
    "buffers": lambda model, _: model.totals.buffers,
    "macs": lambda model, _: model.totals.macs,
    "matmul_flops": lambda model, _: model.totals.matmul_flops,
    "flops": lambda model, _: model.totals.flops,
    "weight_bytes": lambda model, _: model.totals.weight_bytes,
    "buffer_bytes": lambda model, _: model.totals.buffer_bytes,
    "activation_bytes": lambda model, _: model.totals.activation_bytes,
    "receptive_field": _receptive_field,
    "sequential_steps": _sequential_steps,
    "path_length": _path_length,
}


def broken(graph: Graph, common: Common) -> list[Diagnostic]:
    """What is wrong with the promises of a model: those that it does not keep."""
    model, found = Model(graph, common), list[Diagnostic]()
    for promise in graph.promises:
        try:
            found += _checked(model, promise)
        except SpecError as error:
            found += error.diagnostics
            if any(isinstance(d.fault, TooMuchWork) for d in error.diagnostics):
                break
    return list(dict.fromkeys(found))


def _checked(model: Model, promise: Promise) -> list[Diagnostic]:
    """The first comparison of a chain that does not hold."""
    values = [model.value(term) for term in promise.terms]
    for i, sign in enumerate(promise.signs):
        left, right = values[i : i + 2]
        with blaming(promise.span):
            verdict = model.settled(sign, left, right)
        if not verdict.holds:
            terms = promise.terms[i], promise.terms[i + 1]
            fault = _fault(model, promise, sign, terms, (left, right), verdict)
            return [Diagnostic(fault, promise.span)]
    return []


def _fault(
    model: Model,
    promise: Promise,
    sign: str,
    terms: tuple[Term, Term],
    values: tuple[Value, Value],
    verdict: Verdict,
) -> Fault:
    """What is wrong with a comparison, the side that has a figure first."""
    from archdsl.analysis.mends import mends, plain, shown

    if not any(figures(terms[0])) and any(figures(terms[1])):
        sign, terms, values = TURNED[sign], terms[::-1], values[::-1]
    (term, other), (value, promised) = terms, values
    found = f"{plain(term)} is {shown(value)}"
    if plain(term) == shown(value):
        found = f"{plain(term)} is open"
    if any(figures(other)):
        found += f", and {plain(other)} is {shown(promised)}"
    if verdict.holds is None:
        symbols = sorted(s for v in values if isinstance(v, Poly) for s in v.symbols)
        claim = f"{plain(term)} {sign} {plain(other)}"
        return OpenPromise(claim, " and ".join(dict.fromkeys(symbols)), found)
    label = f"{_SIGNS[sign]} {shown(promised)}"
    if verdict.example:
        point = ", ".join(f"{name} = {size}" for name, size in verdict.example.items())
        here, there = (shown(at(v, verdict.example)) for v in values)
        against = ", not " if sign == "==" else " against "
        label += f"; with {point} it is {here}{against}{there}"
    elif not isinstance(value, Poly) and not isinstance(promised, Poly):
        gap = value - promised
        more = "more" if gap > 0 else "less"
        label += f", and it is {shown(abs(gap))} {more}" if gap else ""
    return BrokenPromise(model.graph.name, found, label, mends(model, promise))
