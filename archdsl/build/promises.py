"""Promises: from `expect …` to data, once a model's graph is whole.

In a promise, an axis is its size in the model's inputs, a name may also be an output's,
and the names of figures stand before those of blocks and ops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.build.body import Body
from archdsl.build.functions import FUNCTIONS, is_number
from archdsl.build.lookup import meant
from archdsl.build.scope import Scope
from archdsl.build.session import Session
from archdsl.build.values import (
    POISON,
    Definition,
    StepValue,
    TensorValue,
    Value,
    kind,
    poisoned,
)
from archdsl.diagnostics import near
from archdsl.diagnostics.faults.arguments import BatchIsOpen
from archdsl.diagnostics.faults.models import Misplaced
from archdsl.diagnostics.faults.names import UnknownName
from archdsl.diagnostics.faults.promises import NoPromise, NotOfThat
from archdsl.ir.graph import Graph, Ref
from archdsl.ir.promise import FIGURES, Applied, Figure, Number, Promise, Term
from archdsl.ir.prune import values
from archdsl.ir.tensor import BATCH, Tensor
from archdsl.ops.fields import AxisName
from archdsl.source import Span
from archdsl.syntax import tree

_ONE = "write each promise on a line of its own"
_NUMBERS = ("abs", "ceil", "floor", "int", "log2", "max", "min", "round", "sqrt")
assert FUNCTIONS.keys() >= set(_NUMBERS)


def promises_of(body: Body, graph: Graph) -> None:
    """Writes the promises of a model's body into its graph."""
    outputs = {name: value for name, (value, _) in body.outputs.items()}
    reader = _Promises(body.session, body.definition, graph, outputs)
    found = [reader.promise(statement, scope) for statement, scope in body.promised]
    graph.promises += tuple(p for p in found if p is not None)


def promises_of_variant(
    session: Session, definition: Definition, graph: Graph, body: tree.Body
) -> None:
    """Writes the promises of a variant, which knows the names of the model's body."""
    outputs: dict[str, Value] = {}
    known = {*graph.named, *(name.partition(".")[0] for name in graph.result_names)}
    for name, refs in values(graph).items():
        made = tuple(TensorValue(ref, graph.tensor(ref)) for ref in refs)
        if name in known:
            listed = len(made) > 1 or f"{name}.0" in graph.result_names
            outputs[name] = made if listed else made[0]
    hyper: Mapping[str, Any] = graph.hyper
    scope = Scope(values=dict(hyper))
    reader = _Promises(session, definition, graph, outputs)
    found = []
    for statement in body.statements:
        if isinstance(statement, tree.Expect):
            found.append(reader.promise(statement, scope))
        elif not isinstance(statement, tree.Missing):
            what = " ".join(statement.span.text.split())[:30].partition(" ")[0]
            mend = "a variant holds promises only: `expect params == …`"
            session.report(Misplaced(what, "in a variant", mend), statement.span)
    graph.promises += tuple(p for p in found if p is not None)


class _Promises(Body):
    """Reads promises about a model; nothing flows in them."""

    def __init__(
        self,
        session: Session,
        definition: Definition,
        graph: Graph,
        outputs: Mapping[str, Value],
    ) -> None:
        super().__init__(session, definition, graph, None)
        self._inputs = graph.inputs
        self._values: dict[str, Value] = dict(outputs)
        for enter, node in graph.entries:
            value = TensorValue(Ref(node.id), node.outputs[0])
            self._values.setdefault(enter.name, value)

    def promise(self, statement: tree.Expect, scope: Scope) -> Promise | None:
        """The promise that a statement makes; None after an error."""
        self.scope = scope
        e = statement.condition
        if not isinstance(e, tree.Compare):
            joined = isinstance(e, tree.Binary) and e.operator in ("and", "or")
            mend = _ONE if joined else "such as `expect params == 25557032`"
            problem = "a promise compares a figure with what it should be"
            self._refuse(problem, "no comparison", e.span, mend)
            return None
        terms = [self._term(operand) for operand in e.operands]
        kept = tuple(term for term in terms if term is not None)
        if len(kept) < len(terms):
            return None
        if any(map(self._about_model, e.operands)):
            return Promise(kept, e.operators, e.span)
        problem = "this promises nothing about the model"
        mend = "conditions on hyperparameters are `require …`; the figures are "
        self._refuse(problem, "no figure here", e.span, mend + ", ".join(FIGURES))
        return None

    def _refuse(self, problem: str, found: str, span: Span, mend: str = "") -> Value:
        return self.report(NoPromise(problem, found, mend), span)

    # -- figures ---------------------------------------------------------------------

    def _is_figure(self, e: tree.Node) -> bool:
        named = isinstance(e, tree.Name) and e.id in FIGURES
        return named and self.scope.find(e.id) is None  # type: ignore[attr-defined]

    def _asks(self, e: tree.Node) -> bool:
        """Whether a figure is somewhere in an expression."""
        return self._is_figure(e) or any(map(self._asks, tree.children(e)))

    def _about_model(self, e: tree.Node) -> bool:
        """Whether a figure is somewhere in an expression, or the size of an axis."""
        own = isinstance(e, tree.Axis | tree.Attribute) or self._is_figure(e)
        return own or any(map(self._about_model, tree.children(e)))

    def _term(self, e: tree.Expr) -> Term | None:
        """An operand as data; None after an error."""
        self.session.tick(e.span)
        if not self._asks(e):
            return self._number(e)
        if isinstance(e, tree.Name):
            return self._figure(e, (), e.span)
        if isinstance(e, tree.Binary) and e.operator not in ("and", "or"):
            return self._applied(e.operator, (e.left, e.right), e.span)
        if isinstance(e, tree.Unary) and e.operator != "not":
            zero = tree.Literal(e.span, 0)
            return self._applied(e.operator, (zero, e.operand), e.span)
        if isinstance(e, tree.Call) and isinstance(e.function, tree.Name):
            if self._is_figure(e.function):
                return self._figure(e.function, e.arguments, e.span)
            if e.function.id in _NUMBERS and not any(a.name for a in e.arguments):
                operands = tuple(a.value for a in e.arguments)
                return self._applied(e.function.id, operands, e.span)
        mend = "figures go with arithmetic and " + ", ".join(_NUMBERS)
        self._refuse("a figure cannot stand here", "a figure inside", e.span, mend)
        return None

    def _number(self, e: tree.Expr) -> Number | None:
        value = self.number(e)
        if is_number(value):
            return Number(value, e.span)  # type: ignore[arg-type]
        if not poisoned(value):
            problem = f"a promise compares numbers, and this is {kind(value)}"
            self._refuse(problem, "not a number", e.span)
        return None

    def _applied(
        self, name: str, operands: tuple[tree.Expr, ...], span: Span
    ) -> Applied | None:
        terms = [self._term(operand) for operand in operands]
        kept = tuple(term for term in terms if term is not None)
        return Applied(name, kept, span) if len(kept) == len(terms) else None

    def _figure(
        self, e: tree.Name, arguments: tuple[tree.Argument, ...], span: Span
    ) -> Figure | None:
        if FIGURES[e.id] == "model":
            if not arguments:
                return Figure(e.id, "", "", span)
            fault = NotOfThat(f"`{e.id}` is of the whole model", "drop the parentheses")
            self.report(fault, span)
            return None
        given = arguments[0].value if len(arguments) == 1 else None
        name, axis = self._named_axis(given)
        if axis and not name:
            return None
        if name and axis in self._inputs[name].positions:
            return Figure(e.id, name, axis, span)
        forms = [
            f"`{e.id}({f'{name}.' * (len(self._inputs) > 1)}{axis})`"
            for name, tensor in self._inputs.items()
            for axis in tensor.positions
        ]
        problem = f"`{e.id}` is of the positions of an input"
        mend = "such as " + " or ".join(forms[:2]) if forms else "no input has any"
        self.report(NotOfThat(problem, "along which axis?", mend), span)
        return None

    def _named_axis(self, e: tree.Expr | None) -> tuple[str, str]:
        """The input and the axis of ``H`` or ``image.H``.

        No input after an error; neither where it is something else.
        """
        if isinstance(e, tree.Axis):
            return self._owner(e.id, e.span), e.id
        if not isinstance(e, tree.Attribute) or not isinstance(e.base, tree.Name):
            return "", ""
        if e.base.id not in self._inputs:
            return "", ""
        has = self._has(e.base.id, e.name, e.span)
        return e.base.id if has else "", e.name

    # -- axes ------------------------------------------------------------------------

    def _has(self, name: str, axis: str, span: Span) -> bool:
        """Whether an input has an axis; reports if not."""
        if axis in self._inputs[name]:
            return True
        there = ", ".join(self._inputs[name].names)
        fault = NotOfThat(f"`{name}` has no axis {axis}", f"its axes are {there}")
        self.report(fault, span)
        return False

    def _owner(self, axis: str, span: Span) -> str:
        """The one input that has an axis; "" after an error."""
        found = [name for name, t in self._inputs.items() if axis in t]
        if len(found) == 1:
            return found[0]
        there = dict.fromkeys(a for t in self._inputs.values() for a in t.names)
        words = "the inputs have " + ", ".join(there)
        fault = NotOfThat(f"no input has the axis {axis}", words)
        if found:
            problem = f"several inputs have {axis}: " + ", ".join(found)
            mend = f"name one: `{found[0]}.{axis}`"
            fault = NotOfThat(problem, "of which input?", mend)
        self.report(fault, span)
        return ""

    def sized(self, value: Value, span: Span) -> Value:
        """An axis' size in the inputs, where all that have it agree."""
        if not isinstance(value, AxisName):
            return value
        axis = str(value)
        having: list[Tensor] = [t for t in self._inputs.values() if axis in t]
        if axis == BATCH:
            return self.report(BatchIsOpen(), span)
        if having and all(t[axis] == having[0][axis] for t in having):
            return having[0][axis]
        return POISON if not self._owner(axis, span) else having[0][axis]

    # -- names and flow --------------------------------------------------------------

    def lookup(self, name: str, span: Span) -> Value:
        """What a name means: a value of the body, an input or an output, or else."""
        if self.scope.find(name) is None and name in self._values:
            return self._values[name]
        return super().lookup(name, span)

    def _unknown(self, name: str, span: Span) -> Value:
        """Reports a name that is not known; a figure may have been meant."""
        values = (*FIGURES, *self.scope.names(), *self._values)
        known = meant(values, self.module)
        self.session.tick(span, len(known))
        mend = near(name, values) or "the figures are " + ", ".join(FIGURES)
        return self.report(UnknownName(name, known=known, mend=mend), span)

    def flowing(self, expression: tree.Expr) -> Value:
        """Reports that nothing flows in a promise."""
        return self._refuse("nothing flows in a promise", "a step", expression.span)

    def apply(self, step: StepValue, flow: Value, label: str = "") -> Value:
        """Reports that nothing flows in a promise."""
        return self._refuse("nothing flows in a promise", "a step", step.span)
