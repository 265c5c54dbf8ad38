"""Transposed convolution over any number of position axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import TooSmall, WrongAxes
from archdsl.ir.dim import Size, product, quotient
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Tensor,
    Weight,
)
from archdsl.ops.conv import fold, need_groups, one
from archdsl.ops.emit import Arg, Emit, Make, Site, features_first, positional
from archdsl.ops.fields import Axes, Count, Each, Flag, NonNegativeEach, SizeField
from archdsl.ops.rules import chosen, each, need_features
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Sown, Spread, same_positions
from archdsl.ops.windows import known


def default_cut(kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """The padding and output padding by which n positions become ``n * stride``.

    An even kernel and a stride of 1 have none: there is one position more.
    """
    surplus = dilation * (kernel - 1) + 1 - stride
    if surplus < 0:
        return 0, -surplus
    if surplus % 2 and max(stride, dilation) == 1:
        return surplus // 2, 0
    return (surplus + 1) // 2, surplus % 2


class ConvTranspose(Op):
    """Transposed convolution: each position is sown over a window, times a matrix.

    It runs a convolution backwards: the windows of neighbouring positions lie `stride`
    apart, and where they overlap, they are added. It does so along all position axes,
    or those of `over`; other positions are batch. Where `stride` does not divide
    `kernel`, outputs are the sum of now more, now fewer taps, which is seen as a
    checkerboard (Odena et al. 2016).
    Costs ``C * (features / groups) * kernel`` MACs at each input position.

    Shape:
        C becomes `features`. An axis of n becomes
        ``(n - 1) * stride + reach - 2 * padding + output_padding``, where the window
        reaches over ``dilation * (kernel - 1) + 1`` positions. Without `padding`, it is
        cut so that ``n * stride`` are left.

    Args:
        features: The size of C that comes out.
        kernel: The length of the window, one number or one for each axis.
        stride: The step from window to window.
        padding: How many positions are cut off each axis, on both sides.
        output_padding: How many are added at the end of each axis, fewer than `stride`
            or `dilation`; 0 if `padding` is given.
        dilation: The distance between neighbouring taps.
        groups: Into how many separate parts C is cut; must divide C and `features`.
        bias: Whether a learned number is added to each feature.
        over: The position axes that the window runs along; all, if none is named.
    """

    name = "conv_transpose"
    group = "convolution and pooling"
    paper = "Zeiler et al. 2010, Deconvolutional Networks"
    examples = (
        Example("conv_transpose(6, 2, stride = 2)", {"x": "[B, C = 4, H = 3, W = 4]"}),
        Example("conv_transpose(3, 4, 2, bias = false)", {"x": "[B, T = 5, C = 4]"}),
        Example(
            "conv_transpose(4, 3, 2, padding = 1, groups = 2)",
            {"x": "[B, C = 6, H = 4, W = 3]"},
        ),
        Example("conv_transpose(2, 3, 1, dilation = 2)", {"x": "[B, C = 3, T = 6]"}),
        Example(
            "conv_transpose(5, [3, 1, 2], [2, 3, 1], [2, 0, 0], [1, 2, 0])",
            {"x": "[B, C = 2, D = 3, H = 2, W = 4]"},
        ),
        Example(
            "conv_transpose(4, 2, 2, over = T)",
            {"x": "[B, C = 2, T = 3, H = 3, W = 2]"},
        ),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "features": ("C", "D"),
        "groups": ("C", "G"),
        "kernel": ("k",),
    }
    varying: ClassVar[tuple[str, ...]] = ("dilation", "padding", "output_padding")

    features: SizeField
    kernel: Each
    stride: Each = 1
    padding: NonNegativeEach | None = None
    output_padding: NonNegativeEach | None = None
    dilation: Each = 1
    groups: Count = 1
    bias: Flag = True
    over: Axes = ()

    def axes(self, x: Tensor) -> tuple[str, ...]:
        """The axes that it works along."""
        axes = chosen(self, x, self.over)
        if len(axes) > 3:
            needs, mend = "works along at most 3 axes", "name them: over = [H, W]"
            raise Refused(WrongAxes(self.name, needs, str(x), mend))
        return axes

    def sown(self, x: Tensor) -> dict[str, tuple[Sown, int]]:
        """Along each axis, where each position is sown, and the output padding."""
        axes = self.axes(x)
        kernel, stride, dilation = (
            each(self, getattr(self, name), axes, name)
            for name in ("kernel", "stride", "dilation")
        )
        cuts = [default_cut(*n) for n in zip(kernel, stride, dilation, strict=True)]
        cut, extra = (tuple(numbers) for numbers in zip(*cuts, strict=True))
        if self.padding is not None:
            cut = each(self, self.padding, axes, "padding")
            extra = (0,) * len(axes)
        if self.output_padding is not None:
            extra = each(self, self.output_padding, axes, "output_padding")
        rows = zip(axes, kernel, stride, dilation, cut, extra, strict=True)
        return {a: (Sown(a, known(x[a]), k, s, d, p), e) for a, k, s, d, p, e in rows}

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_groups(self.groups, need_features(self, x), self.features, facts)
        sizes: dict[str, Size] = {"C": self.features}
        for axis, (sown, extra) in self.sown(x).items():
            self._need_small(axis, sown, extra)
            reach = sown.dilation * (sown.kernel - 1) + 1
            size = (x[axis] - 1) * sown.stride + reach - 2 * sown.padding + extra
            if not facts.at_least(size, 1):
                what = f"{self.name} with padding {sown.padding}"
                mend = "use less padding, a larger kernel, or a larger input"
                raise Refused(TooSmall(what, axis, x[axis], mend), "padding")
            sizes[axis] = size
        return (x.resized(sizes),)

    def _need_small(self, axis: str, sown: Sown, extra: int) -> None:
        """PyTorch adds no more positions than what a convolution may have left out."""
        most = max(sown.stride, sown.dilation) - 1
        if extra > most:
            problem = f"must be at most {most} on {axis}, below the stride or dilation"
            found = spelled(self.output_padding)
            mend = "leave it out, or use less padding"
            fault = WrongValue(self.name, "output_padding", problem, found, mend)
            raise Refused(fault, "output_padding")

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        x = ins["x"]
        kernels = each(self, self.kernel, self.axes(x), "kernel")
        share = quotient(self.features, self.groups)
        weight = Weight("weight", (x["C"], share, *kernels))
        return (weight, Weight("bias", (self.features,)))[: 1 + self.bias]

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        x = ins["x"]
        window = product(each(self, self.kernel, self.axes(x), "kernel"))
        macs = x.numel * window * quotient(self.features, self.groups)
        return Cost(macs, {"bias": outs[0].numel} if self.bias else {})

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        sown = {axis: reach for axis, (reach, _) in self.sown(x).items()}
        return {"x": {**same_positions(x), **sown}}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_first(ins["x"], self.axes(ins["x"]))}

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        windows = tuple(self.sown(x).values())
        make = Make(
            f"nn.ConvTranspose{len(windows)}d",
            (
                positional("in_channels", x["C"]),
                positional("out_channels", self.features),
                Arg("kernel_size", one(w.kernel for w, _ in windows)),
                Arg("stride", one(w.stride for w, _ in windows), 1),
                Arg("padding", one(w.padding for w, _ in windows), 0),
                Arg("output_padding", one(extra for _, extra in windows), 0),
                Arg("groups", self.groups, 1),
                Arg("bias", self.bias, True),
                Arg("dilation", one(w.dilation for w, _ in windows), 1),
            ),
        )
        call = fold("{self}({x})", x, self.axes(x))
        return Emit(call, (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        windows = self.sown(ins["x"]).values()
        kernel = "×".join(str(w.kernel) for w, _ in windows)
        stride = "" if self.stride == 1 else f" ·{spelled(self.stride)}"
        return f"conv transpose {kernel}, {self.features}{stride}"
