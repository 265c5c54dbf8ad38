"""Convolution over any number of position axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import gcd
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import NotDivisible, WrongAxes
from archdsl.ir.dim import Size, ceil_div, near_divisors, product, quotient
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Paths,
    Tensor,
    Weight,
)
from archdsl.ops.emit import (
    Arg,
    Emit,
    Make,
    Site,
    batch_axes,
    features_first,
    positional,
)
from archdsl.ops.fields import Axes, Count, Each, Flag, Padding, SizeField
from archdsl.ops.norm import Small
from archdsl.ops.rules import chosen, each, need_features
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Spread, Taps, same_positions
from archdsl.ops.windows import around, lopsided, slid, windows


def fold(template: str, tensor: Tensor, over: tuple[str, ...]) -> str:
    """Wraps a call that takes one batch axis so that it takes all there are."""
    count = len(batch_axes(tensor, over))
    if count == 1:
        return template
    inner = template.replace("{x}", f"{{x}}.flatten(0, {count - 1})")
    return f"{inner}.unflatten(0, {{x}}.shape[:{count}])" if count else template


def need_groups(groups: int, before: Size, after: Size, facts: Facts) -> None:
    """Refuses groups that do not divide the features that go in, or that come out."""
    if groups == 1:
        return
    for name, features in (("C", before), ("features", after)):
        if not facts.divides(groups, features):
            mend = _better_groups(groups, before, after)
            fault = NotDivisible("groups", groups, name, features, mend)
            raise Refused(fault, "groups")


def _better_groups(groups: int, before: Size, after: Size) -> str:
    """The groups that divide what goes in and what comes out."""
    if not isinstance(before, int) or not isinstance(after, int):
        return ""
    better = near_divisors(groups, gcd(before, after)) or [1]
    return "use groups = " + " or ".join(map(str, better))


class Conv(Op):
    """Convolution: a linear map of the window around each position.

    It slides over all position axes, or those of `over`; other positions are batch.
    Windows that overlap are centred (``padding = dilation * (kernel - 1) // 2``),
    windows that do not, tile (``padding = 0``), unless `padding` is given.
    Costs ``features * (C / groups) * kernel`` MACs at each output position, and, if
    weights are standardized, 5 operations a weight in each run.

    Shape:
        C becomes `features`. An axis of n that the window slides over becomes
        ``(n + 2 * padding - reach) // stride + 1``, where the window reaches over
        ``dilation * (kernel - 1) + 1`` positions: with the padding rule, an odd kernel
        and a stride of 1, n stays. With "tf_same" it becomes ``ceil(n / stride)``.

    Args:
        features: The size of C that comes out.
        kernel: The length of the window, one number or one for each axis.
        stride: The step from window to window.
        padding: Zeros put around each axis: a number for both sides, or a pair of
            numbers, before and behind. "tf_same" is TensorFlow's "SAME": so many that
            every stride has a window, and where they are odd, one more behind; of an
            open size, the stride must be a divisor.
        dilation: The distance between neighbouring taps.
        groups: Into how many separate parts C is cut; must divide C and `features`.
        bias: Whether a learned number is added to each feature.
        over: The position axes that the window slides over; all, if none is named.
        standardize: What is added to the variance where the weights of each feature
            that comes out are brought to mean 0 and variance 1 before they are used
            (Qiao et al. 2019, Weight Standardization).
    """

    name = "conv"
    group = "convolution and pooling"
    paper = "LeCun et al. 1989, Backpropagation Applied to Handwritten"
    examples = (
        Example("conv(6, kernel = 3)", {"x": "[B, C = 4, H = 8, W = 9]"}),
        Example("conv(8, 4, stride = 4)", {"x": "[B, C = 3, H = 8, W = 8]"}),
        Example("conv(6, 3, stride = 2, bias = false)", {"x": "[B, C = 4, T = 9]"}),
        Example("conv(6, 3, dilation = 2, groups = 2)", {"x": "[B, T = 9, C = 4]"}),
        Example(
            "conv(5, [3, 1, 2], padding = [0, 1, 1])",
            {"x": "[B, C = 2, D = 5, H = 4, W = 4]"},
        ),
        Example("conv(4, 3, over = T)", {"x": "[B, C = 2, T = 5, H = 3, W = 2]"}),
        Example(
            'conv(4, 3, stride = 2, padding = "tf_same")',
            {"x": "[B, C = 3, H = 8, W = 7]"},
        ),
        Example("conv(4, 3, padding = [[2, 0]])", {"x": "[B, C = 3, T = 6]"}),
        Example(
            "conv(4, 3, groups = 2, standardize = 1e-6)",
            {"x": "[B, C = 2, H = 5, W = 4]"},
        ),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "features": ("C", "D"),
        "groups": ("C", "G"),
        "kernel": ("k",),
    }
    varying: ClassVar[tuple[str, ...]] = ("dilation", "padding")

    features: SizeField
    kernel: Each
    stride: Each = 1
    padding: Padding | None = None
    dilation: Each = 1
    groups: Count = 1
    bias: Flag = True
    over: Axes = ()
    standardize: Small | None = None

    def taps(self, x: Tensor) -> dict[str, Taps]:
        """The window along each axis that it slides over."""
        axes = chosen(self, x, self.over)
        if len(axes) > 3:
            needs = "slides over at most 3 axes"
            raise Refused(WrongAxes("conv", needs, str(x), "name them: over = [H, W]"))
        return windows(
            self, x, axes, (self.kernel, self.stride, self.dilation), self.padding
        )

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_groups(self.groups, need_features(self, x), self.features, facts)
        return (slid(self, x, self.taps(x), facts, features=self.features),)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        x = ins["x"]
        size = quotient(x["C"], self.groups)
        weight = Weight("weight", (self.features, size, *self.kernels(x)))
        return (weight, Weight("bias", (self.features,)))[: 1 + self.bias]

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        x, y = ins["x"], outs[0]
        window = product(self.kernels(x))
        macs = y.numel * window * quotient(x["C"], self.groups)
        elementwise = {"bias": y.numel} if self.bias else {}
        if self.standardize is not None:
            elementwise["norm"] = 5 * self.weights(ins)[0].numel
        return Cost(macs, elementwise)

    def kernels(self, x: Tensor) -> tuple[int, ...]:
        """The length of the window along each axis."""
        return each(self, self.kernel, chosen(self, x, self.over), "kernel")

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        return {"x": {**same_positions(ins["x"]), **self.taps(ins["x"])}}

    def paths(self, ins: Inputs, outs: Outputs) -> Paths | None:
        x = ins["x"]
        sizes = tuple(x[a] for a in chosen(self, x, self.over))
        taps = self.kernels(x)
        mixing = [(n, k) for n, k in zip(sizes, taps, strict=True) if k != 1]
        if not mixing:
            return None
        return Paths(
            self.cost(ins, outs).macs,
            maximum=tuple(ceil_div(2 * (n - 1), k - 1) for n, k in mixing),
            meet=tuple(ceil_div(n - 1, k - 1) for n, k in mixing),
        )

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_first(ins["x"], chosen(self, ins["x"], self.over))}

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        taps = tuple(self.taps(x).values())
        over = tuple(t.axis for t in taps)
        apart = lopsided(taps)
        make = Make(
            f"{'nn.' if self.standardize is None else 'Standardized'}Conv{len(taps)}d",
            (
                positional("in_channels", x["C"]),
                positional("out_channels", self.features),
                Arg("kernel_size", one(t.kernel for t in taps)),
                Arg("stride", one(t.stride for t in taps), 1),
                Arg("padding", 0 if apart else one(t.padding for t in taps), 0),
                Arg("dilation", one(t.dilation for t in taps), 1),
                Arg("groups", self.groups, 1),
                Arg("bias", self.bias, True),
                Arg("eps", self.standardize, None),
            ),
        )
        code = "{self}(F.pad({x}, {pad}))" if apart else "{self}({x})"
        literals = (positional("pad", around(taps)),) if apart else ()
        return Emit(fold(code, x, over), (site.layouts["x"],), make, literals)

    def label(self, ins: Inputs) -> str:
        kernel = "×".join(str(t.kernel) for t in self.taps(ins["x"]).values())
        stride = "" if self.stride == 1 else f" /{spelled(self.stride)}"
        label = f"conv {kernel}, {self.features}{stride}"
        if self.groups == 1:
            return label
        if self.groups == ins["x"]["C"] == self.features:
            return f"depthwise {label}"
        return f"{label}, {self.groups} groups"


def one(values: Iterable[int]) -> int | tuple[int, ...]:
    """One number where all are equal, as people write it."""
    numbers = tuple(values)
    return numbers[0] if len(set(numbers)) == 1 else numbers


def _runtime() -> None:
    import torch.nn.functional as F
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    class Standardized(nn.modules.conv._ConvNd):
        """What convolutions with standardized weights share."""

        eps: float

        def forward(self, x: Tensor) -> Tensor:
            weight = F.layer_norm(self.weight, self.weight.shape[1:], eps=self.eps)
            return self._conv_forward(x, weight, self.bias)

    class StandardizedConv1d(Standardized, nn.Conv1d):
        """A convolution with standardized weights (Qiao et al. 2019)."""

        def __init__(  # noqa: PLR0913, PLR0917 - as many as its base takes
            self,
            in_channels: int,
            out_channels: int,
            kernel_size: int,
            stride: int = 1,
            padding: int = 0,
            dilation: int = 1,
            groups: int = 1,
            bias: bool = True,
            eps: float = 1e-5,
        ) -> None:
            sizes = in_channels, out_channels, kernel_size
            super().__init__(*sizes, stride, padding, dilation, groups, bias)
            self.eps = eps

    class StandardizedConv2d(Standardized, nn.Conv2d):
        """A convolution with standardized weights (Qiao et al. 2019)."""

        def __init__(  # noqa: PLR0913, PLR0917 - as many as its base takes
            self,
            in_channels: int,
            out_channels: int,
            kernel_size: int | tuple[int, int],
            stride: int | tuple[int, int] = 1,
            padding: int | tuple[int, int] = 0,
            dilation: int | tuple[int, int] = 1,
            groups: int = 1,
            bias: bool = True,
            eps: float = 1e-5,
        ) -> None:
            sizes = in_channels, out_channels, kernel_size
            super().__init__(*sizes, stride, padding, dilation, groups, bias)
            self.eps = eps

    class StandardizedConv3d(Standardized, nn.Conv3d):
        """A convolution with standardized weights (Qiao et al. 2019)."""

        def __init__(  # noqa: PLR0913, PLR0917 - as many as its base takes
            self,
            in_channels: int,
            out_channels: int,
            kernel_size: int | tuple[int, int, int],
            stride: int | tuple[int, int, int] = 1,
            padding: int | tuple[int, int, int] = 0,
            dilation: int | tuple[int, int, int] = 1,
            groups: int = 1,
            bias: bool = True,
            eps: float = 1e-5,
        ) -> None:
            sizes = in_channels, out_channels, kernel_size
            super().__init__(*sizes, stride, padding, dilation, groups, bias)
            self.eps = eps
