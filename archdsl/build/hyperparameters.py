"""From the arguments of a call to the hyperparameters of a block."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.build.bind import Blamed, holds_tensors
from archdsl.build.values import Definition, Given, LayerValue, StepValue, Value, kind
from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import (
    GivenTwice,
    TooManyArguments,
    UnknownArgument,
    WrongValue,
)


def bind_parameters(
    definition: Definition, given: Iterable[Given]
) -> tuple[dict[str, Given], list[str]]:
    """The arguments of a block by hyperparameter, and those without a value.

    Raises:
        Blamed: An argument is unknown or given twice.
    """
    names = definition.parameter_names
    found: dict[str, Given] = {}
    for argument in given:
        name = argument.name
        if name is None:
            free = [n for n in names if n not in found]
            if not free:
                raise Blamed(Refused(_too_many(definition, names)), argument.span)
            name = free[0]
        elif name not in names:
            fault = UnknownArgument(f"`{definition.name}`", name, names)
            raise Blamed(Refused(fault), argument.span)
        if name in found:
            raise Blamed(Refused(GivenTwice(definition.name, name)), argument.span)
        found[name] = argument
        _no_tensors(definition, name, argument)
    return found, [name for name in definition.needed if name not in found]


def _too_many(definition: Definition, names: tuple[str, ...]) -> TooManyArguments:
    takes = f"{len(names)} hyperparameter{'s' * (len(names) != 1)}"
    return TooManyArguments(f"`{definition.name}`", takes, block_usage(definition))


def _no_tensors(definition: Definition, name: str, argument: Given) -> None:
    if holds_tensors(argument.value):
        mend = f"tensors go in brackets: {definition.name}[…](…)"
        fault = WrongValue(
            f"`{definition.name}`",
            name,
            "is a hyperparameter",
            kind(argument.value),
            mend,
        )
        raise Blamed(Refused(fault), argument.span)
    step = _bound_outside(argument.value)
    if step is None:
        return
    if isinstance(step.target, LayerValue):
        fault = WrongValue(
            f"`{definition.name}`",
            name,
            "cannot be a layer that was declared outside the block",
            f"the layer `{step.name}`",
            "give it the op or block instead, and declare the layer inside",
        )
    else:
        fault = WrongValue(
            f"`{definition.name}`",
            name,
            "cannot be a step with a tensor from outside the block",
            f"`{step.name}` with a tensor",
            f"tensors go in brackets: {definition.name}[…](…)",
        )
    raise Blamed(Refused(fault), argument.span)


def _bound_outside(value: Value) -> StepValue | None:
    """A step in a value that holds on to what only the body it stands in has."""
    if isinstance(value, tuple):
        return next(filter(None, map(_bound_outside, value)), None)
    if not isinstance(value, StepValue):
        return None
    given = [g.value for g in (*value.given, *(value.tensors or ()))]
    if isinstance(value.target, LayerValue) or any(map(holds_tensors, given)):
        return value
    return next(filter(None, map(_bound_outside, given)), None)


def block_usage(definition: Definition) -> str:
    """How a call of a block is written."""
    node = definition.node
    more = definition.tensor_names[1:]
    brackets = f"[{', '.join(more)}]" if more else ""
    names = [
        p.name.id if p.default is None else f"{p.name.id} = {p.default.span.text}"
        for p in node.parameters
    ]
    return f"{definition.name}{brackets}({', '.join(names)})"
