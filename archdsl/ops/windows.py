"""Windows that slide over position axes: what convolutions and pools share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import NotDivisible, TooSmall
from archdsl.ir.dim import Size, ceil_div
from archdsl.ir.tensor import FEATURES
from archdsl.ops.base import Facts, Op, Tensor
from archdsl.ops.emit import Literal
from archdsl.ops.fields import TF_SAME, Each, Padding
from archdsl.ops.rules import each, numbers_for
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Taps


def default_padding(kernel: int, stride: int, dilation: int = 1) -> int:
    """Windows that overlap are centred; windows that do not, tile."""
    return dilation * (kernel - 1) // 2 if stride < kernel else 0


def tf_same(size: Size, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """What TensorFlow's "SAME" puts before and behind an axis.

    So much that ``ceil(size / stride)`` windows fit, and where that is odd, one more
    behind. An open size is taken for a multiple of the stride.
    """
    reach = dilation * (kernel - 1) + 1
    if isinstance(size, int):
        around = (ceil_div(size, stride) - 1) * stride + reach - size
        assert isinstance(around, int)
    else:
        around = reach - stride
    around = max(around, 0)
    return around // 2, around - around // 2


def windows(
    op: Op,
    x: Tensor,
    axes: tuple[str, ...],
    sizes: tuple[Each, Each, Each],
    padding: Padding | None,
) -> dict[str, Taps]:
    """The window along each axis, from kernel, stride and dilation, and padding."""
    kernel = each(op, sizes[0], axes, "kernel")
    stride = each(op, sizes[1], axes, "stride")
    dilation = each(op, sizes[2], axes, "dilation")
    sides = _sides(op, padding, axes)
    found = {}
    for at, axis in enumerate(axes):
        size, row = x[axis], (kernel[at], stride[at], dilation[at])
        if sides is None:
            before = behind = default_padding(*row)
        elif isinstance(sides, str):
            before, behind = tf_same(size, *row)
        else:
            before, behind = sides[at]
        found[axis] = Taps(axis, known(size), *row, before, behind)
    return found


def _sides(
    op: Op, padding: Padding | None, axes: tuple[str, ...]
) -> Sequence[tuple[int, int]] | str | None:
    """What is put before and behind each axis, where it is given in numbers.

    Raises:
        Refused: The list is not one of axes.
    """
    if padding is None or isinstance(padding, str):
        return padding
    if isinstance(padding, int):
        return ((padding, padding),) * len(axes)
    if len(padding) == len(axes):
        return [(side, side) if isinstance(side, int) else side for side in padding]
    problem = f"has {numbers_for(len(padding), axes)}"
    mend = ""
    if len(axes) == 1 and len(padding) == 2:
        mend = f"before and behind an axis is a list in a list: [{spelled(padding)}]"
    fault = WrongValue(op.name, "padding", problem, spelled(padding), mend)
    raise Refused(fault, "padding")


def slid(
    op: Op,
    tensor: Tensor,
    taps: Mapping[str, Taps],
    facts: Facts,
    *,
    up: bool = False,
    features: Size | None = None,
) -> Tensor:
    """The tensor after a window has slid over some of its axes.

    Args:
        op: Whose windows they are.
        tensor: What they slide over.
        taps: The windows, by axis.
        facts: What is known of open sizes.
        up: Whether a last window may lie partly behind the axis, as long as it begins
            on it.
        features: The size that C gets; None where it stays.

    Raises:
        Refused: A window is larger than what it slides over.
    """
    sizes: dict[str, Size] = {} if features is None else {FEATURES: features}
    if getattr(op, "padding", None) == TF_SAME:
        return tensor.resized(sizes | _same(op, tensor, taps, facts))
    for axis, t in taps.items():
        room = tensor[axis] + t.padding + t.behind - t.reach
        if not facts.at_least(room + up * (t.stride - 1), 0):
            apart = f" and dilation {t.dilation}" if t.dilation > 1 else ""
            what = f"{op.name} with kernel {t.kernel}{apart}"
            raise Refused(TooSmall(what, axis, tensor[axis], _smaller(op, tensor, t)))
        if not up:
            sizes[axis] = room // t.stride + 1
        elif t.stride <= t.reach - t.padding:
            sizes[axis] = ceil_div(room, t.stride) + 1
        else:  # one more would begin behind it
            sizes[axis] = ceil_div(tensor[axis] + t.padding, t.stride)
    return tensor.resized(sizes)


def _same(
    op: Op, tensor: Tensor, taps: Mapping[str, Taps], facts: Facts
) -> dict[str, Size]:
    """The sizes after windows have slid over axes with TensorFlow's "SAME".

    Raises:
        Refused: A stride leaves a rest of an open size. What is put around depends on
            the rest, and there is one module for all sizes.
    """
    sizes: dict[str, Size] = {}
    for axis, t in taps.items():
        size = tensor[axis]
        if isinstance(size, int):
            sizes[axis] = ceil_div(size, t.stride)
            continue
        if not facts.divides(t.stride, size):
            mend = f"give {axis} a number, or give the padding in numbers"
            fault = NotDivisible(f"{op.name}: stride", t.stride, axis, size, mend)
            raise Refused(fault, "stride")
        sizes[axis] = size // t.stride
    return sizes


def _smaller(op: Op, tensor: Tensor, taps: Taps) -> str:
    """What would leave something of an axis that is smaller than the window."""
    features = getattr(op, "features", None)
    if features is not None and features == tensor["C"]:
        call = f"{op.name}({spelled(getattr(op, 'kernel', None))}, …)"
        return f"the features that flow in are known: did you mean `{call}`?"
    room = tensor[taps.axis] + taps.padding + taps.behind
    if taps.dilation > 1 or not isinstance(room, int) or room < 2:
        return f"use a larger input, or fewer steps that make {taps.axis} smaller"
    return f"use kernel = {room} or less, more padding, or a larger input"


def lopsided(taps: tuple[Taps, ...]) -> bool:
    """Whether more is put on one side of an axis than on the other."""
    return any(t.padding != t.behind for t in taps)


def around(taps: tuple[Taps, ...]) -> tuple[Literal, ...]:
    """What `F.pad` takes: the last axis first, before and behind it."""
    return tuple(n for t in reversed(taps) for n in (t.padding, t.behind))


def known(size: Size) -> int:
    """An open size does not matter to a window; it is checked where it does."""
    return size if isinstance(size, int) else -1
