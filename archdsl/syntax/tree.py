"""The syntax tree: one frozen dataclass a construct, each with its span."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias

from archdsl.source import Span


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that stands in a spec."""

    span: Span


# --- expressions --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name(Node):
    """``words``: a value, a hyperparameter, an op or a block."""

    id: str


@dataclass(frozen=True, slots=True)
class Axis(Node):
    """``H``: an axis; in arithmetic, its size in the value that flows."""

    id: str


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a string, ``true``, ``false`` or ``none``."""

    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """``[a, b, c]``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class TupleOf(Node):
    """``(a, b)``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """``[item for target in iterable if condition]``."""

    item: Expr
    target: Target
    iterable: Expr
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``-a`` or ``not a``."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``a + b`` and the other arithmetic operators, ``a and b``, ``a or b``."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """``a < b <= c``: operators stand between the operands."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """``then if condition else other``."""

    then: Expr
    condition: Expr
    other: Expr


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """``value`` or ``name = value`` in a call; `name` may be an axis."""

    name: str | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``function(arguments)``."""

    function: Expr
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Brackets(Node):
    """``stages[3]`` or ``decoder_layer[memory]``: an index, or a block's tensors."""

    base: Expr
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """``x.C``, ``wte.transposed``."""

    base: Expr
    name: str


# --- steps --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AxisSize(Node):
    """``C = 3`` or ``T`` between the brackets of a shape."""

    id: str
    size: Expr | None


@dataclass(frozen=True, slots=True)
class Shape(Node):
    """``int[B, T = 64]``; `dtype` is "" where none is written."""

    dtype: str
    axes: tuple[AxisSize, ...]


@dataclass(frozen=True, slots=True)
class Step(Node):
    """An expression with what may follow it: ``: [B, C = 10]`` and ``as name``."""

    value: Expr
    claim: Shape | None
    label: Name | None


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """``a -> b -> c``, at least two steps."""

    steps: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Body(Node):
    """The statements between braces."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Residual(Node):
    """``residual(drop_path) { … }``."""

    arguments: tuple[Argument, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Repeat(Node):
    """``repeat(6) { … }``."""

    arguments: tuple[Argument, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Carry(Node):
    """``x``: what a turn takes; ``h = zeros(C = 8)``: a state, and its first value."""

    name: Name
    first: Expr | None


@dataclass(frozen=True, slots=True)
class Scan(Node):
    """``scan(T) [x, h = zeros(C = 8)] { … }``."""

    arguments: tuple[Argument, ...]
    carries: tuple[Carry, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Target(Node):
    """What a loop binds: a name, or several in nested parentheses."""

    items: tuple[Target, ...] | Name


@dataclass(frozen=True, slots=True)
class For(Node):
    """``for i, (a, b) in … { … }``."""

    target: Target
    iterable: Expr
    body: Body


@dataclass(frozen=True, slots=True)
class If(Node):
    """``if … { … } else { … }``; an ``else if`` is an `If` inside `other`."""

    condition: Expr
    body: Body
    other: Body | None


Expr: TypeAlias = (
    Name | Axis | Literal | ListOf | TupleOf | Comprehension | Unary | Binary | Compare
    | Conditional | Call | Brackets | Attribute | Step | Pipeline | Residual | Repeat
    | Scan | For | If
)  # fmt: skip


# --- statements ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Input(Node):
    """``input image: [B, C = 3, H = 224, W = 224]``."""

    name: Name
    shape: Shape


@dataclass(frozen=True, slots=True)
class Output(Node):
    """``output logits : [B, C = 1000] = value``."""

    name: Name
    claim: Shape | None
    value: Expr | None


@dataclass(frozen=True, slots=True)
class Let(Node):
    """``let a, b = value``."""

    names: tuple[Name, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Layer(Node):
    """``layer wte = embedding(50257, 768)``: weights declared once."""

    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Return(Node):
    """``return c3, c4``."""

    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Require(Node):
    """``require C % heads == 0, "heads must divide C"``."""

    condition: Expr
    message: Expr | None


@dataclass(frozen=True, slots=True)
class Expect(Node):
    """``expect params == 28288354``: a promise about the model's figures."""

    condition: Expr


@dataclass(frozen=True, slots=True)
class Flow(Node):
    """A line of steps: the pipeline goes on, or starts anew with a value."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Missing(Node):
    """A statement or an item that was not understood, and is reported.

    Attributes:
        names: What it may have been meant to define.
        anything: Whether it may have defined any name, as a `use` of a whole file.
    """

    names: tuple[str, ...]
    anything: bool = False


Statement: TypeAlias = (
    Input | Output | Let | Layer | Return | Require | Expect | Flow | Missing
)


# --- a file -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """``heads: int = 8`` in the head of a block or model; `type` may be ""."""

    name: Name
    type: str
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Use(Node):
    """``use resnet (bottleneck, conv_bn)``; `path` joins folders with "/"."""

    path: str
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Block(Node):
    """``block name[x, memory](heads, ff = 2048) { … }``.

    `tensors` is None where no brackets are written: the block takes what flows.
    """

    name: Name
    tensors: tuple[Name, ...] | None
    parameters: tuple[Parameter, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Model(Node):
    """``model name(depths = […]) { … }``."""

    name: Name
    parameters: tuple[Parameter, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Variant(Node):
    """``model swin_s = swin(depths = […]) { expect params == 49606258 }``."""

    name: Name
    value: Expr
    body: Body | None  # promises


Item: TypeAlias = Use | Block | Model | Variant | Missing


@dataclass(frozen=True, slots=True)
class File(Node):
    """A whole file."""

    items: tuple[Item, ...]
    doc: str = ""  # the comment at its head, without the marks


# --- walking ------------------------------------------------------------------------


def children(node: Node) -> Iterator[Node]:
    """What a node is directly made of, in the order of its fields."""
    for name in _PARTS[type(node)]:
        part = getattr(node, name)
        if isinstance(part, Node):
            yield part
        elif isinstance(part, tuple):
            yield from (item for item in part if isinstance(item, Node))


_PARTS: dict[type, tuple[str, ...]] = {
    kind: tuple(f.name for f in fields(kind) if f.name != "span")
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Node)
}
