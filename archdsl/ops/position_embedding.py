"""What tells positions apart, and tokens beside them: learned tables."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import InputTooLong, WrongAxes
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
from archdsl.ops.emit import Emit, Make, Site, features_last, positional
from archdsl.ops.fields import Axes, Count, SizeField
from archdsl.ops.rules import chosen, need_features
from archdsl.ops.spread import Affine, Spread, same_positions


class PositionEmbedding(Op):
    """Learned vector added to each position.

    The table has an entry for every combination of the positions, or of those of
    `over`; other positions are batch. Costs 1 operation an element.

    Args:
        max: The length of the table, where inputs may be shorter than it and take its
            first rows (GPT-2's ``wpe``); without it, the table has the input's sizes.
        over: The position axes that the table is for; all, if none is named.
    """

    name = "position_embedding"
    group = "tokens and positions"
    paper = "Gehring et al. 2017, Convolutional Sequence to Sequence"
    pointwise = 1
    examples = (
        Example("position_embedding", {"x": "[B, T = 7, C = 4]"}),
        Example("position_embedding(max = 9)", {"x": "[B, C = 4, T = 7]"}),
        Example("position_embedding", {"x": "[B, C = 2, H = 3, W = 5]"}),
        Example("position_embedding(over = T)", {"x": "[B, T = 3, H = 2, C = 4]"}),
        Example("position_embedding(6, over = H)", {"x": "[B, T = 3, H = 2, C = 4]"}),
    )

    max: SizeField | None = None
    over: Axes = ()

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_features(self, x)
        axes = chosen(self, x, self.over)
        if self.max is not None:
            if len(axes) > 1:
                needs = "with max has one position axis"
                mend = f"name it: over = {axes[0]}; or leave max out"
                fault = WrongAxes("position_embedding", needs, str(x), mend)
                raise Refused(fault, "max")
            if not facts.at_least(self.max, x[axes[0]]):
                raise Refused(InputTooLong(axes[0], x[axes[0]], self.max), "max")
        return (x,)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        x = ins["x"]
        sizes = tuple(x[a] for a in chosen(self, x, self.over))
        table = sizes if self.max is None else (self.max,)
        return (Weight("weight", (*table, x["C"])),)

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], chosen(self, ins["x"], self.over))}

    def emit(self, site: Site) -> Emit:
        (weight,) = self.weights(site.ins)
        callee = "PositionEmbedding" if self.max is None else "PositionTable"
        make = Make(callee, (positional("size", weight.shape),))
        return Emit("{self}({x})", (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        return "position embedding" + (f" {self.max}" if self.max else "")


class ClassToken(Op):
    """Learned tokens put before the others, such as ViT's class token.

    Works on the one position axis, which grows by `count`; `select` takes the tokens
    out again. Costs nothing but the copy.

    Shape:
        The position axis grows by `count`.

    Args:
        count: How many tokens; DeiT has 2, the second for distillation.
    """

    name = "class_token"
    group = "tokens and positions"
    paper = "Dosovitskiy et al. 2021, An Image Is Worth 16x16 Words"
    examples = (
        Example("class_token", {"x": "[B, N = 6, C = 4]"}),
        Example("class_token(2)", {"x": "[B, C = 4, T = 5]"}),
    )

    count: Count = 1

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_features(self, x)
        axis = self.axis(x)
        return (x.resized({axis: x[axis] + self.count}),)

    def axis(self, x: Tensor) -> str:
        """The one position axis."""
        if len(x.positions) != 1:
            needs = "needs exactly one position axis"
            several = ", ".join(x.positions)
            mend = f"merge({several}, into = N) first" if several else ""
            raise Refused(WrongAxes("class_token", needs, str(x), mend))
        return x.positions[0]

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        return (Weight("weight", (self.count, ins["x"]["C"])),)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost()

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        axis = self.axis(x)
        size = x[axis]
        assert isinstance(size, int)
        return {"x": {**same_positions(x), axis: Affine(axis, size, -self.count)}}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], ins["x"].positions)}

    def emit(self, site: Site) -> Emit:
        args = (positional("count", self.count), positional("dim", site.ins["x"]["C"]))
        make = Make("ClassToken", args)
        return Emit("{self}({x})", (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        return "class token" + (f" ×{self.count}" if self.count > 1 else "")


def _runtime() -> None:
    import torch
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    class PositionEmbedding(nn.Module):
        """A learned vector for each position."""

        def __init__(self, size: tuple[int, ...]) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(size))  # (*positions, C)
            nn.init.trunc_normal_(self.weight, std=0.02)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.weight  # (..., *positions, C)

    class PositionTable(nn.Module):
        """A learned vector for each of the first positions, as many as there are."""

        def __init__(self, size: tuple[int, int]) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(size))  # (max, C)
            nn.init.trunc_normal_(self.weight, std=0.02)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.weight[: x.shape[-2]]  # (..., T, C)

    class ClassToken(nn.Module):
        """Learned tokens before the others (Dosovitskiy et al. 2021)."""

        def __init__(self, count: int, dim: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(count, dim))
            nn.init.trunc_normal_(self.weight, std=0.02)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.weight.expand(*x.shape[:-2], -1, -1)  # (..., count, C)
            return torch.cat((tokens, x), dim=-2)  # (..., count + N, C)
