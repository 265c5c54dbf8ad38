"""What flows: pipelines, claims, residuals, conditions and loops."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from archdsl.build.claims import wrong_claim
from archdsl.build.functions import LONGEST_LIST
from archdsl.build.origins import first_at
from archdsl.build.scope import Scope
from archdsl.build.session import Session
from archdsl.build.steps import Steps
from archdsl.build.turns import Mark, copy, settled
from archdsl.build.values import (
    POISON,
    Definition,
    Given,
    StepValue,
    TensorValue,
    Value,
    kind,
    listed,
    poisoned,
)
from archdsl.build.whereabouts import labels
from archdsl.diagnostics import Fault, Refused, habits
from archdsl.diagnostics.faults.arguments import (
    BadArithmetic,
    Dropped,
    TooManyArguments,
    UnknownArgument,
    WrongValue,
)
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.diagnostics.faults.names import DefinedTwice
from archdsl.diagnostics.faults.shapes import ResidualChanges
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Enter, Graph, Path
from archdsl.ops.fields import AxisName
from archdsl.ops.registry import ops
from archdsl.source import Span
from archdsl.syntax import tree


class Flow(Steps):
    """Lets values flow through the steps of a body."""

    def __init__(self, session: Session, definition: Definition, graph: Graph) -> None:
        super().__init__(session, definition, graph)
        self.nested = 0  # depth in loops
        self.missing: set[str] | None = None  # names of statements not understood

    @abstractmethod
    def run(self, body: tree.Body) -> None:
        """Executes the statements between braces."""

    def define(self, name: tree.Name, value: Value) -> None:
        """Gives a value a name in this scope."""
        if name.id in self.scope.values and name.id not in (self.missing or ()):
            first = self.scope.places.get(name.id)
            self.report(DefinedTwice(name.id), name.span, first_at(name.id, first))
        self.scope.values[name.id] = value
        self.scope.places.setdefault(name.id, name.span)
        if isinstance(value, TensorValue):
            self.graph.hints.setdefault(value.ref, name.id)

    # -- claims ----------------------------------------------------------------------

    def _check_claim(self, value: TensorValue, claim: tree.Shape) -> bool:
        """Whether a tensor is as claimed; reports where it is not."""
        found = value.type
        sizes: dict[str, Value] = {}
        for axis in claim.axes:
            size = None if axis.size is None else self.number(axis.size)
            if poisoned(size):
                return True
            sizes[axis.id] = size
        self.facts.at("a claim", claim.span)
        try:
            wrong = [
                a for a, n in sizes.items() if a in found and not self._is(found[a], n)
            ]
        except Refused as refused:
            self.report(refused.fault, claim.span, refused.notes)
            return False
        fault = wrong_claim(found, claim.dtype, tuple(sizes), tuple(wrong))
        if fault is None:
            return True
        origins = [self.session.origin(self.graph, value, a) for a in wrong]
        origins += [n for a in sizes if a not in found for n in self.lost(value, a)]
        self.report(fault, claim.span, tuple(dict.fromkeys(origins)))
        return False

    def _is(self, found: Size, claimed: Value) -> bool:
        if isinstance(claimed, float) and claimed.is_integer():
            claimed = int(claimed)
        if isinstance(claimed, int | Poly) and not isinstance(claimed, bool):
            return self.facts.equal(found, claimed)
        return claimed is None

    # -- flow ------------------------------------------------------------------------

    def flowing(self, expression: tree.Expr) -> Value:
        """What comes out when what flows goes through an expression's steps."""
        before = self.flow
        steps = (
            expression.steps if isinstance(expression, tree.Pipeline) else (expression,)
        )
        for index, step in enumerate(steps):
            came = self.flow
            self.flow = self._step(step, first=index == 0)
            if index and isinstance(came, TensorValue):
                self._taken(came, step)
        value, self.flow = self.flow, before
        return value

    def _taken(self, came: TensorValue, step: tree.Expr) -> None:
        """Reports an arrow into a step that does not take what flows."""
        if self.graph.is_used(came.ref) or poisoned(self.flow) or self.flow == came:
            return
        span = step.span
        mend = "begin a new line with it"
        if step.span.text.startswith(("concat", "stack")):
            mend = "name it by `as name`, and put it into the list"
        self.report(Dropped(f"`{span.text}`", mend), span)

    def _step(self, e: tree.Expr, *, first: bool, label: str = "") -> Value:
        braced = _BRACED.get(type(e))
        if braced is not None:
            self.session.tick(e.span)
            return braced(self, e, label)
        if isinstance(e, tree.Step):
            return self._marked(e, first=first)
        if isinstance(e, tree.Conditional):
            truth = self.truth(e.condition)
            chosen = e.then if truth else e.other
            return (
                POISON
                if truth is None
                else self._step(chosen, first=first, label=label)
            )
        value = self.evaluate(e)
        if not isinstance(value, StepValue):
            value = self.as_step(e, value, named=(TensorValue, tuple))
        if isinstance(value, StepValue):
            return self.apply(value, self.flow, label)
        return value if first or poisoned(value) else self._no_step(e, value)

    def _no_step(self, e: tree.Expr, value: Value) -> Value:
        """Reports an arrow that leads to a value."""
        problem = f"an arrow leads to a step, and this is {kind(value)}"
        mend = ""
        if isinstance(value, TensorValue):
            mend = f"`-> add({e.span.text})`, or begin a new line with it"
            if not isinstance(self.graph[value.ref.node].payload, Enter):
                mend += f"; `layer {e.span.text} = …` can be used again"
        elif isinstance(value, AxisName):
            mend = habits.layer(value)
        elif isinstance(value, tuple):
            mend = "steps in a row are joined by arrows: `-> a -> b`"
        return self.report(BadArithmetic(problem, "not a step", mend), e.span)

    def _marked(self, e: tree.Step, *, first: bool) -> Value:
        """A step with a claim or a label after it."""
        label = e.label.id if e.label else ""
        value = self._step(e.value, first=first, label=label)
        if e.claim is not None and isinstance(value, TensorValue):
            fits = self._check_claim(value, e.claim)
            value = value if fits else POISON
        if e.label is not None:
            self.define(e.label, value)
            self.scope.labels[label] = value
        return value

    def _residual(self, e: tree.Residual, label: str) -> Value:
        given = self.arguments(e.arguments)
        before = self.tensor(self.flow, "residual", e.span)
        known = {None, "drop_path"}
        unknown = [g for g in given if g.name not in known]
        usage = "residual(drop_path = 0.1) { … }"
        if unknown:
            name = unknown[0].name or ""
            fault: Fault = UnknownArgument("residual", name, ("drop_path",))
            self.report(fault, unknown[0].span)
        elif len(given) > 1:
            fault = TooManyArguments("residual", "one argument", usage)
            self.report(fault, given[1].span)
        after = self._inner(e.body)
        span = Span(e.span.source, e.span.start, e.span.start + len("residual"))
        if before is None or poisoned(after) or not self._returns(before, after, span):
            return POISON
        if given:
            after = self._drop_path(given[0], after)
        value = Given(None, after, span)
        return self.apply(StepValue(ops()["add"], (value,), span=span), before, label)

    def _returns(self, before: TensorValue, after: Value, span: Span) -> bool:
        """Whether the body of a residual keeps the sizes; reports where not."""
        if not isinstance(after, TensorValue):
            return True
        left, right = before.type, after.type
        if left == right:
            return True
        for axis in left.names:
            if axis in right and left[axis] != right[axis]:
                origin = self.session.origin(self.graph, after, axis)
                sizes = left[axis], right[axis], str(left), str(right)
                self.report(ResidualChanges(axis, *sizes), span, (origin,))
                return False
        return True

    def _drop_path(self, given: Given, after: Value) -> Value:
        """Stochastic depth on a branch; a rate of 0 is no layer at all."""
        if given.value == 0 and not isinstance(given.value, bool):
            return after
        named = Given(None, given.value, given.span)
        return self.apply(
            StepValue(ops()["drop_path"], (named,), span=given.span), after
        )

    def _inner(self, body: tree.Body) -> Value:
        """The value of a braced body, in a scope of its own; what flows stays."""
        before, outer = self.flow, self.scope
        self.scope = Scope(outer)
        self.run(body)
        value, self.flow = self.flow, before
        labels, self.scope = self.scope.labels, outer
        for name, labelled in labels.items():
            outer.values[name] = outer.labels[name] = labelled
        return value

    def _if(self, e: tree.If, _label: str) -> Value:
        truth = self.truth(e.condition)
        if truth is None:
            return self._unknown_labels(e)
        if truth:
            return self._inner(e.body)
        return self.flow if e.other is None else self._inner(e.other)

    # -- loops -----------------------------------------------------------------------

    def _scan(self, e: tree.Scan, label: str) -> Value:
        from archdsl.build.recurrence import scan

        self.facts.at("scan", e.span)
        try:
            return scan(self, e, label)
        except Refused as refused:
            return self.report(refused.fault, e.span, refused.notes)

    def _repeat(self, e: tree.Repeat, label: str) -> Value:
        given = self.arguments(e.arguments)
        if poisoned(*(g.value for g in given)):
            return self._once(e)
        count = self.sized(given[0].value, given[0].span) if len(given) == 1 else None
        if isinstance(count, float) and count.is_integer():
            count = int(count)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            found = kind(count) if len(given) == 1 else f"{len(given)} arguments"
            problem = "must be a whole number, 0 or more"
            fault = WrongValue("repeat", "the count", problem, found)
            return self.report(fault, e.span if len(given) != 1 else given[0].span)
        if count > LONGEST_LIST:
            what = f"this loop runs {count:,} times"
            large = TooMuchWork(what, f"{LONGEST_LIST:,} turns")
            return self.report(large, given[0].span)
        return self._loop(e, label or _only_step(e.body), [None] * count, None)

    def _for(self, e: tree.For, label: str) -> Value:
        items = self.iterable(e.iterable)
        if items is None:
            return self._once(e, e.target)
        name = label or _only_step(e.body) or _counter(e.target, items)
        return self._loop(e, name, list(items), e.target)

    def _once(self, e: tree.For | tree.Repeat, *targets: tree.Target) -> Value:
        """Runs a body for its own errors where its turns are not known."""
        outer, before = self.scope, self.flow
        self.scope = Scope(outer)
        waiting = list(targets)
        while waiting:
            items = waiting.pop().items
            if isinstance(items, tree.Name):
                self.scope.values[items.id] = POISON
            else:
                waiting += items
        self.nested += 1
        self.run(e.body)
        self.nested -= 1
        self.scope, self.flow = outer, before
        return self._unknown_labels(e)

    def _unknown_labels(self, e: tree.Expr) -> Value:
        """What a construct names is not known, and no error of its own."""
        for name in labels(e):
            self.scope.values[name] = self.scope.labels[name] = POISON
        return POISON

    def _loop(
        self,
        e: tree.For | tree.Repeat,
        name: str,
        items: list[Value],
        target: tree.Target | None,
    ) -> Value:
        """Runs a body once an item; each turn is a scope ``name.turn`` of layers."""
        outer, before = self.scope, self.flow
        prefix = self.namer.prefix
        base = self.namer.fresh(name or "layers")
        turns: list[dict[str, Value]] = []
        mark: Mark | None = None
        self.nested += 1
        for turn, item in enumerate(items):
            self.session.tick(e.span)
            self.scope = Scope(outer)
            if target is not None and not self.bind(target, item):
                self.flow = POISON
                break
            self.session.open_turn(turn, e.span, self.scope.values)
            former, mark = mark, Mark.of(self)
            path = (*base, str(turn))
            self._turn(e.body, path)
            self.session.turns.pop()
            turns.append(self.scope.labels)
            if target is None and former and settled(self, former, mark, path):
                left = range(turn + 1, len(items))
                copy(self, mark, path, [(*base, str(other)) for other in left])
                break
        self.nested -= 1
        value, self.flow = self.flow, before
        self.scope, self.namer.prefix = outer, prefix
        self._collect(turns, e.span)
        return value

    def _turn(self, body: tree.Body, path: Path) -> None:
        """One turn; a body of a single step is the layer ``name.turn`` itself."""
        if _only_step(body):
            self.path = path
        self.namer.prefix = path
        self.run(body)
        self.path = None

    def _collect(self, turns: list[dict[str, Value]], span: Span) -> None:
        """A label in a loop is a list, one value a turn."""
        for name in dict.fromkeys(n for turn in turns for n in turn):
            values = listed(turn[name] for turn in turns if name in turn)
            self.session.weigh((values,), span)
            self.scope.values[name] = self.scope.labels[name] = values


def _only_step(body: tree.Body) -> str:
    """The label of the only step of a body, or the name of what it calls, or ""."""
    if len(body.statements) != 1 or not isinstance(body.statements[0], tree.Flow):
        return ""
    value: tree.Expr = body.statements[0].value
    label = ""
    while not isinstance(value, tree.Name):
        if isinstance(value, tree.Call):
            value = value.function
        elif isinstance(value, tree.Brackets):
            value = value.base
        elif isinstance(value, tree.Step):
            label = value.label.id if value.label else label
            value = value.value
        else:
            return ""
    return label or value.id


def _counter(target: tree.Target, items: Sequence[Value]) -> str:
    """The variable that counts a loop's turns, if its name says something, or ""."""
    firsts: Sequence[Value] = items
    while not isinstance(target.items, tree.Name):
        target = target.items[0]
        firsts = [v[0] if isinstance(v, tuple) and v else None for v in firsts]
    counts = all(type(v) is int and v == i for i, v in enumerate(firsts))
    return target.items.id if counts and len(target.items.id) > 1 else ""


_BRACED: dict[type, Callable[[Flow, Any, str], Value]] = {
    tree.Residual: Flow._residual,
    tree.Repeat: Flow._repeat,
    tree.Scan: Flow._scan,
    tree.For: Flow._for,
    tree.If: Flow._if,
    tree.Pipeline: lambda self, e, _label: self.flowing(e),
}
