"""Pooling to a given size, over any number of position axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from archdsl.ir.dim import Size, product
from archdsl.ops.base import Cost, Example, Facts, Inputs, Layout, Op, Outputs, Tensor
from archdsl.ops.conv import one
from archdsl.ops.emit import Emit, Site, features_first, positional
from archdsl.ops.fields import Axes, Each
from archdsl.ops.pool import emit_pool, pooled_axes, times
from archdsl.ops.rules import each, need_float
from archdsl.ops.spread import At, Spread, same_positions


@dataclass(frozen=True)
class Shares:
    """An axis cut in `parts` windows of nearly one length, which may overlap by one."""

    axis: str
    size: int
    parts: int

    def sources(self, at: At) -> Sequence[int]:
        """The window of this index."""
        index = at[self.axis]
        stop = -(-(index + 1) * self.size // self.parts)
        return range(index * self.size // self.parts, stop)


class _AdaptivePool(Op):
    """What the pools to a given size share.

    Shape:
        Each axis that is pooled becomes `size`.

    Args:
        size: The size that comes out, one number or one for each axis.
        over: The position axes that are pooled; all, if none is named.
    """

    group = "convolution and pooling"

    size: Each
    over: Axes = ()

    def parts(self, x: Tensor) -> dict[str, int]:
        """The sizes that come out."""
        axes = pooled_axes(self, x, self.over)
        return dict(zip(axes, each(self, self.size, axes, "size"), strict=True))

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        parts = self.parts(x)
        for axis, count in parts.items():
            facts.divides(count, x[axis], costs=True)
        return (x.resized(parts),)

    def reads(self, x: Tensor) -> Size:
        """How many values all windows read together."""
        parts = self.parts(x)
        rest = x.extent(a for a in x.names if a not in parts)
        return rest * product(_reads(x[a], m) for a, m in parts.items())

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        sizes = {a: s for a, s in x.axes if isinstance(s, int)}
        shares = {a: Shares(a, sizes[a], m) for a, m in self.parts(x).items()}
        return {"x": {**same_positions(x), **shares}}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_first(ins["x"], tuple(self.parts(ins["x"])))}

    def emit(self, site: Site) -> Emit:
        parts = tuple(self.parts(site.ins["x"]).values())
        args = (positional("output_size", one(parts)),)
        return emit_pool(self, site, args, [False] * len(parts))

    def label(self, ins: Inputs) -> str:
        return f"{self.name.replace('_', ' ')} {times(self.size)}"


class AdaptiveAvgPool(_AdaptivePool):
    """The mean of windows that are chosen so that a given size comes out.

    Of n positions, output i of m takes ``floor(i * n / m)`` up to, and without,
    ``ceil((i + 1) * n / m)``. It works on all position axes, or those of `over`.
    Costs an operation for each value that a window reads: on an axis
    ``n + m - gcd(n, m)``; an open n is taken to be a multiple of m.
    """

    name = "adaptive_avg_pool"
    paper = "He et al. 2014, Spatial Pyramid Pooling"
    examples = (
        Example("adaptive_avg_pool(3)", {"x": "[B, C = 2, H = 7, W = 6]"}),
        Example("adaptive_avg_pool([4, 1])", {"x": "[B, H = 3, W = 5, C = 2]"}),
        Example("adaptive_avg_pool(4)", {"x": "[B, T = 9, C = 2]"}),
        Example(
            "adaptive_avg_pool(2, over = [H, W])",
            {"x": "[B, C = 2, T = 3, H = 5, W = 4]"},
        ),
    )

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"pool": self.reads(ins["x"])})


class AdaptiveMaxPool(_AdaptivePool):
    """The largest value of windows that are chosen so that a given size comes out.

    The windows are those of `adaptive_avg_pool`. Costs a comparison less for each
    number that comes out than its window has values; an open size is taken to be a
    multiple of what comes out.
    """

    name = "adaptive_max_pool"
    paper = "He et al. 2014, Spatial Pyramid Pooling"
    examples = (
        Example("adaptive_max_pool(3)", {"x": "[B, C = 2, H = 7, W = 6]"}),
        Example("adaptive_max_pool([4, 1])", {"x": "[B, H = 3, W = 5, C = 2]"}),
        Example("adaptive_max_pool(4)", {"x": "[B, T = 9, C = 2]"}),
        Example("adaptive_max_pool(2)", {"x": "[B, C = 2, D = 3, H = 5, W = 4]"}),
        Example(
            "adaptive_max_pool(2, over = [H, W])",
            {"x": "[B, C = 2, T = 3, H = 5, W = 4]"},
        ),
    )

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"pool": self.reads(ins["x"]) - outs[0].numel})


def _reads(size: Size, parts: int) -> Size:
    """How many values the windows of an axis read together."""
    if isinstance(size, int):
        return size + parts - gcd(size, parts)
    return size
