"""Normalisation over the features of a position, and over the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import AxisMissing
from archdsl.ops.base import Cost, Example, Facts, Inputs, Layout, Op, Outputs, Weight
from archdsl.ops.emit import (
    Arg,
    Emit,
    Make,
    Site,
    features_first,
    features_last,
    positional,
)
from archdsl.ops.fields import Flag
from archdsl.ops.rules import need_features
from archdsl.ops.spelling import spelled


def _small(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number above 0, at most 1")
    if not 0 < value <= 1:
        raise ValueError("must be above 0 and at most 1")
    return float(value)


Small = Annotated[float, PlainValidator(_small), "a number > 0 and ≤ 1"]


class LayerNorm(Op):
    """Brings the features of each position to mean 0 and variance 1.

    Works on C, then scales and shifts each feature by a learned number. Costs 7
    operations for each number: 5 to normalise (mean, difference, square, its mean,
    scale), 1 each for the learned scale and shift.

    Args:
        eps: Added to the variance.
        affine: Whether there is a learned scale.
        bias: Whether there is a learned shift, too.
    """

    name = "layer_norm"
    group = "normalisation"
    paper = "Ba et al. 2016, Layer Normalization"
    examples = (
        Example("layer_norm", {"x": "[B, T = 5, C = 4]"}),
        Example("layer_norm(1e-6)", {"x": "[B, C = 4, H = 3, W = 5]"}),
        Example("layer_norm(bias = false)", {"x": "[B, C = 6]"}),
        Example("layer_norm(affine = false)", {"x": "[B, C = 6, T = 3]"}),
    )

    eps: Small = 1e-5
    affine: Flag = True
    bias: Flag = True

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_features(self, ins["x"])
        return (ins["x"],)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        size = (ins["x"]["C"],)
        both = (Weight("weight", size), Weight("bias", size))
        return both[: 1 + self.bias] if self.affine else ()

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"norm": outs[0].numel * (5 + len(self.weights(ins)))})

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], ins["x"].positions)}

    def emit(self, site: Site) -> Emit:
        args = (
            positional("normalized_shape", site.ins["x"]["C"]),
            Arg("eps", self.eps, 1e-5),
            Arg("elementwise_affine", self.affine, True),
            Arg("bias", self.bias, True),
        )
        return Emit("{self}({x})", (site.layouts["x"],), Make("nn.LayerNorm", args))

    def label(self, ins: Inputs) -> str:
        return "layer norm"


class RmsNorm(Op):
    """Brings the features of each position to a mean square of 1.

    Works on C, then scales each feature by a learned number; the mean stays in, and
    nothing is shifted. Costs 4 operations for each number: 3 to normalise (square, its
    mean, scale), 1 for the learned scale.

    Args:
        eps: Added to the mean square.
        affine: Whether there is a learned scale.
    """

    name = "rms_norm"
    group = "normalisation"
    paper = "Zhang & Sennrich 2019, Root Mean Square Layer Normalization"
    examples = (
        Example("rms_norm", {"x": "[B, T = 5, C = 4]"}),
        Example("rms_norm(1e-5)", {"x": "[B, C = 4, H = 3, W = 5]"}),
        Example("rms_norm(affine = false)", {"x": "[B, C = 6]"}),
    )

    eps: Small = 1e-6
    affine: Flag = True

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_features(self, ins["x"])
        return (ins["x"],)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        return (Weight("weight", (ins["x"]["C"],)),) if self.affine else ()

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"norm": outs[0].numel * (3 + self.affine)})

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], ins["x"].positions)}

    def emit(self, site: Site) -> Emit:
        args = (
            positional("normalized_shape", site.ins["x"]["C"]),
            Arg("eps", self.eps),
            Arg("elementwise_affine", self.affine, True),
        )
        return Emit("{self}({x})", (site.layouts["x"],), Make("nn.RMSNorm", args))

    def label(self, ins: Inputs) -> str:
        return "rms norm"


class BatchNorm(Op):
    """Brings each feature to mean 0 and variance 1 over the batch and all positions.

    In training by the statistics of the batch, in inference by running averages of
    them; then scales and shifts each feature by a learned number. Costs 2 operations
    for each number in inference, where all of it is one scale and one shift. A frozen
    one is that in training, too: nothing of it is learned, and no batch is needed.

    Args:
        eps: Added to the variance.
        momentum: How much a batch counts in the running averages.
        affine: Whether there are a learned scale and shift.
        frozen: Whether averages, scale and shift are buffers that training leaves as
            they are, as in detectors that begin from a trained backbone.
        zero_init: Whether training begins with a scale of 0, so that a residual branch
            that ends with the norm adds nothing at first (Goyal et al. 2017).
    """

    name = "batch_norm"
    group = "normalisation"
    paper = "Ioffe & Szegedy 2015, Batch Normalization"
    examples = (
        Example("batch_norm", {"x": "[B, C = 4, H = 3, W = 5]"}),
        Example("batch_norm(eps = 1e-3, momentum = 0.01)", {"x": "[B, T = 5, C = 4]"}),
        Example("batch_norm(affine = false)", {"x": "[B, C = 6]"}),
        Example("batch_norm", {"x": "[B, D = 2, H = 3, W = 4, C = 2]"}),
        Example("batch_norm", {"x": "[B, C = 2, T = 2, D = 2, H = 3, W = 4]"}),
        Example("batch_norm(frozen = true)", {"x": "[B, C = 4, H = 3, W = 5]"}),
        Example("batch_norm(1e-3, frozen = true)", {"x": "[B, C = 4]"}),
        Example("batch_norm(zero_init = true)", {"x": "[B, C = 4, H = 3, W = 5]"}),
    )

    eps: Small = 1e-5
    momentum: Small = 0.1
    affine: Flag = True
    frozen: Flag = False
    zero_init: Flag = False

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_features(self, ins["x"])
        if self.zero_init and not self.affine:
            problem = "says nothing of a norm without a scale"
            fault = WrongValue(self.name, "zero_init", problem, "true", "leave it out")
            raise Refused(fault, "zero_init")
        if self.frozen:
            self._need_defaults()
        elif "B" not in ins["x"]:
            mend = "`layer_norm` needs no batch"
            raise Refused(AxisMissing(self.name, "B", str(ins["x"]), mend))
        return (ins["x"],)

    def _need_defaults(self) -> None:
        """A frozen norm has a scale and a shift, and averages nothing."""
        fields = type(self).model_fields
        for name in ("momentum", "affine", "zero_init"):
            value = getattr(self, name)
            if value != fields[name].default:
                problem = "says nothing of a norm that is frozen"
                found = spelled(value)
                fault = WrongValue(self.name, name, problem, found, "leave it out")
                raise Refused(fault, name)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        size = (ins["x"]["C"],)
        if self.frozen:
            names = ("weight", "bias", "running_mean", "running_var")
            return tuple(Weight(name, size, learned=False) for name in names)
        learned = (Weight("weight", size), Weight("bias", size))
        return (
            *(learned if self.affine else ()),
            Weight("running_mean", size, learned=False),
            Weight("running_var", size, learned=False),
            Weight("num_batches_tracked", (), learned=False, itemsize=8),
        )

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"norm": outs[0].numel * 2})

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_first(ins["x"], ins["x"].positions)}

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        count = len(x.positions)
        forward = "{self}({x})"
        if self.frozen:
            axes, eps = positional("axes", count), Arg("eps", self.eps, 1e-5)
            make = Make("FrozenBatchNorm", (positional("features", x["C"]), axes, eps))
            return Emit(forward, (site.layouts["x"],), make)
        if count > 3:  # PyTorch has no class for more: all positions in one row
            forward = "{self}({x}.flatten(2)).unflatten(2, {x}.shape[2:])"
        args = (
            positional("num_features", x["C"]),
            Arg("eps", self.eps, 1e-5),
            Arg("momentum", self.momentum, 0.1),
            Arg("affine", self.affine, True),
        )
        kind = f"BatchNorm{count if count in (2, 3) else 1}d"
        make = Make(f"Zero{kind}" if self.zero_init else f"nn.{kind}", args)
        return Emit(forward, (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        return "frozen batch norm" if self.frozen else "batch norm"


def _runtime() -> None:
    import torch
    from torch import Tensor, nn

    class FrozenBatchNorm(nn.Module):
        """A batch norm that training leaves as it is: one scale and one shift."""

        weight: Tensor
        bias: Tensor
        running_mean: Tensor
        running_var: Tensor

        def __init__(self, features: int, axes: int, eps: float = 1e-5) -> None:
            super().__init__()
            self.places = (1,) * axes  # behind the features
            self.eps = eps
            self.register_buffer("weight", torch.ones(features))
            self.register_buffer("bias", torch.zeros(features))
            self.register_buffer("running_mean", torch.zeros(features))
            self.register_buffer("running_var", torch.ones(features))

        def forward(self, x: Tensor) -> Tensor:
            scale = self.weight * (self.running_var + self.eps).rsqrt()
            shift = self.bias - self.running_mean * scale
            scale = scale.reshape(-1, *self.places)
            return x * scale + shift.reshape(-1, *self.places)

    class ZeroBatchNorm(nn.modules.batchnorm._BatchNorm):
        """What batch norms share whose scale is 0 at first."""

        def reset_parameters(self) -> None:
            super().reset_parameters()
            nn.init.zeros_(self.weight)

    class ZeroBatchNorm1d(ZeroBatchNorm, nn.BatchNorm1d):
        """A batch norm whose scale is 0 at first (Goyal et al. 2017)."""

    class ZeroBatchNorm2d(ZeroBatchNorm, nn.BatchNorm2d):
        """A batch norm whose scale is 0 at first (Goyal et al. 2017)."""

    class ZeroBatchNorm3d(ZeroBatchNorm, nn.BatchNorm3d):
        """A batch norm whose scale is 0 at first (Goyal et al. 2017)."""
