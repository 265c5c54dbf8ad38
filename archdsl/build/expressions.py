"""Expressions: from a tree to a value."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from archdsl.build import mends
from archdsl.build.bind import Blamed
from archdsl.build.functions import FUNCTIONS, call, is_number
from archdsl.build.operators import Operators
from archdsl.build.scope import Scope
from archdsl.build.session import MOST_WORK
from archdsl.build.values import (
    POISON,
    Function,
    Given,
    LayerValue,
    StepValue,
    TensorValue,
    Value,
    kind,
    listed,
    poisoned,
)
from archdsl.diagnostics import Refused, habits
from archdsl.diagnostics.faults.arguments import (
    BadArithmetic,
    BadIndex,
    NoAttribute,
    WrongCount,
    WrongTensors,
)
from archdsl.diagnostics.faults.names import UnknownName
from archdsl.ops.fields import AxisName
from archdsl.source import Span
from archdsl.syntax import tree

_MAKES_LISTS = frozenset(
    [tree.ListOf, tree.TupleOf, tree.Comprehension, tree.Binary, tree.Call]
)


class Expressions(Operators):
    """Evaluates expressions in a scope, with a value that flows."""

    @abstractmethod
    def flowing(self, expression: tree.Expr) -> Value:
        """The value of an expression whose first step takes what flows."""

    # -- values ----------------------------------------------------------------------

    def evaluate(self, expression: tree.Expr) -> Value:
        """The value of an expression; a step is not applied."""
        session = self.session
        session.work += 1
        if session.work > MOST_WORK:
            session.tick(expression.span)
        if isinstance(expression, tree.Name):
            return self.lookup(expression.id, expression.span)
        if isinstance(expression, tree.Literal):
            return expression.value
        kind = type(expression)
        try:
            value = _EVALUATE[kind](self, expression)
            if kind in _MAKES_LISTS and isinstance(value, (tuple, str)):
                session.weigh((value,), expression.span)
            return value
        except Blamed as blamed:
            refused, span = blamed.refused, blamed.span or expression.span
        except Refused as found:
            refused, span = found, expression.span
        return self.report(refused.fault, span, refused.notes)

    def _axis(self, e: tree.Axis) -> Value:
        return AxisName(e.id)

    # -- lists -----------------------------------------------------------------------

    def _items(self, e: tree.ListOf | tree.TupleOf) -> Value:
        return listed([self.evaluate(item) for item in e.items])

    def _comprehension(self, e: tree.Comprehension) -> Value:
        items = self.iterable(e.iterable)
        if items is None:
            return POISON
        values: list[Value] = []
        outer, lists = self.scope, {}  # type: ignore[var-annotated]
        for turn, item in enumerate(items):
            self.scope = Scope(outer)
            self.namer.open_turn(turn, lists)
            ok = self.bind(e.target, item)
            self.session.open_turn(turn, e.span, self.scope.values)
            if ok and (e.condition is None or self.truth(e.condition)):
                values.append(self.evaluate(e.item))
            self.namer.close_turn()
            self.session.turns.pop()
            self.scope = outer
            if not ok:
                return POISON
        return listed(values)

    def iterable(self, expression: tree.Expr) -> tuple[Value, ...] | None:
        """The items that a loop runs over; None after an error."""
        value = self.evaluate(expression)
        if poisoned(value):
            return None
        if not isinstance(value, tuple):
            mend = ""
            if isinstance(value, int) and not isinstance(value, bool):
                mend = f"write range({expression.span.text})"
            problem = f"a loop runs over a list, and this is {kind(value)}"
            self.report(BadArithmetic(problem, "not a list", mend), expression.span)
            return None
        return value

    def bind(self, target: tree.Target, value: Value) -> bool:
        """Gives a loop's names their values; False after an error."""
        if isinstance(target.items, tree.Name):
            self.scope.values[target.items.id] = value
            return True
        count = len(value) if isinstance(value, tuple) else 1
        if not isinstance(value, tuple) or count != len(target.items):
            mend = mends.unpacking([t.span.text for t in target.items], value)
            self.report(WrongCount(len(target.items), count, mend), target.span)
            return False
        pairs = zip(target.items, value, strict=True)
        return all(self.bind(inner, item) for inner, item in pairs)

    # -- calls -----------------------------------------------------------------------

    @abstractmethod
    def arguments(self, arguments: tuple[tree.Argument, ...]) -> tuple[Given, ...]:
        """A call's arguments, evaluated."""

    def _call(self, e: tree.Call) -> Value:
        function = self.evaluate(e.function)
        if not isinstance(function, StepValue):
            function = self.as_step(e.function, function)
        given = self.arguments(e.arguments)
        if function is POISON:
            return POISON
        for one in given:
            if one.value is POISON:
                return POISON
        if isinstance(function, StepValue):
            if _of_numbers(function, given):
                return self._function(function.name, given, e.span)
            return function.bound(given, e.function.span)
        if isinstance(function, Function):
            return self._function(function.name, given, e.span)
        problem = f"{kind(function)} cannot be called"
        mend = habits.layer(function) if isinstance(function, AxisName) else ""
        fault = BadArithmetic(problem, "not a step", mend)
        return self.report(fault, e.function.span)

    def _function(self, name: str, given: tuple[Given, ...], span: Span) -> Value:
        values = [self.sized(g.value, g.span) for g in given]
        named = [g for g in given if g.name]
        if named:
            problem = f"{name} takes no argument by name"
            return self.report(BadArithmetic(problem, "drop the name"), named[0].span)
        if poisoned(*values):
            return POISON
        self.session.weigh(values, span)
        return call(name, values)

    def _brackets(self, e: tree.Brackets) -> Value:
        base = self.evaluate(e.base)
        given = self.arguments(e.arguments)
        if poisoned(base, *(g.value for g in given)):
            return POISON
        if isinstance(base, tuple):
            return self._index(base, given, e)
        if isinstance(base, StepValue) and base.is_block:
            made = tuple(g.of(self.made(g.value)) for g in given)
            return replace(base, tensors=made)
        if isinstance(base, StepValue):
            fault = WrongTensors(
                f"`{base.name}`", "its tensors in parentheses", "brackets",
                f"{base.name}(…, name = tensor)",
            )  # fmt: skip
            return self.report(fault, e.span)
        problem = f"{kind(base)} has no items"
        mend = ""
        if isinstance(base, TensorValue):
            axis = next(iter(base.type.positions), "C")
            mend = f"`select({axis}, 0)` takes one place, `slice({axis}, 0, 4)` several"
        return self.report(
            BadArithmetic(problem, "not a list or a block", mend), e.span
        )

    def _index(
        self, base: tuple[Value, ...], given: tuple[Given, ...], e: tree.Brackets
    ) -> Value:
        index = given[0].value if len(given) == 1 and given[0].name is None else None
        if not isinstance(index, int) or isinstance(index, bool):
            problem = "a list is indexed by one whole number"
            return self.report(BadArithmetic(problem, "not an index"), e.span)
        if not -len(base) <= index < len(base):
            fault = BadIndex(e.base.span.text, index, f"{len(base)} items")
            return self.report(fault, e.span)
        return base[index]

    def _attribute(self, e: tree.Attribute) -> Value:
        library = self._library(e)
        if library:
            mend = mends.of_library(library, e.name)
            return self.report(UnknownName(e.span.text, mend=mend), e.span)
        base = self.evaluate(e.base)
        if poisoned(base):
            return POISON
        what = f"`{e.base.span.text}`"
        if isinstance(base, TensorValue) and e.name[0].isupper():
            return self._size(base, e.name, e.span, what)
        if isinstance(base, StepValue) and e.name == "transposed":
            if isinstance(base.target, LayerValue):
                return replace(base, transposed=True, span=e.span)
            mend = f"declare it once: `layer name = {base.name}(…)`"
            return self.report(NoAttribute(what, e.name, mend), e.span)
        mend = mends.attribute(e.base.span.text, e.name, base)
        return self.report(NoAttribute(what, e.name, mend), e.span)

    def _library(self, e: tree.Attribute) -> str:
        """The library that a dotted name begins with, ``self`` too, or ""."""
        root = e.base
        while isinstance(root, tree.Attribute):
            root = root.base
        name = root.id if isinstance(root, tree.Name | tree.Axis) else ""
        known = not habits.is_library(name) or self.scope.find(name) is not None
        return "" if known else name


def _of_numbers(step: StepValue, given: tuple[Given, ...]) -> bool:
    """Whether ``max(…)`` is of numbers; of axes, it is the op."""
    target = step.target
    if not isinstance(target, type) or target.name not in FUNCTIONS or not given:
        return False
    if any(g.name for g in given):
        return False
    return all(is_number(g.value) or isinstance(g.value, tuple) for g in given)


_EVALUATE: dict[type, Callable[[Expressions, Any], Value]] = {
    tree.Axis: Expressions._axis,
    tree.ListOf: Expressions._items,
    tree.TupleOf: Expressions._items,
    tree.Comprehension: Expressions._comprehension,
    tree.Unary: Expressions._unary,
    tree.Binary: Expressions._binary,
    tree.Compare: Expressions._compare,
    tree.Conditional: Expressions._conditional,
    tree.Call: Expressions._call,
    tree.Brackets: Expressions._brackets,
    tree.Attribute: Expressions._attribute,
    tree.Pipeline: lambda self, e: self.flowing(e),
    tree.Step: lambda self, e: self.flowing(e),
    tree.Residual: lambda self, e: self.flowing(e),
    tree.Repeat: lambda self, e: self.flowing(e),
    tree.Scan: lambda self, e: self.flowing(e),
    tree.For: lambda self, e: self.flowing(e),
    tree.If: lambda self, e: self.flowing(e),
}
