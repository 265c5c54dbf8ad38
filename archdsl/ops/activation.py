"""Activations: functions of one number, and the softmax."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ops.base import Cost, Example, Facts, Inputs, Op, Outputs
from archdsl.ops.emit import Arg, Emit, Make, Site, positional
from archdsl.ops.fields import Axis
from archdsl.ops.rules import need_axes, need_float
from archdsl.ops.spread import Spread, Whole, same_positions


def _approximate(value: object) -> str:
    if isinstance(value, str) and value in ("none", "tanh", "quick"):
        return value
    raise ValueError('must be "none", "tanh" or "quick"')


Approximate = Annotated[
    str, PlainValidator(_approximate), '"none" or "tanh" or "quick"'
]


class _Activation(Op):
    """What functions of one number share.

    Shape:
        The one that goes in: each number is taken by itself.
    """

    group = "activation"
    kind = "activation"
    function: ClassVar[str]  # of PyTorch
    module: ClassVar[str]

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_float(self, ins["x"])
        return (ins["x"],)

    def emit(self, site: Site) -> Emit:
        forward = f"{self.function}({{x}})"
        return Emit(forward, (site.layouts["x"],), module=Make(self.module))

    def label(self, ins: Inputs) -> str:
        return self.name


class Relu(_Activation):
    """The number itself where it is positive, otherwise 0: ``max(x, 0)``.

    Costs 1 operation for each number.
    """

    name = "relu"
    function: ClassVar[str] = "F.relu"
    module: ClassVar[str] = "nn.ReLU"
    pointwise = 1
    paper = "Nair & Hinton 2010, Rectified Linear Units"
    examples = (
        Example("relu", {"x": "[B, C = 3, H = 4, W = 5]"}),
        Example("relu", {"x": "[B, T = 5]"}),
    )


class Relu6(_Activation):
    """The number itself where it is between 0 and 6, otherwise the nearer of the two.

    Costs 2 operations for each number: the comparisons.
    """

    name = "relu6"
    function: ClassVar[str] = "F.relu6"
    module: ClassVar[str] = "nn.ReLU6"
    pointwise = 2
    paper = "Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10"
    examples = (
        Example("relu6", {"x": "[B, C = 3, H = 4, W = 5]"}),
        Example("relu6", {"x": "[B, T = 5]"}),
    )


class Gelu(_Activation):
    """The number times the chance that a standard normal one is smaller.

    ``x * (1 + erf(x / sqrt(2))) / 2``, or its approximation by tanh, which GPT-2 has,
    or the quick one, ``x * sigmoid(1.702 * x)``, which CLIP has. Costs 5 operations for
    each number, 9 with tanh, 6 in the quick form.

    Args:
        approximate: ``"none"`` for the exact form, ``"tanh"`` and ``"quick"`` for
            approximations.
    """

    name = "gelu"
    paper = "Hendrycks & Gimpel 2016, Gaussian Error Linear Units"
    examples = (
        Example("gelu", {"x": "[B, T = 5, C = 3]"}),
        Example('gelu("tanh")', {"x": "[B, C = 3, T = 5]"}),
        Example('gelu("quick")', {"x": "[B, T = 5, C = 3]"}),
    )

    approximate: Approximate = "none"

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        price = {"none": 5, "tanh": 9, "quick": 6}[self.approximate]
        return Cost(elementwise={"activation": outs[0].numel * price})

    def emit(self, site: Site) -> Emit:
        layouts = (site.layouts["x"],)
        if self.approximate == "none":
            return Emit("F.gelu({x})", layouts, module=Make("nn.GELU"))
        if self.approximate == "quick":
            forward = "{x} * torch.sigmoid(1.702 * {x})"
            return Emit(forward, layouts, module=Make("QuickGELU"))
        return Emit(
            "F.gelu({x}, approximate={approximate})",
            layouts,
            literals=(positional("approximate", self.approximate),),
            module=Make("nn.GELU", (Arg("approximate", self.approximate, "none"),)),
        )


class Tanh(_Activation):
    """The hyperbolic tangent, from -1 to 1.

    Costs 1 operation for each number.
    """

    name = "tanh"
    function: ClassVar[str] = "torch.tanh"
    module: ClassVar[str] = "nn.Tanh"
    pointwise = 1
    paper = "LeCun et al. 1998, Efficient BackProp"
    examples = (
        Example("tanh", {"x": "[B, C = 3]"}),
        Example("tanh", {"x": "[B, H = 2, W = 3, C = 4]"}),
    )


class Sigmoid(_Activation):
    """The logistic function ``1 / (1 + exp(-x))``, from 0 to 1.

    Costs 4 operations for each number.
    """

    name = "sigmoid"
    function: ClassVar[str] = "torch.sigmoid"
    module: ClassVar[str] = "nn.Sigmoid"
    pointwise = 4
    paper = "Rumelhart et al. 1986, Learning Representations"
    examples = (
        Example("sigmoid", {"x": "[B, N = 5, C = 4]"}),
        Example("sigmoid", {"x": "[B, C = 2, H = 3, W = 4]"}),
    )


class Silu(_Activation):
    """The number times its sigmoid: ``x / (1 + exp(-x))``, also called swish.

    Costs 5 operations for each number.
    """

    name = "silu"
    function: ClassVar[str] = "F.silu"
    module: ClassVar[str] = "nn.SiLU"
    pointwise = 5
    paper = "Elfwing et al. 2018, Sigmoid-Weighted Linear Units"
    examples = (
        Example("silu", {"x": "[B, T = 5, C = 4]"}),
        Example("silu", {"x": "[B, C = 4]"}),
    )


class Softmax(Op):
    """Makes the numbers along one axis positive, with sum 1: ``exp(x) / sum(exp(x))``.

    Works on C, or on the axis that is named. Costs 5 operations for each number: the
    largest is found and subtracted, then exp, the sum and the division.

    Args:
        over: The axis along which the sum is 1.
    """

    name = "softmax"
    group = "activation"
    kind = "softmax"
    pointwise = 5
    paper = "Bridle 1990, Probabilistic Interpretation of Networks"
    examples = (
        Example("softmax", {"x": "[B, T = 5, C = 4]"}),
        Example("softmax(T)", {"x": "[B, T = 5, C = 4]"}),
        Example("softmax(over = W)", {"x": "[B, C = 2, H = 3, W = 4]"}),
    )

    over: Axis = "C"

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        if self.over == "B":
            needs = "works inside one example, and B counts examples"
            raise Refused(WrongAxes(self.name, needs, str(x)), "over")
        need_axes(self, x, (self.over,), "over")
        return (x,)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        reach = {
            a: Whole(s)
            for a, s in x.axes
            if a == self.over and a in x.positions and isinstance(s, int)
        }
        return {"x": {**same_positions(x), **reach}}

    def emit(self, site: Site) -> Emit:
        dim = site.dim(self.over)
        return Emit(
            f"F.softmax({{x}}, dim={dim})",
            (site.layouts["x"],),
            module=Make("nn.Softmax", (Arg("dim", dim),)),
        )

    def label(self, ins: Inputs) -> str:
        return f"softmax over {self.over}"


def _runtime() -> None:
    import torch
    from torch import Tensor, nn

    class QuickGELU(nn.Module):
        """GELU by a sigmoid (Hendrycks & Gimpel 2016)."""

        def forward(self, x: Tensor) -> Tensor:
            return x * torch.sigmoid(1.702 * x)
