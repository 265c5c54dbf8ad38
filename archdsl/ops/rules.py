"""What the shape rules of several ops share: needs of axes, sizes and kinds."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import (
    AxisMissing,
    SizesDiffer,
    WrongAxes,
    WrongDtype,
)
from archdsl.ir.dim import Size
from archdsl.ir.facts import Facts
from archdsl.ir.tensor import BATCH, FEATURES, Tensor
from archdsl.ops.base import Op
from archdsl.ops.fields import S
from archdsl.ops.spelling import spelled


def need_float(op: Op, tensor: Tensor) -> None:
    """Refuses ids and truth values."""
    if tensor.dtype != "float":
        raise Refused(WrongDtype(op.name, "float", tensor.dtype, _to_float(tensor)))


def need_features(op: Op, tensor: Tensor) -> Size:
    """The size of C, which the tensor must have, in floats."""
    size = tensor.sizes.get(FEATURES)
    if size is None:
        raise Refused(AxisMissing(op.name, FEATURES, str(tensor), _to_float(tensor)))
    need_float(op, tensor)
    return size


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
    for axis in axes:
        if not facts.equal(left[axis], right[axis]):
            help_ = mend if axis == FEATURES else ""
            shapes = str(left), str(right)
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
        problem = f"has {numbers_for(len(value), axes)}"
        raise Refused(WrongValue(op.name, at, problem, spelled(value)), at)
    return value


def numbers_for(count: int, axes: tuple[str, ...]) -> str:
    """So many numbers that are not one for each axis: ``2 numbers for 1 axis (T)``."""
    numbers = "number" if count == 1 else "numbers"
    kinds = "axis" if len(axes) == 1 else "axes"
    return f"{count} {numbers} for {len(axes)} {kinds} ({', '.join(axes)})"
