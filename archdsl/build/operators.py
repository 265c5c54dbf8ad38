"""Operators: arithmetic, comparison and logic, on numbers, sizes, lists and tensors."""

from __future__ import annotations

from abc import abstractmethod

from archdsl.build.functions import arithmetic, compare, is_number
from archdsl.build.lookup import Lookup
from archdsl.build.values import (
    POISON,
    Given,
    StepValue,
    TensorValue,
    Value,
    kind,
    listed,
    poisoned,
)
from archdsl.diagnostics import Note
from archdsl.diagnostics.faults.arguments import (
    BadArithmetic,
    BatchIsOpen,
    NoAttribute,
    NotATensor,
)
from archdsl.ir.tensor import BATCH
from archdsl.ops.fields import AxisName
from archdsl.ops.registry import ops
from archdsl.source import Span
from archdsl.syntax import tree

_CONDITIONS = (bool, int, float, str, tuple, type(None))  # what is true or false
_TENSOR_OPS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


class Operators(Lookup):
    """What operators make of their operands."""

    @abstractmethod
    def apply(self, step: StepValue, flow: Value, label: str = "") -> Value:
        """Lets a value flow through a step."""

    @abstractmethod
    def lost(self, value: TensorValue, axis: str) -> tuple[Note, ...]:
        """Where a tensor lost an axis, if it ever had it."""

    # -- operands --------------------------------------------------------------------

    def number(self, expression: tree.Expr) -> Value:
        """The value of an expression, an axis standing for its size."""
        return self.sized(self.evaluate(expression), expression.span)

    def sized(self, value: Value, span: Span) -> Value:
        """An axis' size in what flows; any other value as it is."""
        if not isinstance(value, AxisName):
            return value
        return self._size(self.flow, str(value), span, "the value that flows here")

    def _size(self, value: Value, axis: str, span: Span, what: str) -> Value:
        if poisoned(value):
            return POISON
        if not isinstance(value, TensorValue):
            return self.report(NoAttribute(what, axis, "nothing flows here"), span)
        if axis == BATCH:
            return self.report(BatchIsOpen(), span)
        if axis not in value.type:
            there = ", ".join(value.type.names)
            notes = self.lost(value, axis)
            mend = f"its axes are {there}"
            return self.report(NoAttribute(what, axis, mend), span, notes)
        return value.type[axis]

    def truth(self, expression: tree.Expr) -> bool | None:
        """Whether a condition holds; None after an error."""
        value = self.number(expression)
        if poisoned(value):
            return None
        if isinstance(value, AxisName) or not isinstance(value, _CONDITIONS):
            problem = f"a condition is true or false, and this is {kind(value)}"
            self.report(BadArithmetic(problem, "not a condition"), expression.span)
            return None
        return bool(value)

    # -- arithmetic ------------------------------------------------------------------

    def _unary(self, e: tree.Unary) -> Value:
        if e.operator == "not":
            truth = self.truth(e.operand)
            return POISON if truth is None else not truth
        value = self.number(e.operand)
        if isinstance(value, TensorValue):
            return self._tensor_arithmetic("*", value, -1, e.span)
        if poisoned(value):
            return POISON
        return arithmetic(e.operator, 0, value)

    def made(self, value: Value) -> Value:
        """A step without inputs, such as ``parameter(C = 4)``, as what it makes."""
        if isinstance(value, tuple):
            return listed(map(self.made, value))
        target = value.target if isinstance(value, StepValue) else None
        if isinstance(target, type) and not target.ports:
            assert isinstance(value, StepValue)
            return self.apply(value, None)
        return value

    def _binary(self, e: tree.Binary) -> Value:
        if e.operator in ("and", "or"):
            return self._logic(e)
        left, right = self.made(self.number(e.left)), self.made(self.number(e.right))
        if poisoned(left, right):
            return POISON
        if isinstance(left, StepValue) or isinstance(right, StepValue):
            return self._step_operand(e, left, right)
        if isinstance(left, TensorValue) or isinstance(right, TensorValue):
            return self._tensor_arithmetic(e.operator, left, right, e.span)
        return arithmetic(e.operator, left, right)

    def _step_operand(self, e: tree.Binary, left: Value, right: Value) -> Value:
        """Reports a step where a tensor or number has to stand."""
        first = isinstance(left, StepValue)
        step, other = (e.left, e.right) if first else (e.right, e.left)
        mend = f"let something flow into it: `(x -> {step.span.text})`"
        name = _TENSOR_OPS.get(e.operator)
        value = left if first else right
        assert isinstance(value, StepValue)
        inside = [g for g in value.given if isinstance(g.value, TensorValue)]
        if inside:
            mend = f"write `({inside[0].span.text} -> {value.name})`"
        elif name and (first or e.operator in "+*"):
            mend = f"write `{step.span.text} -> {name}({other.span.text})`"
        fault = NotATensor(f"`{e.operator}`", kind(value), mend)
        return self.report(fault, step.span)

    def _logic(self, e: tree.Binary) -> Value:
        """``and``, ``or``: the right side is not looked at where the left decides."""
        truth = self.truth(e.left)
        if truth is not None and truth != (e.operator == "or"):
            truth = self.truth(e.right)
        return POISON if truth is None else truth

    def _tensor_arithmetic(
        self, sign: str, left: Value, right: Value, span: Span
    ) -> Value:
        name = _TENSOR_OPS.get(sign)
        if name is None:
            mend = "tensors go with + - * /"
            problem = f"`{sign}` does not work on tensors"
            return self.report(BadArithmetic(problem, "tensors here", mend), span)
        for value in (left, right):
            if not isinstance(value, TensorValue) and not is_number(value):
                return self.report(NotATensor(f"`{sign}`", kind(value)), span)
        if not isinstance(left, TensorValue):
            return self._number_first(sign, left, right, span)
        return self._op(name, left, right, span)

    def _number_first(self, sign: str, left: Value, right: Value, span: Span) -> Value:
        """``2 * x``, ``2 + x``, ``2 - x``: a number before a tensor."""
        if sign in "+*":
            return self._op(_TENSOR_OPS[sign], right, left, span)
        if sign == "-":
            return self._op("add", self._op("multiply", right, -1, span), left, span)
        problem = "a number cannot be divided by a tensor"
        mend = "a tensor by a number can: `x / 2`; so can two tensors"
        return self.report(BadArithmetic(problem, "not available", mend), span)

    def _op(self, name: str, left: Value, right: Value, span: Span) -> Value:
        step = StepValue(ops()[name], (Given(None, right, span),), span=span)
        return self.apply(step, left)

    def _compare(self, e: tree.Compare) -> Value:
        values = [self.number(o) for o in e.operands]
        if poisoned(*values):
            return POISON
        self.session.weigh(values, e.span)
        pairs = zip(e.operators, values, values[1:], strict=False)
        return all(compare(sign, left, right) for sign, left, right in pairs)

    def _conditional(self, e: tree.Conditional) -> Value:
        truth = self.truth(e.condition)
        if truth is None:
            return POISON
        return self.evaluate(e.then if truth else e.other)
