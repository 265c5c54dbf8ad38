"""Pooling over any number of position axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import Size, product
from archdsl.ops.base import Cost, Example, Facts, Inputs, Layout, Op, Outputs, Tensor
from archdsl.ops.conv import one, slid, windows
from archdsl.ops.emit import Arg, Emit, Make, Site, features_first, positional
from archdsl.ops.fields import Axes, Each, NonNegativeEach
from archdsl.ops.rules import chosen, each, need_float
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import At, Spread, Taps, same_positions


class _Pool(Op):
    """What the pools that slide a window share.

    Shape:
        An axis of n that the window slides over becomes
        ``(n + 2 * padding - reach) // stride + 1``, where the window reaches over as
        many positions as it is long, those between its taps counted.
    """

    group = "convolution and pooling"
    around: ClassVar[str]  # what is put around, in Python

    kernel: Each
    stride: Each | None = None
    padding: NonNegativeEach | None = None

    def taps(self, x: Tensor) -> dict[str, Taps]:
        """The window along each axis that it slides over."""
        raise NotImplementedError

    def windows(
        self, x: Tensor, over: tuple[str, ...], dilations: Each
    ) -> dict[str, Taps]:
        """The windows over the chosen axes."""
        axes = _axes(self, x, over)
        stride = self.kernel if self.stride is None else self.stride
        return windows(self, x, axes, (self.kernel, stride, dilations), self.padding)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        taps = self.taps(x)
        for axis, t in taps.items():
            reach = t.dilation * (t.kernel - 1) + 1
            if 2 * t.padding > reach:
                problem = f"must be at most {reach // 2} on {axis}, half of the window"
                found = spelled(self.padding)
                fault = WrongValue(self.name, "padding", problem, found)
                raise Refused(fault, "padding")
        return (slid(self, x, taps, facts),)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        return {"x": {**same_positions(ins["x"]), **self.taps(ins["x"])}}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_first(ins["x"], tuple(self.taps(ins["x"])))}

    def emit(self, site: Site) -> Emit:
        taps = tuple(self.taps(site.ins["x"]).values())
        kernel = one([t.kernel for t in taps])
        padding = [t.padding for t in taps]
        pad: tuple[int, ...] = ()
        if any(2 * t.padding > t.kernel for t in taps) or self.overlooked(taps):
            pad = tuple(p for p in reversed(padding) for _ in "lr")
            padding = [0]
        args = (
            positional("kernel_size", kernel),
            Arg("stride", one([t.stride for t in taps]), kernel),
            Arg("padding", one(padding), 0),
            Arg("dilation", one([t.dilation for t in taps]), 1),
        )
        return _emit(self, site, args, len(taps), pad, self.around)

    def overlooked(self, taps: tuple[Taps, ...]) -> bool:
        """Whether PyTorch forgets the padding when it checks the size."""
        return False

    def label(self, ins: Inputs) -> str:
        stride = "" if self.stride is None else f" /{spelled(self.stride)}"
        return f"{self.name.replace('_', ' ')} {_times(self.kernel)}{stride}"


class MaxPool(_Pool):
    """The largest value of the window around each position, feature by feature.

    It slides over all position axes, or those of `over`. Windows that overlap are
    centred (``padding = dilation * (kernel - 1) // 2``), windows that do not, tile
    (``padding = 0``), unless `padding` is given; what is put around never wins.
    Costs ``kernel - 1`` comparisons for each number that comes out.

    Args:
        kernel: The length of the window, one number or one for each axis.
        stride: The step from window to window; `kernel` if not given.
        padding: How far the axis is extended on both sides, at most half a window.
        dilation: The distance between neighbouring taps.
        over: The position axes that the window slides over; all, if none is named.
    """

    name = "max_pool"
    around = "-torch.inf"
    paper = "Riesenhuber & Poggio 1999, Hierarchical Models of Objects"
    examples = (
        Example("max_pool(2)", {"x": "[B, C = 3, H = 7, W = 6]"}),
        Example("max_pool(3, stride = 2)", {"x": "[B, C = 2, H = 8, W = 9]"}),
        Example("max_pool(3, 1, dilation = 2)", {"x": "[B, T = 9, C = 4]"}),
        Example("max_pool(2, 1, [1, 0], 2)", {"x": "[B, C = 2, H = 5, W = 6]"}),
        Example(
            "max_pool([1, 2, 3], padding = [0, 1, 0])",
            {"x": "[B, C = 2, D = 3, H = 5, W = 6]"},
        ),
        Example(
            "max_pool([3, 2], over = [H, W])", {"x": "[B, T = 3, H = 6, W = 5, C = 2]"}
        ),
    )

    dilation: Each = 1
    over: Axes = ()

    def taps(self, x: Tensor) -> dict[str, Taps]:
        return self.windows(x, self.over, self.dilation)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        window = product(t.kernel for t in self.taps(ins["x"]).values())
        return Cost(elementwise={"pool": outs[0].numel * (window - 1)})


class AvgPool(_Pool):
    """The mean of the window around each position, feature by feature.

    It slides over all position axes, or those of `over`, with the padding rule of
    `max_pool`; zeros put around count as values, as PyTorch has it.
    Costs ``kernel`` operations for each number that comes out: additions, a division.

    Args:
        kernel: The length of the window, one number or one for each axis.
        stride: The step from window to window; `kernel` if not given.
        padding: Zeros put around each axis on both sides, at most half a window.
        over: The position axes that the window slides over; all, if none is named.
    """

    name = "avg_pool"
    around = "0.0"
    paper = "LeCun et al. 1998, Gradient-Based Learning"
    examples = (
        Example("avg_pool(2)", {"x": "[B, C = 3, H = 8, W = 7]"}),
        Example("avg_pool(3, stride = 1)", {"x": "[B, T = 6, C = 2]"}),
        Example("avg_pool(4, 3, padding = 2)", {"x": "[B, C = 2, H = 7, W = 5]"}),
        Example("avg_pool(2, over = T)", {"x": "[B, C = 2, T = 6, H = 2, W = 3]"}),
        Example("avg_pool(3, 1)", {"x": "[B, C = 2, D = 4, H = 2, W = 3]"}),
    )

    over: Axes = ()

    def taps(self, x: Tensor) -> dict[str, Taps]:
        return self.windows(x, self.over, 1)

    def overlooked(self, taps: tuple[Taps, ...]) -> bool:
        return len(taps) == 3 and any(t.size < t.kernel for t in taps)  # -1 if open

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        window = product(t.kernel for t in self.taps(ins["x"]).values())
        return Cost(elementwise={"pool": outs[0].numel * window})


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


class AdaptiveAvgPool(Op):
    """The mean of windows that are chosen so that a given size comes out.

    Of n positions, output i of m takes ``floor(i * n / m)`` up to, and without,
    ``ceil((i + 1) * n / m)``. It works on all position axes, or those of `over`.
    Costs an operation for each value that a window reads: on an axis
    ``n + m - gcd(n, m)``; an open n is taken to be a multiple of m.

    Shape:
        Each axis that is pooled becomes `size`.

    Args:
        size: The size that comes out, one number or one for each axis.
        over: The position axes that are pooled; all, if none is named.
    """

    name = "adaptive_avg_pool"
    group = "convolution and pooling"
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

    size: Each
    over: Axes = ()

    def parts(self, x: Tensor) -> dict[str, int]:
        """The sizes that come out."""
        axes = _axes(self, x, self.over)
        return dict(zip(axes, each(self, self.size, axes, "size"), strict=True))

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        parts = self.parts(x)
        for axis, count in parts.items():
            facts.divides(count, x[axis], costs=True)
        return (x.resized(parts),)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        x, parts = ins["x"], self.parts(ins["x"])
        reads = product(_reads(x[a], m) for a, m in parts.items())
        rest = x.extent(a for a in x.names if a not in parts)
        return Cost(elementwise={"pool": rest * reads})

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
        return _emit(self, site, args, len(parts))

    def label(self, ins: Inputs) -> str:
        return f"adaptive avg pool {_times(self.size)}"


def _reads(size: Size, parts: int) -> Size:
    """How many values the windows of an axis read together."""
    if isinstance(size, int):
        return size + parts - gcd(size, parts)
    return size


def _axes(op: Op, x: Tensor, over: tuple[str, ...]) -> tuple[str, ...]:
    axes = chosen(op, x, over)
    if len(axes) > 3:
        needs = "works on at most 3 axes"
        raise Refused(WrongAxes(op.name, needs, str(x), "name them: over = [H, W]"))
    return axes


def _times(value: int | tuple[int, ...]) -> str:
    return str(value) if isinstance(value, int) else "×".join(map(str, value))


def _emit(
    op: Op,
    site: Site,
    args: tuple[Arg, ...],
    count: int,
    pad: tuple[int, ...] = (),
    around: str = "",
) -> Emit:
    """The call of PyTorch's function, and the module that does the same.

    Their names are ours: ``F.max_pool2d`` and ``nn.MaxPool2d`` for `MaxPool`.
    They take one or two axes before those that are pooled. `pad` of `around`
    is put around first.
    """
    layout = site.layouts["x"]
    ahead = len(layout) - count
    written = tuple(a for a in args if a.value != a.default)
    slots = "".join(
        f", {a.name}={{{a.name}}}" if a.keyword else f", {{{a.name}}}" for a in written
    )
    x = f"F.pad({{x}}, {{pad}}, value={around})" if pad else "{x}"
    literals = tuple(positional(a.name, a.value) for a in written)
    # PyTorch takes one map of three axes for a batch of maps of two where its features
    # happen to run fastest, and then refuses it.
    alone = op.name == "max_pool" and count == 3 and ahead == 1
    module = Make(f"nn.{type(op).__name__}{count}d", args)
    return Emit(
        forward=_fitted(f"F.{op.name}{count}d({x}{slots})", ahead, alone),
        layouts=(layout,),
        literals=(positional("pad", pad), *literals) if pad else literals,
        module=module if ahead in (1, 2) and not pad and not alone else None,
    )


def _fitted(call: str, ahead: int, alone: bool = False) -> str:
    """The call on a tensor with any number of axes before those that are pooled.

    `alone` has it called on a batch of one, where a batch may be missing.
    """
    if ahead == 0 or alone:
        return call.replace("{x}", "{x}[None]") + "[0]"
    if ahead <= 2:
        return call
    inner = call.replace("{x}", f"{{x}}.flatten(0, {ahead - 2})")
    return f"{inner}.unflatten(0, {{x}}.shape[:{ahead - 1}])"
