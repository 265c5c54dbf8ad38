"""Sines and cosines that tell positions apart; nothing of them is learned."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import NotDivisible, WrongAxes, WrongDtype
from archdsl.ir.dim import Size
from archdsl.ir.tensor import BATCH, FEATURES
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Port,
    Tensor,
)
from archdsl.ops.emit import Arg, Emit, Make, Site, features_last, positional
from archdsl.ops.fields import Axes, Flag, Real, SizeField
from archdsl.ops.norm import Small
from archdsl.ops.rules import chosen, need_axes, need_equal, need_features, need_float
from archdsl.ops.spread import Reach, Spread, Upto, Whole, same_positions


def _axis(op: Op, x: Tensor, over: Axes) -> str:
    """The axis whose positions are told apart."""
    axes = chosen(op, x, over)
    if len(axes) > 1:
        mend = f"name it: over = {axes[0]}"
        fault = WrongAxes(op.name, "counts along one axis", str(x), mend)
        raise Refused(fault, "over" if over else "")
    return axes[0]


def _check(op: Op, base: float, features: Size, facts: Facts, at: str = "") -> None:
    """Refuses a base without meaning, and a feature without its cosine."""
    if not 1 < base <= 1e9:
        problem = "must be above 1 and at most 1e9"
        raise Refused(WrongValue(op.name, "base", problem, f"{base:g}"), "base")
    if not facts.divides(2, features):
        where, mend = at or FEATURES, "each angle has a sine and a cosine"
        raise Refused(NotDivisible(f"{op.name}:", 2, where, features, mend), at)


class SinusoidEmbedding(Op):
    """Sines and cosines of the position, added to each position.

    Feature ``2i`` takes ``sin(t / base ** (2i / C))`` of position t, counted from 0,
    and feature ``2i + 1`` the cosine. Nothing is learned, and any length goes. Costs 1
    operation for each number, and 2 for each of the table that is added: the angle,
    and its sine or cosine. ``sinusoids`` is the table alone.

    Args:
        base: What the slowest wave is long, in turns of 2 pi.
        over: The axis that is counted along; needed where there are several positions.
    """

    name = "sinusoid_embedding"
    group = "tokens and positions"
    paper = "Vaswani et al. 2017, Attention Is All You Need"
    examples = (
        Example("sinusoid_embedding", {"x": "[B, T = 7, C = 4]"}),
        Example("sinusoid_embedding(base = 100)", {"x": "[B, C = 6, T = 5]"}),
        Example("sinusoid_embedding(over = H)", {"x": "[B, C = 4, H = 3, W = 2]"}),
    )

    base: Real = 10000.0
    over: Axes = ()

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        size = need_features(self, x)
        _axis(self, x, self.over)
        _check(self, self.base, size, facts)
        return (x,)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        x = ins["x"]
        table = x[_axis(self, x, self.over)] * x[FEATURES]
        return Cost(elementwise={"arithmetic": x.numel + 2 * table})

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], (_axis(self, ins["x"], self.over),))}

    def emit(self, site: Site) -> Emit:
        size = positional("features", site.ins["x"][FEATURES])
        make = Make("Sinusoids", (size, Arg("base", self.base, 10000.0)))
        return Emit("{x} + {self}({x}.shape[-2], {x})", (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        return "sinusoid embedding"


class Sinusoids(Op):
    """Sines and cosines of the positions along one axis, as a table.

    Feature ``2i`` is ``sin(p / base ** (2i / features))`` of position p, and feature
    ``2i + 1`` the cosine. Of the input only the sizes are read. Two of them joined, one
    along H and one along W, are DETR's. With a mask, only positions that are true
    count, so that what is padding moves nothing: each example has a table of its own.
    Costs 2 operations for each number of the table, 2 for each position to normalise,
    and 1 for each number of the mask to count.

    Shape:
        The axis and ``C = features``; with a mask, the axes of the mask and C.

    Args:
        features: The size of C that comes out.
        base: What the slowest wave is long, in turns of 2 pi.
        over: The axis that is counted along; needed where there are several positions.
        start: What the first position is: 0, or 1 (DETR), or 0.5 (Deformable DETR).
        normalize: Whether positions are divided by how many there are, and multiplied
            by 2 pi.
        eps: Added to how many there are.
    """

    name = "sinusoids"
    group = "tokens and positions"
    paper = "Carion et al. 2020, End-to-End Object Detection with Transformers (DETR)"
    ports = (Port("x"), Port("mask", optional=True, dtype="bool"))
    sized = ("x",)
    examples = (
        Example(
            "sinusoids(4, over = W, start = 0.5, normalize = true, mask = y)",
            {"x": "[B, C = 2, H = 3, W = 5]", "y": "bool[B, H = 3, W = 5]"},
        ),
        Example("add(x -> sinusoids(4))", {"x": "[B, T = 7, C = 4]"}),
        Example(
            "add(x -> sinusoids(6, base = 100, over = H, start = 1))",
            {"x": "[B, C = 6, H = 5, W = 2]"},
        ),
        Example("sinusoids(2, mask = y)", {"x": "[B, T = 6]", "y": "bool[T = 6, B]"}),
        Example(
            "add(x -> sinusoids(4, normalize = true, eps = 0.01))",
            {"x": "[B, T = 3, C = 4]"},
        ),
    )

    features: SizeField
    base: Real = 10000.0
    over: Axes = ()
    start: Real = 0.0
    normalize: Flag = False
    eps: Small = 1e-6

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        axis = _axis(self, x, self.over)
        _check(self, self.base, self.features, facts, "features")
        if abs(self.start) > 1e6:
            fault = WrongValue(
                self.name, "start", "must be below 1e6", f"{self.start:g}"
            )
            raise Refused(fault, "start")
        size = (FEATURES, self.features)
        if "mask" not in ins:
            return (Tensor(((axis, x[axis]), size)),)
        mask = ins["mask"]
        if mask.dtype != "bool":
            raise Refused(WrongDtype(self.name, "bool", mask.dtype), "mask")
        need_axes(self, mask, (axis,), "mask")
        if FEATURES in mask:
            needs = "takes a mask of positions, without C"
            raise Refused(WrongAxes(self.name, needs, str(mask)), "mask")
        shared = [a for a in x.names if a in mask]
        need_equal(self, facts, (x, mask), shared, at="mask")
        return (Tensor((*mask.axes, size)),)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        places = outs[0].extent(a for a in outs[0].names if a != FEATURES)
        masked = "mask" in ins
        once = 2 * self.features + 2 * self.normalize + masked
        return Cost(elementwise={"arithmetic": places * once})

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        if "mask" not in ins:
            return {}
        mask, axis = ins["mask"], _axis(self, ins["x"], self.over)
        size = mask[axis]
        assert isinstance(size, int)
        reach: Reach = Whole(size) if self.normalize else Upto(axis)
        return {"mask": {**same_positions(mask), axis: reach}}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        if "mask" not in ins:
            return dict(given)
        axis = _axis(self, ins["x"], self.over)
        mask = tuple(a for a in ins["mask"].names if a != axis)
        ahead = tuple(sorted(mask, key=lambda a: a != BATCH))
        return {**given, "mask": (*ahead, axis)}

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        return None

    def emit(self, site: Site) -> Emit:
        axis = _axis(self, site.ins["x"], self.over)
        args = (
            positional("features", self.features),
            Arg("base", self.base, 10000.0),
            Arg("start", self.start, 0.0),
            Arg("normalize", self.normalize, False),
            Arg("eps", self.eps, 1e-6),
        )
        if "mask" in site.ins:
            layout = (*site.layouts["mask"], FEATURES)
            make = Make("MaskedSinusoids", args)
            return Emit("{self}({mask}, {x})", (layout,), make)
        forward = f"{{self}}({{x}}.shape[{site.dim(axis)}], {{x}})"
        return Emit(forward, ((axis, FEATURES),), Make("Sinusoids", args))

    def label(self, ins: Inputs) -> str:
        return f"sinusoids {self.features} along {_axis(self, ins['x'], self.over)}"


def _runtime() -> None:
    import torch
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    def sinusoids(at: Tensor, features: int, base: float) -> Tensor:
        """Sines and cosines in turn, of ever slower waves."""
        slow = torch.arange(0, features, 2, device=at.device, dtype=at.dtype)
        angle = at.unsqueeze(-1) * base ** (-slow / features)
        return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)

    class Sinusoids(nn.Module):
        """Sines and cosines of some positions (Vaswani et al. 2017)."""

        def __init__(
            self,
            features: int,
            base: float = 10000.0,
            start: float = 0.0,
            normalize: bool = False,
            eps: float = 1e-6,
        ) -> None:
            super().__init__()
            self.features = features
            self.base = base
            self.start = start
            self.normalize = normalize
            self.eps = eps

        def forward(self, count: int, x: Tensor) -> Tensor:
            dtype = torch.promote_types(x.dtype, torch.float32)
            at = torch.arange(count, device=x.device, dtype=dtype) + self.start
            if self.normalize:
                at = at * (2 * torch.pi / (count + self.eps))
            return sinusoids(at, self.features, self.base).to(x.dtype)

    class MaskedSinusoids(Sinusoids):
        """Sines and cosines of the positions that a mask counts."""

        def forward(self, mask: Tensor, x: Tensor) -> Tensor:  # type: ignore[override]
            dtype = torch.promote_types(x.dtype, torch.float32)
            seen = mask.cumsum(-1, dtype=dtype)  # (..., T)
            at = seen + (self.start - 1)
            if self.normalize:
                at = at * (2 * torch.pi) / (seen[..., -1:] + self.eps)
            return sinusoids(at, self.features, self.base).to(x.dtype)
