"""Expressions: from a tree to a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archdsl.build import mends
from archdsl.build.bind import Blamed
from archdsl.build.functions import FUNCTIONS, arithmetic, call, compare, is_number
from archdsl.build.scope import Namer, Scope
from archdsl.build.session import DEEPEST_CALL, Session
from archdsl.build.values import (
    POISON,
    Definition,
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
from archdsl.build.whereabouts import whereabouts
from archdsl.diagnostics import Fault, Note, Refused, habits
from archdsl.diagnostics.faults.arguments import (
    BadArithmetic,
    BadIndex,
    BatchIsOpen,
    NoAttribute,
    NotATensor,
    WrongCount,
    WrongTensors,
)
from archdsl.diagnostics.faults.limits import TooDeep, TooMuchWork
from archdsl.diagnostics.faults.names import UnknownName
from archdsl.ir.tensor import BATCH
from archdsl.ops.base import AxisName
from archdsl.ops.registry import ops
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.build.files import Module

_MAKES_LISTS = (
    tree.ListOf, tree.TupleOf, tree.Comprehension, tree.Binary, tree.Call
)  # fmt: skip
_FLAT = "write what it sets as one variant"
_TENSOR_OPS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


class Expressions(ABC):
    """Evaluates expressions in a scope, with a value that flows.

    A fault is reported once and its value is `POISON`, which spreads silently.
    """

    def __init__(self, session: Session, module: Module) -> None:
        self.session = session
        self.module = module
        self.scope = Scope()
        self.namer = Namer()
        self.flow: Value = None
        self._open_variants: list[tree.Variant] = []

    @abstractmethod
    def apply(self, step: StepValue, flow: Value, label: str = "") -> Value:
        """Lets a value flow through a step."""

    @abstractmethod
    def lost(self, value: TensorValue, axis: str) -> tuple[Note, ...]:
        """Where a tensor lost an axis, if it ever had it."""

    @abstractmethod
    def flowing(self, expression: tree.Expr) -> Value:
        """The value of an expression whose first step takes what flows."""

    def report(self, fault: Fault, span: Span, notes: tuple[Note, ...] = ()) -> Value:
        """Keeps a diagnostic; its value is the mark of an error."""
        self.session.report(fault, span, notes)
        return POISON

    # -- values ----------------------------------------------------------------------

    def evaluate(self, expression: tree.Expr) -> Value:
        """The value of an expression; a step is not applied."""
        self.session.tick(expression.span)
        try:
            value = _EVALUATE[type(expression)](self, expression)
            weighs = isinstance(value, tuple | str)
            if weighs and isinstance(expression, _MAKES_LISTS):
                self.session.weigh((value,), expression.span)
            return value
        except Blamed as blamed:
            refused, span = blamed.refused, blamed.span or expression.span
        except Refused as found:
            refused, span = found, expression.span
        return self.report(refused.fault, span, refused.notes)

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
        if isinstance(value, TensorValue | StepValue | AxisName) or not isinstance(
            value, bool | int | float | str | tuple | None
        ):
            problem = f"a condition is true or false, and this is {kind(value)}"
            self.report(BadArithmetic(problem, "not a condition"), expression.span)
            return None
        return bool(value)

    def _literal(self, e: tree.Literal) -> Value:
        return e.value

    def _axis(self, e: tree.Axis) -> Value:
        return AxisName(e.id)

    def _name(self, e: tree.Name) -> Value:
        value = self.lookup(e.id, e.span)
        return value.at(e.span) if isinstance(value, StepValue) else value

    def lookup(self, name: str, span: Span) -> Value:
        """What a name means here: a value, a block, an op, a function."""
        found = self.scope.find(name) or self._defined(name, span)
        if found is not None:
            return found[0]
        if self.module.is_unknown(name):
            return POISON
        return self._unknown(name, span)

    def _unknown(self, name: str, span: Span) -> Value:
        """Reports a name that nothing in reach defines."""
        known = tuple(self._known())
        self.session.tick(span, len(known))
        mend, notes = whereabouts(name, span, self.module)
        axes = self.flow.type.names if isinstance(self.flow, TensorValue) else ()
        if not notes:
            mend = mend or habits.layer(name, axes)
        if not notes and name == "x":
            mend = mend or "what flows has no name until `as x` gives it one"
        elif not notes and name.upper() in axes:
            mend = f"an axis begins with an uppercase letter: `{name.upper()}`"
        values = tuple(dict.fromkeys(self.scope.names()))
        fault = UnknownName(name, known=known, mend=mend, values=values)
        return self.report(fault, span, notes)

    def _defined(self, name: str, span: Span) -> tuple[Value] | None:
        """The block, model, op or function of a name in a 1-tuple, or None."""
        definition = self.module.definitions.get(name)
        if definition is not None:
            return (StepValue(definition, span=span),)
        if name in self.module.variants:
            return (self.variant(name, span),)
        if name in self.module.failed:
            return (POISON,)
        op = ops().get(name)
        if op is not None and op.public:
            return (StepValue(op, span=span),)
        if name in FUNCTIONS:
            return (Function(name),)
        return None

    def as_step(
        self, e: tree.Expr, value: Value, named: tuple[type, ...] = ()
    ) -> Value:
        """What a name means where a step is needed, and its value can be none.

        So a rate may be called as the op that takes it: ``dropout(dropout)``. What is
        of the types `named` stays what it is.
        """
        if not isinstance(e, tree.Name) or poisoned(value):
            return value
        if isinstance(value, (StepValue, Function, *named)):
            return value
        found = self._defined(e.id, e.span)
        return value if found is None else found[0]

    def _known(self) -> list[str]:
        module = self.module
        public = [n for n, op in ops().items() if op.public]
        defined = [*module.definitions, *module.variants]
        return [*self.scope.names(), *defined, *public, *FUNCTIONS]

    def variant(self, name: str, span: Span) -> Value:
        """The model of a variant, with its hyperparameters bound."""
        item, module = self.module.variants[name]
        if any(item is other for other in self._open_variants):
            problem = f"model `{name}` is a variant of itself"
            return self.report(BadArithmetic(problem, "closes the circle"), item.span)
        if len(self._open_variants) >= DEEPEST_CALL:
            return self.report(TooDeep("a variant", DEEPEST_CALL, _FLAT), item.span)
        if id(item) not in self.session.variants:
            here = self.module, self.scope, self.flow
            self.module, self.scope, self.flow = module, Scope(), None
            self._open_variants.append(item)
            self.session.variants[id(item)] = self._variant(name, item)
            self._open_variants.pop()
            self.module, self.scope, self.flow = here
        value = self.session.variants[id(item)]
        return value.at(span) if isinstance(value, StepValue) else value

    def _variant(self, name: str, item: tree.Variant) -> Value:
        value = self.evaluate(item.value)
        if poisoned(value):
            return POISON
        model = isinstance(value, StepValue) and isinstance(value.target, Definition)
        if not model or not value.target.is_model:  # type: ignore[union-attr]
            problem = (
                f"model `{name}` must be a call of a model, and this is {kind(value)}"
            )
            return self.report(BadArithmetic(problem, "not a model"), item.value.span)
        return value

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

    # -- calls -----------------------------------------------------------------------

    def arguments(self, arguments: tuple[tree.Argument, ...]) -> tuple[Given, ...]:
        """A call's arguments, evaluated."""
        return tuple(Given(a.name, self.evaluate(a.value), a.span) for a in arguments)

    def _call(self, e: tree.Call) -> Value:
        function = self.as_step(e.function, self.evaluate(e.function))
        given = self.arguments(e.arguments)
        if poisoned(function, *(g.value for g in given)):
            return POISON
        if isinstance(function, Function) or self._is_function(function, given):
            assert isinstance(function, Function | StepValue)
            return self._function(function.name, given, e.span)
        if not isinstance(function, StepValue):
            problem = f"{kind(function)} cannot be called"
            mend = habits.layer(function) if isinstance(function, AxisName) else ""
            fault = BadArithmetic(problem, "not a step", mend)
            return self.report(fault, e.function.span)
        return function.bound(given, e.function.span)

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

    def _is_function(self, step: Value, given: tuple[Given, ...]) -> bool:
        """Whether ``max(…)`` is of numbers; of axes, it is the op."""
        if not isinstance(step, StepValue) or step.name not in FUNCTIONS or not given:
            return False
        if not isinstance(step.target, type) or any(g.name for g in given):
            return False
        return all(is_number(g.value) or isinstance(g.value, tuple) for g in given)

    def _brackets(self, e: tree.Brackets) -> Value:
        base = self.evaluate(e.base)
        given = self.arguments(e.arguments)
        if poisoned(base, *(g.value for g in given)):
            return POISON
        if isinstance(base, tuple):
            return self._index(base, given, e)
        if isinstance(base, StepValue) and isinstance(base.target, Definition):
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

    def check_count(self, count: int, limit: int, what: str, span: Span) -> bool:
        """Whether a loop is short enough; False after an error."""
        if count <= limit:
            return True
        self.report(
            TooMuchWork(f"{what} runs {count:,} times", f"{limit:,} turns"), span
        )
        return False


_EVALUATE: dict[type, Callable[[Expressions, Any], Value]] = {
    tree.Literal: Expressions._literal,
    tree.Axis: Expressions._axis,
    tree.Name: Expressions._name,
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
