"""Linear maps of the features."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import SizesDiffer
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Weight,
    doubled,
)
from archdsl.ops.emit import Arg, Emit, Make, Site, features_last, positional
from archdsl.ops.fields import Flag, SizeField
from archdsl.ops.rules import need_features


class Linear(Op):
    """Linear map of C, at each position by itself.

    Costs ``C * features`` MACs at each position, and an addition for each bias.

    Shape:
        C becomes `features`.

    Args:
        features: The size of C that comes out.
        bias: Whether a learned number is added to each feature.
    """

    name = "linear"
    group = "linear"
    paper = "Rosenblatt 1958, The Perceptron"
    examples = (
        Example("linear(6)", {"x": "[B, C = 4]"}),
        Example("linear(5, bias = false)", {"x": "[B, T = 9, C = 4]"}),
        Example("linear(3)", {"x": "[B, C = 4, H = 5, W = 3]"}),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {"features": ("C", "D")}

    features: SizeField
    bias: Flag = True

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_features(self, ins["x"])
        return (ins["x"].resized({"C": self.features}),)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        weight = Weight("weight", (self.features, ins["x"]["C"]))
        return (weight, Weight("bias", (self.features,)))[: 1 + self.bias]

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        count = outs[0].numel
        return Cost(count * ins["x"]["C"], {"bias": count} if self.bias else {})

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], ins["x"].positions)}

    def emit(self, site: Site) -> Emit:
        make = Make(
            "nn.Linear",
            (
                positional("in_features", site.ins["x"]["C"]),
                positional("out_features", self.features),
                Arg("bias", self.bias, True),
            ),
        )
        return Emit("{self}({x})", (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        return f"linear {self.features}"


class Transposed(Op):
    """Linear map by the weight of another layer, used the other way round.

    What ``wte.transposed`` means where ``layer wte = embedding(vocab, dim)``: it takes
    C = dim to C = vocab and holds no weights of its own. Costs ``features * entries``
    MACs at each position.

    Args:
        entries: The size of C that comes out.
        features: The size of C that must come in.
        flip: Whether the weight is stored as (features, entries), as that of a linear
            layer is; an embedding's is stored as (entries, features).
        frozen: Whether training leaves the weight as it is.
    """

    name = "transposed"
    group = "linear"
    public = False
    paper = "Press & Wolf 2017, Using the Output Embedding"

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "features": ("C", "D"),
        "entries": ("C", "V"),
    }

    entries: SizeField
    features: SizeField
    flip: Flag = False
    frozen: Flag = False

    @classmethod
    def of(cls, op: Op, ins: Inputs) -> Transposed | None:
        """The use of an op's weight the other way round; None where it has no sense."""
        weight = next(iter(op.weights(ins)), None)
        if weight is None or op.name not in ("linear", "embedding"):
            return None
        rows, columns = weight.shape
        if op.name == "embedding":
            return cls(entries=rows, features=columns, frozen=weight.frozen)
        return cls(entries=columns, features=rows, flip=True)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        if need_features(self, x) != self.features:
            theirs = f"[C = {self.features}]"
            mend = f"bring C to {self.features} first: `linear({self.features})`"
            left, right = x["C"], self.features
            fault = SizesDiffer("transposed", "C", left, right, str(x), theirs, mend)
            raise Refused(fault)
        return (x.resized({"C": self.entries}),)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(outs[0].numel * self.features)

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        cost = self.cost(ins, outs)  # the weight is another layer's
        macs = cost.macs * ((not self.frozen) + bool(needs))
        return Cost(macs, doubled(cost.elementwise))

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], ins["x"].positions)}

    def emit(self, site: Site) -> Emit:
        weight = "{weight}.T" if self.flip else "{weight}"
        return Emit(f"F.linear({{x}}, {weight})", (site.layouts["x"],))

    def label(self, ins: Inputs) -> str:
        return f"transposed {self.entries}"
