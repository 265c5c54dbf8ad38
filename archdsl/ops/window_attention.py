"""Attention inside windows, after Swin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WindowDoesNotDivide
from archdsl.ir.dim import Poly, Size, product, quotient
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
    doubled,
)
from archdsl.ops.emit import (
    Arg,
    Emit,
    Make,
    Site,
    batch_axes,
    features_last,
    positional,
)
from archdsl.ops.fields import Axes, Count, Flag, NonNegativeSizeEach, Rate, SizeEach
from archdsl.ops.heads import (
    LEARNED_SCALES,
    MAPS,
    Biased,
    Scale,
    biased,
    check_heads,
    projections,
)
from archdsl.ops.partition import Cut, cropped, cut_axis, fitting, folded
from archdsl.ops.patch_merge import zeros_behind
from archdsl.ops.rules import chosen, each, need_features
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Reach, Spread, Tiles, same_positions
from archdsl.ops.window_runtime import _runtime  # noqa: F401 - lifted

HIDDEN = 512  # features of a continuous bias between its two maps


def _relative(value: object) -> bool | str:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value == "continuous":
        return str(value)
    raise ValueError('must be true, false or "continuous"')


RelativeBias = Annotated[
    bool | str, PlainValidator(_relative), 'true, false or "continuous"'
]


class WindowAttention(Op):
    """Attention among the positions of each window (Swin).

    Cuts all position axes, or those of `over`, in windows, on any number of axes; other
    positions are batch. With `shift`, the windows are moved, and those that the border
    cuts are masked apart. On an axis that a window covers, the axis is the window, and
    nothing shifts. Four linear maps (q, k, v, out) stand around it, and `heads` must
    divide C. Costs
    ``4 * n * C**2 + 2 * M**2 * n * C`` MACs over n positions in windows of M by M, and
    for each of the ``heads * M**2 * n`` scores 1 operation to scale it, 5 for the
    softmax, and 1 each to add the position bias and the mask; n counts padding. The
    cosine costs 3 for each number of q and k. A continuous bias costs
    ``512 * (heads + 2) * (2 * M - 1)**2`` MACs, whatever the map and the batch.

    Args:
        heads: Into how many parts C is cut, each with scores of its own.
        window: The length of a window, one number or one for each axis.
        shift: How far the windows are moved, one number or one for each axis.
        relative_bias: Whether each head adds a number to a score, by how far its two
            positions are apart on each axis: a learned one for each distance or, with
            "continuous", what two learned maps of 512 features make of the distance's
            logarithm, at most 16 (Swin v2).
        bias: Whether the four linear maps add a learned number to each feature, or a
            list of those that do.
        dropout: The share of weights that training sets to zero.
        pad: Whether zeros fill an axis up to a multiple of the window; else a window
            that does not divide it is refused. Padding takes part as it does in
            torchvision and transformers.
        over: The position axes that are cut; all, if none is named.
        scale: What likeness is multiplied by; ``(C / heads) ** -0.5`` if not given.
            With "learned", a learned number of each head. With "cosine", likeness is
            the cosine of the angle between q and k, times ``exp(s)`` with a learned s
            of each head, times 100 at most (Swin v2).
        pretrained_window: The window that a continuous bias measures distances by, one
            number or one for each axis: that of the weights that are loaded, where it
            is another; `window` if not given.
    """

    name = "window_attention"
    group = "attention"
    paper = "Liu et al. 2021, Swin Transformer"
    examples = (
        Example("window_attention(2, 3)", {"x": "[B, H = 6, W = 9, C = 4]"}),
        Example(
            "window_attention(2, 4, shift = 2, relative_bias = true)",
            {"x": "[B, C = 4, H = 8, W = 4]"},
        ),
        Example(
            "window_attention(1, [2, 3], [1, 1], true, bias = false, pad = true)",
            {"x": "[B, H = 5, W = 7, C = 2]"},
        ),
        Example("window_attention(2, 3, 1, dropout = 0.1)", {"x": "[B, T = 9, C = 4]"}),
        Example(
            "window_attention(2, 2, 1, true, over = [H, W])",
            {"x": "[B, H = 4, T = 3, W = 6, C = 4]"},
        ),
        Example(
            "window_attention(1, [2, 4, 2], [1, 1, 0], true)",
            {"x": "[B, D = 4, H = 3, W = 4, C = 2]"},
        ),
        Example(
            'window_attention(2, 4, 2, "continuous", bias = ["q", "v", "out"], '
            'scale = "cosine")',
            {"x": "[B, H = 8, W = 4, C = 4]"},
        ),
        Example(
            'window_attention(1, 4, 1, "continuous", pad = true, '
            "pretrained_window = 3, scale = 0.5)",
            {"x": "[B, T = 6, C = 2]"},
        ),
        Example(
            'window_attention(2, [2, 3], [1, 0], true, bias = ["k"], '
            'scale = "learned", dropout = 0.1)',
            {"x": "[B, H = 4, W = 3, C = 4]"},
        ),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "heads": ("h",),
        "window": ("M",),
    }
    varying: ClassVar[tuple[str, ...]] = ("shift",)

    heads: Count
    window: SizeEach
    shift: NonNegativeSizeEach = 0
    relative_bias: RelativeBias = False
    bias: Biased = True
    dropout: Rate = 0.0
    pad: Flag = False
    over: Axes = ()
    scale: Scale | None = None
    pretrained_window: SizeEach | None = None

    @property
    def continuous(self) -> bool:
        """Whether the bias of positions is a function of distances."""
        return self.relative_bias == "continuous"

    def cuts(self, x: Tensor) -> tuple[Cut, ...]:
        """How each axis is cut."""
        axes = chosen(self, x, self.over)
        windows = each(self, self.window, axes, "window")
        shifts = each(self, self.shift, axes, "shift")
        rows = zip(axes, windows, shifts, strict=True)
        return tuple(cut_axis(a, x[a], w, s, pad=self.pad) for a, w, s in rows)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        check_heads(self.heads, need_features(self, x), facts)
        cuts = self.cuts(x)
        for cut in cuts:
            if not facts.at_least(cut.declared - 1, cut.moved):
                problem = f"must be less than the window, {cut.declared}"
                found = spelled(self.shift)
                mend = f"Swin shifts by half a window: {cut.declared // 2}"
                fault = WrongValue("window_attention", "shift", problem, found, mend)
                raise Refused(fault, "shift")
            if self.pad:
                facts.at_least(x[cut.axis], cut.window)
            elif not facts.divides(cut.window, cut.size):
                better = fitting(cut, cuts, alike=isinstance(self.window, int))
                misfit = WindowDoesNotDivide(cut.declared, cut.axis, cut.size, better)
                raise Refused(misfit, "window")
            if cut.shift:  # a window that covers the axis would not be shifted
                facts.at_least(cut.shift, 1, costs=True)
                facts.at_least(cut.size, cut.window + 1, costs=True)
        self._check_pretrained(x)
        return (x,)

    def _check_pretrained(self, x: Tensor) -> None:
        """Refuses a window to measure by where nothing is measured."""
        if self.pretrained_window is None:
            return
        name = "pretrained_window"
        if not self.continuous:
            problem = "is what a continuous bias measures distances by"
            mend = 'leave it out, or use relative_bias = "continuous"'
            found = spelled(self.pretrained_window)
            fault = WrongValue("window_attention", name, problem, found, mend)
            raise Refused(fault, name)
        each(self, self.pretrained_window, chosen(self, x, self.over), name)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        x = ins["x"]
        cuts = self.cuts(x)
        inside = product(c.window for c in cuts)
        square = x["C"], x["C"]
        weights = projections(dict.fromkeys(MAPS, square), biased(self.bias))
        if isinstance(self.scale, str):
            weights.append(Weight(LEARNED_SCALES[self.scale], (self.heads, 1, 1)))
        entries = self._entries(cuts)
        if self.continuous:
            weights += [
                Weight("continuous_bias.hidden.weight", (HIDDEN, len(cuts))),
                Weight("continuous_bias.hidden.bias", (HIDDEN,)),
                Weight("continuous_bias.out.weight", (self.heads, HIDDEN)),
                Weight(
                    "continuous_bias.distances",
                    (entries, len(cuts)),
                    False,
                    saved=False,
                ),
            ]
        elif self.relative_bias:
            weights.append(Weight("relative_bias", (entries, self.heads)))
        if self.relative_bias:
            index = Weight("index", (inside, inside), False, itemsize=8, saved=False)
            weights.append(index)
        if any(c.shift for c in cuts):
            windows = product(quotient(c.size, c.window) for c in cuts)
            mask = (windows, inside, inside)
            weights.append(Weight("mask", mask, False, saved=False))
        return tuple(weights)

    def _entries(self, cuts: tuple[Cut, ...]) -> Size:
        """The distances of two positions of a window, on all axes together."""
        windows = [c.window if self.continuous else c.declared for c in cuts]
        return product(2 * window - 1 for window in windows)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        x = ins["x"]
        cuts = self.cuts(x)
        batch = x.extent(batch_axes(x, tuple(c.axis for c in cuts)))
        positions = batch * product(c.size for c in cuts)
        inside = product(c.window for c in cuts)
        macs = positions * x["C"] * (4 * x["C"] + 2 * inside)
        scores = positions * inside * self.heads
        elementwise = {"scale": scores, "softmax": 5 * scores}
        maps = len(biased(self.bias))
        added = bool(self.relative_bias) + any(c.shift for c in cuts)
        if maps or added:
            elementwise["bias"] = maps * positions * x["C"] + added * scores
        if self.scale == "cosine":
            elementwise["norm"] = 6 * positions * x["C"]
        if self.continuous:
            entries = self._entries(cuts)
            macs = macs + entries * HIDDEN * (len(cuts) + self.heads)
            elementwise["bias"] = elementwise["bias"] + entries * HIDDEN
            elementwise["activation"] = entries * (HIDDEN + 4 * self.heads)
            elementwise["scale"] = scores + entries * self.heads  # by 16
        return Cost(macs, elementwise)

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        x, cost = ins["x"], self.cost(ins, outs)
        cuts = self.cuts(x)
        batch = x.extent(batch_axes(x, tuple(c.axis for c in cuts)))
        once = batch * product(c.size for c in cuts) * x["C"] * x["C"]
        macs = 2 * cost.macs - (0 if needs else 3 * once)  # q, k and v read x
        if self.continuous:  # distances need no gradient
            macs = macs - self._entries(cuts) * HIDDEN * len(cuts)
        return Cost(macs, doubled(cost.elementwise))

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread: dict[str, Reach] = same_positions(x)
        for cut in self.cuts(x):
            size, window = x[cut.axis], cut.window
            assert isinstance(size, int) and isinstance(window, int)
            assert isinstance(cut.shift, int)
            spread[cut.axis] = Tiles(cut.axis, size, window, cut.shift)
        return {"x": spread}

    def paths(self, ins: Inputs, outs: Outputs) -> Paths | None:
        x = ins["x"]
        cuts = self.cuts(x)
        batch = x.extent(batch_axes(x, tuple(c.axis for c in cuts)))
        seen = product(c.size * c.window for c in cuts)
        windows = tuple(quotient(c.size, c.window) for c in cuts)
        ends = tuple(2 * count - 1 for count in windows)
        return Paths(batch * seen * x["C"], maximum=ends, meet=windows)

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], chosen(self, ins["x"], self.over))}

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        cuts = self.cuts(x)
        ahead = len(batch_axes(x, tuple(c.axis for c in cuts)))
        windows = tuple(c.window for c in cuts)
        declared = windows if self.continuous else tuple(c.declared for c in cuts)
        first = (positional("dim", x["C"]), Arg("heads", self.heads))
        shift = Arg("shift", tuple(c.moved for c in cuts))
        if any(isinstance(c.size, Poly) for c in cuts):
            table = Arg(
                "declared", declared if self.relative_bias else windows, windows
            )
            sides = (Arg("window", windows), shift, table)
            args = (*first, *sides, *self._options(cuts), Arg("pad", self.pad, False))
            make = Make("OpenWindowAttention", args)
            return Emit(folded("{x}", ahead), (site.layouts["x"],), make)
        size = Arg("size", tuple(c.size for c in cuts))
        args = (*first, Arg("window", declared), size, shift, *self._options(cuts))
        make = Make("WindowAttention", args)
        padded, literals = zeros_behind(x, {c.axis: c.size for c in cuts})
        code = folded(padded, ahead) + (cropped(x, cuts) if literals else "")
        return Emit(code, (site.layouts["x"],), make, literals)

    def _options(self, cuts: tuple[Cut, ...]) -> tuple[Arg, ...]:
        """What the constructor is given, whether or not sizes are open."""
        has = biased(self.bias)
        without = tuple(name for name in MAPS if name not in has)
        learned = isinstance(self.scale, str)
        measure = self.pretrained_window
        if not isinstance(measure, tuple):
            measure = () if measure is None else (measure,) * len(cuts)
        return (
            Arg("relative_bias", self.relative_bias is True, False),
            Arg("continuous", self.continuous, False),
            Arg("measure", measure, ()),
            Arg("bias", bool(has), True),
            Arg("unbiased", without if has else (), ()),
            Arg("dropout", self.dropout, 0.0),
            Arg("scale", 1.0 if learned else self.scale, None),
            Arg("cosine", learned and self.scale == "cosine", False),
            Arg("learned", learned and self.scale == "learned", False),
        )

    def label(self, ins: Inputs) -> str:
        window = spelled(self.window)
        shift = f", shift {spelled(self.shift)}" if self.shift else ""
        heads = f"{self.heads} head{'s' * (self.heads > 1)}"
        return f"window attention {window}{shift}, {heads}"
