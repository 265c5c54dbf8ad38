"""Random specs that are right, each with an op that it must use.

A spec is drawn step by step, and the type of what flows is followed by a small
elaborator of our own, so that a spec that `archdsl` refuses is a fault of `archdsl`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from hypothesis import strategies as st

import archdsl
from archdsl.ir.tensor import Tensor
from archdsl.ops.fields import AxisName
from archdsl.ops.registry import ops
from tests.randoms.arguments import FEATURES, INT_OPS, PROPOSALS, SIMPLE, plain
from tests.randoms.steps import (
    DROPS,
    Block,
    Braces,
    Branches,
    Call,
    Example,
    Invalid,
    Line,
    Nested,
    Number,
    Scope,
    Shared,
    Step,
    Use,
    indented,
    literal,
    started,
    tensor,
)
from tests.texts import text_of


class Choices(Protocol):
    """What chooses: hypothesis, which then makes a failure small, or dice."""

    def of(self, choices: list[Any]) -> Any:
        """One of some things."""

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""

    def shuffled(self, items: list[Any]) -> list[Any]:
        """The items in another order."""


class _Drawn:
    """Chooses as hypothesis says."""

    def __init__(self, draw: Callable[[st.SearchStrategy], Any]) -> None:
        self.draw = draw

    def of(self, choices: list[Any]) -> Any:
        return self.draw(st.sampled_from(choices))

    def between(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def shuffled(self, items: list[Any]) -> list[Any]:
        return self.draw(st.permutations(items))


def _runs(step: Step, scope: Scope, x: Tensor) -> bool:
    """Whether a step fits."""
    try:
        step.run(scope.copy(), x)
    except Invalid:
        return False
    return True


class Maker:
    """Draws one spec."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.blocks: list[Block] = []
        self.parameters: dict[str, int] = {}  # of the body that is being drawn
        self.loop: tuple[str, tuple[int, ...]] | None = None
        self.count = 0
        self.depth = 0

    # -- choices -----------------------------------------------------------------------

    def of(self, choices: Sequence[Any]) -> Any:
        return self.choices.of(list(choices))

    def chance(self, percent: int) -> bool:
        return self.choices.between(0, 99) < percent

    def fresh(self, name: str) -> str:
        self.count += 1
        return f"{name}{self.count}"

    def number(self, choices: Sequence[int], x: Tensor | None = None) -> Number:
        """One of some numbers: written out, a hyperparameter, or a multiple of one."""
        if self.loop and set(self.loop[1]) <= set(choices) and self.chance(80):
            name = self.loop[0]
            return Number(name, lambda scope, x: scope.number(name))
        value = self.of(choices)
        if x is not None and "C" in x and value == 2 * x["C"] and self.chance(50):
            return Number("2 * C", lambda scope, x: 2 * x.sizes.get("C", 0))
        if not self.chance(30):
            return literal(value)
        known = [n for n, v in self.parameters.items() if value == v]
        halves = [n for n, v in self.parameters.items() if value == 2 * v]
        if halves and not known:
            name = halves[0]
            return Number(f"2 * {name}", lambda scope, x: 2 * scope.number(name))
        name = known[0] if known else self.fresh("p")
        self.parameters[name] = value
        return Number(name, lambda scope, x: scope.number(name))

    def each(self, choices: Sequence[int], axes: Sequence[str]) -> Any:
        """One number, or one for each axis."""
        if self.chance(25):
            return [self.of(choices) for _ in axes]
        return self.number(choices)

    def some(self, axes: Sequence[str], least: int = 1) -> list[str]:
        """A few of some axes, in any order."""
        if len(axes) < least:
            raise Invalid
        order = self.choices.shuffled(list(axes))
        return list(order[: self.choices.between(least, len(axes))])

    def over(self, x: Tensor) -> tuple[tuple[str, ...], dict[str, Any]]:
        """The axes that an op works on, and the field that says so."""
        if not x.positions:
            raise Invalid
        if not self.chance(25):
            return x.positions, {}
        axes = self.some(x.positions)
        names = [AxisName(a) for a in axes]
        return tuple(axes), {"over": names[0] if len(names) == 1 else names}

    def named(self, scope: Scope, dtype: str = "") -> str:
        """The name of a tensor."""
        names = [n for n, t in scope.tensors.items() if dtype in ("", t.dtype)]
        names += [f"{n}[{i}]" for n, ts in scope.lists.items() for i in range(len(ts))]
        if not names:
            raise Invalid
        return self.of(names)

    def source(self, scope: Scope) -> str | Nested:
        """A tensor as an argument: its name, or a short pipeline."""
        start = self.named(scope, "float")
        if not self.chance(35):
            return start
        x, steps = tensor(scope, start), []
        for _ in range(self.of([1, 2])):
            name = self.of(SIMPLE)
            steps.append(self.use(name, scope, x))
            x = steps[-1].run(scope, x)
        return Nested(start, tuple(steps))

    # -- steps -------------------------------------------------------------------------

    def use(self, name: str, scope: Scope, x: Tensor) -> Use:
        """An op with random arguments."""
        made = PROPOSALS.get(name, plain)(self, name, scope, x)
        return replace(made, positional=self.of([0, 0, 1, 2, 9]))

    def step(self, scope: Scope, x: Tensor) -> Step:
        """A step that fits, of any kind."""
        kinds = [*["op"] * 16, *["shared", "block", "new"] * 2, "branches"]
        for _ in range(12):
            try:
                step = getattr(self, f"_{self.of(kinds)}")(scope, x)
                step.run(scope.copy(), x)
            except Invalid:
                continue
            return step
        return Use(ops()["add"], {"number": 1})

    def _op(self, scope: Scope, x: Tensor) -> Step:
        takers = INT_OPS if x.dtype == "int" else list(PROPOSALS)
        return self.use(self.of(takers), scope, x)

    def _shared(self, scope: Scope, x: Tensor) -> Step:
        if not scope.layers:
            raise Invalid
        ties = [Shared(name, transposed=True) for name in scope.layers]
        ties = [tie for tie in ties if _runs(tie, scope, x)]
        if ties and self.chance(70):
            return self.of(ties)
        return Shared(self.of(list(scope.layers)))

    def _block(self, scope: Scope, x: Tensor) -> Step:
        usable = [b for b in self.blocks if not b.returned]
        if not usable:
            raise Invalid
        return self.call(self.of(usable), scope)

    def call(self, block: Block, scope: Scope) -> Call:
        others = tuple(self.named(scope) for _ in block.tensors[1:])
        given = {
            name: self.of([value, value + 1, 2 * value])
            for name, value in block.parameters.items()
            if self.chance(40)
        }
        return Call(block, others, given)

    def _new(self, scope: Scope, x: Tensor) -> Step:
        if self.depth > 1 or len(self.blocks) > 3:
            raise Invalid
        others = (self.named(scope),) if scope.tensors and self.chance(25) else ()
        block = self.block([x, *(tensor(scope, n) for n in others)])
        if block.returned:
            raise Invalid
        return Call(block, others, {})

    def block(self, xs: Sequence[Tensor], *, several: bool = False) -> Block:
        """A new block that takes such tensors."""
        before = self.parameters, self.loop, self.depth
        self.parameters, self.loop, self.depth = {}, None, self.depth + 1
        names = ("x", "y")[: len(xs)]
        scope = Scope(self.parameters, tensors=dict(zip(names, xs, strict=True)))
        try:
            lines, _ = self.lines(scope, xs[0], 3)
            returned = ()
            if several:
                returned = (self.named(scope), self.named(scope))
            block = Block(self.fresh("b"), names, self.parameters, lines, returned)
        finally:
            self.parameters, self.loop, self.depth = before
        self.blocks.append(block)
        return block

    def _branches(self, scope: Scope, x: Tensor) -> Step:
        if self.loop:
            raise Invalid
        start = self.named(scope, "float")
        items = self.of([(1, 3), (3, 5), (2, 4, 6), (1, 1, 2)])
        variable = self.fresh("k")
        inner = scope.inner(**{variable: items[0]})
        steps, y = [], tensor(scope, start)
        self.loop = variable, items
        try:
            for _ in range(self.of([1, 2])):
                steps.append(self.use(self.of(list(PROPOSALS)), inner, y))
                y = steps[-1].run(inner, y)
        finally:
            self.loop = None
        return Branches(variable, items, start, steps, self.of(["C", *y.positions]))

    # -- lines -------------------------------------------------------------------------

    def lines(self, scope: Scope, x: Tensor, most: int) -> tuple[list[Line], Tensor]:
        """A few lines from here, and what flows after them."""
        found: list[Line] = []
        for _ in range(self.choices.between(1, most)):
            line, x = self.line(scope, x)
            found.append(line)
        return found, x

    def line(self, scope: Scope, x: Tensor) -> tuple[Line, Tensor]:
        kinds = [*["pipeline"] * 8, "let", "several", "braces", "braces", "braces"]
        for _ in range(8):
            try:
                line = getattr(self, f"_{self.of(kinds)}")(scope.copy(), x)
                line.run(scope.copy(), x)
                return line, line.run(scope, x)
            except Invalid:
                continue
        line = Line([self.step(scope, x)])
        return line, line.run(scope, x)

    def _pipeline(self, scope: Scope, x: Tensor) -> Line:
        start = ""
        if self.chance(25):
            start = self.named(scope, "float")
            if self.chance(40):
                start += f" {self.of('+-*')} {self.of([self.named(scope), '2', '0.5'])}"
            x = started(start, scope)
        steps = []
        for _ in range(self.of([1, 1, 2, 3])):
            steps.append(self.step(scope, x))
            x = steps[-1].run(scope, x)
        label = self.fresh("v") if self.chance(30) else ""
        return Line(steps, start, label)

    def _let(self, scope: Scope, x: Tensor) -> Line:
        line = self._pipeline(scope, x)
        if not line.start and len(line.steps) == 1:
            raise Invalid  # `let act = relu` names the op
        start, steps = line.start, line.steps
        for i, step in enumerate(line.steps):
            if step.text().startswith(DROPS):  # what is before it has no place
                start, steps = "", line.steps[i:]
        return Line(steps, start, lets=(self.fresh("v"),))

    def _several(self, scope: Scope, x: Tensor) -> Line:
        """``let a, b = x -> block``."""
        if self.depth > 1:
            raise Invalid
        start = self.named(scope)
        block = self.block([tensor(scope, start)], several=True)
        call = Call(block, (), {})
        return Line([call], start, lets=(self.fresh("v"), self.fresh("v")))

    def _braces(self, scope: Scope, x: Tensor) -> Line:
        if self.depth > 2 or self.loop:
            raise Invalid
        self.depth += 1
        try:
            kind = self.of(["residual", "repeat", "for", "if"])
            step = getattr(self, f"_{kind}")(scope, x)
        finally:
            self.depth, self.loop = self.depth - 1, None
        step.run(scope.copy(), x)
        label = (
            self.fresh("v") if kind in ("residual", "if") and self.chance(20) else ""
        )
        return Line([step], label=label)

    def _residual(self, scope: Scope, x: Tensor) -> Braces:
        lines, y = self.lines(scope.copy(), x, 2)
        if "C" in x and "C" in y and x["C"] != y["C"] and y.dtype == "float":
            size = x["C"]
            lines.append(Line([Use(ops()["linear"], {"features": literal(size)})]))
        rate = self.of(["", "", "(0.1)", "(drop_path = 0.2)"]) if "B" in x else ""
        return Braces(f"residual{rate}", lines, "residual")

    def _repeat(self, scope: Scope, x: Tensor) -> Braces:
        count = self.of([1, 2, 3, 4])
        lines, _ = self.lines(scope.copy(), x, 2)
        return Braces(f"repeat({count})", lines, "repeat", (0,) * count)

    def _for(self, scope: Scope, x: Tensor) -> Braces:
        variable = self.fresh("i")
        items = self.of([(1, 3), (4, 8), (3, 3, 3), (2, 4, 6), (1,)])
        self.loop = variable, items
        inner = scope.inner(**{variable: items[0]})
        lines, _ = self.lines(inner.copy(), x, 2)
        head = f"for {variable} in [{', '.join(map(str, items))}]"
        return Braces(head, lines, "for", items, variable)

    def _if(self, scope: Scope, x: Tensor) -> Braces:
        number, bound = self.number(range(1, 5)), self.of(range(1, 5))
        lines, _ = self.lines(scope.copy(), x, 2)
        other = self.lines(scope.copy(), x, 2)[0] if self.chance(50) else ()
        return Braces(
            f"if {number.text} >= {bound}",
            lines,
            "if",
            truth=lambda scope: number.value(scope, x) >= bound,
            other=tuple(other),
        )

    # -- the whole ---------------------------------------------------------------------

    def shape(self, dtype: str = "float") -> Tensor:
        """The type of an input: up to three positions, the axes in any order."""
        names = self.of(["T", "N", "HW", "HW", "WH", "DHW", "TN", ""])
        sizes = {a: self.of([2, 3, 4, 5, 6, 8]) for a in names}
        if dtype == "float" and (self.chance(90) or not names):
            sizes["C"] = self.of(FEATURES)
        axes = [*sizes.items(), *([("B", 1)] if self.chance(93) or not sizes else [])]
        return Tensor(tuple(self.choices.shuffled(axes)), dtype)

    def spec(self, name: str) -> str:
        """A spec that uses the op of a name."""
        inputs = {}
        for i in range(self.of([1, 1, 2, 3])):
            kind = "int" if self.chance(20) else "float"
            inputs[f"in{i}"] = self.shape(kind)
        start, step, more = self.seed(name)
        inputs |= more
        scope = Scope(self.parameters, tensors=dict(inputs))
        declared = []
        for _ in range(self.of([0, 0, 1, 2])):
            layer = self.fresh("l")
            scope.layers[layer] = self.declared(self.of(list(inputs.values())))
            declared.append(f"  layer {layer} = {scope.layers[layer].text()}")
        first = Line([step], start)
        x = first.run(scope, list(inputs.values())[-1])
        lines, x = self.lines(scope, x, 5)
        rows = [f"  input {n}: {t}" for n, t in inputs.items()]
        rows += declared + indented([first, *lines], "  ") + self.outputs(scope, x)
        words = ", ".join(f"{n} = {v}" for n, v in self.parameters.items())
        head = "model random" + (f"({words})" if words else "") + " {"
        blocks = "".join(block.text() for block in self.blocks)
        return blocks + "\n".join([head, *rows, "}", ""])

    def seed(self, name: str) -> tuple[str, Step, dict[str, Tensor]]:
        """A use of an op, the input that it starts from, and all inputs it needs."""
        if name in PROPOSALS and self.chance(70):
            for _ in range(20):
                x = self.shape("int" if name == "embedding" else "float")
                others = {"s": x, "o": self.other(name, x)}
                try:
                    step = self.use(
                        name, Scope(self.parameters, tensors={"o": others["o"]}), x
                    )
                    step.run(Scope(self.parameters, tensors=others), x)
                except Invalid:
                    continue
                return "s", step, others
        return self.example(name)

    def other(self, name: str, x: Tensor) -> Tensor:
        """What a second port may take beside x."""
        kept = self.some(x.names)
        if name in ("attention", "concat"):
            return x
        return Tensor(tuple((a, n) for a, n in x.axes if a in kept), x.dtype)

    def example(self, name: str) -> tuple[str, Step, dict[str, Tensor]]:
        example = self.of(ops()[name].examples)
        graph = archdsl.parse(text_of(example))
        inputs = dict(graph.inputs)
        start = next(iter(inputs))
        step = Example(example.code, inputs[start], graph.outputs[0])
        return start, step, inputs

    def declared(self, x: Tensor) -> Use:
        """A layer to be shared."""
        if x.dtype == "int":
            vocab, dim = literal(self.of([5, 9])), literal(self.of(FEATURES))
            return Use(ops()["embedding"], {"vocab": vocab, "dim": dim})
        features = literal(self.of(FEATURES))
        if self.chance(30):
            fields = {"features": features, "kernel": literal(self.of([1, 3]))}
            return Use(ops()["conv"], fields)
        return Use(ops()["linear"], {"features": features, "bias": self.chance(50)})

    def outputs(self, scope: Scope, x: Tensor) -> list[str]:
        rows = [self.output("out", "", x)]
        if self.chance(30):
            name = self.named(scope)
            rows.append(self.output("more", name, tensor(scope, name)))
        if self.chance(20):
            names = [self.named(scope) for _ in range(self.of([1, 2, 3]))]
            rows.append(f"  output all = [{', '.join(names)}]")
        return rows

    def output(self, name: str, value: str, x: Tensor) -> str:
        claim = ""
        if self.chance(50):
            claim = ": " + str(x.ordered(tuple(self.choices.shuffled(list(x.names)))))
        return f"  output {name}{claim}" + (f" = {value}" if value else "")


@st.composite
def specs(draw: Callable[[st.SearchStrategy], Any], name: str) -> str:
    """A right spec that uses the op of a name."""
    return Maker(_Drawn(draw)).spec(name)
