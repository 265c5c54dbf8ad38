"""Names: what each means in a body, be it a value, a block, an op or a function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from archdsl.build.functions import FUNCTIONS
from archdsl.build.paths import Namer
from archdsl.build.scope import Scope
from archdsl.build.session import DEEPEST_CALL, Session
from archdsl.build.values import (
    POISON,
    Definition,
    Function,
    StepValue,
    TensorValue,
    Value,
    kind,
    poisoned,
)
from archdsl.build.whereabouts import whereabouts
from archdsl.diagnostics import Fault, Note, habits
from archdsl.diagnostics.faults.arguments import BadArithmetic
from archdsl.diagnostics.faults.limits import TooDeep
from archdsl.diagnostics.faults.names import UnknownName
from archdsl.ops.base import Op
from archdsl.ops.registry import public_ops
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.build.files import Module

_FLAT = "write what it sets as one variant"


class Lookup(ABC):
    """What names mean in the scope of a body.

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
    def evaluate(self, expression: tree.Expr) -> Value:
        """The value of an expression; a step is not applied."""

    def report(self, fault: Fault, span: Span, notes: tuple[Note, ...] = ()) -> Value:
        """Keeps a diagnostic; its value is the mark of an error."""
        self.session.report(fault, span, notes)
        return POISON

    def lookup(self, name: str, span: Span) -> Value:
        """What a name means here: a value, a block, an op, a function."""
        found = self.scope.find(name)
        if found is not None:
            value = found[0]
            return value.at(span) if isinstance(value, StepValue) else value
        found = self._defined(name, span)
        if found is not None:
            return found[0]
        if self.module.is_unknown(name):
            return POISON
        return self._unknown(name, span)

    def _unknown(self, name: str, span: Span) -> Value:
        """Reports a name that nothing in reach defines."""
        known = meant(self.scope.names(), self.module)
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
        steps = self.session.steps
        known = steps.get((name, span))
        if known is not None:
            return known
        if name in self.module.variants and name not in self.module.definitions:
            return (self.variant(name, span),)
        target: Definition | type[Op] | None = self.module.definitions.get(name)
        if target is None and name in self.module.failed:
            return (POISON,)
        target = target or public_ops().get(name)
        if target is not None:
            made = steps[name, span] = (StepValue(target, span=span),)
            return made
        return (Function(name),) if name in FUNCTIONS else None

    def as_step(
        self, e: tree.Expr, value: Value, named: tuple[type, ...] = ()
    ) -> Value:
        """What a name means where a step is needed, and its value can be none.

        So a rate may be called as the op that takes it: ``dropout(dropout)``. What is
        of the types `named` stays what it is.
        """
        if isinstance(value, StepValue) or not isinstance(e, tree.Name):
            return value
        if poisoned(value) or isinstance(value, (Function, *named)):
            return value
        found = self._defined(e.id, e.span)
        return value if found is None else found[0]

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


def is_built_in(name: str) -> bool:
    """Whether a name that no file defines is an op or a function."""
    return name in public_ops() or name in FUNCTIONS


def meant(values: Iterable[str], module: Module) -> tuple[str, ...]:
    """Every name that could be meant: values, what the file knows, what is built in."""
    defined = (*module.definitions, *module.variants)
    return (*values, *defined, *public_ops(), *FUNCTIONS)
