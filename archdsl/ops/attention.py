"""Attention among all positions, of one tensor or of two."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.ir.dim import Size, quotient
from archdsl.ops.attention_runtime import _runtime  # noqa: F401 - lifted
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
from archdsl.ops.emit import Arg, Emit, Make, Site, positional
from archdsl.ops.fields import Axes, Count, Flag, Rate, SizeField
from archdsl.ops.heads import (
    LEARNED_SCALES,
    MAPS,
    Biased,
    Scale,
    biased,
    check_heads,
    projections,
)
from archdsl.ops.masks import check_mask, laid, mask_code, mask_reaches
from archdsl.ops.roles import Roles, check_before, check_line, check_roles
from archdsl.ops.rotary import Base, Pairing, Stretch
from archdsl.ops.rules import chosen, need_features
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Reach, Same, Spread, Upto, Whole, weighing

MASKS = ("mask", "added")


class Attention(Op):
    """Attention: each position takes a mean of all, weighted by likeness.

    Relates all positions of x, or those of `over`, to those of `key`, which is x itself
    if none is given; `value` is what is averaged, and defaults to `key`. Other
    positions of x are batch, and `key` must have them too; its own positions may have
    any names and number, and its C any size. Four linear maps (q, k, v, out) stand
    around it: the first three to `width` features, which `heads` must divide, the last
    to the C of x.

    A `mask` of truth values, or of ids of which 0 is false, says which positions may be
    seen: ``mask = seen`` with ``input seen: bool[B, T]``. What is `added` is added to
    the scores. Both have the positions that are asked, and of the batch, the heads (C)
    and the positions that ask those that they need; the rest broadcasts. A name that
    `key` has means the key's position, so where x asks itself, the positions that ask
    have another name: ``[Q = 7, T = 7]``. Who may see nothing takes a mean of nothing:
    0, before the last map.
    Costs ``4 * n * C * width + 2 * n**2 * width`` MACs over n positions, and for each
    of the ``heads * n**2`` scores 1 operation to scale it, 5 for the softmax, and 1
    each for a mask and for what is added. A causal mask saves nothing of that;
    `kv_heads` saves the k and v that there are not, and without `out` its map is saved.
    Rotary positions and the cosine cost 3 for each number of q and k.

    Shape:
        The one of x; C becomes `width` where `out` is false.

    Args:
        heads: Into how many parts the width is cut, each with scores of its own.
        causal: Whether a position sees only itself and those before it; needs one axis,
            as long in `key` as in x.
        bias: Whether the four linear maps add a learned number to each feature, or a
            list of those that do.
        dropout: The share of weights that training sets to zero.
        over: The position axes of x that ask; all, if none is named.
        width: How many features it asks with, of all heads together; the C of x if not
            given.
        scale: What likeness is multiplied by; ``(width / heads) ** -0.5`` if not given.
            With "learned", a learned number of each head. With "cosine", likeness is
            the cosine of the angle between q and k, times ``exp(s)`` with a learned s
            of each head, times 100 at most (Swin v2).
        kv_heads: How many heads k and v have, each shared by as many heads of q:
            grouped-query attention, or with 1 multi-query; must divide `heads`.
        fused: Whether one weight, `qkv`, holds the maps q, k and v one after another;
            needs x to ask itself.
        out: Whether the last map is there.
        rotary: The base of rotary positions, such as 10000: each pair of features of q
            and of k is turned by an angle that grows with the position, ever slower
            from pair to pair. Needs one axis.
        pairing: Which features are a pair: one of each "half" (transformers), or two
            side by side, "interleaved" (RoFormer, the original Llama).
        rotary_scaling: How Llama 3.1 slows the turns for long inputs: by factor where
            the first context would see fewer than low turns, not at all where it would
            see more than high, in between where between.
    """

    name = "attention"
    group = "attention"
    ports = (
        Port("x"),
        Port("key", optional=True),
        Port("value", optional=True),
        Port("mask", optional=True, dtype="any"),
        Port("added", optional=True),
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
        Example(
            "attention(2, mask = seen)",
            {"x": "[B, T = 4, C = 6]", "seen": "bool[B, T = 4]"},
        ),
        Example(
            "attention(2, causal = true, mask = seen, added = bias)",
            {
                "x": "[B, T = 4, C = 6]",
                "seen": "int[B, T = 4]",
                "bias": "[C = 2, Q = 4, T = 4]",
            },
        ),
        Example(
            "attention(2, key = memory, over = T, mask = seen, added = bias)",
            {
                "x": "[B, N = 2, T = 3, C = 4]",
                "memory": "[B, C = 3, N = 2, H = 2, W = 2]",
                "seen": "bool[B, W = 2, N = 2, H = 2]",
                "bias": "[H = 2, W = 2, T = 3, N = 2]",
            },
        ),
        Example(
            "attention(2, over = [H, W], added = bias)",
            {
                "x": "[B, S = 3, H = 2, W = 2, C = 4]",
                "bias": "[B, P = 2, H = 2, Q = 2, W = 2]",
            },
        ),
        Example(
            "attention(6, kv_heads = 2, causal = true)", {"x": "[B, T = 4, C = 12]"}
        ),
        Example(
            "attention(4, key = memory, kv_heads = 1, dropout = 0.1)",
            {"x": "[B, N = 3, C = 8]", "memory": "[B, T = 5, C = 6]"},
        ),
        Example(
            'attention(2, bias = ["q", "v", "out"], scale = "cosine")',
            {"x": "[B, T = 5, C = 6]"},
        ),
        Example("attention(2, fused = true, out = false)", {"x": "[B, C = 8, T = 5]"}),
        Example(
            'attention(4, kv_heads = 2, fused = true, bias = ["out"], rotary = 10000)',
            {"x": "[B, T = 6, C = 16]"},
        ),
        Example(
            'attention(2, width = 8, out = false, scale = "learned", rotary = 100, '
            'pairing = "interleaved", key = memory)',
            {"x": "[B, T = 4, C = 6]", "memory": "[B, T = 7, C = 6]"},
        ),
        Example(
            "attention(2, kv_heads = 1, bias = false, causal = true, rotary = 500000, "
            "rotary_scaling = [8, 1, 4, 16], mask = seen, scale = 0.5)",
            {"x": "[B, T = 5, C = 12]", "seen": "bool[B, T = 5]"},
        ),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "heads": ("h",),
        "width": ("C", "D"),
    }

    heads: Count
    causal: Flag = False
    bias: Biased = True
    dropout: Rate = 0.0
    over: Axes = ()
    width: SizeField | None = None
    scale: Scale | None = None
    kv_heads: Count | None = None
    fused: Flag = False
    out: Flag = True
    rotary: Base | None = None
    pairing: Pairing = "half"
    rotary_scaling: Stretch | None = None

    def inner(self, x: Tensor) -> Size:
        """The features that it asks with."""
        return x["C"] if self.width is None else self.width

    def kept(self, x: Tensor) -> Size:
        """The features of k, which are those of v."""
        inner = self.inner(x)
        if self.kv_heads in (None, self.heads):
            return inner
        return quotient(inner, self.heads) * self.kv_heads

    def maps(self, r: Roles) -> dict[str, tuple[Size, Size]]:
        """The linear maps around it, as features out and in."""
        inner, kept = self.inner(r.x), self.kept(r.x)
        found = {
            "q": (inner, r.x["C"]),
            "k": (kept, r.key["C"]),
            "v": (kept, r.value["C"]),
            "out": (r.x["C"], inner),
        }
        if not self.out:
            del found["out"]
        return found

    def roles(self, ins: Inputs) -> Roles:
        """The tensors and the parts of their axes."""
        x = ins["x"]
        key = ins.get("key", x)
        asking = chosen(self, x, self.over)
        batch = tuple(p for p in x.positions if p not in asking)
        own = tuple(p for p in key.positions if p not in batch)
        asked = own if "key" in ins else asking
        return Roles(x, key, ins.get("value", key), batch, asking, asked)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        r = self.roles(ins)
        features = need_features(self, r.x)
        cut = "C" if self.width is None else "width"
        check_heads(self.heads, self.width or features, facts, cut)
        self._check_arguments(ins)
        check_roles(self, r, [port for port in ("key", "value") if port in ins], facts)
        if self.causal:
            check_before(self, r, facts)
        if self.rotary is not None:
            self._check_rotary(r, facts)
        for port in MASKS:
            if port in ins:
                check_mask(self, r, ins[port], port, self.heads, facts)
        return (r.x if self.out else r.x.resized({"C": self.inner(r.x)}),)

    def _check_arguments(self, ins: Inputs) -> None:
        """Refuses what does not go together, whatever the shapes."""
        if self.heads % (self.kv_heads or 1):
            problem = f"does not divide heads = {self.heads}"
            better = [str(n) for n in range(1, self.heads) if self.heads % n == 0]
            mend = f"use kv_heads = {' or '.join(better[-2:] or ['1'])}"
            self._refuse("kv_heads", problem, str(self.kv_heads), mend)
        if self.fused and "key" in ins:
            problem = "has one weight for q, k and v of one tensor"
            self._refuse("fused", problem, "true, with a key", "leave fused out")
        has = [name for name in MAPS[:3] if name in biased(self.bias)]
        if self.fused and len(has) in (1, 2):
            problem = "has one bias for q, k and v, or none"
            mend = "leave fused out: apart, each of them may have one"
            self._refuse("fused", problem, f"true, with bias = {spelled(has)}", mend)
        if self.rotary is None and (self.rotary_scaling or self.pairing != "half"):
            name = "rotary_scaling" if self.rotary_scaling else "pairing"
            found = spelled(getattr(self, name))
            self._refuse(name, "needs rotary", found, "give a base: rotary = 10000")
        if not self.out and "out" in biased(self.bias) and self.bias is not True:
            mend = "leave it out of the list"
            found = spelled(self.bias)
            self._refuse("bias", "names a map that is not there: out", found, mend)

    def _refuse(self, name: str, problem: str, found: str, mend: str) -> None:
        raise Refused(WrongValue("attention", name, problem, found, mend), name)

    def _check_rotary(self, r: Roles, facts: Facts) -> None:
        check_line(self, r, "rotary", "along which positions count")
        if not facts.divides(2 * self.heads, self.inner(r.x)):
            size = self.inner(r.x)
            found = f"{size} features for {self.heads} heads"
            problem = "turns pairs, and a head has an odd number of features"
            self._refuse("rotary", problem, found, "use other heads, or another width")

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        r = self.roles(ins)
        maps, has = self.maps(r), list(biased(self.bias))
        if self.fused:
            joined = self.inner(r.x) + 2 * self.kept(r.x)
            others = {name: maps[name] for name in maps if name not in MAPS[:3]}
            maps = {"qkv": (joined, r.x["C"]), **others}
            has += ["qkv"] * ("q" in has)
        weights = projections(maps, has)
        if isinstance(self.scale, str):
            weights.append(Weight(LEARNED_SCALES[self.scale], (self.heads, 1, 1)))
        return tuple(weights)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        r = self.roles(ins)
        rows, maps = r.rows, self.maps(r)
        macs = 2 * r.pairs * self.inner(r.x)
        for name, (to, of) in maps.items():
            macs = macs + rows[name] * to * of
        scores = self.heads * r.pairs
        elementwise = {"scale": scores, "softmax": 5 * scores}
        added = scores * sum(port in ins for port in MASKS)
        for name in biased(self.bias):
            if name in maps:
                added = added + rows[name] * maps[name][0]
        if added != 0:
            elementwise["bias"] = added
        likened = rows["q"] * maps["q"][0] + rows["k"] * maps["k"][0]
        if self.scale == "cosine":
            elementwise["norm"] = 3 * likened
        if self.rotary is not None:
            elementwise["rotary"] = 3 * likened
        return Cost(macs, elementwise)

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        r = self.roles(ins)
        key = "key" if "key" in ins else "x"
        value = "value" if "value" in ins else key
        sources = {"q": "x", "k": key, "v": value}
        macs = 4 * r.pairs * self.inner(r.x)
        for name, (to, of) in self.maps(r).items():
            passed = name == "out" or sources[name] in needs
            macs = macs + r.rows[name] * to * of * (1 + passed)
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
        others = [port for port in ins if port not in MASKS]
        spread = {port: {**beside, **asked} for port in others}
        for port in MASKS:
            if port in ins:
                reaches = {**mask_reaches(r, laid(self, r, ins[port], port)), **asked}
                spread[port] = weighing(reaches, asked) if port == "added" else reaches
        if "key" in ins:
            spread["x"] = weighing({**beside, **asking}, asked)
        if "value" in ins:
            weighed = "key" if "key" in ins else "x"
            spread[weighed] = weighing(spread[weighed], asked)
        return spread

    def paths(self, ins: Inputs, outs: Outputs) -> Paths | None:
        r = self.roles(ins)
        return Paths(r.pairs * self.inner(r.x), maximum=(1,), meet=(1,))

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        r = self.roles(ins)
        layouts = dict.fromkeys(ins, (*r.beside, *r.asked, "C"))
        layouts["x"] = (*r.beside, *r.asking, "C")
        for port in MASKS:
            if port in ins:
                layouts[port] = laid(self, r, ins[port], port).layout
        return layouts

    def emit(self, site: Site) -> Emit:
        r = self.roles(site.ins)
        ahead = len(r.beside)
        slots = [_row("x", ahead, len(r.asking))]
        for port in ("key", "value"):
            if port in site.ins:
                word = "" if port == "key" or "key" in site.ins else "value="
                slots.append(word + _row(port, ahead, len(r.asked)))
        for port in MASKS:
            if port in site.ins:
                mask = site.ins[port]
                code = mask_code(r, mask, laid(self, r, mask, port), port)
                slots.append(f"{port}={code}")
        call = f"{{self}}({', '.join(slots)})"
        if len(r.asking) > 1:
            end = ahead + len(r.asking)
            call += f".unflatten({ahead}, {{x}}.shape[{ahead}:{end}])"
        make = Make("Attention", self._arguments(r, site.ins))
        return Emit(call, (site.layouts["x"],), make)

    def _arguments(self, r: Roles, ins: Inputs) -> tuple[Arg, ...]:
        """What the constructor of the module is given."""
        masked = any(port in ins for port in MASKS)
        has = biased(self.bias)
        joined = {"q": "qkv", "k": "qkv", "v": "qkv"} if self.fused else {}
        without = dict.fromkeys(joined.get(n, n) for n in MAPS if n not in has)
        partly = 0 < len(has) < len(MAPS)
        learned = isinstance(self.scale, str)
        grouped = self.kv_heads != self.heads
        return (
            positional("dim", r.x["C"]),
            Arg("heads", self.heads),
            Arg("key_dim", r.key["C"], r.x["C"]),
            Arg("value_dim", r.value["C"], r.key["C"]),
            Arg("bias", bool(has), True),
            Arg("causal", self.causal and not masked, False),
            Arg("dropout", self.dropout, 0.0),
            Arg("width", self.inner(r.x), r.x["C"]),
            Arg("scale", 1.0 if isinstance(self.scale, str) else self.scale, None),
            Arg("kv_heads", self.kv_heads if grouped else None, None),
            Arg("fused", self.fused, False),
            Arg("unbiased", tuple(without) if partly else (), ()),
            Arg("project", self.out, True),
            Arg("cosine", learned and self.scale == "cosine", False),
            Arg("learned", learned and self.scale == "learned", False),
            Arg("before", self.causal and masked, False),
            Arg("rotary", self.rotary, None),
            Arg("interleaved", self.pairing == "interleaved", False),
            Arg("scaling", self.rotary_scaling, None),
        )

    def label(self, ins: Inputs) -> str:
        kind = "causal " if self.causal else ""
        kind += "cosine attention" if self.scale == "cosine" else "attention"
        shared = self.kv_heads not in (None, self.heads)
        of_keys = f", {self.kv_heads} of keys" if shared else ""
        return f"{kind}, {self.heads} head{'s' * (self.heads > 1)}{of_keys}"


def _row(port: str, ahead: int, count: int) -> str:
    """A tensor with its `count` positions, which follow `ahead` others, as one."""
    if count == 1:
        return f"{{{port}}}"
    return f"{{{port}}}.flatten({ahead}, {ahead + count - 1})"
