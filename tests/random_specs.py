"""Random specs that are right: steps that know their text and what they make.

A spec is drawn step by step, and the type of what flows is followed by a small
elaborator of our own, so that a spec that `archdsl` refuses is a fault of `archdsl`.
Only the shape rule of a single op is taken from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from archdsl.diagnostics import Refused
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import AxisName, Facts, Op, spelled
from archdsl.ops.registry import ops

LARGEST = 3000  # elements of any tensor
FEATURES = (1, 2, 3, 4, 6, 8)


class Invalid(Exception):
    """What was drawn does not fit here; something else is drawn."""


@dataclass
class Scope:
    """What a body knows."""

    parameters: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)  # of loops
    tensors: dict[str, Tensor] = field(default_factory=dict)
    lists: dict[str, list[Tensor]] = field(default_factory=dict)
    layers: dict[str, Use] = field(default_factory=dict)
    used: dict[str, object] = field(default_factory=dict)  # layers by first use

    def inner(self, **turns: int) -> Scope:
        """The scope of a body in braces."""
        return replace(
            self,
            turns=self.turns | turns,
            tensors=dict(self.tensors),
            lists=dict(self.lists),
        )

    def copy(self) -> Scope:
        """To try something out."""
        return replace(self.inner(), used=dict(self.used))

    def number(self, name: str) -> int:
        return self.turns[name] if name in self.turns else self.parameters[name]


@dataclass(frozen=True)
class Number:
    """A number as written, and what it is worth in a scope and beside a tensor."""

    text: str
    value: Callable[[Scope, Tensor], int]


def literal(value: int) -> Number:
    return Number(str(value), lambda scope, x: value)


# --- steps ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    """An op: its fields, and the names of the tensors at its ports."""

    op: type[Op]
    fields: dict[str, Any] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    many: str = ""  # the text of a list for the first port
    positional: int = 0

    def run(self, scope: Scope, x: Tensor) -> Tensor:
        return self.apply(scope, x)[0]

    def apply(self, scope: Scope, x: Tensor) -> tuple[Tensor, object]:
        """What comes out, and what two uses of shared weights must agree on."""
        fields = {n: resolved(v, scope, x) for n, v in self.fields.items()}
        ins = {self.op.ports[0].name: x} if self.op.ports else {}
        ins |= {port: tensor(scope, name) for port, name in self.ports.items()}
        try:
            made = self.op(**fields)
            (y,) = made.outputs(ins, Facts())
        except (Refused, ValidationError) as error:
            raise Invalid from error
        return fits(y), tuple((w.name, w.shape) for w in made.weights(ins))

    def text(self) -> str:
        words = [self.many] if self.many else []
        named = [f"{port} = {name}" for port, name in self.ports.items()]
        if self.ports and self.positional:
            words.append(named.pop(0).partition(" = ")[2])
        straight = True
        for position, (name, info) in enumerate(self.op.model_fields.items()):
            if name not in self.fields:
                straight = straight and info.is_required()
            elif name == self.op.rest:
                words += map(written, self.fields[name])
            elif name == self.op.axis_keywords:
                words += (
                    a if n is None else f"{a} = {written(n)}"
                    for a, n in self.fields[name]
                )
            elif straight and position < self.positional and not self.op.rest:
                words.append(written(self.fields[name]))
            else:
                words.append(f"{name} = {written(self.fields[name])}")
        words += named
        return self.op.name + (f"({', '.join(words)})" if words else "")


def resolved(value: Any, scope: Scope, x: Tensor) -> Any:
    if isinstance(value, Number):
        return value.value(scope, x)
    if isinstance(value, list):
        return [resolved(v, scope, x) for v in value]
    if isinstance(value, tuple):
        return tuple(resolved(v, scope, x) for v in value)
    return value


def written(value: Any) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return str(value) if isinstance(value, AxisName) else spelled(value)


def tensor(scope: Scope, name: str) -> Tensor:
    """The tensor of a name, or of an item of a list: ``stages[1]``."""
    head, _, index = name.partition("[")
    if index:
        return scope.lists[head][int(index[:-1])]
    return scope.tensors[name]


def fits(y: Tensor) -> Tensor:
    if y.numel > LARGEST or len(y.positions) > 4:
        raise Invalid
    return y


@dataclass(frozen=True)
class Example:
    """The example of an op, as it stands: for ops that nothing more is known of."""

    code: str
    x: Tensor
    y: Tensor

    def run(self, scope: Scope, x: Tensor) -> Tensor:
        if x != self.x:
            raise Invalid
        return self.y

    def text(self) -> str:
        return self.code


@dataclass(frozen=True)
class Shared:
    """A layer that was declared before, perhaps used the other way round."""

    name: str
    transposed: bool = False

    def run(self, scope: Scope, x: Tensor) -> Tensor:
        use = scope.layers[self.name]
        if not self.transposed:
            y, weights = use.apply(scope, x)
            if scope.used.setdefault(self.name, weights) != weights:
                raise Invalid
            return y
        if use.op.name not in ("linear", "embedding") or self.name not in scope.used:
            raise Invalid
        rows, columns = scope.used[self.name][0][1]
        if use.op.name == "linear":
            rows, columns = columns, rows
        if x.dtype != "float" or "C" not in x or x["C"] != columns:
            raise Invalid
        return fits(x.resized({"C": rows}))

    def text(self) -> str:
        return self.name + (".transposed" if self.transposed else "")


@dataclass(frozen=True)
class Block:
    """A block of the file; a body with hyperparameters."""

    name: str
    tensors: tuple[str, ...]
    parameters: dict[str, int]
    lines: list[Line]
    returned: tuple[str, ...] = ()

    def call(self, xs: Sequence[Tensor], given: dict[str, int]) -> list[Tensor]:
        scope = Scope({**self.parameters, **given})
        scope.tensors = dict(zip(self.tensors, xs, strict=True))
        y = flow(self.lines, scope, xs[0])
        return [tensor(scope, n) for n in self.returned] or [y]

    def text(self) -> str:
        tensors = f"[{', '.join(self.tensors)}]"
        words = ", ".join(f"{n} = {v}" for n, v in self.parameters.items())
        rows = [f"block {self.name}{tensors}" + (f"({words})" if words else "") + " {"]
        rows += indented(self.lines, "  ")
        if self.returned:
            rows.append(f"  return {', '.join(self.returned)}")
        return "\n".join([*rows, "}", "", ""])


@dataclass(frozen=True)
class Call:
    """A use of a block."""

    block: Block
    others: tuple[str, ...]
    given: dict[str, int]

    def run(self, scope: Scope, x: Tensor) -> Tensor:
        (y,) = self.all(scope, x)
        return y

    def all(self, scope: Scope, x: Tensor) -> list[Tensor]:
        xs = [x, *(tensor(scope, name) for name in self.others)]
        return self.block.call(xs, self.given)

    def text(self) -> str:
        brackets = f"[{', '.join(self.others)}]" if self.others else ""
        words = ", ".join(f"{n} = {v}" for n, v in self.given.items())
        return self.block.name + brackets + (f"({words})" if words else "")


@dataclass(frozen=True)
class Branches:
    """``concat([… for k in […]])``."""

    variable: str
    items: tuple[int, ...]
    start: str
    steps: list[Use]
    over: str

    def run(self, scope: Scope, x: Tensor) -> Tensor:
        ins = {}
        for i, item in enumerate(self.items):
            inner = scope.inner(**{self.variable: item})
            y = tensor(scope, self.start)
            for step in self.steps:
                y = step.run(inner, y)
            ins[f"xs{i}"] = y
        try:
            return fits(ops()["concat"](over=AxisName(self.over)).outputs(ins, Facts())[0])
        except Refused as refused:
            raise Invalid from refused

    def text(self) -> str:
        steps = " -> ".join([self.start, *(s.text() for s in self.steps)])
        loop = f"for {self.variable} in [{', '.join(map(str, self.items))}]"
        over = "" if self.over == "C" else f", over = {self.over}"
        return f"concat([{steps} {loop}]{over})"


@dataclass(frozen=True)
class Braces:
    """``residual``, ``repeat``, ``for`` or ``if``, with a body."""

    head: str
    lines: list[Line]
    kind: str
    items: tuple[int, ...] = ()
    variable: str = ""
    truth: Callable[[Scope], bool] = lambda scope: True
    other: tuple[Line, ...] = ()

    def run(self, scope: Scope, x: Tensor) -> Tensor:
        if self.kind == "if":
            lines = self.lines if self.truth(scope) else self.other
            return flow(lines, scope.inner(), x)
        labels = [line.label for line in self.lines if line.label]
        if self.kind == "residual":
            inner = scope.inner()
            y = flow(self.lines, inner, x)
            if "(" in self.head and "B" not in y:
                raise Invalid  # drop_path leaves out examples of the batch
            scope.tensors |= {n: inner.tensors[n] for n in labels}
            if y.dtype != "float" or any(y.sizes.get(a, n) != n for a, n in x.axes):
                raise Invalid
            return fits(Use(ops()["add"], ports={"other": "y"}).run(Scope(tensors={"y": y}), x))
        found: dict[str, list[Tensor]] = {name: [] for name in labels}
        for item in self.items:
            inner = scope.inner(**({self.variable: item} if self.variable else {}))
            x = flow(self.lines, inner, x)
            for name in labels:
                found[name].append(inner.tensors[name])
        scope.lists |= found
        return x

    def text(self) -> str:
        raise NotImplementedError


Step = Use | Example | Shared | Call | Branches | Braces


@dataclass(frozen=True)
class Line:
    """A statement: ``let``, a pipeline that starts anew, or what flows going on."""

    steps: list[Step]
    start: str = ""  # a name, or two with a sign between them
    label: str = ""
    lets: tuple[str, ...] = ()

    def run(self, scope: Scope, x: Tensor) -> Tensor:
        y = started(self.start, scope) if self.start else x
        if len(self.lets) > 1:
            (call,) = self.steps
            scope.tensors |= dict(zip(self.lets, call.all(scope, y), strict=True))
            return x
        for step in self.steps:
            y = step.run(scope, y)
        for name in (self.label, *self.lets):
            if name:
                scope.tensors[name] = y
        return x if self.lets else y

    def text(self, pad: str) -> list[str]:
        label = f" as {self.label}" if self.label else ""
        if len(self.steps) == 1 and isinstance(self.steps[0], Braces):
            return braced(self.steps[0], pad, label)
        words = " -> ".join([*filter(None, [self.start]), *(s.text() for s in self.steps)])
        let = f"let {', '.join(self.lets)} = " if self.lets else ""
        return [f"{pad}{let}{words}{label}"]


def braced(step: Braces, pad: str, label: str) -> list[str]:
    rows = [f"{pad}{step.head} {{", *indented(step.lines, pad + "  ")]
    if step.other:
        rows += [f"{pad}}} else {{", *indented(step.other, pad + "  ")]
    return [*rows, f"{pad}}}{label}"]


def started(start: str, scope: Scope) -> Tensor:
    words = start.split()
    if len(words) == 1:
        return tensor(scope, start)
    left, _, right = words
    if right.replace(".", "").isdigit():
        return Use(ops()["add"], {"number": float(right)}).run(scope, tensor(scope, left))
    return Use(ops()["add"], ports={"other": right}).run(scope, tensor(scope, left))


def flow(lines: Sequence[Line], scope: Scope, x: Tensor) -> Tensor:
    for line in lines:
        x = line.run(scope, x)
    return x


def indented(lines: Sequence[Line], pad: str) -> list[str]:
    return [row for line in lines for row in line.text(pad)]


# --- drawing --------------------------------------------------------------------------


class Maker:
    """Draws one spec."""

    def __init__(self, draw: Callable[[st.SearchStrategy], Any]) -> None:
        self.draw = draw
        self.blocks: list[Block] = []
        self.parameters: dict[str, int] = {}  # of the body that is being drawn
        self.loop: tuple[str, tuple[int, ...]] | None = None
        self.count = 0
        self.depth = 0

    # -- choices ------------------------------------------------------------------------

    def of(self, choices: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) < percent

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
        order = self.draw(st.permutations(list(axes)))
        return list(order[: self.draw(st.integers(least, len(axes)))])

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

    # -- steps ----------------------------------------------------------------------------

    def use(self, name: str, scope: Scope, x: Tensor) -> Use:
        """An op with random arguments."""
        made = PROPOSALS.get(name, plain)(self, name, scope, x)
        return replace(made, positional=self.of([0, 0, 1, 2, 9]))

    def step(self, scope: Scope, x: Tensor) -> Step:
        """A step that fits, of any kind."""
        kinds = [*["op"] * 16, "shared", "block", "block", "new", "new", "branches"]
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
        return Shared(self.of(list(scope.layers)), transposed=self.chance(40))

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
            lines, x = self.lines(scope, xs[0], 3)
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

    # -- lines ----------------------------------------------------------------------------

    def lines(self, scope: Scope, x: Tensor, most: int) -> tuple[list[Line], Tensor]:
        """A few lines from here, and what flows after them."""
        found: list[Line] = []
        for _ in range(self.draw(st.integers(1, most))):
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
        return replace(line, label="", lets=(self.fresh("v"),))

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
        label = self.fresh("v") if kind in ("residual", "if") and self.chance(20) else ""
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

    # -- the whole ------------------------------------------------------------------------

    def shape(self, dtype: str = "float") -> Tensor:
        """The type of an input: up to three positions, the axes in any order."""
        names = self.of(["T", "N", "HW", "HW", "WH", "DHW", "TN", ""])
        sizes = {a: self.of([2, 3, 4, 5, 6, 8]) for a in names}
        if dtype == "float" and (self.chance(90) or not names):
            sizes["C"] = self.of(FEATURES)
        axes = [*sizes.items(), *([("B", 1)] if self.chance(93) or not sizes else [])]
        return Tensor(tuple(self.draw(st.permutations(axes))), dtype)

    def spec(self, name: str) -> str:
        """A spec that uses the op of a name."""
        inputs = {}
        for i in range(self.of([1, 1, 2, 3])):
            kind = "int" if self.chance(20) else "float"
            inputs[f"in{i}"] = self.shape(kind)
        seeds, more = self.seed(name)
        inputs |= more
        scope = Scope(self.parameters, tensors=dict(inputs))
        declared = []
        for _ in range(self.of([0, 0, 1, 2])):
            layer = self.fresh("l")
            scope.layers[layer] = self.declared(scope, self.of(list(inputs.values())))
            declared.append(f"  layer {layer} = {scope.layers[layer].text()}")
        first = self.seeded(name, seeds, scope)
        x = first.run(scope, list(inputs.values())[-1])
        lines, x = self.lines(scope, x, 5)
        rows = [f"  input {n}: {shaped(t)}" for n, t in inputs.items()]
        rows += declared + indented([first, *lines], "  ") + self.outputs(scope, x)
        words = ", ".join(f"{n} = {v}" for n, v in self.parameters.items())
        head = "model random" + (f"({words})" if words else "") + " {"
        blocks = "".join(block.text() for block in self.blocks)
        return blocks + "\n".join([head, *rows, "}", ""])

    def seed(self, name: str) -> tuple[list[tuple[str, Step]], dict[str, Tensor]]:
        """Uses of an op, by the input that they start from, and the inputs they need."""
        if name in PROPOSALS and self.chance(70):
            for _ in range(20):
                x = self.shape("int" if name == "embedding" else "float")
                others = {"s": x, "o": self.other(name, x)}
                try:
                    step = self.use(name, Scope(self.parameters, tensors={"o": others["o"]}), x)
                    step.run(Scope(self.parameters, tensors=others), x)
                except Invalid:
                    continue
                return [("s", step)], others
        return self.example(name)

    def other(self, name: str, x: Tensor) -> Tensor:
        """What a second port may take beside x."""
        kept = self.some(x.names)
        if name in ("attention", "concat"):
            return x
        return Tensor(tuple((a, n) for a, n in x.axes if a in kept), x.dtype)

    def example(self, name: str) -> tuple[list[tuple[str, Step]], dict[str, Tensor]]:
        from archdsl import parse

        from tests.tools import text_of

        example = self.of(ops()[name].examples)
        graph = parse(text_of(example))
        inputs = dict(graph.inputs)
        start = next(iter(inputs))
        step = Example(example.code, inputs[start], graph.outputs[0])
        return [(start, step)], inputs

    def seeded(self, name: str, seeds: list[tuple[str, Step]], scope: Scope) -> Line:
        ((start, step),) = seeds
        return Line([step], start)

    def declared(self, scope: Scope, x: Tensor) -> Use:
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
            claim = ": " + shaped(x.ordered(tuple(self.draw(st.permutations(x.names)))))
        return f"  output {name}{claim}" + (f" = {value}" if value else "")


def shaped(x: Tensor) -> str:
    return str(x)


# --- arguments ------------------------------------------------------------------------


def plain(m: Maker, name: str, scope: Scope, x: Tensor) -> Use:
    return Use(ops()[name])


def _linear(m, name, scope, x):
    fields = {"features": m.number([*FEATURES, 2 * x.sizes.get("C", 1)], x)}
    if m.chance(40):
        fields["bias"] = m.chance(50)
    return Use(ops()[name], fields)


def _conv(m, name, scope, x):
    axes, over = m.over(x)
    fields = {"features": m.number(FEATURES), "kernel": m.each([1, 2, 3, 5], axes)}
    for field_, choices in (("stride", [1, 2, 3]), ("padding", [0, 1, 2]), ("dilation", [1, 2])):
        if m.chance(30):
            fields[field_] = m.each(choices, axes)
    if m.chance(30):
        fields["groups"] = m.number([2, x.sizes.get("C", 1)])
    if m.chance(30):
        fields["bias"] = False
    return Use(ops()[name], fields | over)


def _pool(m, name, scope, x):
    axes, over = m.over(x)
    fields = {"kernel": m.each([1, 2, 3], axes)}
    if m.chance(50):
        fields["stride"] = m.each([1, 2, 3], axes)
    if m.chance(30):
        fields["padding"] = m.each([0, 1], axes)
    if name == "max_pool" and m.chance(30):
        fields["dilation"] = m.each([1, 2], axes)
    return Use(ops()[name], fields | over)


def _adaptive(m, name, scope, x):
    axes, over = m.over(x)
    return Use(ops()[name], {"size": m.each([1, 2, 3, 5], axes)} | over)


def _norm(m, name, scope, x):
    fields = {}
    if m.chance(30):
        fields["eps"] = m.of([1e-6, 0.001])
    if m.chance(30):
        fields["affine"] = m.chance(50)
    if name == "layer_norm" and m.chance(30):
        fields["bias"] = m.chance(50)
    if name == "batch_norm" and m.chance(30):
        fields["momentum"] = 0.01
    return Use(ops()[name], fields)


def _reduce(m, name, scope, x):
    axes = m.some([a for a in x.names if a != "B"])
    return Use(ops()[name], {"over": [AxisName(a) for a in axes]})


def _arithmetic(m, name, scope, x):
    if x.dtype == "int":
        return Use(ops()[name], {"number": m.of([1, 2, 3])})
    if m.chance(30) or not scope.tensors:
        return Use(ops()[name], {"number": m.of([2, 0.5, 3.25, -1])})
    return Use(ops()[name], ports={"other": m.named(scope, "float")})


def _heads(m, x):
    if "C" not in x:
        raise Invalid
    return m.number([h for h in (1, 2, 3, 4) if x["C"] % h == 0])


def _attention(m, name, scope, x):
    axes, over = m.over(x)
    fields, ports = {"heads": _heads(m, x)}, {}
    if scope.tensors and m.chance(35):
        ports["key"] = m.named(scope, "float")
        if m.chance(30):
            ports["value"] = ports["key"]
    elif len(axes) == 1 and m.chance(40):
        fields["causal"] = True
    if m.chance(30):
        fields["bias"] = m.chance(50)
    if m.chance(20):
        fields["dropout"] = 0.1
    return Use(ops()[name], fields | over, ports)


def _window(m, name, scope, x):
    axes, over = m.over(x)
    window = m.each([2, 3, 4], axes)
    fields = {"heads": _heads(m, x), "window": window}
    if m.chance(50):
        fields["shift"] = m.each([0, 1], axes)
    if m.chance(50):
        fields["pad"] = True
    if m.chance(50):
        fields["relative_bias"] = True
    if m.chance(20):
        fields["bias"] = False
    return Use(ops()[name], fields | over)


def _lstm(m, name, scope, x):
    fields = {"hidden": m.number([2, 3, 4])}
    if m.chance(30):
        fields["layers"] = 2
        if m.chance(40):
            fields["dropout"] = 0.1
    for flag in ("bidirectional", "last", "bias"):
        if m.chance(30):
            fields[flag] = flag != "bias"
    if len(x.positions) > 1:
        fields["over"] = AxisName(m.of(x.positions))
    return Use(ops()[name], fields)


def _position(m, name, scope, x):
    axes, over = m.over(x)
    longest = {"max": m.number([x[axes[0]], 9])} if len(axes) == 1 and m.chance(40) else {}
    return Use(ops()[name], longest | over)


def _slice(m, name, scope, x):
    axis = m.of([a for a in x.names if a != "B"] or ["C"])
    size = x.sizes.get(axis, 1)
    fields = {"axis": AxisName(axis)}
    if m.chance(50):
        fields["start"] = m.of([0, 1, -1, -size])
    if m.chance(50):
        fields["stop"] = m.of([size, max(1, size - 1), -1])
    if m.chance(40):
        fields["step"] = m.number([1, 2, 3])
    return Use(ops()[name], fields)


def _select(m, name, scope, x):
    axis = m.of([a for a in x.names if a != "B"] or ["C"])
    size = x.sizes.get(axis, 1)
    return Use(ops()[name], {"axis": AxisName(axis), "index": m.of([0, -1, size - 1])})


def _merge(m, name, scope, x):
    axes = m.some([a for a in x.names if a != "B"])
    into = m.of([*axes, "M", "C" if x.dtype == "float" else "M"])
    return Use(ops()[name], {"axes": [AxisName(a) for a in axes], "into": AxisName(into)})


def _split(m, name, scope, x):
    axis = m.of([a for a in x.names if a != "B"] or ["C"])
    size = x.sizes.get(axis, 1)
    part = m.of([d for d in range(1, size + 1) if size % d == 0])
    names = m.draw(st.permutations(m.of([("P", "Q"), (axis, "P"), (axis,)])))
    sizes = [literal(part), literal(size // part)] if len(names) > 1 else [literal(size)]
    if m.chance(50):
        sizes[m.of(range(len(sizes)))] = None
    into = tuple(zip(names, sizes, strict=True))
    return Use(ops()[name], {"axis": AxisName(axis), "into": into})


def _concat(m, name, scope, x):
    same = [n for n, t in scope.tensors.items() if set(t.names) == set(x.names) and t.dtype == x.dtype]
    if not same:
        raise Invalid
    names = [m.of(same) for _ in range(m.of([1, 2, 3]))]
    axis = m.of([a for a in x.names if a != "B"] or ["C"])
    return _Concat(
        ops()[name],
        {"over": AxisName(axis)} if axis != "C" or m.chance(20) else {},
        many=f"[{', '.join(names)}]",
    )


class _Concat(Use):
    """Its list stands for all ports."""

    def apply(self, scope: Scope, x: Tensor) -> tuple[Tensor, object]:
        names = self.many.strip("[]").split(", ")
        ins = {f"xs{i}": tensor(scope, n) for i, n in enumerate(names)}
        try:
            return fits(self.op(**self.fields).outputs(ins, Facts())[0]), ()
        except Refused as refused:
            raise Invalid from refused


def _rate(m, name, scope, x):
    return Use(ops()[name], {"rate": m.of([0.1, 0.5, 0])})


def _embedding(m, name, scope, x):
    if x.dtype != "int":
        raise Invalid
    return Use(ops()[name], {"vocab": m.number([5, 9]), "dim": m.number(FEATURES)})


def _patch_merge(m, name, scope, x):
    _, over = m.over(x)
    fields = {"features": m.number(FEATURES)} if m.chance(40) else {}
    if m.chance(50):
        fields["pad"] = True
    return Use(ops()[name], fields | over)


def _token(m, name, scope, x):
    return Use(ops()[name], {"count": m.number([1, 2])} if m.chance(50) else {})


def _gelu(m, name, scope, x):
    return Use(ops()[name], {"approximate": "tanh"} if m.chance(50) else {})


def _softmax(m, name, scope, x):
    axes = [a for a in x.names if a != "B"]
    return Use(ops()[name], {"over": AxisName(m.of(axes or ["C"]))} if m.chance(70) else {})


class _Source(Use):
    """A learned or constant tensor, added to what flows or multiplied with it."""

    def apply(self, scope: Scope, x: Tensor) -> tuple[Tensor, object]:
        fields = {n: resolved(v, scope, x) for n, v in self.fields.items()}
        (made,) = self.op(**fields).outputs({}, Facts())
        scope = Scope(tensors={"made": made})
        return Use(ops()["add"], ports={"other": "made"}).apply(scope, x)[0], ()

    def text(self) -> str:
        return f"{self.many}({Use(self.op, self.fields).text()})"


def _source(m, name, scope, x):
    axes = m.some([a for a in x.names if a != "B"]) if set(x.names) - {"B"} else ["C"]
    sizes = tuple((a, literal(x.sizes.get(a, 3))) for a in axes)
    if "C" not in x and m.chance(30):
        sizes = (*dict(sizes).items(), ("C", m.number(FEATURES)))
        sizes = tuple(dict(sizes).items())
    fields = {"axes": sizes}
    if name == "parameter" and m.chance(50):
        fields["init"] = m.of(["zeros", "ones"])
    return _Source(ops()[name], fields, many=m.of(["add", "multiply", "subtract"]))


PROPOSALS: dict[str, Callable[..., Use]] = {
    "linear": _linear, "conv": _conv, "max_pool": _pool, "avg_pool": _pool,
    "adaptive_avg_pool": _adaptive, "layer_norm": _norm, "batch_norm": _norm,
    "mean": _reduce, "max": _reduce, "sum": _reduce, "add": _arithmetic,
    "subtract": _arithmetic, "multiply": _arithmetic, "divide": _arithmetic,
    "attention": _attention, "window_attention": _window, "lstm": _lstm,
    "position_embedding": _position, "class_token": _token, "slice": _slice,
    "select": _select, "merge": _merge, "split": _split, "concat": _concat,
    "dropout": _rate, "drop_path": _rate, "embedding": _embedding,
    "patch_merge": _patch_merge, "gelu": _gelu, "softmax": _softmax, "relu": plain,
    "tanh": plain, "sigmoid": plain, "silu": plain, "parameter": _source,
    "zeros": _source, "ones": _source,
}  # fmt: skip
INT_OPS = ["embedding"] * 6 + ["slice", "select", "merge", "split", "concat"]


@st.composite
def specs(draw: Callable[[st.SearchStrategy], Any], name: str) -> str:
    """A right spec that uses the op of a name."""
    return Maker(draw).spec(name)
