"""Strides: how PyTorch lays tensors out, and when a view needs a copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from types import EllipsisType
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]
Plain: TypeAlias = "int | slice | EllipsisType | None"  # what indexes without a copy


def contiguous(shape: Sequence[int]) -> Shape:
    """The strides of a tensor whose last dimension runs fastest."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def channels_last(shape: Sequence[int]) -> Shape:
    """The strides of a map (B, C, H, W) or (B, C, D, H, W) that lies as B H W C."""
    order = (0, *range(2, len(shape)), 1)
    strides = [0] * len(shape)
    for place, stride in zip(order, contiguous([shape[i] for i in order]), strict=True):
        strides[place] = stride
    return tuple(strides)


def is_contiguous(shape: Shape, stride: Shape) -> bool:
    """Whether the elements lie in order; dimensions of one element do not matter."""
    step = 1
    for size, found in zip(reversed(shape), reversed(stride), strict=True):
        if size != 1:
            if found != step:
                return False
            step *= size
    return True


def is_laid(shape: Shape, stride: Shape, wanted: Shape) -> bool:
    """Whether strides are those wanted; dimensions of one element do not matter."""
    rows = zip(shape, stride, wanted, strict=True)
    return all(size == 1 or found == step for size, found, step in rows)


def wants_channels_last(shape: Shape, stride: Shape) -> bool:
    """Whether kernels of convolutions and pools put the channels last for an input.

    As `is_channels_last_strides` of PyTorch has it, where ambiguous cases are not.
    """
    if len(shape) not in (4, 5) or stride[1] == 0:
        return False
    least = 0
    for place in (1, *range(len(shape) - 1, 1, -1), 0):
        if shape[place] == 0 or stride[place] < least:
            return False
        if place == 0 and least == stride[1]:
            return False
        least = stride[place] * (shape[place] if shape[place] > 1 else 1)
    return True


def for_kernel(shape: Shape, of: tuple[Shape, Shape]) -> Shape:
    """The strides of what a convolution or pool makes of an input of shape, stride."""
    return channels_last(shape) if wants_channels_last(*of) else contiguous(shape)


def is_dense(shape: Shape, stride: Shape) -> bool:
    """Whether the elements fill their memory, in whatever order."""
    step = 1
    for found, size in sorted(zip(stride, shape, strict=True)):
        if size != 1:
            if found != step:
                return False
            step *= size
    return True


def like(shape: Shape, operands: Iterable[tuple[Shape, Shape]]) -> Shape:
    """The strides of what an element-wise operation makes, as TensorIterator has it.

    Args:
        shape: The shape that comes out.
        operands: Shape and stride of each tensor that goes in.
    """
    given = list(operands)
    same = all(s == shape for s, _ in given)
    if same and all(is_contiguous(*one) for one in given):
        return contiguous(shape)
    if same and len(shape) == 4:
        last = channels_last(shape)
        if all(is_laid(*one, last) for one in given):
            return last
    if same and len({t for _, t in given}) == 1 and is_dense(*given[0]):
        return given[0][1]
    wide = [_broadcast(shape, *one) for one in given]
    order = _order(shape, wide)
    strides, step = [0] * len(shape), 1
    for place in order:
        strides[place] = step
        step *= shape[place]
    return tuple(strides)


def _broadcast(shape: Shape, small: Shape, stride: Shape) -> Shape:
    ahead = len(shape) - len(small)
    rows = zip(small, stride, shape[ahead:], strict=True)
    return (0,) * ahead + tuple(0 if s == 1 != n else t for s, t, n in rows)


def _order(shape: Shape, strides: list[Shape]) -> list[int]:
    """The dimensions, that which runs fastest first; an insertion sort as theirs."""
    order = list(range(len(shape) - 1, -1, -1))
    for i in range(1, len(order)):
        here = i
        for there in range(i - 1, -1, -1):
            sign = _compare(shape, strides, order[there], order[here])
            if sign > 0:
                order[there], order[here] = order[here], order[there]
                here = there
            elif sign < 0:
                break
    return order


def _compare(shape: Shape, strides: list[Shape], first: int, second: int) -> int:
    for stride in strides:
        a, b = stride[first], stride[second]
        if a == 0 or b == 0:
            continue
        if a != b:
            return -1 if a < b else 1
        if shape[first] > shape[second]:
            return 1
    return 0


def viewed(shape: Shape, stride: Shape, new: Shape) -> Shape | None:
    """The strides of a view of another shape; None where it takes a copy."""
    if prod(shape) == 0:
        return contiguous(new)
    strides = [1] * len(new)
    place = len(new) - 1
    chunk = stride[-1] if stride else 1
    count = seen = 1
    for i in range(len(shape) - 1, -1, -1):
        count *= shape[i]
        ends = i == 0 or (shape[i - 1] != 1 and stride[i - 1] != count * chunk)
        if not ends:
            continue
        while place >= 0 and (seen < count or new[place] == 1):
            strides[place] = seen * chunk
            seen *= new[place]
            place -= 1
        if seen != count:
            return None
        if i > 0:
            chunk = stride[i - 1]
            count = seen = 1
    return tuple(strides) if place == -1 else None


def indexed(shape: Shape, stride: Shape, keys: Sequence[Plain]) -> tuple[Shape, Shape]:
    """Shape and strides of what numbers, slices and new dimensions select."""
    named = sum(k is not None and k is not Ellipsis for k in keys)
    sizes, steps, at = list[int](), list[int](), 0
    for k in keys if Ellipsis in keys else (*keys, Ellipsis):
        if k is None:
            sizes.append(1)
            steps.append(stride[at] * shape[at] if at < len(shape) else 1)
        elif isinstance(k, slice):
            start, stop, step = k.indices(shape[at])
            sizes.append(max(0, -(-(stop - start) // step)))
            steps.append(stride[at] * step)
            at += 1
        elif isinstance(k, int):
            at += 1
        else:  # all that no other key names
            end = at + len(shape) - named
            sizes += shape[at:end]
            steps += stride[at:end]
            at = end
    return tuple(sizes), tuple(steps)
