"""Keys of theirs, computed for one model from what a rule captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.build.body import Body
from archdsl.build.checkpoints.layouts import Layout
from archdsl.build.checkpoints.patterns import Hole, Part, Pattern, moved
from archdsl.build.checkpoints.steps import STEPS, Argument, Step, StepRule, fits
from archdsl.build.scope import Scope
from archdsl.build.session import Exhausted, Session
from archdsl.build.values import POISON, Definition, StepValue, Value, kind, poisoned
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.checkpoints import BadPattern, BadStep
from archdsl.ir.graph import Graph
from archdsl.ops.fields import AxisName
from archdsl.source import Span
from archdsl.syntax import tree


class Keys(Body):
    """Computes keys of theirs, and arguments of steps, for one model.

    What is written may use the model's hyperparameters, the sizes of its inputs' axes,
    and what the rule captured.
    """

    def __init__(self, layout: Layout, graph: Graph) -> None:
        name = tree.Name(layout.span, layout.model)
        body = tree.Body(layout.span, ())
        stand_in = tree.Model(layout.span, name, (), body)
        definition = Definition(stand_in, layout.module)
        super().__init__(Session(), definition, Graph(graph.name, graph.span), None)
        hyper: Mapping[str, Any] = graph.hyper
        self._outer = Scope(values=dict(hyper))
        self._graph = graph

    def key(self, pattern: Pattern, captured: Mapping[str, int]) -> str:
        """The key that a pattern of theirs stands for, or how several begin.

        Raises:
            SpecError: An expression in it is wrong.
        """
        return "".join([
            self._filled(part, captured) if isinstance(part, Hole) else str(part)
            for part in pattern.parts
        ])  # fmt: skip

    def _filled(self, part: Hole, captured: Mapping[str, int]) -> str:
        written = part.expression
        if isinstance(written, tree.Name) and written.id in captured:
            return str(captured[written.id])  # as in most keys
        value = self._value(written, captured, part)
        if isinstance(value, bool) or not isinstance(value, int | str):
            problem = f"a key has a number or a text here, and this is {kind(value)}"
            raise SpecError.at(part.span, BadPattern(problem, "not of a key"))
        return str(value)

    def known(self, part: Part) -> Part:
        """A part of a key that is dropped, its expression computed.

        Raises:
            SpecError: It is wrong.
        """
        return self._filled(part, {}) if isinstance(part, Hole) else part

    def step(self, step: StepRule, captured: Mapping[str, int]) -> Step:
        """A step with its arguments.

        Raises:
            SpecError: An expression in it is wrong, or of another type.
        """
        found: dict[str, Argument] = {}
        for name, expression in step.arguments:
            value = self._value(expression, captured)
            wanted = STEPS[step.name][name]
            if not fits(wanted, value):
                problem = f"`{name}` is {wanted}, and this is {kind(value)}"
                fault = BadStep(step.name, problem, "it cannot be this")
                raise SpecError.at(expression.span, fault)
            found[name] = value  # type: ignore[assignment]
        return Step(step.name, found)

    def _value(
        self, e: tree.Expr, captured: Mapping[str, int], hole: Hole | None = None
    ) -> Value:
        self.scope = Scope(self._outer, dict(captured))
        value: Value = POISON
        try:
            value = self.number(e)
            if isinstance(value, tuple):
                value = tuple(self.sized(v, e.span) for v in value)
        except Exhausted:
            pass
        found = self.session.diagnostics
        if found or poisoned(value):
            raise SpecError([moved(d, hole) if hole else d for d in found])
        return value

    def sized(self, value: Value, span: Span) -> Value:
        """An axis' size in the inputs that have it; any other value as it is."""
        if not isinstance(value, AxisName):
            return value
        sizes = [t[str(value)] for t in self._graph.inputs.values() if str(value) in t]
        if sizes and all(size == sizes[0] for size in sizes):
            return sizes[0]
        what = "no input has" if not sizes else "several inputs have"
        return self.report(BadPattern(f"{what} an axis {value}", "of what?"), span)

    def flowing(self, expression: tree.Expr) -> Value:
        """Reports that nothing flows between keys."""
        return self._no_flow(expression.span)

    def apply(self, step: StepValue, flow: Value, label: str = "") -> Value:
        """Reports that nothing flows between keys."""
        return self._no_flow(step.span)

    def _no_flow(self, span: Span) -> Value:
        fault = BadPattern("a key is made of numbers and texts", "a step")
        return self.report(fault, span)
