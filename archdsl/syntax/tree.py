"""The syntax tree: one frozen dataclass a construct, each with its span."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeAlias

from archdsl.record import record
from archdsl.source import Span


@record
class Node:
    """Anything that stands in a spec."""

    span: Span


# --- expressions --------------------------------------------------------------------


@record
class Name(Node):
    """``words``: a value, a hyperparameter, an op or a block."""

    id: str


@record
class Axis(Node):
    """``H``: an axis; in arithmetic, its size in the value that flows."""

    id: str


@record
class Literal(Node):
    """A number, a string, ``true``, ``false`` or ``none``."""

    value: int | float | str | bool | None


@record
class ListOf(Node):
    """``[a, b, c]``."""

    items: tuple[Expr, ...]


@record
class TupleOf(Node):
    """``(a, b)``."""

    items: tuple[Expr, ...]


@record
class Comprehension(Node):
    """``[item for target in iterable if condition]``."""

    item: Expr
    target: Target
    iterable: Expr
    condition: Expr | None


@record
class Unary(Node):
    """``-a`` or ``not a``."""

    operator: str
    operand: Expr


@record
class Binary(Node):
    """``a + b`` and the other arithmetic operators, ``a and b``, ``a or b``."""

    operator: str
    left: Expr
    right: Expr


@record
class Compare(Node):
    """``a < b <= c``: operators stand between the operands."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]


@record
class Conditional(Node):
    """``then if condition else other``."""

    then: Expr
    condition: Expr
    other: Expr


@record
class Argument(Node):
    """``value`` or ``name = value`` in a call; `name` may be an axis."""

    name: str | None
    value: Expr


@record
class Call(Node):
    """``function(arguments)``."""

    function: Expr
    arguments: tuple[Argument, ...]


@record
class Brackets(Node):
    """``stages[3]`` or ``decoder_layer[memory]``: an index, or a block's tensors."""

    base: Expr
    arguments: tuple[Argument, ...]


@record
class Attribute(Node):
    """``x.C``, ``wte.transposed``."""

    base: Expr
    name: str


# --- steps --------------------------------------------------------------------------


@record
class AxisSize(Node):
    """``C = 3`` or ``T`` between the brackets of a shape."""

    id: str
    size: Expr | None


@record
class Shape(Node):
    """``int[B, T = 64]``; `dtype` is "" where none is written."""

    dtype: str
    axes: tuple[AxisSize, ...]


@record
class Step(Node):
    """An expression with what may follow it: ``: [B, C = 10]`` and ``as name``."""

    value: Expr
    claim: Shape | None
    label: Name | None


@record
class Pipeline(Node):
    """``a -> b -> c``, at least two steps."""

    steps: tuple[Expr, ...]


@record
class Body(Node):
    """The statements between braces."""

    statements: tuple[Statement, ...]


@record
class Residual(Node):
    """``residual(drop_path) { … }``."""

    arguments: tuple[Argument, ...]
    body: Body


@record
class Repeat(Node):
    """``repeat(6) { … }``."""

    arguments: tuple[Argument, ...]
    body: Body


@record
class Carry(Node):
    """``x``: what a turn takes; ``h = zeros(C = 8)``: a state, and its first value."""

    name: Name
    first: Expr | None


@record
class Scan(Node):
    """``scan(T) [x, h = zeros(C = 8)] { … }``."""

    arguments: tuple[Argument, ...]
    carries: tuple[Carry, ...]
    body: Body


@record
class Target(Node):
    """What a loop binds: a name, or several in nested parentheses."""

    items: tuple[Target, ...] | Name


@record
class For(Node):
    """``for i, (a, b) in … { … }``."""

    target: Target
    iterable: Expr
    body: Body


@record
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


@record
class Input(Node):
    """``input image: [B, C = 3, H = 224, W = 224]``."""

    name: Name
    shape: Shape


@record
class Output(Node):
    """``output logits : [B, C = 1000] = value``."""

    name: Name
    claim: Shape | None
    value: Expr | None


@record
class Let(Node):
    """``let a, b = value``."""

    names: tuple[Name, ...]
    value: Expr


@record
class Layer(Node):
    """``layer wte = embedding(50257, 768)``: weights declared once."""

    name: Name
    value: Expr


@record
class Return(Node):
    """``return c3, c4``."""

    values: tuple[Expr, ...]


@record
class Require(Node):
    """``require C % heads == 0, "heads must divide C"``."""

    condition: Expr
    message: Expr | None


@record
class Expect(Node):
    """``expect params == 28288354``: a promise about the model's figures."""

    condition: Expr


@record
class Flow(Node):
    """A line of steps: the pipeline goes on, or starts anew with a value."""

    value: Expr


@record
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


@record
class Parameter(Node):
    """``heads: int = 8`` in the head of a block or model; `type` may be ""."""

    name: Name
    type: str
    default: Expr | None


@record
class Use(Node):
    """``use resnet (bottleneck, conv_bn)``; `path` joins folders with "/"."""

    path: str
    names: tuple[Name, ...]


@record
class Block(Node):
    """``block name[x, memory](heads, ff = 2048) { … }``.

    `tensors` is None where no brackets are written: the block takes what flows.
    """

    name: Name
    tensors: tuple[Name, ...] | None
    parameters: tuple[Parameter, ...]
    body: Body


@record
class Model(Node):
    """``model name(depths = […]) { … }``."""

    name: Name
    parameters: tuple[Parameter, ...]
    body: Body


@record
class Variant(Node):
    """``model swin_s = swin(depths = […]) { expect params == 49606258 }``."""

    name: Name
    value: Expr
    body: Body | None  # promises


@record
class Checkpoint(Node):
    """``checkpoint timm for swin { "patch_embed.proj" -> "conv" }``."""

    name: Name
    model: Name
    body: Body  # rules, one a line


Item: TypeAlias = Use | Block | Model | Variant | Checkpoint | Missing


@record
class File(Node):
    """A whole file."""

    items: tuple[Item, ...]
    doc: str = ""  # the comment at its head, without the marks


# --- walking ------------------------------------------------------------------------


def children(node: Node) -> list[Node]:
    """What a node is directly made of, in the order of its fields."""
    found: list[Node] = []
    for name in _PARTS[type(node)]:
        part = getattr(node, name)
        if isinstance(part, tuple):
            found += part
        elif part is not None:
            found.append(part)
    return found


_TEXTS = {"str", "str | None", "tuple[str, ...]"}
_PLAIN = _TEXTS | {"Span", "bool", "int | float | str | bool | None"}  # no nodes
_PARTS: dict[type, tuple[str, ...]] = {
    kind: tuple(f.name for f in fields(kind) if f.type not in _PLAIN)
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Node)
}
