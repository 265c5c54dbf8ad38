"""Warnings about windows: the positions that they pass over, or lie beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd

from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.lints import (
    ChannelsFirst,
    Checkerboard,
    KernelInPadding,
    SkippedPositions,
)
from archdsl.ir.graph import Graph, Node
from archdsl.ir.tensor import Tensor
from archdsl.ops.conv import Conv
from archdsl.ops.conv_transpose import ConvTranspose
from archdsl.ops.pool import AvgPool, MaxPool
from archdsl.ops.spread import Taps

_LARGE = 16  # a kernel that may have been meant as features


def windowed(graph: Graph, node: Node) -> Sequence[Diagnostic]:
    """What is wrong with a window, by itself or on what it slides over."""
    op, x = node.payload, graph.tensor(node.inputs[0][1])
    assert isinstance(op, (Conv, MaxPool, AvgPool))
    if isinstance(op, Conv) and _is_plain(op, x):
        return ()
    taps, out = op.taps(x), node.outputs[0]
    skipped = _skipped(op, taps, out)
    kernel = _kernel(op, taps, x, out) if isinstance(op, Conv) else None
    return [Diagnostic(lint, node.span) for lint in (skipped, kernel) if lint]


def _is_plain(op: Conv, x: Tensor) -> bool:
    """Whether the numbers of a convolution leave nothing to ask of its windows.

    Where no axis is shorter than a window and a stride, every tap meets the input in
    the first window or the last, whatever is put around it.
    """
    kernel, stride, dilation = op.kernel, op.stride, op.dilation
    if not isinstance(kernel, int) or not isinstance(stride, int):
        return False
    if not isinstance(dilation, int) or kernel >= _LARGE:
        return False
    if kernel > 1 and _seen(kernel, stride, dilation) < stride:
        return False
    room, sizes = dilation * (kernel - 1) + stride, x.sizes
    found = [sizes[axis] for axis in x.positions]
    return not [size for size in found if isinstance(size, int) and size < room]


def _seen(kernel: int, stride: int, dilation: int) -> int:
    """Of as many positions as a stride has, those that a window looks at."""
    return min(kernel, stride // gcd(stride, dilation))


def _skipped(
    op: Conv | MaxPool | AvgPool, taps: Mapping[str, Taps], out: Tensor
) -> SkippedPositions | None:
    for axis, t in taps.items():
        seen = _seen(t.kernel, t.stride, t.dilation)
        if t.kernel > 1 and seen < t.stride and out[axis] != 1:
            factor = ", without a factor of the dilation" if t.dilation > 1 else ""
            numbers = (t.kernel, t.stride, t.dilation)
            return SkippedPositions(op.name, axis, seen, *numbers, factor)
    return None


def _kernel(
    op: Conv, taps: Mapping[str, Taps], x: Tensor, out: Tensor
) -> ChannelsFirst | KernelInPadding | None:
    """A kernel that is too large for its axis, or was meant as another number."""
    swapped = _channels_first(op, x["C"], taps)
    if swapped is not None:
        return swapped
    for axis, t in taps.items():
        size, count = x[axis], out[axis]
        if not isinstance(size, int) or not isinstance(count, int):
            continue
        outside = taps_outside(t, size, count)
        if 2 * outside > t.kernel:
            return KernelInPadding(op.name, axis, size, t.kernel, outside)
    return None


def taps_outside(t: Taps, size: int, count: int) -> int:
    """The taps that meet the input in none of `count` windows."""
    before = -((t.padding - (count - 1) * t.stride) // -t.dilation)
    behind = t.kernel + (size + t.padding) // -t.dilation
    return min(t.kernel, max(0, before) + max(0, behind))


def _channels_first(
    op: Conv, features: object, taps: Mapping[str, Taps]
) -> ChannelsFirst | None:
    """``conv(3, 64)`` on C = 3: nobody has 64 × 64 kernels that keep 3 features."""
    kernels = {t.kernel for t in taps.values()}
    strides = {t.stride for t in taps.values()}
    kernel, stride = max(kernels), max(strides)
    plain = len(taps) > 1 and len(kernels) == 1 and op.groups == 1
    odd = kernel % 2 == 0 and kernel >= _LARGE and stride != kernel
    if not plain or not odd or op.features != features or not isinstance(features, int):
        return None
    return ChannelsFirst(features, kernel, stride if stride > 1 else 3)


def checkerboard(graph: Graph, node: Node) -> Sequence[Diagnostic]:
    """Outputs whose place modulo the stride decides how many taps reach them."""
    op = node.payload
    assert isinstance(op, ConvTranspose)
    for axis, (sown, _) in op.sown(graph.ins(node)["x"]).items():
        kernel, stride = sown.kernel, sown.stride
        turns = stride // gcd(stride, sown.dilation)  # until a tap's place comes again
        most = -(-kernel // turns)
        fewest = kernel // turns if turns == stride else 0
        if fewest != most:
            why = f"its stride of {stride} and dilation have a common factor"
            mend = "use a dilation of 1"
            if turns == stride:
                why = f"its stride of {stride} does not divide the kernel of {kernel}"
                better = {kernel - kernel % stride, kernel + -kernel % stride} - {0}
                mend = f"use kernel = {' or '.join(map(str, sorted(better)))}"
            return (Diagnostic(Checkerboard(axis, fewest, most, why, mend), node.span),)
    return ()
