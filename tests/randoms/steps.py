"""Steps of a spec that know their text and what they make: a small elaborator.

Only the shape rule of a single op is taken from `archdsl`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from archdsl.diagnostics import Refused
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Facts, Op
from archdsl.ops.fields import AxisName
from archdsl.ops.registry import ops
from archdsl.ops.spelling import spelled

LARGEST = 3000  # elements of any tensor


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
    ports: dict[str, str | Nested] = field(default_factory=dict)
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
        named = [f"{port} = {source}" for port, source in self.ports.items()]
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


@dataclass(frozen=True)
class Nested:
    """A pipeline as an argument: ``attention(2, key = memory -> layer_norm)``."""

    start: str
    steps: tuple[Use, ...]

    def __str__(self) -> str:
        return " -> ".join([self.start, *(step.text() for step in self.steps)])


def tensor(scope: Scope, name: str | Nested) -> Tensor:
    """The tensor of a name, of an item of a list, ``stages[1]``, or of a pipeline."""
    if isinstance(name, Nested):
        return through(name.steps, scope, tensor(scope, name.start))
    head, _, index = name.partition("[")
    if index:
        return scope.lists[head][int(index[:-1])]
    return scope.tensors[name]


# What takes nothing of what flows.
DROPS = ("concat(", "parameter(", "zeros(", "ones(")


def through(steps: Sequence[Use], scope: Scope, x: Tensor) -> Tensor:
    """What comes out of a pipeline that stands in an argument."""
    for step in steps:
        if step.text().startswith(DROPS):
            raise Invalid
        x = step.run(scope, x)
    return x


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
            ins[f"xs{i}"] = through(self.steps, inner, y)
        try:
            return fits(
                ops()["concat"](over=AxisName(self.over)).outputs(ins, Facts())[0]
            )
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
            return fits(
                Use(ops()["add"], ports={"other": "y"}).run(Scope(tensors={"y": y}), x)
            )
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
        rows: list[list[str]] = [[self.start] if self.start else []]
        for step in self.steps:
            words = step.text()
            if rows[-1] and words.startswith(DROPS):
                rows.append([])  # an arrow into it would lose what flows
            rows[-1].append(words)
        let = f"let {', '.join(self.lets)} = " if self.lets else ""
        lines = [f"{pad}{' -> '.join(row)}" for row in rows]
        lines[-1] = f"{pad}{let}{lines[-1].strip()}{label}"
        return lines


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
        return Use(ops()["add"], {"number": float(right)}).run(
            scope, tensor(scope, left)
        )
    return Use(ops()["add"], ports={"other": right}).run(scope, tensor(scope, left))


def flow(lines: Sequence[Line], scope: Scope, x: Tensor) -> Tensor:
    for line in lines:
        x = line.run(scope, x)
    return x


def indented(lines: Sequence[Line], pad: str) -> list[str]:
    return [row for line in lines for row in line.text(pad)]
