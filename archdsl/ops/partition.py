"""How maps are cut in windows: sizes, and the code around what works on windows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from archdsl.ir.dim import Poly, Size, ceil_div, near_divisors
from archdsl.ir.tensor import Tensor
from archdsl.ops.spelling import spelled


class Cut(NamedTuple):
    """How one axis is cut in windows."""

    axis: str
    size: Size  # after padding
    declared: Size  # the window, as written
    window: Size  # the window, no larger than the axis
    moved: Size  # the shift, as written
    shift: Size  # the shift, none where the window covers the axis


def cut_axis(axis: str, size: Size, window: Size, shift: Size, *, pad: bool) -> Cut:
    """An axis in windows; one that a window covers is the window, and nothing shifts.

    Args:
        axis: Its name.
        size: Its size.
        window: The window that is asked for.
        shift: How far it is to move.
        pad: Whether the axis grows to a multiple of the window.
    """
    if _covers(window, size):
        return Cut(axis, size, window, size, shift, 0)
    size = ceil_div(size, window) * window if pad else size
    return Cut(axis, size, window, window, shift, shift)


def _covers(window: Size, size: Size) -> bool:
    """Whether a window is known to take all of an axis."""
    if isinstance(window, int) and isinstance(size, int):
        return window >= size
    return window == size


def fitting(cut: Cut, cuts: Iterable[Cut], *, alike: bool) -> str:
    """Windows that divide the axes, as an argument that mends one that does not.

    Args:
        cut: Of the axis that is not divided.
        cuts: Of all axes.
        alike: Whether the window is one number.
    """
    sizes = [c.size for c in cuts if isinstance(c.size, int)]
    shared = (
        near_divisors(cut.declared, math.gcd(*sizes))
        if isinstance(cut.declared, int)
        else []
    )
    if alike and shared:
        return " or ".join(map(str, shared))
    return spelled([_nearest(c.declared, c.size) for c in cuts])


def _nearest(window: Size, size: Size) -> Size:
    """The window that is next to one and divides an axis."""
    if isinstance(window, Poly) or isinstance(size, Poly) or size % window == 0:
        return window
    found = near_divisors(window, size) or [1]
    return min(found, key=lambda d: abs(d - window))


# --- code ---------------------------------------------------------------------------


def folded(x: str, ahead: int) -> str:
    """Code that calls a module of maps on a tensor with any number of batch axes."""
    if ahead > 1:
        call = f"{{self}}({x}.flatten(0, {ahead - 1}))"
        return f"{call}.unflatten(0, {{x}}.shape[:{ahead}])"
    return f"{{self}}({x})" if ahead else f"{{self}}({x}[None])[0]"


def cropped(x: Tensor, cuts: Iterable[Cut]) -> str:
    """Code that takes the padding off again."""
    rows = tuple(cuts)
    words = ["..."]
    for place, row in enumerate(rows, -1 - len(rows)):
        if row.size != x[row.axis]:
            words.append(f": {{x}}.shape[{place}]")
        elif len(words) > 1:
            words.append(":")
    return f"[{', '.join(words)}, :]"
