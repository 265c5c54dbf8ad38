"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import Size, ceil_div
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
)
from archdsl.ops.conv import fold
from archdsl.ops.emit import Arg, Emit, Make, Site, features_last, positional
from archdsl.ops.fields import Axes, Count, Flag, Rate, SizeField
from archdsl.ops.rules import chosen, need_features
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Reach, Spread, Upto, Whole, same_positions

_MOST_LAYERS = 1000


class Lstm(Op):
    """Recurrent layers that carry a state along one position axis.

    Runs along the one position axis there is, or along `over`; other positions are
    batch. C becomes `hidden`, twice that if `bidirectional`: forwards, then backwards.
    Costs ``4 * (n * hidden + hidden**2)`` MACs for each step of each layer and
    direction that takes n features, and for each hidden number 8 operations of bias,
    14 of activation (3 sigmoids, 2 tanh) and 8 of arithmetic (4 to add up the gates,
    4 to update the cell and put it out).

    Shape:
        C becomes `hidden`, or ``2 * hidden`` if `bidirectional`; with `last`, the axis
        that it runs along goes.

    Args:
        hidden: The size of the state.
        layers: How many layers are stacked.
        bidirectional: Whether each layer also runs backwards.
        last: Whether only the final state of the last layer comes out, and the axis
            goes; backwards, that is the state at the axis' beginning.
        dropout: The chance of a number between layers to be left out in training.
        bias: Whether there are learned biases, two for each gate as in PyTorch.
        over: The axis to run along; needed where there are several positions.
    """

    name = "lstm"
    group = "recurrence"
    paper = "Hochreiter & Schmidhuber 1997, Long Short-Term Memory"
    examples = (
        Example("lstm(5)", {"x": "[B, T = 7, C = 4]"}),
        Example(
            "lstm(3, layers = 2, bidirectional = true)", {"x": "[B, C = 2, T = 6]"}
        ),
        Example("lstm(3, last = true, bias = false)", {"x": "[B, T = 7, C = 2]"}),
        Example(
            "lstm(3, 2, bidirectional = true, last = true, dropout = 0.1)",
            {"x": "[B, T = 5, C = 4]"},
        ),
        Example("lstm(4, over = W)", {"x": "[B, C = 3, H = 2, W = 5]"}),
        Example("lstm(2, last = true, over = T)", {"x": "[B, T = 4, N = 3, C = 3]"}),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {"hidden": ("C", "D")}

    hidden: SizeField
    layers: Count = 1
    bidirectional: Flag = False
    last: Flag = False
    dropout: Rate = 0.0
    bias: Flag = True
    over: Axes = ()

    def axis(self, x: Tensor) -> str:
        """The axis it runs along."""
        axes = chosen(self, x, self.over)
        if len(axes) > 1:
            mend = f"name it: over = {axes[-1]}"
            fault = WrongAxes("lstm", "runs along one axis", str(x), mend)
            raise Refused(fault, "over" if self.over else "")
        return axes[0]

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_features(self, x)
        axis = self.axis(x)
        if self.layers > _MOST_LAYERS:
            what = f"lstm of {self.layers} layers"
            raise Refused(TooMuchWork(what, f"{_MOST_LAYERS} layers"), "layers")
        if self.dropout and self.layers == 1:
            problem = "acts between layers, and there is one layer"
            found, mend = spelled(self.dropout), "use layers = 2, or `dropout` after it"
            fault = WrongValue("lstm", "dropout", problem, found, mend)
            raise Refused(fault, "dropout")
        y = x.resized({"C": self.hidden * (1 + self.bidirectional)})
        return (y.without((axis,)) if self.last else y,)

    def widths(self, size: Size) -> Iterator[tuple[str, Size]]:
        """The suffix of PyTorch's names and the width that goes in, run by run."""
        directions = ("", "_reverse")[: 1 + self.bidirectional]
        for layer in range(self.layers):
            width = self.hidden * len(directions) if layer else size
            for direction in directions:
                yield f"l{layer}{direction}", width

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        gates = 4 * self.hidden
        found = []
        for suffix, width in self.widths(ins["x"]["C"]):
            found.append(Weight(f"weight_ih_{suffix}", (gates, width)))
            found.append(Weight(f"weight_hh_{suffix}", (gates, self.hidden)))
            if self.bias:
                found.append(Weight(f"bias_ih_{suffix}", (gates,)))
                found.append(Weight(f"bias_hh_{suffix}", (gates,)))
        return tuple(found)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        x, h = ins["x"], self.hidden
        steps = x.extent(a for a in x.names if a != "C")
        macs: Size = 0
        count: Size = 0
        for _, width in self.widths(x["C"]):
            macs = macs + steps * 4 * (width * h + h * h)
            count = count + steps * h
        bias = {"bias": count * 8} if self.bias else {}
        return Cost(macs, {**bias, "activation": count * 14, "arithmetic": count * 8})

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        axis = self.axis(x)
        size = x[axis]
        assert isinstance(size, int)
        all_of_it = self.last or self.bidirectional
        reach: Reach = Whole(size) if all_of_it else Upto(axis)
        return {"x": {**same_positions(x), axis: reach}}

    def steps(self, ins: Inputs) -> Size:
        return ins["x"][self.axis(ins["x"])] * self.layers

    def paths(self, ins: Inputs, outs: Outputs) -> Paths | None:
        x = ins["x"]
        places = x.extent(a for a in x.names if a != "C")
        size, up = x[self.axis(x)], self.layers - 1
        far = near = size + up
        if self.bidirectional and self.last:
            far = near = ceil_div(size, 2) + up
        elif self.bidirectional:
            near = size // 2 + 1 + up
        return Paths(places * self.hidden**2, maximum=(far,), meet=(near,))

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], (self.axis(ins["x"]),))}

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        axis = self.axis(x)
        make = Make(
            "nn.LSTM",
            (
                positional("input_size", x["C"]),
                positional("hidden_size", self.hidden),
                Arg("num_layers", self.layers, 1),
                Arg("bias", self.bias, True),
                Arg("batch_first", True, False),
                Arg("dropout", self.dropout, 0.0),
                Arg("bidirectional", self.bidirectional, False),
            ),
        )
        layout = site.layouts["x"]
        if self.last:
            layout = tuple(a for a in layout if a != axis)
        return Emit(fold(self._call(), x, (axis,)), (layout,), make)

    def _call(self) -> str:
        """The module returns ``(every state, (final states, final cells))``."""
        if not self.last:
            return "{self}({x})[0]"
        if not self.bidirectional:
            return "{self}({x})[1][0][-1]"
        return "torch.cat({self}({x})[1][0][-2:].unbind(), -1)"

    def label(self, ins: Inputs) -> str:
        layers = f" ×{self.layers}" if self.layers > 1 else ""
        both = ", both ways" if self.bidirectional else ""
        return f"lstm {self.hidden}{layers}{both}"
