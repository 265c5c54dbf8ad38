"""Specialisation: one graph for a block, its hyperparameters and its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from archdsl.build.body import Body
from archdsl.build.origins import Frame
from archdsl.build.scope import Scope
from archdsl.build.session import Exhausted, Session
from archdsl.build.values import (
    POISON,
    Definition,
    StepValue,
    TensorValue,
    Types,
    Value,
    kind,
    poisoned,
)
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Graph
from archdsl.ir.tensor import Tensor
from archdsl.ops.fields import AxisName
from archdsl.source import Span
from archdsl.syntax import tree

_TYPES: dict[str, Callable[[Value], bool]] = {
    "int": lambda v: isinstance(v, int | Poly) and not isinstance(v, bool),
    "float": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "bool": lambda v: isinstance(v, bool),
    "str": lambda v: isinstance(v, str),
    "list": lambda v: isinstance(v, tuple),
    "axis": lambda v: isinstance(v, AxisName),
    "step": lambda v: isinstance(v, StepValue),
}


def specialise(
    session: Session,
    definition: Definition,
    frame: Callable[[], Frame],
    given: Mapping[str, Value],
    types: Types,
) -> Graph | None:
    """The graph of a block for these hyperparameters and inputs, made once.

    None after an error, which is reported with the call: `frame` says which it is.
    """
    hyper = tuple([(name, _key(given[name])) for name in sorted(given)])
    key = (definition, hyper, tuple(types.items()))
    if key not in session.memo:
        if not session.enter(frame()):
            return None
        made = session.memo[key] = elaborate(session, definition, given, types)
        session.frames.pop()
        if made is not None and all(map(_alone, given.values())):
            made.remake = partial(_remade, definition, given, types)
    return session.memo[key]


def _alone(value: Value) -> bool:
    """Whether a hyperparameter means the same outside of the graph of the call."""
    if isinstance(value, tuple):
        return all(map(_alone, value))
    if isinstance(value, StepValue):
        is_op = isinstance(value.target, type)
        return is_op and not value.tensors and all(_alone(g.value) for g in value.given)
    return not isinstance(value, TensorValue) and not poisoned(value)


def _remade(
    definition: Definition,
    given: Mapping[str, Value],
    types: Types,
    named: Callable[[Tensor], Tensor],
    hyper: Mapping[str, Size],
) -> Graph | None:
    """The graph of a block for other sizes; None where its text does not allow them."""
    other = {
        name: named(found) if isinstance(found, Tensor) else tuple(map(named, found))
        for name, found in types.items()
    }
    session = Session()
    try:
        made = elaborate(session, definition, {**given, **hyper}, other)
    except Exhausted:
        return None
    return None if session.diagnostics else made


def _key(value: Value) -> object:
    """What tells values apart: 1, 1.0 and true are equal to Python, not to a spec."""
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    if isinstance(value, StepValue):
        given = tuple([(g.name, _key(g.value)) for g in value.given])
        return value.target, given, value.tensors, value.transposed
    return type(value).__name__, value


def elaborate(
    session: Session,
    definition: Definition,
    given: Mapping[str, Value],
    types: Types | None,
    sizes: Mapping[str, Size] | None = None,
    unused: set[str] | None = None,
) -> Graph | None:
    """The graph of a body; None after an error."""
    node = definition.node
    graph = Graph(node.name.id, node.name.span, definition.is_model, definition.doc)
    body = Body(session, definition, graph, types, sizes)
    graph.hyper = _hyperparameters(body, definition, given)
    if isinstance(node, tree.Block):
        _enter_tensors(body, definition, types or {})
    body.run(node.body)
    if unused is not None:
        unused |= body.unused_sizes
    whole = body.finish()
    if body.promised and session.promising and types is None and body.missing is None:
        from archdsl.build.promises import promises_of

        promises_of(body, graph)
    return graph if whole else None


def _enter_tensors(body: Body, definition: Definition, types: Types) -> None:
    name_span = definition.node.name.span
    span = Span(name_span.source, name_span.start, name_span.start)
    for index, name in enumerate(definition.tensor_names):
        found = types[name]
        value: Value
        if isinstance(found, Tensor):
            value = body.enter(name, found, span)
        else:
            items = zip(definition.item_names(name, len(found)), found, strict=True)
            value = tuple(body.enter(item, tensor, span) for item, tensor in items)
        body.scope.values[name] = value
        if index == 0:
            body.flow = value
    body.scope = Scope(body.scope)


def _hyperparameters(
    body: Body, definition: Definition, given: Mapping[str, Value]
) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for parameter in definition.node.parameters:
        name = parameter.name.id
        if name in given:
            found[name] = given[name]
        else:
            assert parameter.default is not None
            found[name] = body.evaluate(parameter.default)
        body.scope.values[name] = found[name]
        if not _has_type(body, definition, parameter, found[name]):
            body.scope.values[name] = found[name] = POISON
    body.scope = Scope(body.scope)
    return found


def _has_type(
    body: Body, definition: Definition, parameter: tree.Parameter, value: Value
) -> bool:
    """Whether a hyperparameter is of the type that its block says; reports if not."""
    if not parameter.type or poisoned(value):
        return True
    name, what = parameter.name.id, f"`{definition.name}`"
    check = _TYPES.get(parameter.type)
    if check is None:
        mend = "the types are " + ", ".join(_TYPES)
        fault = WrongValue(what, name, "has an unknown type", parameter.type, mend)
        body.report(fault, parameter.span)
        return True
    if not check(value):
        problem = f"must be of type {parameter.type}"
        body.report(WrongValue(what, name, problem, kind(value)), parameter.span)
        return False
    return True
