"""Bodies: from the statements of a block or model to its graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archdsl.build.functions import LONGEST_LIST
from archdsl.build.scope import Scope
from archdsl.build.session import Frame, Session
from archdsl.build.steps import Steps
from archdsl.build.values import (
    POISON,
    Definition,
    Given,
    LayerValue,
    StepValue,
    TensorValue,
    Value,
    kind,
    listed,
    poisoned,
)
from archdsl.diagnostics.faults import (
    BadArithmetic,
    ClaimWrong,
    DefinedTwice,
    Misplaced,
    NoInput,
    NoResult,
    OutputNeverMade,
    OutputWithoutValue,
    RequirementFailed,
    ResidualChanges,
    TooManyArguments,
    WrongCount,
    WrongValue,
)
from archdsl.ir.dim import Poly, Size, symbol
from archdsl.ir.graph import Enter, Graph, Path
from archdsl.ir.tensor import BATCH, DTYPES, Layout, Tensor
from archdsl.ops.base import spelled
from archdsl.ops.registry import ops
from archdsl.source import Span
from archdsl.syntax import tree

_LONGEST_WORD = 60  # characters of an argument in a note
_TYPES: dict[str, Callable[[Value], bool]] = {
    "int": lambda v: isinstance(v, int | Poly) and not isinstance(v, bool),
    "float": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "bool": lambda v: isinstance(v, bool),
    "str": lambda v: isinstance(v, str),
    "list": lambda v: isinstance(v, tuple),
    "block": lambda v: isinstance(v, StepValue),
}


class Body(Steps):
    """Elaborates one body into one graph."""

    def __init__(
        self,
        session: Session,
        definition: Definition,
        graph: Graph,
        types: Mapping[str, Tensor] | None,
        sizes: Mapping[str, Size] | None = None,
    ) -> None:
        super().__init__(session, definition, graph)
        self.types = types  # of a call; None where the body stands for itself
        self.sizes = dict(sizes or {})
        self.unused_sizes = set(self.sizes)
        self.nested = 0  # depth in loops
        self.returned: tuple[Value, ...] | None = None
        self.outputs: dict[str, tuple[Value, Layout | None]] = {}

    # -- statements ------------------------------------------------------------------

    def run(self, body: tree.Body) -> None:
        """Executes the statements in order."""
        for statement in body.statements:
            _EXECUTE[type(statement)](self, statement)

    def _flow(self, s: tree.Flow) -> None:
        self.flow = self.flowing(s.value)
        if isinstance(self.flow, TensorValue | tuple) or poisoned(self.flow):
            return
        problem = f"a line makes a tensor, and this makes {kind(self.flow)}"
        mend = "name a number with `let name = …`"
        self.flow = self.report(BadArithmetic(problem, "not a tensor", mend), s.span)

    def _let(self, s: tree.Let) -> None:
        value = self._named(s.value)
        if len(s.names) == 1:
            self.define(s.names[0], value)
            return
        count = len(value) if isinstance(value, tuple) else 1
        if not poisoned(value) and count != len(s.names):
            value = self.report(WrongCount(len(s.names), count), s.span)
        values = value if isinstance(value, tuple) and not poisoned(value) else None
        for i, name in enumerate(s.names):
            self.define(name, values[i] if values else POISON)

    def _named(self, e: tree.Expr) -> Value:
        """What `let` names: a bare name or number as it is, a pipeline's result."""
        if isinstance(e, tree.Conditional):
            truth = self.truth(e.condition)
            return (
                POISON if truth is None else self._named(e.then if truth else e.other)
            )
        return self.evaluate(e) if isinstance(e, tree.Name) else self.flowing(e)

    def define(self, name: tree.Name, value: Value) -> None:
        """Gives a value a name in this scope."""
        if name.id in self.scope.values:
            self.report(DefinedTwice(name.id), name.span)
        self.scope.values[name.id] = value
        if isinstance(value, TensorValue):
            self.graph.hints.setdefault(value.ref, name.id)

    def _layer_statement(self, s: tree.Layer) -> None:
        value = self.evaluate(s.value)
        if poisoned(value):
            self.define(s.name, POISON)
            return
        if not isinstance(value, StepValue) or isinstance(value.target, LayerValue):
            problem = f"a layer is an op or a block, and this is {kind(value)}"
            self.define(
                s.name, self.report(BadArithmetic(problem, "no layer"), s.value.span)
            )
            return
        path = self.namer.fresh(s.name.id)
        layer = LayerValue(s.name.id, value, self.graph, path)
        self.define(s.name, StepValue(layer, span=s.name.span))

    def _return(self, s: tree.Return) -> None:
        if self.nested:
            self._misplaced(
                "return", "in a loop", "let the loop's value flow on", s.span
            )
        elif self.definition.is_model:
            self._misplaced("return", "in a model", "write `output name = …`", s.span)
        elif self.returned is not None:
            self._misplaced(
                "return", "after a return", "return all values at once", s.span
            )
        values = [self.flowing(v) for v in s.values]
        flat: list[Value] = []
        for value in values:
            flat += value if isinstance(value, tuple) else [value]
        self.returned = tuple(flat)

    def _misplaced(self, what: str, where: str, mend: str, span: Span) -> None:
        self.report(Misplaced(what, where, mend), span)

    def _require(self, s: tree.Require) -> None:
        if self.truth(s.condition) is not False:
            return
        said: Value = f"this does not hold: {s.condition.span.text}"
        if s.message is not None:
            said = self.evaluate(s.message)
        words = said if isinstance(said, str) else kind(said)
        self.report(RequirementFailed(words), s.condition.span)

    def _input(self, s: tree.Input) -> None:
        if not self.definition.is_model or self.nested:
            where = "in a loop" if self.nested else "in a block"
            mend = "a block takes its tensors in brackets: `block name[x, y](…)`"
            self._misplaced("input", where, mend, s.span)
            return
        declared = self._declared(s.shape)
        if declared is None:
            self.define(s.name, POISON)
            self.flow = POISON
            return
        given = (self.types or {}).get(s.name.id)
        if given is not None:
            if set(given.names) != set(declared.names) or given.dtype != declared.dtype:
                fault = ClaimWrong(s.shape.span.text.strip(), str(given))
                self.report(fault, s.shape.span)
            declared = given
        self.flow = self.enter(s.name.id, declared, s.span)
        self.define(s.name, self.flow)

    def enter(self, name: str, tensor: Tensor, span: Span) -> Value:
        """Makes a node for an input."""
        return self._add(Enter(name), {}, (tensor,), (name,), span)

    def _declared(self, shape: tree.Shape) -> Tensor | None:
        axes: dict[str, Size] = {}
        for axis in shape.axes:
            if axis.id in axes:
                self.report(DefinedTwice(axis.id), axis.span)
                return None
            size = self._axis_size(axis)
            if size is None:
                return None
            axes[axis.id] = size
        return Tensor(tuple(axes.items()), self._dtype(shape))

    def _axis_size(self, axis: tree.AxisSize) -> Size | None:
        self.unused_sizes.discard(axis.id)
        if axis.id in self.sizes:
            return self.sizes[axis.id]
        if axis.size is None:
            return 1 if axis.id == BATCH else symbol(axis.id)
        value = self.number(axis.size)
        if poisoned(value):
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | Poly):
            problem = "must be a whole number"
        elif isinstance(value, int) and value < 1:
            problem = "must be at least 1"
        else:
            return value
        fault = WrongValue("a shape", axis.id, problem, kind(value))
        self.report(fault, axis.size.span)
        return None

    def _dtype(self, shape: tree.Shape) -> str:
        if shape.dtype and shape.dtype not in DTYPES:
            mend = "the kinds are " + ", ".join(DTYPES)
            fault = WrongValue(
                "a shape", "the kind of elements", "is unknown", shape.dtype, mend
            )
            self.report(fault, shape.span)
            return "float"
        return shape.dtype or "float"

    def _output(self, s: tree.Output) -> None:
        if not self.definition.is_model or self.nested:
            where = "in a loop" if self.nested else "in a block"
            mend = "a block gives its last value, or what it says by `return`"
            self._misplaced("output", where, mend, s.span)
            return
        value = self.flow if s.value is None else self.flowing(s.value)
        if value is None:
            self.report(OutputWithoutValue(s.name.id), s.name.span)
            value = POISON
        if s.name.id in self.outputs:
            self.report(DefinedTwice(s.name.id), s.name.span)
        order: Layout | None = None
        if s.claim is not None and isinstance(value, TensorValue):
            if self._check_claim(value.type, s.claim, s.claim.span):
                order = tuple(a.id for a in s.claim.axes)
            else:
                value = POISON
        self.outputs[s.name.id] = (value, order)

    # -- claims ----------------------------------------------------------------------

    def _check_claim(self, found: Tensor, claim: tree.Shape, span: Span) -> bool:
        """Whether a tensor is as claimed; reports where it is not."""
        sizes: dict[str, Size | None] = {}
        for axis in claim.axes:
            size = None if axis.size is None else self.number(axis.size)
            if poisoned(size):
                return True
            sizes[axis.id] = size  # type: ignore[assignment]
        same = set(sizes) == set(found.names)
        if same and claim.dtype in ("", found.dtype):
            wrong = [
                a
                for a, n in sizes.items()
                if n is not None and not self._equal(found[a], n)
            ]
            if not wrong:
                return True
        self.report(ClaimWrong(claim.span.text.strip(), str(found)), span)
        return False

    def _equal(self, found: Size, claimed: Size) -> bool:
        if found == claimed:
            return True
        if isinstance(found, Poly) or isinstance(claimed, Poly):
            self.facts.assumed[f"{found} == {claimed}"] = None
            return True
        return False

    # -- flow ------------------------------------------------------------------------

    def flowing(self, expression: tree.Expr) -> Value:
        """What comes out when what flows goes through an expression's steps."""
        before = self.flow
        steps = (
            expression.steps if isinstance(expression, tree.Pipeline) else (expression,)
        )
        for index, step in enumerate(steps):
            self.flow = self._step(step, first=index == 0)
        value, self.flow = self.flow, before
        return value

    def _step(self, e: tree.Expr, *, first: bool, label: str = "") -> Value:
        self.session.tick(e.span)
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
        if isinstance(e, tree.Pipeline):
            return self.flowing(e)
        braced = _BRACED.get(type(e))
        if braced is not None:
            return braced(self, e, label)
        value = self.evaluate(e)
        if isinstance(value, StepValue):
            return self.apply(value, self.flow, label)
        if first or poisoned(value):
            return value
        problem = f"an arrow leads to a step, and this is {kind(value)}"
        mend = ""
        if isinstance(value, TensorValue):
            mend = f"`-> add({e.span.text})`, or begin a new line with it"
        return self.report(BadArithmetic(problem, "not a step", mend), e.span)

    def _marked(self, e: tree.Step, *, first: bool) -> Value:
        """A step with a claim or a label after it."""
        label = e.label.id if e.label else ""
        value = self._step(e.value, first=first, label=label)
        if e.claim is not None and isinstance(value, TensorValue):
            fits = self._check_claim(value.type, e.claim, e.claim.span)
            value = value if fits else POISON
        if e.label is not None:
            self.define(e.label, value)
            self.scope.labels[label] = value
        return value

    def _residual(self, e: tree.Residual, label: str) -> Value:
        given = self.arguments(e.arguments)
        before = self.tensor(self.flow, "residual", e.span)
        known = {None, "drop_path"}
        bad = list(given[1:]) or [g for g in given if g.name not in known]
        if bad:
            fault = TooManyArguments(
                "residual", "one argument", "residual(drop_path = 0.1) { … }"
            )
            self.report(fault, bad[0].span)
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
            return POISON
        if truth:
            return self._inner(e.body)
        return self.flow if e.other is None else self._inner(e.other)

    # -- loops -----------------------------------------------------------------------

    def _repeat(self, e: tree.Repeat, label: str) -> Value:
        given = self.arguments(e.arguments)
        if poisoned(*(g.value for g in given)):
            return POISON
        count = self.sized(given[0].value, given[0].span) if len(given) == 1 else None
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            found = kind(count) if len(given) == 1 else f"{len(given)} arguments"
            fault = WrongValue("repeat", "the count", "must be a whole number", found)
            return self.report(fault, e.span if len(given) != 1 else given[0].span)
        if not self.check_count(count, LONGEST_LIST, "this loop", given[0].span):
            return POISON
        return self._loop(e, label or _only_step(e.body), [None] * count, None)

    def _for(self, e: tree.For, label: str) -> Value:
        items = self.iterable(e.iterable)
        if items is None:
            return POISON
        name = label or _only_step(e.body) or _counter(e.target, items)
        return self._loop(e, name, list(items), e.target)

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
        self.nested += 1
        for turn, item in enumerate(items):
            self.session.tick(e.span)
            self.scope = Scope(outer)
            if target is not None and not self.bind(target, item):
                self.flow = POISON
                break
            self._turn(e.body, (*base, str(turn)))
            turns.append(self.scope.labels)
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
        for name in dict.fromkeys(n for labels in turns for n in labels):
            values = listed(labels[name] for labels in turns if name in labels)
            self.session.weigh((values,), span)
            self.scope.values[name] = self.scope.labels[name] = values

    # -- results ---------------------------------------------------------------------

    def finish(self) -> bool:
        """Writes the results into the graph; False after an error."""
        self.graph.assumptions = tuple(self.facts.assumed)
        if self.definition.is_model:
            return self._finish_model()
        values = self.returned
        if values is None:
            values = self.flow if isinstance(self.flow, tuple) else (self.flow,)
        return self._results([("", v, None) for v in values])

    def _finish_model(self) -> bool:
        name = self.definition.node.name
        if not self.graph.entries and not poisoned(self.flow):
            self.report(NoInput(name.id), name.span)
        if not self.outputs:
            self.report(OutputNeverMade(name.id), name.span)
            return False
        rows: list[tuple[str, Value, Layout | None]] = []
        for key, (value, order) in self.outputs.items():
            if isinstance(value, tuple):
                rows += [(f"{key}.{i}", v, None) for i, v in enumerate(value)]
            else:
                rows.append((key, value, order))
        return self._results(rows)

    def _results(self, rows: list[tuple[str, Value, Layout | None]]) -> bool:
        if any(poisoned(value) for _, value, _ in rows):
            return False
        for name, value, _ in rows:
            if not isinstance(value, TensorValue):
                self._no_result(name, value)
                return False
        values = [v for _, v, _ in rows if isinstance(v, TensorValue)]
        self.graph.results = tuple(v.ref for v in values)
        self.graph.result_names = tuple(name for name, _, _ in rows)
        self.graph.result_orders = tuple(
            order or v.type.names for v, (_, _, order) in zip(values, rows, strict=True)
        )
        return True

    def _no_result(self, name: str, value: Value) -> None:
        node = self.definition.node
        if value is None:
            self.report(NoResult(f"`{node.name.id}`"), node.name.span)
            return
        what = f"output `{name}`" if name else f"`{node.name.id}`"
        problem = f"{what} must be a tensor, and this is {kind(value)}"
        self.report(BadArithmetic(problem, "not a tensor"), node.name.span)


def _only_step(body: tree.Body) -> str:
    """The name of what a body of a single call calls, or ""."""
    if len(body.statements) != 1 or not isinstance(body.statements[0], tree.Flow):
        return ""
    value: tree.Expr = body.statements[0].value
    while not isinstance(value, tree.Name):
        if isinstance(value, tree.Call):
            value = value.function
        elif isinstance(value, tree.Brackets):
            value = value.base
        elif isinstance(value, tree.Step):
            value = value.value
        else:
            return ""
    return value.id


def _counter(target: tree.Target, items: Sequence[Value]) -> str:
    """The variable that counts a loop's turns, if its name says something, or ""."""
    firsts: Sequence[Value] = items
    while not isinstance(target.items, tree.Name):
        target = target.items[0]
        firsts = [v[0] if isinstance(v, tuple) and v else None for v in firsts]
    counts = all(type(v) is int and v == i for i, v in enumerate(firsts))
    return target.items.id if counts and len(target.items.id) > 1 else ""


_EXECUTE: dict[type, Callable[[Body, Any], None]] = {
    tree.Flow: Body._flow,
    tree.Let: Body._let,
    tree.Layer: Body._layer_statement,
    tree.Return: Body._return,
    tree.Require: Body._require,
    tree.Input: Body._input,
    tree.Output: Body._output,
}
_BRACED: dict[type, Callable[[Body, Any, str], Value]] = {
    tree.Residual: Body._residual,
    tree.Repeat: Body._repeat,
    tree.For: Body._for,
    tree.If: Body._if,
}


# --- specialisation -----------------------------------------------------------------


def specialise(
    session: Session,
    frame: Frame,
    given: Mapping[str, Value],
    types: Mapping[str, Tensor],
) -> Graph | None:
    """The graph of a block for these hyperparameters and inputs, made once.

    None after an error, which is reported with the call.
    """
    definition = frame.definition
    hyper = tuple((k, _key(given[k])) for k in sorted(given))
    key = (definition, hyper, tuple(types.items()))
    if key not in session.memo:
        if not session.enter(frame):
            return None
        session.memo[key] = elaborate(session, definition, given, types)
        session.frames.pop()
    return session.memo[key]


def _key(value: Value) -> object:
    """What tells values apart: 1, 1.0 and true are equal to Python, not to a spec."""
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    if isinstance(value, StepValue):
        given = tuple((g.name, _key(g.value)) for g in value.given)
        return value.target, given, value.tensors, value.transposed
    return type(value).__name__, value


def call_words(name: str, given: Mapping[str, Value]) -> str:
    """A call as it is named in notes."""
    inside = ", ".join(f"{k} = {_word(v)}" for k, v in given.items())
    return f"{name}({inside})" if inside else name


def _word(value: Value) -> str:
    text = value.name if isinstance(value, StepValue) else spelled(value)
    return text if len(text) <= _LONGEST_WORD else text[: _LONGEST_WORD - 1] + "…"


def elaborate(
    session: Session,
    definition: Definition,
    given: Mapping[str, Value],
    types: Mapping[str, Tensor] | None,
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
    return graph if body.finish() else None


def _enter_tensors(
    body: Body, definition: Definition, types: Mapping[str, Tensor]
) -> None:
    for index, name in enumerate(definition.tensor_names()):
        span = definition.node.name.span
        value = body.enter(name, types[name], Span(span.source, span.start, span.start))
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
        if name in found:
            body.report(DefinedTwice(name), parameter.name.span)
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
