"""Normalisation of each example over its positions, by groups of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import NotDivisible, WrongAxes
from archdsl.ir.dim import near_divisors, quotient
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
from archdsl.ops.conv import fold
from archdsl.ops.emit import (
    Arg,
    Emit,
    Make,
    Site,
    batch_axes,
    features_first,
    positional,
)
from archdsl.ops.fields import Axes, Count, Flag
from archdsl.ops.norm import Small
from archdsl.ops.rules import chosen, need_features
from archdsl.ops.spread import Reach, Spread, Whole, same_positions


class _OverPositions(Op):
    """What norms over the positions of an example share."""

    group = "normalisation"

    def axes(self, x: Tensor) -> tuple[str, ...]:
        """The positions over which statistics are taken."""
        raise NotImplementedError

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        size = (ins["x"]["C"],)
        both = (Weight("weight", size), Weight("bias", size))
        return both if getattr(self, "affine") else ()  # noqa: B009 - a field of each

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"norm": outs[0].numel * (5 + len(self.weights(ins)))})

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread: dict[str, Reach] = same_positions(x)
        for axis in self.axes(x):
            size = x[axis]
            assert isinstance(size, int)
            spread[axis] = Whole(size)
        return {"x": spread}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_first(ins["x"], self.axes(ins["x"]))}


class GroupNorm(_OverPositions):
    """Brings each group of features of an example to mean 0 and variance 1.

    C is cut into `groups` of neighbours, each normalised over all positions, or those
    of `over`; then each feature is scaled and shifted by a learned number. So every
    output depends on every position. Costs 7 operations for each number: 5 to
    normalise (mean, difference, square, its mean, scale), 1 each for the learned scale
    and shift.

    Args:
        groups: Into how many groups C is cut; must divide C.
        eps: Added to the variance.
        affine: Whether there are a learned scale and shift.
        over: The position axes that are normalised over; all, if none is named.
    """

    name = "group_norm"
    paper = "Wu & He 2018, Group Normalization"
    examples = (
        Example("group_norm(2)", {"x": "[B, C = 4, H = 3, W = 5]"}),
        Example("group_norm(3, eps = 1e-6)", {"x": "[B, T = 5, C = 6]"}),
        Example("group_norm(2, affine = false)", {"x": "[B, C = 4]"}),
        Example("group_norm(1, over = T)", {"x": "[B, H = 2, T = 3, C = 2]"}),
    )
    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {"groups": ("C", "G")}

    groups: Count
    eps: Small = 1e-5
    affine: Flag = True
    over: Axes = ()

    def axes(self, x: Tensor) -> tuple[str, ...]:
        return chosen(self, x, self.over) if self.over else x.positions

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        size = need_features(self, x)
        if not facts.divides(self.groups, size):
            better = near_divisors(self.groups, size) if isinstance(size, int) else []
            mend = "use groups = " + " or ".join(map(str, better)) if better else ""
            fault = NotDivisible("groups", self.groups, "C", size, mend)
            raise Refused(fault, "groups")
        numbers = quotient(size, self.groups) * x.extent(self.axes(x))
        if not facts.at_least(numbers, 2):
            problem, mend = (
                "leaves one number a group: it becomes 0",
                "use fewer groups",
            )
            alone = WrongValue(self.name, "groups", problem, str(self.groups), mend)
            raise Refused(alone, "groups")
        return (x,)

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        args = (
            positional("num_groups", self.groups),
            positional("num_channels", x["C"]),
            Arg("eps", self.eps, 1e-5),
            Arg("affine", self.affine, True),
        )
        axes = self.axes(x)
        code = fold("{self}({x})", x, axes)
        if not batch_axes(x, axes):  # dimension 1 are the features
            code = "{self}({x}[None])[0]"
        return Emit(code, (site.layouts["x"],), Make("nn.GroupNorm", args))

    def label(self, ins: Inputs) -> str:
        return f"group norm {self.groups}"


class InstanceNorm(_OverPositions):
    """Brings each feature of an example to mean 0 and variance 1 over its positions.

    Over all positions, or those of `over`; then each feature is scaled and shifted by
    a learned number. So every output depends on every position. Costs 7 operations for
    each number: 5 to normalise (mean, difference, square, its mean, scale), 1 each for
    the learned scale and shift.

    Args:
        eps: Added to the variance.
        affine: Whether there are a learned scale and shift, as in the paper; PyTorch's
            own default is without.
        over: The position axes that are normalised over; all, if none is named.
    """

    name = "instance_norm"
    paper = "Ulyanov et al. 2016, Instance Normalization"
    examples = (
        Example("instance_norm", {"x": "[B, C = 4, H = 3, W = 5]"}),
        Example("instance_norm(1e-3)", {"x": "[B, T = 5, C = 4]"}),
        Example(
            "instance_norm(affine = false)", {"x": "[B, C = 2, D = 2, H = 3, W = 2]"}
        ),
        Example("instance_norm(over = T)", {"x": "[B, H = 2, T = 3, C = 2]"}),
        Example("instance_norm", {"x": "[B, C = 2, T = 2, D = 2, H = 3, W = 2]"}),
    )

    eps: Small = 1e-5
    affine: Flag = True
    over: Axes = ()

    def axes(self, x: Tensor) -> tuple[str, ...]:
        if not x.positions:
            needs, mend = "needs positions", "`layer_norm` works on the features alone"
            raise Refused(WrongAxes(self.name, needs, str(x), mend))
        return chosen(self, x, self.over)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_features(self, x)
        axes = self.axes(x)
        if not facts.at_least(x.extent(axes), 2):
            needs = f"needs more than one position of {', '.join(axes)}"
            raise Refused(WrongAxes(self.name, needs, str(x), "one alone becomes 0"))
        return (x,)

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        axes = self.axes(x)
        count = len(axes)
        code = "{self}({x})"
        if count > 3:  # PyTorch has no class for more: all positions in one row
            at = 2 if batch_axes(x, axes) else 1
            code = f"{{self}}({{x}}.flatten({at})).unflatten({at}, {{x}}.shape[{at}:])"
        args = (
            positional("num_features", x["C"]),
            Arg("eps", self.eps, 1e-5),
            Arg("affine", self.affine, False),
        )
        make = Make(f"nn.InstanceNorm{count if count in (2, 3) else 1}d", args)
        return Emit(fold(code, x, axes), (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        return "instance norm"
