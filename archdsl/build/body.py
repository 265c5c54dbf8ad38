"""Bodies: from the statements of a block or model to its graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archdsl.build.claims import wrong_claim
from archdsl.build.flow import Flow
from archdsl.build.origins import first_at
from archdsl.build.scope import Scope
from archdsl.build.session import Session
from archdsl.build.values import (
    POISON,
    Definition,
    LayerValue,
    StepValue,
    TensorValue,
    Types,
    Value,
    kind,
    poisoned,
)
from archdsl.diagnostics import Refused, habits
from archdsl.diagnostics.faults.arguments import BadArithmetic, WrongCount, WrongValue
from archdsl.diagnostics.faults.models import (
    Misplaced,
    NoInput,
    NoResult,
    OutputNeverMade,
    OutputWithoutValue,
    RequirementFailed,
)
from archdsl.diagnostics.faults.names import DefinedTwice
from archdsl.ir.dim import Poly, Size, symbol
from archdsl.ir.facts import Facts
from archdsl.ir.graph import Enter, Graph, Ref
from archdsl.ir.tensor import BATCH, DTYPES, Layout, Tensor
from archdsl.ops.fields import AxisName
from archdsl.source import Span
from archdsl.syntax import tree


class Body(Flow):
    """Elaborates one body into one graph."""

    def __init__(
        self,
        session: Session,
        definition: Definition,
        graph: Graph,
        types: Types | None,
        sizes: Mapping[str, Size] | None = None,
    ) -> None:
        super().__init__(session, definition, graph)
        self.types = types  # of a call; None where the body stands for itself
        self.sizes = dict(sizes or {})
        self.unused_sizes = set(self.sizes)
        self.returned: tuple[Value, ...] | None = None
        self.inputs: dict[str, Span] = {}
        self.outputs: dict[str, tuple[Value, Layout | None]] = {}
        self.promised: list[tuple[tree.Expect, Scope]] = []
        self._outputs: list[tree.Name] = []

    # -- statements ------------------------------------------------------------------

    def run(self, body: tree.Body) -> None:
        """Executes the statements in order."""
        for statement in body.statements:
            _EXECUTE[type(statement)](self, statement)

    def _missing(self, s: tree.Missing) -> None:
        """What flows on from it and what it may define is not known."""
        self.flow = POISON
        self.missing = (self.missing or set()) | set(s.names)
        for name in s.names:
            self.scope.values[name] = self.scope.labels[name] = POISON

    def _flow(self, s: tree.Flow) -> None:
        self.flow = self.flowing(s.value)
        if isinstance(self.flow, (TensorValue, tuple)) or poisoned(self.flow):
            return
        problem = f"a line makes a tensor, and this makes {kind(self.flow)}"
        mend = "name a number with `let name = …`"
        if isinstance(self.flow, AxisName):
            mend = habits.layer(self.flow) or "ops and blocks are written in lowercase"
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
            self.missing = self.missing or set()  # an output was meant
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
        if self._required(s.condition) is not False:
            return
        said: Value = "" if s.message is None else self.evaluate(s.message)
        words = said if isinstance(said, str) else kind(said)
        words = words.strip() or f"this does not hold: {s.condition.span.text}"
        self.report(RequirementFailed(words), s.condition.span)

    def _required(self, e: tree.Expr) -> bool | None:
        """Whether a condition holds, of open sizes assumed; None after an error."""
        if isinstance(e, tree.Binary) and e.operator == "and":
            left = self._required(e.left)
            return self._required(e.right) if left else left
        self.facts.at("require", e.span)
        try:
            answer = self._assumed(e) if isinstance(e, tree.Compare) else None
        except Refused as refused:
            self.report(refused.fault, e.span, refused.notes)
            return None
        return self.truth(e) if answer is None else answer

    def _assumed(self, e: tree.Compare) -> bool | None:
        """The answer where a comparison is one of open sizes."""
        first, last = e.operands[0], e.operands[-1]
        if isinstance(first, tree.Binary) and first.operator == "%":
            size, by = self.number(first.left), self.number(first.right)
            asked = e.operators == ("==",) and self.number(last) == 0 != by
            if asked and isinstance(size, Poly) and isinstance(by, int | Poly):
                return self.facts.divides(by, size)
        values = [self.number(operand) for operand in e.operands]
        sizes = [v for v in values if isinstance(v, int | Poly)]
        if len(sizes) < len(values) or not any(isinstance(v, Poly) for v in values):
            return None
        if not set(e.operators) <= _ASSUMED.keys():
            return None
        pairs = zip(e.operators, sizes, sizes[1:], strict=False)
        return all(_ASSUMED[sign](self.facts, a, b) for sign, a, b in pairs)

    def _expect(self, s: tree.Expect) -> None:
        """Keeps a promise: its figures are those of the whole model."""
        if self.definition.is_model and not self.nested:
            self.promised.append((s, self.scope))
            return
        where = "in a loop" if self.nested else "in a block"
        mend = "a model makes promises; a block states conditions: `require …`"
        self._misplaced("expect", where, mend, s.span)

    def _input(self, s: tree.Input) -> None:
        if not self.definition.is_model or self.nested:
            where = "in a loop" if self.nested else "in a block"
            mend = "a block takes its tensors in brackets: `block name[x, y](…)`"
            self._misplaced("input", where, mend, s.span)
            return
        first = self.inputs.setdefault(s.name.id, s.name.span)
        if first is not s.name.span:  # in braces around this line, too
            notes = first_at(s.name.id, first)
            self.report(DefinedTwice(s.name.id), s.name.span, notes)
            return
        declared = self._declared(s.shape)
        if declared is None:
            self.define(s.name, POISON)
            self.flow = POISON
            return
        given = (self.types or {}).get(s.name.id)
        if isinstance(given, Tensor):
            if set(given.names) != set(declared.names) or given.dtype != declared.dtype:
                names = tuple(declared.names)
                fault = wrong_claim(given, declared.dtype, names, ())
                assert fault is not None
                self.report(fault, s.shape.span)
            declared = given
        value = self.enter(s.name.id, declared, s.span)
        self.define(s.name, value)
        # Which of several inputs flows is for the spec to say.
        self.flow = value if len(self.graph.entries) == 1 else None

    def enter(self, name: str, tensor: Tensor, span: Span) -> Value:
        """Makes a node for an input."""
        return self._add(Enter(name), {}, (tensor,), (name,), span)

    def _declared(self, shape: tree.Shape) -> Tensor | None:
        axes: dict[str, Size] = {}
        for axis in shape.axes:
            if axis.id in axes:
                first = next(a.span for a in shape.axes if a.id == axis.id)
                self.report(DefinedTwice(axis.id), axis.span, first_at(axis.id, first))
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

    def _put_out(self, s: tree.Output) -> Value:
        """The value after ``=``; else the one of that name; else what flows."""
        if s.value is not None:
            value = self.flowing(s.value)
        else:
            named = self.scope.find(s.name.id)
            value = named[0] if named else self.flow
        if value is None or isinstance(value, TensorValue) or poisoned(value):
            return value
        items = value if isinstance(value, tuple) and value else (value,)
        wrong = [v for v in items if not isinstance(v, TensorValue)]
        if not wrong:
            return value
        found = ("a list with " if isinstance(value, tuple) else "") + kind(wrong[0])
        problem = f"output `{s.name.id}` must be a tensor, and this is {found}"
        mend = ""
        if isinstance(wrong[0], StepValue):
            mend = f"let something flow into it: `x -> {wrong[0].name}`"
        span = s.name.span if s.value is None else s.value.span
        return self.report(BadArithmetic(problem, "not a tensor", mend), span)

    def _output(self, s: tree.Output) -> None:
        if not self.definition.is_model or self.nested:
            where = "in a loop" if self.nested else "in a block"
            mend = "a block gives its last value, or what it says by `return`"
            self._misplaced("output", where, mend, s.span)
            return
        value = self._put_out(s)
        if value is None:
            self.report(OutputWithoutValue(s.name.id), s.name.span)
            value = POISON
        if s.name.id in self.outputs:
            first = next(n.span for n in self._outputs if n.id == s.name.id)
            notes = first_at(s.name.id, first)
            self.report(DefinedTwice(s.name.id), s.name.span, notes)
        self._outputs.append(s.name)
        if isinstance(value, TensorValue):
            self.graph.hints.setdefault(value.ref, s.name.id)
        order: Layout | None = None
        if s.claim is not None and isinstance(value, TensorValue):
            if self._check_claim(value, s.claim):
                order = tuple(a.id for a in s.claim.axes)
            else:
                value = POISON
        self.outputs[s.name.id] = (value, order)

    # -- results ---------------------------------------------------------------------

    def finish(self) -> bool:
        """Writes the results into the graph; False after an error."""
        self.graph.assumptions = self.facts.assumptions()
        if self.missing is not None:
            return False
        if self.definition.is_model:
            return self._finish_model()
        values = self.returned
        if values is None:
            values = self.flow if isinstance(self.flow, tuple) else (self.flow,)
        return self._results([("", v, None) for v in values])

    def _finish_model(self) -> bool:
        name = self.definition.node.name
        found = {name: _refs(value) for name, value in self.scope.values.items()}
        self.graph.named = {name: refs for name, refs in found.items() if refs}
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
        if poisoned(*[value for _, value, _ in rows]):
            return False
        found: list[tuple[Ref, str, Layout]] = []
        for name, value, order in rows:
            if not isinstance(value, TensorValue):
                self._no_result(name, value)
                return False
            found.append((value.ref, name, order or value.type.names))
        graph = self.graph
        graph.results, graph.result_names, graph.result_orders = (
            zip(*found, strict=True) if found else ((), (), ())
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


def _refs(value: Value) -> tuple[Ref, ...]:
    """Where a tensor is made, or each tensor of a list; none for all else."""
    if isinstance(value, TensorValue):
        return (value.ref,)
    items = value if isinstance(value, tuple) else ()
    return tuple(ref for item in items for ref in _refs(item))


_ASSUMED: dict[str, Callable[[Facts, Size, Size], bool]] = {
    "==": lambda facts, a, b: facts.equal(a, b),
    ">=": lambda facts, a, b: facts.at_least(a, b),
    ">": lambda facts, a, b: facts.at_least(a, b + 1),
    "<=": lambda facts, a, b: facts.at_least(b, a),
    "<": lambda facts, a, b: facts.at_least(b, a + 1),
}
_EXECUTE: dict[type, Callable[[Body, Any], None]] = {
    tree.Flow: Body._flow,
    tree.Let: Body._let,
    tree.Layer: Body._layer_statement,
    tree.Return: Body._return,
    tree.Require: Body._require,
    tree.Expect: Body._expect,
    tree.Input: Body._input,
    tree.Output: Body._output,
    tree.Missing: Body._missing,
}
