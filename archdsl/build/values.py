"""What an expression can be worth while a spec is elaborated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from archdsl.ir.dim import Poly
from archdsl.ir.graph import Path, Ref
from archdsl.ir.tensor import Tensor
from archdsl.lazy import lazy
from archdsl.ops.base import Op
from archdsl.ops.fields import AxisName
from archdsl.ops.spelling import spelled
from archdsl.record import record
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.build.files import Module


@record
class TensorValue:
    """A tensor in the graph that is being built."""

    ref: Ref
    type: Tensor


# By the port of an op, or by the name of what a block takes.
Tensors: TypeAlias = dict[str, TensorValue]
# By the name of what a block takes: the type of a tensor, or of each of a list.
Types: TypeAlias = Mapping[str, Tensor | tuple[Tensor, ...]]


class Poison:
    """What stands for a value after an error, so that one error is reported once."""

    def __repr__(self) -> str:
        return "POISON"


POISON = Poison()


@record
class Given:
    """An argument of a call, evaluated."""

    name: str | None
    value: Value
    span: Span = field(compare=False)

    def of(self, value: Value) -> Given:
        """The argument with another value."""
        return self if value is self.value else Given(self.name, value, self.span)


@dataclass(frozen=True, eq=False)
class Definition:
    """A block or model of a file, with the file that its names are looked up in."""

    node: tree.Block | tree.Model
    module: Module

    @property
    def name(self) -> str:
        """As defined."""
        return self.node.name.id

    @property
    def is_model(self) -> bool:
        """Whether it declares its own inputs and outputs."""
        return isinstance(self.node, tree.Model)

    @property
    def doc(self) -> str:
        """What is said about it: the comment at the head of a model's file."""
        return self.module.file.doc if self.is_model else ""

    @lazy
    def tensor_names(self) -> tuple[str, ...]:
        """The tensors it takes; a block without brackets takes what flows as ``x``."""
        if isinstance(self.node, tree.Model):
            statements = self.node.body.statements
            return tuple(s.name.id for s in statements if isinstance(s, tree.Input))
        if self.node.tensors is None:
            return ("x",)
        return tuple(name.id for name in self.node.tensors)

    @lazy
    def parameter_names(self) -> tuple[str, ...]:
        """Its hyperparameters."""
        return tuple(p.name.id for p in self.node.parameters)

    @lazy
    def needed(self) -> tuple[str, ...]:
        """Those of them that have no default."""
        return tuple(p.name.id for p in self.node.parameters if p.default is None)

    def item_names(self, name: str, count: int) -> tuple[str, ...]:
        """What the items are called where a list is given for one of the tensors."""
        taken = self.tensor_names
        names = []
        for i in range(count):
            item = f"{name}_{i}"
            while item in taken:
                item += "_"
            names.append(item)
        return tuple(names)


@dataclass(eq=False)
class LayerValue:
    """A layer declared once; `path` and `types` are set at its first use."""

    name: str
    step: StepValue
    owner: object
    path: Path = ()
    first: object = None


@dataclass(frozen=True)
class Function:
    """A built-in function of numbers and lists."""

    name: str


@record
class StepValue:
    """Something that a value can flow through, with the arguments bound so far."""

    target: type[Op] | Definition | LayerValue
    given: tuple[Given, ...] = ()
    tensors: tuple[Given, ...] | None = None
    transposed: bool = False
    span: Span = field(compare=False, kw_only=True)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.target.name

    @property
    def is_block(self) -> bool:
        """Whether it is a block or model, or a layer that was declared as one."""
        layer = self.target
        target = layer.step.target if isinstance(layer, LayerValue) else layer
        return isinstance(target, Definition)

    def bound(self, given: Sequence[Given], span: Span) -> StepValue:
        """The step with more arguments; a later one replaces an earlier of its name."""
        if self.given:
            names = {g.name for g in given if g.name}
            given = (*(g for g in self.given if g.name not in names), *given)
        given = tuple(given)
        return StepValue(self.target, given, self.tensors, self.transposed, span=span)

    def at(self, span: Span) -> StepValue:
        """The step, used at another place."""
        if span is self.span:
            return self
        return StepValue(
            self.target, self.given, self.tensors, self.transposed, span=span
        )


Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | Poly
    | AxisName
    | TensorValue
    | StepValue
    | Function
    | tuple["Value", ...]
    | Poison
    | None
)


def poisoned(*values: object) -> bool:
    """Whether one of the values is the mark of an earlier error; no list holds it."""
    for value in values:  # noqa: SIM110 - asked for every argument: `any` takes twice
        if value is POISON:
            return True
    return False


def listed(values: Iterable[Value]) -> Value:
    """A list; the mark of an earlier error if an item is that."""
    items = tuple(values)
    return POISON if poisoned(*items) else items


def kind(value: object) -> str:
    """What a person would call a value, for messages."""
    if isinstance(value, TensorValue):
        return f"a tensor {value.type}"
    if isinstance(value, StepValue):
        return f"the step `{value.name}`"
    if isinstance(value, Function):
        return f"the function `{value.name}`"
    if isinstance(value, AxisName):
        return f"the axis {value}"
    if isinstance(value, tuple):
        words = "a list" if value else "an empty list"
        short = all(isinstance(v, bool | int | float | str) for v in value)
        items = ", ".join(v if isinstance(v, AxisName) else kind(v) for v in value)
        return f"[{items}]" if short and 0 < len(value) <= 8 else words
    if isinstance(value, str):  # not as an axis is spelled, though in uppercase
        return '"' + spelled(f"a{value}")[2:]
    return spelled(value)
