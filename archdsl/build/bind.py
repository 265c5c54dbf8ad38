"""From the arguments of a call to the parameters of an op."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NoReturn

from pydantic import ValidationError

from archdsl.build.mends import call_text, unknown_keyword, wrong_value
from archdsl.build.values import (
    Definition,
    Given,
    StepValue,
    Tensors,
    TensorValue,
    Value,
    kind,
)
from archdsl.diagnostics import Fault, Refused
from archdsl.diagnostics.faults.arguments import (
    FlowsIn,
    GivenTwice,
    MissingArgument,
    NotATensor,
    TooManyArguments,
    UnknownArgument,
    WrongValue,
)
from archdsl.ops.base import Op, Port
from archdsl.ops.fields import AxisName
from archdsl.ops.spelling import short_usage, usage
from archdsl.source import Span


class Blamed(Exception):
    """A refusal with the span to blame, and what else is wrong with the call."""

    def __init__(
        self, refused: Refused, span: Span | None, more: Sequence[Blamed] = ()
    ) -> None:
        super().__init__(str(refused))
        self.refused = refused
        self.span = span
        self.more = tuple(more)


@cache
def _fields(op: type[Op]) -> tuple[str, ...]:
    """The parameters of an op, which pydantic looks up anew at each question."""
    return tuple(op.model_fields)


@cache
def _ports(op: type[Op]) -> dict[str, Port]:
    """The ports of an op by name."""
    return {port.name: port for port in op.ports}


class _Arguments:
    """The arguments of one call of an op, sorted into fields and ports."""

    def __init__(
        self, op: type[Op], given: Sequence[Given], axes: Sequence[str]
    ) -> None:
        self.op = op
        self.given = given
        self.flowing = axes or _axes(given)  # the axes of what goes in
        self.ports = _ports(op)
        self.many = bool(op.ports) and op.ports[0].many
        self.names = _fields(op)
        self.fields: dict[str, Value] = {}
        self.tensors: Tensors = {}
        self.at = 0  # which argument is looked at
        self.places: dict[str, int] = {}  # which one each field and port is
        self.rest: list[Value] = []
        self.axes: list[tuple[str, Value]] = []

    def take(self, at: int, given: Given) -> None:
        self.at = at
        if given.name is None:
            self._positional(given)
        elif given.name[0].isupper():
            self._axis(given)
        elif given.name in self.ports:
            self._port(given.name, given)
        elif given.name in self.names and given.name != self.op.axis_keywords:
            self._field(given.name, given)
        else:
            names = [name for name in self.names if name != self.op.axis_keywords]
            known = (*names, *list(self.ports)[1:])
            mend = unknown_keyword(self.op, given, known, self.flowing)
            fault = UnknownArgument(self.op.name, given.name, known, mend)
            self._blame(fault, given.span)

    def _blame(self, fault: Fault, span: Span) -> NoReturn:
        raise Blamed(Refused(fault), span)

    def _positional(self, given: Given) -> None:
        op = self.op
        if self.many and self.at == 0:
            self._port(op.ports[0].name, given)
            return
        if holds_tensors(given.value):
            self._port(self._free_port(given), given)
            return
        if "number" in self.names:  # in the place of the other tensor
            self._port(op.ports[1].name, given)
            return
        if isinstance(given.value, StepValue) and not self._optional_ports():
            self._blame(self._flows_in(given), given.span)
        if op.axis_keywords and isinstance(given.value, AxisName) and self._bare_axis():
            self.axes.append((str(given.value), None))
            self.places.setdefault(op.axis_keywords, self.at)
        elif op.rest:
            self.rest.append(given.value)
            self.places.setdefault(op.rest, self.at)
        else:
            self._next_field(given)

    def _optional_ports(self) -> list[str]:
        """The ports that a positional tensor may go to: all but what flows."""
        names = [p.name for p in self.op.ports]
        return [p for p in (names if self.many else names[1:]) if p not in self.tensors]

    def _free_port(self, given: Given) -> str:
        op = self.op
        if self.many and self.tensors:
            takes = "one list of tensors"
            fault = TooManyArguments(op.name, takes, f"{op.name}([a, b])")
            self._blame(fault, given.span)
        free = self._optional_ports()
        if not free and len(op.ports) > 1:
            takes = "one other tensor" if len(op.ports) == 2 else "no more tensors"
            self._blame(TooManyArguments(op.name, takes, usage(op)), given.span)
        elif not free:
            self._blame(self._flows_in(given), given.span)
        return free[0]

    def _flows_in(self, given: Given) -> FlowsIn:
        others = [g for g in self.given if g is not given]
        return FlowsIn(self.op.name, given.span.text, call_text(self.op, others))

    def _bare_axis(self) -> bool:
        """Whether a bare axis is one of the sizes: all fields before them are set."""
        for field in self.names:
            if field == self.op.axis_keywords:
                return True
            if field not in self.fields:
                return False
        return False

    def _next_field(self, given: Given) -> None:
        for name in self.names:
            if name not in self.fields and name != self.op.axis_keywords:
                self.fields[name] = given.value
                self.places[name] = self.at
                return
        count = len(self.names)
        takes = f"{count} argument{'s' * (count != 1)}" if count else "no arguments"
        fault = TooManyArguments(self.op.name, takes, usage(self.op))
        self._blame(fault, given.span)

    def _field(self, name: str, given: Given) -> None:
        if name in self.fields:
            self._blame(GivenTwice(self.op.name, name), given.span)
        if holds_tensors(given.value):
            fault = WrongValue(self.op.name, name, "is not a tensor", kind(given.value))
            self._blame(fault, given.span)
        self.fields[name] = given.value
        self.places[name] = self.at

    def _port(self, name: str, given: Given) -> None:
        if name in self.tensors or f"{name}0" in self.tensors:
            self._blame(GivenTwice(self.op.name, name), given.span)
        self.places[name] = self.at
        value = given.value
        if self.ports[name].many:
            items = value if isinstance(value, tuple) else (value,)
            for i, item in enumerate(items):
                self.tensors[f"{name}{i}"] = self._tensor(item, given.span)
            return
        if isinstance(value, int | float) and "number" in self.names:
            if "number" in self.fields:
                fault = TooManyArguments(self.op.name, "one other", usage(self.op))
                self._blame(fault, given.span)
            self.fields["number"] = value
            self.places["number"] = self.at
            return
        self.tensors[name] = self._tensor(value, given.span)

    def _tensor(self, value: Value, span: Span) -> TensorValue:
        if not isinstance(value, TensorValue):
            mend = ""
            if isinstance(value, StepValue):
                mend = f"let something flow into it: `x -> {value.name}`"
                target = value.target
                if isinstance(target, Definition) and not target.tensor_names:
                    mend = f"name it first: `let first = {span.text}`"
            self._blame(NotATensor(self.op.name, kind(value), mend), span)
        return value

    def _axis(self, given: Given) -> None:
        assert given.name is not None
        if not self.op.axis_keywords:
            fault = UnknownArgument(self.op.name, given.name, self.names)
            self._blame(fault, given.span)
        if given.name in dict(self.axes):
            self._blame(GivenTwice(self.op.name, given.name), given.span)
        self.axes.append((given.name, given.value))
        self.places.setdefault(self.op.axis_keywords, self.at)

    def finish(self) -> Op:
        op = self.op
        if op.rest and self.rest:
            self.fields[op.rest] = tuple(self.rest)
        if op.axis_keywords and self.axes:
            self.fields[op.axis_keywords] = tuple(self.axes)
        try:
            return op(**self.fields)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False)
        # Not above, where the refusal would keep that error as its context: Python's
        # collector cannot look into one of pydantic, and so would never free the two.
        first, *more = [self._explain(dict(e)) for e in wrong]
        raise Blamed(first.refused, first.span, more)

    def _explain(self, error: Mapping[str, object]) -> Blamed:
        op, place = self.op, error["loc"]
        name = str(place[0]) if isinstance(place, tuple) and place else ""
        if error["type"] == "missing":
            return Blamed(
                Refused(MissingArgument(op.name, name, short_usage(op))), None
            )
        problem = str(error["msg"]).removeprefix("Value error, ")
        problem = problem[:1].lower() + problem[1:]
        if error["type"] == "literal_error":
            expected = re.findall(r"'([^']*)'", problem)
            problem = "must be " + " or ".join(f'"{word}"' for word in expected)
        at = self.places.get(name)
        blamed = None if at is None else self.given[at]
        span = None if blamed is None else blamed.span
        mend = wrong_value(op, name, self.given, blamed, self.flowing)
        value = self.fields.get(name)
        if name == op.rest and isinstance(value, tuple) and len(value) == 1:
            value = value[0]
        found = kind(value)
        return Blamed(Refused(WrongValue(op.name, name, problem, found, mend)), span)


def holds_tensors(value: Value) -> bool:
    """Whether a value is a tensor, or a list with one in it."""
    if isinstance(value, tuple):
        return bool(value) and any(holds_tensors(v) for v in value)
    return isinstance(value, TensorValue)


def _axes(given: Sequence[Given]) -> Sequence[str]:
    """The axes of the first tensor among the arguments."""
    for one in given:
        items = one.value if isinstance(one.value, tuple) else (one.value,)
        for item in items:
            if isinstance(item, TensorValue):
                return item.type.names
    return ()


def bind_op(
    op: type[Op], given: Sequence[Given], axes: Sequence[str] = ()
) -> tuple[Op, Tensors, dict[str, int]]:
    """The op with its parameters, the tensors by name, and which argument each is.

    Args:
        op: What is called.
        given: The arguments.
        axes: Those of what flows in, for what would mend an argument.

    Raises:
        Blamed: An argument is unknown, missing, given twice or of a wrong value.
    """
    arguments = _Arguments(op, given, axes)
    wrong: list[Blamed] = []
    for at, argument in enumerate(given):
        try:
            arguments.take(at, argument)
        except Blamed as blamed:
            if blamed.refused.fault not in [b.refused.fault for b in wrong]:
                wrong.append(blamed)
    if wrong:
        raise Blamed(wrong[0].refused, wrong[0].span, wrong[1:])
    return arguments.finish(), arguments.tensors, arguments.places


def spans_of(places: Mapping[str, int], given: Sequence[Given]) -> dict[str, Span]:
    """Where the argument of each port and parameter stands."""
    return {name: given[at].span for name, at in places.items()}
