"""Attention among all positions, of one tensor or of two."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import Size
from archdsl.ir.tensor import BATCH
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Paths,
    Port,
    Tensor,
    Weight,
    doubled,
)
from archdsl.ops.emit import Arg, Emit, Make, Site, batch_axes, positional
from archdsl.ops.fields import Axes, Count, Flag, Rate, SizeField
from archdsl.ops.heads import Scale, check_heads, projections
from archdsl.ops.rules import chosen, need_axes, need_equal, need_features
from archdsl.ops.spread import At, Reach, Same, Spread, Upto, Whole


@dataclass(frozen=True)
class _Weighing:
    """An axis of what only weighs others: without effect where there is but one."""

    reach: Reach
    asked: tuple[Reach, ...]

    def sources(self, at: At) -> Sequence[int]:
        """The indices that have a say in the weights."""
        several = any(len(reach.sources(at)) > 1 for reach in self.asked)
        return self.reach.sources(at) if several else ()


def _weighing(
    reaches: Mapping[str, Reach], asked: Mapping[str, Reach]
) -> dict[str, Reach]:
    return {a: _Weighing(r, tuple(asked.values())) for a, r in reaches.items()}


class _Roles(NamedTuple):
    """Who is who in one use: the tensors, and which of their axes do what."""

    x: Tensor
    key: Tensor
    value: Tensor
    batch: tuple[str, ...]  # positions that only stand side by side
    asking: tuple[str, ...]  # positions of x
    asked: tuple[str, ...]  # positions of key and value


class Attention(Op):
    """Attention: each position takes a mean of all, weighted by likeness.

    Relates all positions of x, or those of `over`, to those of `key`, which is x itself
    if none is given; `value` is what is averaged, and defaults to `key`. Other
    positions of x are batch, and `key` must have them too; its own positions may have
    any names and number, and its C any size. Four linear maps (q, k, v, out) stand
    around it: the first three to `width` features, which `heads` must divide, the last
    to the C of x.
    Costs ``4 * n * C * width + 2 * n**2 * width`` MACs over n positions, and for each
    of the ``heads * n**2`` scores 1 operation to scale it and 5 for the softmax. A
    causal mask saves nothing of that.

    Args:
        heads: Into how many parts the width is cut, each with scores of its own.
        causal: Whether a position sees only itself and those before it; needs one axis,
            as long in `key` as in x.
        bias: Whether the four linear maps add a learned number to each feature.
        dropout: The share of weights that training sets to zero.
        over: The position axes of x that ask; all, if none is named.
        width: How many features it asks with, of all heads together; the C of x if not
            given.
        scale: What likeness is multiplied by; ``(width / heads) ** -0.5`` if not given.
    """

    name = "attention"
    group = "attention"
    ports = (
        Port("x"),
        Port("key", optional=True),
        Port("value", optional=True),
    )
    paper = "Vaswani et al. 2017, Attention Is All You Need"
    examples = (
        Example("attention(2)", {"x": "[B, T = 7, C = 8]"}),
        Example(
            "attention(3, causal = true, bias = false)", {"x": "[B, C = 6, T = 5]"}
        ),
        Example(
            "attention(2, key = memory)",
            {"x": "[B, N = 5, C = 8]", "memory": "[B, C = 6, H = 3, W = 2]"},
        ),
        Example(
            "attention(4, key = k, value = v, dropout = 0.1)",
            {
                "x": "[B, N = 3, C = 8]",
                "k": "[B, T = 5, C = 4]",
                "v": "[B, T = 5, C = 2]",
            },
        ),
        Example("attention(2)", {"x": "[B, C = 4, H = 3, W = 5]"}),
        Example("attention(2, over = T)", {"x": "[B, T = 4, H = 2, W = 3, C = 4]"}),
        Example(
            "attention(1, width = 3, scale = 1)", {"x": "[B, C = 6, H = 2, W = 3]"}
        ),
        Example(
            "attention(2, key = memory, width = 12)",
            {"x": "[B, N = 5, C = 8]", "memory": "[B, C = 6, T = 3]"},
        ),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "heads": ("h",),
        "width": ("C", "D"),
    }

    heads: Count
    causal: Flag = False
    bias: Flag = True
    dropout: Rate = 0.0
    over: Axes = ()
    width: SizeField | None = None
    scale: Scale | None = None

    def inner(self, x: Tensor) -> Size:
        """The features that it asks with."""
        return x["C"] if self.width is None else self.width

    def roles(self, ins: Inputs) -> _Roles:
        """The tensors and the parts of their axes."""
        x = ins["x"]
        key = ins.get("key", x)
        asking = chosen(self, x, self.over)
        batch = tuple(p for p in x.positions if p not in asking)
        own = tuple(p for p in key.positions if p not in batch)
        asked = own if "key" in ins else asking
        return _Roles(x, key, ins.get("value", key), batch, asking, asked)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        r = self.roles(ins)
        features = need_features(self, r.x)
        cut = "C" if self.width is None else "width"
        check_heads(self.heads, self.width or features, facts, cut)
        for port, other in ins.items():
            if port != "x":
                self._check_other(r, other, port, facts)
        if not r.asked:
            needs = "needs a position axis in the key, besides those of the batch"
            raise Refused(WrongAxes("attention", needs, str(r.key)), "key")
        need_axes(self, r.value, r.asked, "value")
        need_axes(self, r.key, r.value.positions, "value")
        need_equal(self, facts, (r.key, r.value), r.asked, at="value")
        if self.causal:
            self._check_causal(r, facts)
        return (r.x,)

    def _check_other(self, r: _Roles, other: Tensor, port: str, facts: Facts) -> None:
        need_features(self, other)
        if (BATCH in r.x) != (BATCH in other):
            needs = f"needs the batch B in x and in its {port}, or in neither"
            bare = other if BATCH in r.x else r.x
            mend = "a tensor gets the batch by adding it to one that has B"
            raise Refused(WrongAxes("attention", needs, str(bare), mend), port)
        need_axes(self, other, r.batch, port)
        need_equal(self, facts, (r.x, other), r.batch, at=port)

    def _check_causal(self, r: _Roles, facts: Facts) -> None:
        if len(r.asking) > 1 or len(r.asked) > 1:
            needs = "with causal needs one axis, along which there is a before"
            axes = r.asking if len(r.asking) > 1 else r.asked
            mend = f"merge({', '.join(axes)}, into = T) first, or name it: over = …"
            found = str(r.x if len(r.asking) > 1 else r.key)
            raise Refused(WrongAxes("attention", needs, found, mend), "causal")
        asking, asked = r.x[r.asking[0]], r.key[r.asked[0]]
        if not facts.equal(asking, asked):
            problem = "needs as many positions in the key as in x"
            found = f"{asking} positions asking {asked}"
            mend = "leave causal out: between two sequences there is no before"
            fault = WrongValue("attention", "causal", problem, found, mend)
            raise Refused(fault, "causal")

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        r = self.roles(ins)
        inner = self.inner(r.x)
        return projections(r.x["C"], r.key["C"], r.value["C"], self.bias, inner)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        r = self.roles(ins)
        features, batch = r.x["C"], r.x.extent(batch_axes(r.x, r.asking))
        asking, asked = r.x.extent(r.asking), r.key.extent(r.asked)
        read = 2 * asking * features + asked * (r.key["C"] + r.value["C"])
        inner = self.inner(r.x)
        macs = batch * inner * (read + 2 * asking * asked)
        scores = batch * self.heads * asking * asked
        elementwise = {"scale": scores, "softmax": 5 * scores}
        if self.bias:
            added = asking * (features + inner) + 2 * asked * inner
            elementwise["bias"] = batch * added
        return Cost(macs, elementwise)

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        r = self.roles(ins)
        features, batch = r.x["C"], r.x.extent(batch_axes(r.x, r.asking))
        asking, asked = r.x.extent(r.asking), r.key.extent(r.asked)
        key = "key" if "key" in ins else "x"
        value = "value" if "value" in ins else key
        read = asking * features * (3 + ("x" in needs))  # q, and out
        read = read + asked * r.key["C"] * (1 + (key in needs))
        read = read + asked * r.value["C"] * (1 + (value in needs))
        macs = batch * self.inner(r.x) * (read + 4 * asking * asked)
        return Cost(macs, doubled(self.cost(ins, outs).elementwise))

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        r = self.roles(ins)
        beside: dict[str, Reach] = {a: Same(a) for a in r.batch}
        asking: dict[str, Reach] = {a: Same(a) for a in r.asking}
        asked: dict[str, Reach] = {}
        for axis in r.asked:
            size = r.key[axis]
            assert isinstance(size, int)
            asked[axis] = Upto(r.asking[0]) if self.causal else Whole(size)
        spread = {port: {**beside, **asked} for port in ins}
        if "key" in ins:
            spread["x"] = _weighing({**beside, **asking}, asked)
        if "value" in ins:
            weighed = "key" if "key" in ins else "x"
            spread[weighed] = _weighing(spread[weighed], asked)
        return spread

    def paths(self, ins: Inputs, outs: Outputs) -> Paths | None:
        r = self.roles(ins)
        batch = r.x.extent(batch_axes(r.x, r.asking))
        pairs = r.x.extent(r.asking) * r.key.extent(r.asked)
        return Paths(batch * pairs * self.inner(r.x), maximum=(1,), meet=(1,))

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        r = self.roles(ins)
        batch = batch_axes(r.x, r.asking)
        layouts = dict.fromkeys(ins, (*batch, *r.asked, "C"))
        return {**layouts, "x": (*batch, *r.asking, "C")}

    def emit(self, site: Site) -> Emit:
        r = self.roles(site.ins)
        make = Make(
            "Attention",
            (
                positional("dim", r.x["C"]),
                Arg("heads", self.heads),
                Arg("key_dim", r.key["C"], r.x["C"]),
                Arg("value_dim", r.value["C"], r.key["C"]),
                Arg("bias", self.bias, True),
                Arg("causal", self.causal, False),
                Arg("dropout", self.dropout, 0.0),
                Arg("width", self.inner(r.x), r.x["C"]),
                Arg("scale", self.scale, None),
            ),
        )
        ahead = len(batch_axes(r.x, r.asking))
        slots = [_row("x", ahead, len(r.asking))]
        for port in ("key", "value"):
            if port in site.ins:
                word = "" if port == "key" or "key" in site.ins else "value="
                slots.append(word + _row(port, ahead, len(r.asked)))
        call = f"{{self}}({', '.join(slots)})"
        if len(r.asking) > 1:
            end = ahead + len(r.asking)
            call += f".unflatten({ahead}, {{x}}.shape[{ahead}:{end}])"
        return Emit(call, (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        kind = "causal attention" if self.causal else "attention"
        return f"{kind}, {self.heads} head{'s' * (self.heads > 1)}"


def _row(port: str, ahead: int, count: int) -> str:
    """A tensor with its `count` positions, which follow `ahead` others, as one."""
    if count == 1:
        return f"{{{port}}}"
    return f"{{{port}}}.flatten({ahead}, {ahead + count - 1})"


def _runtime() -> None:
    import torch.nn.functional as F
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    class Attention(nn.Module):
        """Multi-head attention (Vaswani et al. 2017).

        Each of the N positions of `x` takes a mean of the M of `value`, weighted by
        its likeness to those of `key`; without these two, `x` attends to itself.
        """

        def __init__(
            self,
            dim: int,
            heads: int,
            key_dim: int | None = None,
            value_dim: int | None = None,
            bias: bool = True,
            causal: bool = False,
            dropout: float = 0.0,
            width: int | None = None,
            scale: float | None = None,
        ) -> None:
            super().__init__()
            self.heads = heads
            self.causal = causal
            self.dropout = dropout
            self.scale = scale
            width = width or dim
            self.q = nn.Linear(dim, width, bias)
            self.k = nn.Linear(key_dim or dim, width, bias)
            self.v = nn.Linear(value_dim or key_dim or dim, width, bias)
            self.out = nn.Linear(width, dim, bias)

        def forward(
            self,
            x: Tensor,
            key: Tensor | None = None,
            value: Tensor | None = None,
        ) -> Tensor:
            key = x if key is None else key
            value = key if value is None else value
            y = F.scaled_dot_product_attention(
                self._split(self.q(x)),  # (..., heads, N, width / heads)
                self._split(self.k(key)),  # (..., heads, M, width / heads)
                self._split(self.v(value)),
                dropout_p=self.dropout if self.training else 0.0,
                is_causal=self.causal,
                scale=self.scale,
            )
            return self.out(y.transpose(-3, -2).flatten(-2))  # (..., N, C)

        def _split(self, x: Tensor) -> Tensor:
            """(..., N, width) to (..., heads, N, width / heads)."""
            return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
