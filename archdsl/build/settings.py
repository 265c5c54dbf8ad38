"""What is set from outside: hyperparameters, sizes of axes, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from archdsl.build.bind import Blamed
from archdsl.build.body import Body
from archdsl.build.hyperparameters import bind_parameters, block_usage
from archdsl.build.session import Session
from archdsl.build.values import Definition, Given, StepValue, Value
from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument
from archdsl.diagnostics.faults.models import BadSetting
from archdsl.ir.dim import Poly, Setting, Size, symbol
from archdsl.ir.graph import Graph
from archdsl.ir.prune import prune, values
from archdsl.ops.fields import AxisName
from archdsl.source import Source, Span
from archdsl.syntax import parse, tree

Extent: TypeAlias = int | str | None  # of an axis that is set: "32*n", None for open


def with_settings(
    session: Session,
    definition: Definition,
    step: StepValue,
    settings: Mapping[str, str],
) -> dict[str, Value] | None:
    """Hyperparameters by name, those of the command line last; None after an error."""
    known = tuple(p.name.id for p in definition.node.parameters)
    extra: list[Given] = []
    for name, text in settings.items():
        given = _setting(session, definition, name, text, known)
        if given is None:
            return None
        extra.append(given)
    try:
        found, _ = bind_parameters(definition, step.given)
        found |= bind_parameters(definition, extra)[0]
    except Blamed as blamed:
        session.report(blamed.refused.fault, blamed.span or step.span)
        return None
    missing = [n for n, p in zip(known, definition.node.parameters, strict=True)
               if p.default is None and n not in found]  # fmt: skip
    if missing:
        usage = f"--set {missing[0]}=…, or {block_usage(definition)}"
        fault = MissingArgument(f"model `{definition.name}`", missing[0], usage)
        session.report(fault, step.span)
        return None
    return {name: given.value for name, given in found.items()}


def _setting(
    session: Session, definition: Definition, name: str, text: str, known: Sequence[str]
) -> Given | None:
    """One ``--set name=text``, the text read as an expression of the language."""
    where = typed("--set", f"{name}={text}")
    if name not in known:
        problem = f"model `{definition.name}` has no such hyperparameter"
        session.report(BadSetting("--set", name, problem, tuple(known)), where)
        return None
    source = Source("--set", f"model m = m({name} = {text}\n)")
    file, problems = parse(source)
    item = file.items[0] if len(file.items) == 1 and not problems else None
    call = item.value if isinstance(item, tree.Variant) else None
    if not isinstance(call, tree.Call) or len(call.arguments) != 1:
        problem = f"{text!r} is not a value, such as 4, [2, 2, 6, 2] or true"
        session.report(BadSetting("--set", name, problem), where)
        return None
    scratch = Session()
    body = _Typed(scratch, definition, Graph("", where), None)
    value = body.evaluate(call.arguments[0].value)
    if not _names_axes(definition, name):
        value = _as_symbols(value)
    if scratch.diagnostics:
        problem = scratch.diagnostics[0].fault.message()
        session.report(BadSetting("--set", name, problem), where)
        return None
    return Given(name, value, where)


class _Typed(Body):
    """An expression of the command line, in which an axis' name is a symbol."""

    def sized(self, value: Value, span: Span) -> Value:
        """An axis' name as a symbol; any other value as it is."""
        return _as_symbols(value)


def _as_symbols(value: Value) -> Value:
    """Names of axes, in lists too, as the symbols of hyperparameters."""
    if isinstance(value, tuple):
        return tuple(map(_as_symbols, value))
    return symbol(Setting(value)) if isinstance(value, AxisName) else value


def _names_axes(definition: Definition, name: str) -> bool:
    """Whether a hyperparameter is by default an axis, so that a name is one too."""
    parameters = {p.name.id: p.default for p in definition.node.parameters}
    default = parameters[name]
    items = default.items if isinstance(default, tree.ListOf) else (default,)
    return any(isinstance(item, tree.Axis) for item in items)


def typed(option: str, text: str) -> Span:
    """A span over what was typed on the command line."""
    source = Source(option, text)
    return Span(source, 0, len(text))


def written(axis: str, given: Extent) -> str:
    """An axis and its size as they are typed."""
    return axis if given is None else f"{axis}={given}"


def extent(session: Session, axis: str, sizes: Mapping[str, Extent]) -> Size | None:
    """The size of an axis that is set; None after an error."""
    given = sizes[axis]
    if given is None:
        return symbol(axis)
    from archdsl.ir.formula import read as read_formula
    from archdsl.ir.ranges import at_least

    problem = ""
    try:
        size = read_formula(given) if isinstance(given, str) else given
    except (ValueError, Refused) as error:
        size, problem = 1, f"{given!r} {error}"
    if isinstance(size, Poly):
        taken = [
            s for s in sorted(size.symbols) if sizes.get(s, ...) not in (None, ...)
        ]
        if taken:
            problem = f"its symbol {taken[0]} is an axis that has a size of its own"
        elif at_least(size, 1) is not True:
            every = " and ".join(sorted(size.symbols))
            problem = f"{size} is not at least 1 for every {every}"
    elif size < 1 and not problem:
        problem = f"must be at least 1, and is {size}"
    if problem:
        fault = BadSetting("--size", axis, problem)
        session.report(fault, typed("--size", written(axis, given)))
        return None
    return size


def with_outputs(
    session: Session, graph: Graph, outputs: Sequence[str]
) -> Graph | None:
    """The model cut down to some values; None after an error."""
    known = values(graph)
    missing = [name for name in outputs if name not in known]
    for name in dict.fromkeys(missing):
        problem = f"model `{graph.name}` has no such value"
        there = tuple(dict.fromkeys((*graph.named, *known)))
        where = typed("--outputs", name)
        session.report(BadSetting("--outputs", name, problem, there), where)
    return None if missing else prune(graph, {name: known[name] for name in outputs})
