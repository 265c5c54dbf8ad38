"""An op of a third party: the snake activation."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.ops.base import Example, Facts, Inputs, Layout, Op, Outputs, Weight
from archdsl.ops.emit import Emit, Make, Site, features_last, positional
from archdsl.ops.rules import need_features

__all__ = ["Snake"]


class Snake(Op):
    """The number plus a wave of it: ``x + sin(a * x)**2 / a``.

    Each feature has a learned frequency ``a``, so that a network can go on with what
    is periodic. Costs 5 operations for each number.
    """

    name = "snake"
    group = "activation"
    paper = "Ziyin et al. 2020, Neural Networks Fail to Learn Periodic Functions"
    examples = (
        Example("snake", {"x": "[B, C = 4, T = 5]"}),
        Example("conv(6, 3) -> snake", {"x": "[B, C = 4, H = 5, W = 6]"}),
    )
    pointwise = 5
    kind = "activation"

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_features(self, ins["x"])
        return (ins["x"],)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        return (Weight("frequency", (ins["x"]["C"],)),)

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], ins["x"].positions)}

    def emit(self, site: Site) -> Emit:
        make = Make("Snake", (positional("features", site.ins["x"]["C"]),))
        return Emit("{self}({x})", (site.layouts["x"],), make)


def _runtime() -> None:
    import torch
    from torch import Tensor, nn

    class Snake(nn.Module):
        """The snake activation (Ziyin et al. 2020), one frequency a feature."""

        def __init__(self, features: int) -> None:
            super().__init__()
            self.frequency = nn.Parameter(torch.ones(features))

        def forward(self, x: Tensor) -> Tensor:
            """Maps (..., features) to (..., features)."""
            return x + (self.frequency * x).sin() ** 2 / self.frequency
