"""Patch merging: a map of half the size with more features."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import NotDivisible
from archdsl.ir.dim import Poly, Size, ceil_div
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
    doubled,
)
from archdsl.ops.emit import Arg, Emit, Literal, Make, Site, features_last, positional
from archdsl.ops.fields import Axes, Flag, SizeField
from archdsl.ops.rules import chosen, need_features
from archdsl.ops.spread import Reach, Spread, Taps, same_positions


def zeros_behind(x: Tensor, sizes: Mapping[str, Size]) -> tuple[str, tuple[Arg, ...]]:
    """Code that pads a tensor ``… H W C`` with zeros at the end of its last positions.

    Args:
        x: The tensor.
        sizes: What the axes before C grow to, in their order.
    """
    padding: tuple[Literal, ...] = (0, 0)  # F.pad begins with the last dimension, C
    for axis in reversed(tuple(sizes)):
        padding += (0, sizes[axis] - x[axis])
    if not any(padding):
        return "{x}", ()
    return "F.pad({x}, {padding})", (positional("padding", padding),)


def _place(value: object) -> str:
    if isinstance(value, str) and value in ("before", "after"):
        return str(value)
    raise ValueError('must be "before" or "after"')


Place = Annotated[str, PlainValidator(_place), '"before" or "after"']


class PatchMerge(Op):
    """Neighbours joined two by two along each axis, then a linear map.

    Halves all position axes, or those of `over`; other positions are batch. On a map,
    the four neighbours' features stand one after another, down the first column and
    then the second, and pass a layer norm and a linear map without bias, in this order
    or the other.
    Costs ``4 * C * features`` MACs at each output position of a map, and 7 operations
    for each number that the norm takes.

    Shape:
        C becomes `features`; each axis that is halved, half of it, rounded up where it
        is padded.

    Args:
        features: The size of C that comes out; twice the size that comes in, if none
            is given.
        pad: Whether an odd axis gets a row of zeros at its end; else it is refused.
        over: The position axes that are halved; all, if none is named.
        norm: Whether the norm stands "before" the linear map, or "after" it (Swin v2).
    """

    name = "patch_merge"
    group = "convolution and pooling"
    paper = "Liu et al. 2021, Swin Transformer"
    examples = (
        Example("patch_merge", {"x": "[B, H = 4, W = 6, C = 3]"}),
        Example("patch_merge(5)", {"x": "[B, C = 4, H = 2, W = 4]"}),
        Example("patch_merge(pad = true)", {"x": "[B, H = 5, W = 4, C = 3]"}),
        Example("patch_merge(over = [H, W])", {"x": "[B, H = 4, T = 3, W = 2, C = 2]"}),
        Example("patch_merge", {"x": "[B, T = 8, C = 3]"}),
        Example('patch_merge(5, norm = "after")', {"x": "[B, H = 4, W = 2, C = 3]"}),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {"features": ("C", "D")}

    features: SizeField | None = None
    pad: Flag = False
    over: Axes = ()
    norm: Place = "before"

    def joined(self, x: Tensor) -> Size:
        """The features of all neighbours together."""
        return x["C"] * 2 ** len(chosen(self, x, self.over))

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        size = need_features(self, x)
        halves: dict[str, Size] = {}
        for axis in chosen(self, x, self.over):
            if not self.pad and not facts.divides(2, x[axis]):
                mend = "patch_merge(pad = true) adds a row of zeros where a size is odd"
                fault = NotDivisible("patch_merge:", 2, axis, x[axis], mend)
                raise Refused(fault)
            halves[axis] = ceil_div(x[axis], 2) if self.pad else x[axis] // 2
        return (x.resized({**halves, "C": self.features or 2 * size}),)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        joined = self.joined(ins["x"])
        features = self.features or 2 * ins["x"]["C"]
        normed = features if self.norm == "after" else joined
        return (
            Weight("norm.weight", (normed,)),
            Weight("norm.bias", (normed,)),
            Weight("reduction.weight", (features, joined)),
        )

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        joined = self.joined(ins["x"])
        places = outs[0].without(("C",)).numel
        normed = outs[0].numel if self.norm == "after" else places * joined
        return Cost(outs[0].numel * joined, {"norm": 7 * normed})

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        cost = self.cost(ins, outs)
        passed = self.norm == "before" or "x" in needs  # such a norm has weights
        return Cost((1 + passed) * cost.macs, doubled(cost.elementwise))

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread: dict[str, Reach] = same_positions(x)
        for axis in chosen(self, x, self.over):
            size = x[axis]
            assert isinstance(size, int)
            spread[axis] = Taps(axis, size, kernel=2, stride=2)
        return {"x": spread}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], chosen(self, ins["x"], self.over))}

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        over = chosen(self, x, self.over)
        make = Make(
            "PatchMerging",
            (
                positional("dim", x["C"]),
                positional("features", self.features or 2 * x["C"]),
                Arg("axes", len(over), 2),
                Arg("after", self.norm == "after", False),
            ),
        )
        grown = {a: 2 * site.outs[0][a] if self.pad else x[a] for a in over}
        if self.pad and any(isinstance(x[a], Poly) for a in over):
            places = range(-2, -2 - len(over), -1)
            odd = "".join(f", 0, {{x}}.shape[{i}] % 2" for i in places)
            code = f"{{self}}(F.pad({{x}}, (0, 0{odd})))"
            return Emit(code, (site.layouts["x"],), make)
        padded, literals = zeros_behind(x, grown)
        return Emit(f"{{self}}({padded})", (site.layouts["x"],), make, literals)

    def label(self, ins: Inputs) -> str:
        return f"patch merge {self.features or 2 * ins['x']['C']}"


def _runtime() -> None:
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    class PatchMerging(nn.Module):
        """Joins neighbours two by two along each axis (Liu et al. 2021)."""

        def __init__(
            self,
            dim: int,
            features: int,
            axes: int = 2,
            after: bool = False,  #: after
        ) -> None:
            super().__init__()
            self.axes = axes
            self.after = after  #: after
            self.norm = nn.LayerNorm(dim * 2**axes)  #: not after
            self.norm = nn.LayerNorm(features if after else dim * 2**axes)  #: after
            self.reduction = nn.Linear(dim * 2**axes, features, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            for axis in range(-1 - self.axes, -1):  # (..., H, W, C)
                x = x.unflatten(axis, (-1, 2))  # (..., H / 2, 2, W, C)
                x = x.movedim(axis, -2).flatten(-2)  # (..., H / 2, W, 2 * C)
            if self.after:  #: after
                return self.norm(self.reduction(x))  # (..., H / 2, W / 2, features)
            return self.reduction(self.norm(x))  # (..., H / 2, W / 2, features)
