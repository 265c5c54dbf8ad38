"""Checkpoints: from the items of a file to rules of how keys map.

A rule says where the keys of a checkpoint stand in the compiled module. Numbers are
captured on our side, whose keys are known, and the keys of theirs computed from them:
so nothing is ever solved for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from archdsl.build.body import Body
from archdsl.build.files import Module
from archdsl.build.origins import first_at
from archdsl.build.patterns import (
    Hole,
    Part,
    Pattern,
    alternatives,
    moved,
    read_pattern,
)
from archdsl.build.program import Program
from archdsl.build.scope import Scope
from archdsl.build.session import Exhausted, Session
from archdsl.build.values import (
    POISON,
    Definition,
    StepValue,
    Value,
    kind,
    poisoned,
)
from archdsl.diagnostics import Diagnostic, Fault, SpecError
from archdsl.diagnostics.faults.checkpoints import (
    BadPattern,
    BadRule,
    BadStep,
    NoModel,
    UnknownStep,
)
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.diagnostics.faults.models import Misplaced
from archdsl.diagnostics.faults.names import DefinedTwice, UnknownName
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Graph
from archdsl.ops.fields import AxisName
from archdsl.source import Span
from archdsl.syntax import tree

OWN = "archdsl"  # the layout of a compiled module itself
FILLS = ("zeros", "ones")
MOST_RULES = 1000  # of a checkpoint, alternatives counted
# The steps between keys, and what their arguments are called.
STEPS: dict[str, tuple[str, ...]] = {
    "transpose": (),
    "reshape": (),
    "flip": ("dim",),
    "rotary": ("heads",),
    "interpolate": ("tokens", "grid", "antialias", "align_corners"),
}
_TO_OURS = ("reshape", "interpolate")  # what has to know the shape of one key of ours
_ITEM = 'a rule is written `"theirs" -> "ours"`'

Argument: TypeAlias = int | bool | tuple[Size, ...]


@dataclass(frozen=True)
class Step:
    """What happens to a tensor on its way, its arguments known."""

    name: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    def __str__(self) -> str:
        inside = ", ".join(f"{k} = {_spelled(v)}" for k, v in self.arguments.items())
        return f"{self.name}({inside})" if inside else self.name


def _spelled(value: Argument) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower()


@dataclass(frozen=True)
class StepRule:
    """A step as it is written: its arguments may depend on what is captured."""

    name: str
    arguments: tuple[tuple[str, tree.Expr], ...]
    span: Span


@dataclass(frozen=True)
class Rule:
    """One way of keys, alternatives taken.

    Attributes:
        theirs: What is concatenated along dim 0, mostly one.
        fill: "zeros" or "ones", where nothing of theirs is taken.
        steps: What happens on the way.
        ours: What the result is split into along dim 0, mostly one; None for a piece
            that is dropped. Nothing at all drops the whole.
        span: Where it is written.
    """

    theirs: tuple[Pattern, ...]
    fill: str
    steps: tuple[StepRule, ...]
    ours: tuple[Pattern | None, ...]
    span: Span


@dataclass(frozen=True)
class Layout:
    """How the keys of one kind of checkpoint map to those of a model.

    Attributes:
        name: "timm", "torchvision", ….
        model: The model that it is written for.
        rules: The first that fits a key of ours fills it.
        drops: Those whose keys are left out.
        span: Where its name is written.
        module: The file, in which names are looked up.
    """

    name: str
    model: str
    rules: tuple[Rule, ...]
    drops: tuple[Rule, ...]
    span: Span
    module: Module = field(repr=False)

    def before(self, other: Layout) -> Layout:
        """This layout, and after its rules those of another."""
        rules, drops = self.rules + other.rules, self.drops + other.drops
        return replace(self, rules=rules, drops=drops)


def layouts(program: Program, model: str) -> tuple[Layout, ...]:
    """The layouts declared for a model: of its own file, then of those it comes from.

    Of two with one name, the rules of the nearer come first.

    Args:
        program: A file that was read.
        model: The name of a model or variant of it.

    Raises:
        SpecError: One of them is wrong.
    """
    found: dict[str, Layout] = {}
    lines = list(_ancestors(program.module, model))
    with _raising() as session:
        for module in dict.fromkeys(module for module, _ in lines):
            for item in module.checkpoints:
                here = _origin(module, item.model.id)
                if any(here == _origin(*line) for line in lines):
                    layout = _layout(session, module, item)
                    near = found.get(layout.name)
                    found[layout.name] = layout if near is None else near.before(layout)
    return tuple(found.values())


@contextmanager
def _raising() -> Iterator[Session]:
    """A session whose errors are raised in the end."""
    session = Session()
    with suppress(Exhausted):
        yield session
    if session.diagnostics:
        raise SpecError(session.diagnostics)


def ensure_items(module: Module) -> None:
    """Raises what is wrong with the checkpoints of a file by themselves.

    Raises:
        SpecError: One of them is wrong.
    """
    with _raising() as session:
        check_items(session, module)


def check_items(session: Session, module: Module) -> None:
    """Reports what is wrong with the checkpoints of a file by themselves."""
    first: dict[tuple[str, str], Span] = {}
    for item in module.checkpoints:
        name = item.name.id
        if name == OWN:
            problem = f"`{OWN}` is what a compiled module's own keys are called"
            session.report(
                BadRule(problem, "taken", "choose another name"), item.name.span
            )
        key = name, item.model.id
        if key in first:
            notes = first_at(name, first[key])
            session.report(DefinedTwice(name), item.name.span, notes)
        first.setdefault(key, item.name.span)
        _check_model(session, module, item.model)
        _layout(session, module, item)


def _check_model(session: Session, module: Module, model: tree.Name) -> None:
    name = model.id
    models = [n for n, d in module.definitions.items() if d.is_model]
    known = (*models, *module.variants)
    if name in known or module.is_unknown(name):
        return
    fault: Fault = UnknownName(name, known=known)
    if name in module.definitions:
        fault = NoModel(name, "a block", "name the model that uses it")
    session.report(fault, model.span)


# --- whose layouts a model has ------------------------------------------------------


def _ancestors(module: Module, name: str) -> Iterator[tuple[Module, str]]:
    """A model, and what it is a variant of, with the files that name them."""
    seen: set[tuple[int, str]] = set()
    while (id(module), name) not in seen:
        seen.add((id(module), name))
        yield module, name
        if name in module.definitions:
            definition = module.definitions[name]
            yield definition.module, definition.name
            return
        if name not in module.variants:
            return
        item, home = module.variants[name]
        yield home, item.name.id
        value = item.value
        while isinstance(value, tree.Call):
            value = value.function
        if not isinstance(value, tree.Name):
            return
        module, name = home, value.id


def _origin(module: Module, name: str) -> object:
    """The definition or variant that a name stands for in a file."""
    if name in module.variants:
        return id(module.variants[name][0])
    definition = module.definitions.get(name)
    return id(definition) if definition is not None else (id(module), name)


# --- reading ------------------------------------------------------------------------


def _layout(session: Session, module: Module, item: tree.Checkpoint) -> Layout:
    found: list[Rule] = []
    for statement in item.body.statements:
        if isinstance(statement, tree.Missing):
            continue
        try:
            found += _rules(statement)
            if len(found) > MOST_RULES:
                what = "this checkpoint has too many rules"
                fault = TooMuchWork(what, f"{MOST_RULES:,} rules")
                raise _refuse(fault, item.name.span)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                session.report(diagnostic.fault, diagnostic.span, diagnostic.notes)
        if len(found) > MOST_RULES:
            break
    rules = tuple(rule for rule in found if rule.ours)
    drops = tuple(rule for rule in found if not rule.ours)
    return Layout(item.name.id, item.model.id, rules, drops, item.name.span, module)


def _refuse(fault: Fault, span: Span) -> SpecError:
    return SpecError([Diagnostic(fault, span)])


def _rules(statement: tree.Statement) -> list[Rule]:
    """The rules of a line.

    Raises:
        SpecError: It is none.
    """
    if not isinstance(statement, tree.Flow):
        what = " ".join(statement.span.text.split())[:30].partition(" ")[0]
        raise _refuse(Misplaced(what, "in a checkpoint", _ITEM), statement.span)
    steps = statement.value
    if not isinstance(steps, tree.Pipeline):
        found = "goes nowhere" if _is_text(steps) else "not a key"
        raise _refuse(BadRule("this is no rule", found), statement.span)
    first, *between, last = steps.steps
    dropped = isinstance(last, tree.Literal) and last.value is None
    if dropped and between:
        problem = "what is dropped takes no steps"
        raise _refuse(
            BadRule(problem, "no use", 'write `"…" -> none`'), between[0].span
        )
    fill = first.id if isinstance(first, tree.Name) and first.id in FILLS else ""
    theirs = [] if fill else _side(first, ours=False, stars=dropped)
    ours = [] if dropped else _side(last, ours=True)
    if fill and dropped:
        raise _refuse(BadRule("this takes nothing nowhere", "no key"), statement.span)
    taken = tuple(_step(step) for step in between)
    lists = isinstance(first, tree.ListOf), isinstance(last, tree.ListOf)
    _check_steps(taken, lists[1], fill)
    patterns = [p for p in theirs if p is not None]
    _check_captures(ours)
    made = [
        Rule(left, fill, taken, right, statement.span)
        for left, right in alternatives(patterns, ours, lists)
    ]
    if lists[1] and any(len(rule.ours) < 2 for rule in made):
        problem = "a list on the right splits, and this has one key"
        mend = 'leave the brackets out, or name all: `["….{q,k,v}"]`'
        raise _refuse(BadRule(problem, "no pieces", mend), last.span)
    return made


def _side(e: tree.Expr, *, ours: bool, stars: bool = False) -> list[Pattern | None]:
    """The patterns of one side of a rule."""
    if _is_text(e):
        return [read_pattern(e, ours=ours, stars=stars)]  # type: ignore[arg-type]
    if not isinstance(e, tree.ListOf) or stars:
        raise _no_keys(e, ours=ours)
    found: list[Pattern | None] = []
    for item in e.items:
        if _is_text(item):
            found.append(read_pattern(item, ours=ours))  # type: ignore[arg-type]
        elif ours and isinstance(item, tree.Literal) and item.value is None:
            found.append(None)
        else:
            raise _refuse(BadRule("a list of keys holds texts", "not a key"), item.span)
    if not any(found):
        raise _refuse(BadRule("a list of keys holds at least one", "no key"), e.span)
    if found.count(None) > 1:
        problem = "one piece of a list may be dropped"
        raise _refuse(BadRule(problem, "how large is each?"), e.span)
    return found


def _no_keys(e: tree.Expr, *, ours: bool) -> SpecError:
    """What is no side of a rule."""
    what = "one text, or `none`" if ours else "a text, a list of texts, or `zeros`"
    problem = f"on the {'right' if ours else 'left'} of a rule stands {what}"
    whose = "no key of ours" if ours else "no key of theirs"
    fault = BadRule(problem, whose)
    if isinstance(e, tree.Name | tree.Attribute):
        fault = BadRule(problem, whose, f'keys stand in quotes: `"{e.span.text}"`')
    return _refuse(fault, e.span)


def _is_text(e: tree.Expr) -> bool:
    return isinstance(e, tree.Literal) and isinstance(e.value, str)


def _step(e: tree.Expr) -> StepRule:
    head = e.function if isinstance(e, tree.Call) else e
    if not isinstance(head, tree.Name):
        known = ", ".join(STEPS)
        raise _refuse(
            BadRule("this is no step", "not a name", f"the steps are {known}"), e.span
        )
    if head.id not in STEPS:
        raise _refuse(UnknownStep(head.id, tuple(STEPS)), head.span)
    names = STEPS[head.id]
    given: dict[str, tree.Expr] = {}
    for argument in e.arguments if isinstance(e, tree.Call) else ():
        free = [n for n in names if n not in given]
        name = argument.name or (free[0] if free else "")
        if name not in free:
            takes = ", ".join(names) or "no arguments"
            found = "given twice" if name in given else "unknown argument"
            fault = BadStep(head.id, f"takes {takes}", found)
            raise _refuse(fault, argument.span)
        given[name] = argument.value
    if names[:1] in (("dim",), ("heads",)) and names[0] not in given:
        mend = f"write `{head.id}({names[0]} = …)`"
        raise _refuse(BadStep(head.id, f"needs `{names[0]}`", "missing", mend), e.span)
    return StepRule(head.id, tuple(given.items()), e.span)


def _check_captures(ours: Sequence[Pattern | None]) -> None:
    patterns = [p for p in ours if p is not None]
    for pattern in patterns[1:]:
        if set(pattern.captures) != set(patterns[0].captures):
            problem = "all pieces capture the same numbers"
            raise _refuse(BadPattern(problem, "others here"), pattern.span)


def _check_steps(steps: Sequence[StepRule], split: bool, fill: str) -> None:
    for step in steps:
        if fill:
            problem = f"`{fill}` are of the shape that is needed"
            raise _refuse(BadRule(problem, "no use", "leave the step out"), step.span)
        if split and step.name in _TO_OURS:
            problem = f"`{step.name}` makes the shape of one key of ours"
            raise _refuse(
                BadRule(problem, "several here", "write a rule for each"), step.span
            )


# --- keys ---------------------------------------------------------------------------


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
        return "".join([self._part(part, captured) for part in pattern.parts])

    def _part(self, part: Part, captured: Mapping[str, int]) -> str:
        if not isinstance(part, Hole):
            return str(part)
        written = part.expression
        if isinstance(written, tree.Name) and written.id in captured:
            return str(captured[written.id])  # as in most keys
        value = self._value(written, captured, part)
        if isinstance(value, bool) or not isinstance(value, int | str):
            problem = f"a key has a number or a text here, and this is {kind(value)}"
            raise _refuse(BadPattern(problem, "not of a key"), part.span)
        return str(value)

    def known(self, part: Part) -> Part:
        """A part of a key that is dropped, its expression computed.

        Raises:
            SpecError: It is wrong.
        """
        return self._part(part, {}) if isinstance(part, Hole) else part

    def step(self, step: StepRule, captured: Mapping[str, int]) -> Step:
        """A step with its arguments.

        Raises:
            SpecError: An expression in it is wrong, or of another type.
        """
        found: dict[str, Argument] = {}
        for name, expression in step.arguments:
            value = self._value(expression, captured)
            wants = _WANTED[name]
            if not _fits(value, wants):
                problem = f"`{name}` is {wants}, and this is {kind(value)}"
                raise _refuse(
                    BadStep(step.name, problem, "it cannot be this"), expression.span
                )
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


_WANTED = {
    "dim": "a whole number from 0", "heads": "a whole number from 1",
    "tokens": "a whole number from 0", "grid": "a list of two sizes from 1",
    "antialias": "true or false", "align_corners": "true or false",
}  # fmt: skip


def _fits(value: Value, wanted: str) -> bool:
    if wanted.startswith("true"):
        return isinstance(value, bool)
    if wanted.startswith("a list"):
        sizes = value if isinstance(value, tuple) else ()
        return len(sizes) == 2 and all(
            _whole(v, 1) or isinstance(v, Poly) for v in sizes
        )
    return _whole(value, 1 if wanted.endswith("1") else 0)


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
