"""What the steps between keys do to shapes; the tensors follow in backends/torch.

Each says the shape that comes out, or why the step cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from archdsl.analysis.weights.ours import Shape
from archdsl.build.checkpoints.steps import Step


class Misfit(Exception):
    """A tensor that a step cannot take; the text says why."""


def after(step: Step, shape: Shape, goal: Shape) -> Shape:
    """The shape after a step; `goal` is that of the key of ours.

    Raises:
        Misfit: The step cannot take such a tensor.
    """
    return _AFTER[step.name](step, shape, goal)


def _transpose(step: Step, shape: Shape, goal: Shape) -> Shape:
    """A matrix is turned, and a vector is its own transpose."""
    if len(shape) > 2:
        raise Misfit(f"a tensor of {len(shape)} axes has no transpose")
    return tuple(reversed(shape))


def _reshape(step: Step, shape: Shape, goal: Shape) -> Shape:
    if _count(shape) != _count(goal):
        raise Misfit(
            f"{_count(shape):,} elements cannot be reshaped to {_count(goal):,}"
        )
    return goal


def _count(shape: Shape) -> int:
    if not all(isinstance(size, int) for size in shape):
        raise Misfit("a size is open")
    return math.prod(size for size in shape if isinstance(size, int))


def _flip(step: Step, shape: Shape, goal: Shape) -> Shape:
    dim = step.arguments["dim"]
    assert isinstance(dim, int)
    if dim >= len(shape):
        raise Misfit(f"it has no axis {dim} to flip")
    return shape


def _rotary(step: Step, shape: Shape, goal: Shape) -> Shape:
    heads = step.arguments["heads"]
    assert isinstance(heads, int)
    rows = shape[0] if shape else 0
    if not isinstance(rows, int) or not heads or rows % (2 * heads):
        raise Misfit(f"its rows are no {heads} heads of pairs")
    return shape


def _interpolate(step: Step, shape: Shape, goal: Shape) -> Shape:
    """A table of rows by features; leading axes of one are no part of it."""
    rows(step, shape, goal)
    return goal


Grid: TypeAlias = tuple[int, int]


def rows(step: Step, shape: Shape, goal: Shape) -> tuple[int, Grid, Grid]:
    """The rows before the grid, the grid of theirs, and that of ours.

    Raises:
        Misfit: They are no such tables.
    """
    _count(shape), _count(goal)
    table, ours = _bare(shape), _bare(goal)
    if len(table) != 2 or len(ours) != 2 or table[1] != ours[1]:
        raise Misfit("these are no two tables of as many features")
    tokens = step.arguments.get("tokens", 0)
    assert isinstance(tokens, int)
    if table[0] == ours[0]:  # as large as ours, whatever its sides are
        return tokens, (table[0] - tokens, 1), (table[0] - tokens, 1)
    for count in (table[0], ours[0]):
        if count <= tokens:
            raise Misfit(f"a table of {count} rows has none after {tokens} tokens")
    theirs, count = _side(table[0] - tokens, "their"), ours[0] - tokens
    given = step.arguments.get("grid", ())
    sides = [s for s in given if isinstance(s, int)] if isinstance(given, tuple) else []
    if len(sides) == 2 and sides[0] * sides[1] == count:
        return tokens, theirs, (sides[0], sides[1])
    if len(sides) == 2:
        raise Misfit(f"a grid of {sides[0]} by {sides[1]} is not our {count} rows")
    mend = "; say the grid: `interpolate(grid = [H // 16, W // 16])`"
    return tokens, theirs, _side(count, "our", mend)


def _bare(shape: Shape) -> tuple[int, ...]:
    sizes = [size for size in shape if isinstance(size, int)]
    while len(sizes) > 2 and sizes[0] == 1:
        sizes.pop(0)
    return tuple(sizes)


def _side(count: int, whose: str, mend: str = "") -> Grid:
    side = math.isqrt(count)
    if side * side != count:
        raise Misfit(f"{whose} {count} rows are no square grid{mend}")
    return side, side


_AFTER: dict[str, Callable[[Step, Shape, Shape], Shape]] = {
    "transpose": _transpose,
    "reshape": _reshape,
    "flip": _flip,
    "rotary": _rotary,
    "interpolate": _interpolate,
}
