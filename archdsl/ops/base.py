"""What an op is: one frozen class that answers every question about it.

To add an op, add a file to this package (or an entry point ``archdsl.ops`` to yours)
with a subclass of `Op`; nothing else changes. `tests/ops` runs every registered op
against PyTorch on its own `examples`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, ClassVar, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import (
    AxisMissing,
    SizesDiffer,
    WrongAxes,
    WrongDtype,
)
from archdsl.ir.dim import Poly, Size
from archdsl.ir.facts import Facts
from archdsl.ir.operation import Cost, Inputs, Outputs, Weight
from archdsl.ir.tensor import BATCH, FEATURES, Layout, Tensor
from archdsl.ops.emit import Emit, Site
from archdsl.ops.spread import Reach, Same, Spread

__all__ = [
    "Axes", "AxisName", "AxisSizes", "Cost", "Count", "Each", "Emit", "Example",
    "Facts", "Inputs", "Layout", "NonNegativeEach", "NonNegativeSizeEach", "Op",
    "Outputs", "Port", "Rate", "SizeEach", "SizeField", "Spread", "Tensor", "Weight",
]  # fmt: skip


S = TypeVar("S", int, Size)


class AxisName(str):
    """The name of an axis, as an argument of a call."""

    __slots__ = ()


# --- the types of fields ------------------------------------------------------------


def _whole(value: object) -> object:
    """Whole numbers only: no truth values, no fractions; 768.0 is 768."""
    if isinstance(value, bool) or not isinstance(value, int | float | Poly):
        raise ValueError("must be a whole number")
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _positive(value: object) -> Size:
    size = _whole(value)
    assert isinstance(size, int | Poly)
    if isinstance(size, int) and size < 1:
        raise ValueError("must be at least 1")
    return size


def _natural_size(value: object) -> Size:
    size = _whole(value)
    assert isinstance(size, int | Poly)
    if isinstance(size, int) and size < 0:
        raise ValueError("must not be negative")
    return size


def _count(value: object) -> int:
    size = _positive(value)
    if isinstance(size, Poly):
        raise ValueError("must be a number, not an open size")
    return size


def _natural(value: object) -> int:
    size = _whole(value)
    if not isinstance(size, int):
        raise ValueError("must be a number, not an open size")
    if size < 0:
        raise ValueError("must not be negative")
    return size


def _integer(value: object) -> int:
    size = _whole(value)
    if not isinstance(size, int):
        raise ValueError("must be a number, not an open size")
    return size


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number from 0 to 1")
    if not 0 <= value < 1:
        raise ValueError("must be at least 0 and below 1")
    return float(value)


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _axis(value: object) -> str:
    if not isinstance(value, AxisName):
        raise ValueError("must be an axis, such as H")
    return str(value)


def _axes(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, tuple | list) else (value,)
    names = tuple(_axis(v) for v in items)
    if len(set(names)) < len(names):
        raise ValueError("must name each axis once")
    return names


def _each(check: Callable[[object], S]) -> Callable[[object], S | tuple[S, ...]]:
    def validate(value: object) -> S | tuple[S, ...]:
        if isinstance(value, tuple | list):
            if not value:
                raise ValueError("must have a number for each axis")
            return tuple(check(v) for v in value)
        return check(value)

    return validate


# The last item of each says in the manual what an argument may be.
SizeField = Annotated[
    int | Poly, PlainValidator(_positive), "a whole number ≥ 1, or an open size"
]
Count = Annotated[int, PlainValidator(_count), "a whole number ≥ 1"]
Natural = Annotated[int, PlainValidator(_natural), "a whole number ≥ 0"]
Integer = Annotated[int, PlainValidator(_integer)]
Rate = Annotated[float, PlainValidator(_rate), "a number ≥ 0 and < 1"]
Real = Annotated[float, PlainValidator(_real)]
Flag = Annotated[bool, PlainValidator(_flag)]
Axis = Annotated[str, PlainValidator(_axis), "an axis"]
Axes = Annotated[  # one or several, or ()
    tuple[str, ...], PlainValidator(_axes), "an axis, or a list of them"
]
Each = Annotated[
    int | tuple[int, ...],
    PlainValidator(_each(_count)),
    "a whole number ≥ 1, or a list of them",
]
NonNegativeEach = Annotated[
    int | tuple[int, ...],
    PlainValidator(_each(_natural)),
    "a whole number ≥ 0, or a list of them",
]
SizeEach = Annotated[
    Size | tuple[Size, ...],
    PlainValidator(_each(_positive)),
    "a whole number ≥ 1 or an open size, or a list of them",
]
NonNegativeSizeEach = Annotated[
    Size | tuple[Size, ...],
    PlainValidator(_each(_natural_size)),
    "a whole number ≥ 0 or an open size, or a list of them",
]
AxisSizes = Annotated[  # ``N = 100, C = 256``; None for a size that is inferred
    tuple[tuple[str, int | Poly | None], ...],
    BeforeValidator(tuple),
    "axes with their sizes",
]


class Port(NamedTuple):
    """A tensor that goes in.

    The first port takes what flows, unless it is `many`, which takes a list of its own.
    """

    name: str
    optional: bool = False
    many: bool = False
    dtype: str = "float"  # "any" where every kind is taken


class Example(NamedTuple):
    """A line of a manual that the tests run: a pipeline, and the shapes it starts from.

    `code` is the step (or several); `inputs` gives each input's shape as written in a
    spec, the first one flowing in: ``{"x": "[B, C = 4, H = 8, W = 8]"}``.
    """

    code: str
    inputs: Mapping[str, str]


class Op(BaseModel):
    """An operation with its parameters; subclasses say everything about one op.

    The class docstring is the op's manual: its first line a summary, then what it
    does to which axes and what it costs. A ``Shape:`` section says which shape comes
    out, where it is not the one that goes in; an ``Args:`` section documents every
    field. Field order is the order of positional arguments.
    """

    # A class is only built when its op is used: start-up has to be quick.
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )

    name: ClassVar[str]
    """As written in a spec."""
    group: ClassVar[str] = "other"
    """The chapter of the manual."""
    public: ClassVar[bool] = True
    """Whether a spec can name it; otherwise only the builder makes one."""
    ports: ClassVar[tuple[Port, ...]] = (Port("x"),)
    rest: ClassVar[str] = ""
    """The field, if any, that takes all positional arguments."""
    axis_keywords: ClassVar[str] = ""
    """The field, if any, that takes ``AXIS = size`` and bare axes as an `AxisSizes`."""
    view: ClassVar[bool] = False
    """Whether the output shares the input's memory, so that nothing is written."""
    paper: ClassVar[str] = ""
    """Author, year and title of what it comes from."""
    examples: ClassVar[tuple[Example, ...]] = ()
    pointwise: ClassVar[int] = 0
    """FLOPs an element, for ops that only compute element by element."""
    kind: ClassVar[str] = "arithmetic"
    """The kind of those FLOPs in reports."""

    # -- shapes ----------------------------------------------------------------------

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        """The types of the results; raises `Refused` where the inputs do not fit."""
        return (ins[self.ports[0].name],)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        """The learned tensors and buffers, named as in the module that is built."""
        return ()

    # -- cost and dependence ---------------------------------------------------------

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        """What one run costs."""
        if not self.pointwise:
            return Cost()
        return Cost(elementwise={self.kind: outs[0].numel * self.pointwise})

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        """Which input positions an output position depends on; sizes are numbers here.

        The default is element by element, a missing axis broadcasting.
        """
        return {port: same_positions(tensor) for port, tensor in ins.items()}

    # -- PyTorch ---------------------------------------------------------------------

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        """The layouts that the inputs must have, from those that they have.

        The default takes what comes: right for one input and any order of its axes.
        """
        return dict(given)

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        """The layout that an input should have if the output should be `after`.

        The default asks `arrange`: an op that insists on a layout wishes it; one that
        takes what comes passes on the wish of whoever comes after, if the axes agree.
        """
        natural = {p: t.names for p, t in ins.items()}
        backwards = {p: t.names[::-1] for p, t in ins.items()}
        first, second = self.arrange(ins, natural), self.arrange(ins, backwards)
        if first[port] == second[port]:
            return first[port]
        if after is not None and set(after) == set(ins[port].names):
            return after
        return None

    def emit(self, site: Site) -> Emit:
        """How one use is written."""
        raise NotImplementedError

    # -- words -----------------------------------------------------------------------

    def label(self, ins: Inputs) -> str:
        """A few words for a picture."""
        return self.text()

    def text(self) -> str:
        """The op as written in a spec, defaults left out."""
        given = []
        for field, info in type(self).model_fields.items():
            value = getattr(self, field)
            if info.is_required() or value != info.default:
                given.append(_written(field, value, self))
        return self.name + (f"({', '.join(given)})" if given else "")


def _written(field: str, value: object, op: Op) -> str:
    if field == op.axis_keywords:
        return ", ".join(a if s is None else f"{a} = {s}" for a, s in value)  # type: ignore[attr-defined]
    if field == op.rest and isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{field} = {spelled(value)}"


def spelled(value: object) -> str:
    """A value as the language writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(spelled(v) for v in value) + "]"
    if isinstance(value, str) and not value[:1].isupper():
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def usage(op: type[Op], *, short: bool = False) -> str:
    """How a call of an op is written, with its defaults or with what it must have."""
    words = ["[a, b, …]"] if op.ports and op.ports[0].many else []
    words += [p.name for p in op.ports[1:] if p.name == "other" or not p.optional]
    for field, info in op.model_fields.items():
        if field == op.rest:
            words.append("H, W, …")
        elif field == op.axis_keywords:
            words.append("H = 14, W = 14, …")
        elif info.is_required():
            words.append(f"{field} = …" if op.rest else field)
        elif field != "number" and not short:
            words.append(f"{field} = {spelled(info.default)}")
    later = [p.name for p in op.ports[1:] if p.optional and p.name not in words]
    words += [f"{name} = tensor" for name in later if not short]
    return f"{op.name}({', '.join(words)})" if words else op.name


def short_usage(op: type[Op]) -> str:
    """What a call of an op must have, and an example of one."""
    needed = usage(op, short=True)
    codes = [e.code for e in op.examples if e.code.startswith(f"{op.name}(")]
    one = [c for c in codes if "->" not in c and c != needed]
    return f"{needed}, such as {one[0]}" if one else needed


# --- what rules share ---------------------------------------------------------------


def same_positions(tensor: Tensor) -> dict[str, Reach]:
    """Every position of a tensor depends on itself."""
    return {axis: Same(axis) for axis in tensor.positions}


def need_float(op: Op, tensor: Tensor) -> None:
    """Refuses ids and truth values."""
    if tensor.dtype != "float":
        raise Refused(WrongDtype(op.name, "float", tensor.dtype, _to_float(tensor)))


def need_features(op: Op, tensor: Tensor) -> Size:
    """The size of C, which the tensor must have, in floats."""
    if FEATURES not in tensor:
        raise Refused(AxisMissing(op.name, FEATURES, str(tensor), _to_float(tensor)))
    need_float(op, tensor)
    return tensor[FEATURES]


def _to_float(tensor: Tensor) -> str:
    is_ids = tensor.dtype == "int"
    return "ids become features by `embedding(vocab, dim)`" if is_ids else ""


def need_axes(op: Op, tensor: Tensor, axes: tuple[str, ...], at: str = "") -> None:
    """Refuses if one of the axes is missing."""
    for axis in axes:
        if axis not in tensor:
            there = ", ".join(tensor.names)
            raise Refused(
                AxisMissing(op.name, axis, str(tensor), f"its axes are {there}"), at
            )


def need_equal(
    op: Op,
    facts: Facts,
    sides: tuple[Tensor, Tensor],
    axes: Iterable[str],
    mend: str = "",
    at: str = "",
) -> None:
    """Refuses if one of the axes has another size in the second tensor.

    Args:
        op: Who asks.
        facts: Where an equality of open sizes is written down.
        sides: The two tensors.
        axes: Axes that both have.
        mend: What helps where it is C that differs.
        at: The argument to blame.
    """
    left, right = sides
    shapes = str(left), str(right)
    for axis in axes:
        if not facts.equal(left[axis], right[axis]):
            help_ = mend if axis == FEATURES else ""
            fault = SizesDiffer(op.name, axis, left[axis], right[axis], *shapes, help_)
            raise Refused(fault, at)


def chosen(op: Op, tensor: Tensor, over: tuple[str, ...]) -> tuple[str, ...]:
    """The positions an op works on: `over`, or all there are."""
    if over:
        need_axes(op, tensor, over, "over")
        for axis in over:
            if axis in (BATCH, FEATURES):
                needs = f"works on positions, and {axis} is not one"
                raise Refused(WrongAxes(op.name, needs, str(tensor)), "over")
        return over
    if not tensor.positions:
        needs = "needs at least one position axis"
        mend = "`linear` mixes the features where no position is left"
        raise Refused(WrongAxes(op.name, needs, str(tensor), mend))
    return tensor.positions


def each(
    op: Op, value: S | tuple[S, ...], axes: tuple[str, ...], at: str
) -> tuple[S, ...]:
    """One number for each axis, from a number or a list."""
    if not isinstance(value, tuple):
        return (value,) * len(axes)
    if len(value) != len(axes):
        problem = f"has {len(value)} numbers for {len(axes)} axes ({', '.join(axes)})"
        raise Refused(WrongValue(op.name, at, problem, spelled(value)), at)
    return value
