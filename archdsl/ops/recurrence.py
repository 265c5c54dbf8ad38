"""What recurrent layers share: LSTM, GRU and the plain one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.diagnostics.faults.shapes import AxisTaken, WrongAxes
from archdsl.ir.dim import Size, ceil_div, quotient
from archdsl.ops.base import (
    Cost,
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
from archdsl.ops.conv import fold
from archdsl.ops.emit import Arg, Emit, Make, Site, features_last, positional
from archdsl.ops.fields import Axes, Count, Flag, Rate, SizeField
from archdsl.ops.rules import chosen, need_equal, need_features
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Reach, Spread, Upto, Whole, same_positions

_MOST_LAYERS = 1000


def _last(value: object) -> bool | str:
    if isinstance(value, bool) or value == "all":
        return value
    raise ValueError('must be true, false or "all"')


Last = Annotated[bool | Literal["all"], PlainValidator(_last), 'true, false or "all"']


class Recurrence(Op):
    """What the layers that carry a state along one position axis share.

    Shape:
        C becomes `hidden`, or ``2 * hidden`` if `bidirectional`; with `last`, the axis
        that it runs along goes. With "all", C is as long as all states together.

    Args:
        hidden: The size of the state.
        layers: How many layers are stacked.
        bidirectional: Whether each layer also runs backwards.
        last: Whether only the final state of the last layer comes out, and the axis
            goes; backwards, that is the state at the axis' beginning. With "all", the
            final states of every layer come out, one after another in C: layer by
            layer, of each forwards, then backwards; behind them, in the same order,
            the cells of an LSTM.
        dropout: The chance of a number between layers to be left out in training.
        bias: Whether there are learned biases, two for each gate as in PyTorch.
        over: The axis to run along; needed where there are several positions.
    """

    group = "recurrence"
    gates: ClassVar[int]  # maps of what goes in, and as many of the state
    per_state: ClassVar[tuple[int, int]]  # operations of activation, of arithmetic
    module: ClassVar[str]  # of PyTorch
    kinds: ClassVar[int] = 1  # of what is carried along: 2 if there are cells

    ports = (Port("x"), Port("state", optional=True))
    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {"hidden": ("C", "D")}

    hidden: SizeField
    layers: Count = 1
    bidirectional: Flag = False
    last: Last = False
    dropout: Rate = 0.0
    bias: Flag = True
    over: Axes = ()

    def axis(self, x: Tensor) -> str:
        """The axis it runs along."""
        axes = chosen(self, x, self.over)
        if len(axes) > 1:
            mend = f"name it: over = {axes[-1]}"
            fault = WrongAxes(self.name, "runs along one axis", str(x), mend)
            raise Refused(fault, "over" if self.over else "")
        return axes[0]

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_features(self, x)
        axis = self.axis(x)
        if self.layers > _MOST_LAYERS:
            what = f"{self.name} of {self.layers} layers"
            raise Refused(TooMuchWork(what, f"{_MOST_LAYERS} layers"), "layers")
        if self.dropout and self.layers == 1:
            problem = "acts between layers, and there is one layer"
            found, mend = spelled(self.dropout), "use layers = 2, or `dropout` after it"
            fault = WrongValue(self.name, "dropout", problem, found, mend)
            raise Refused(fault, "dropout")
        if "state" in ins:
            self._check_state(x.without((axis,)), axis, ins["state"], facts)
        y = x.resized({"C": self.hidden * (1 + self.bidirectional)})
        if self.last == "all":
            y = x.resized({"C": self.carried})
        return (y.without((axis,)) if self.last else y,)

    @property
    def carried(self) -> Size:
        """How many numbers all layers and directions carry from step to step."""
        return self.kinds * self.layers * (1 + self.bidirectional) * self.hidden

    def _check_state(
        self, like: Tensor, axis: str, state: Tensor, facts: Facts
    ) -> None:
        """Refuses a first state that is not of `like` but with what is carried in C."""
        need_features(self, state)
        if axis in state:
            raise Refused(AxisTaken(self.name, axis, str(state)), "state")
        if set(like.names) != set(state.names):
            needs = f"needs a first state with the axes {', '.join(like.names)}"
            more = set(state.names) - set(like.names)
            mend = (
                'a layer with `last = "all"` puts out a state to begin with'
                if more
                else "`expand` repeats a tensor along axes that it lacks"
            )
            raise Refused(WrongAxes(self.name, needs, str(state), mend), "state")
        wanted = like.resized({"C": self.carried})
        what = "the states and the cells" if self.kinds > 1 else "the states"
        mend = f'give {what} of every layer, as `last = "all"` puts them out'
        need_equal(self, facts, (wanted, state), like.names, mend, "state")

    def widths(self, size: Size) -> Iterator[tuple[str, Size]]:
        """The suffix of PyTorch's names and the width that goes in, run by run."""
        directions = ("", "_reverse")[: 1 + self.bidirectional]
        for layer in range(self.layers):
            width = self.hidden * len(directions) if layer else size
            for direction in directions:
                yield f"l{layer}{direction}", width

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        gates = self.gates * self.hidden
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
            macs = macs + steps * self.gates * (width * h + h * h)
            count = count + steps * h
        activation, arithmetic = self.per_state
        found = {"activation": count * activation, "arithmetic": count * arithmetic}
        bias = {"bias": count * 2 * self.gates} if self.bias else {}
        return Cost(macs, {**bias, **found})

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        x, h = ins["x"], self.hidden
        cost = self.cost(ins, outs)
        rows = x.extent(a for a in x.names if a != "C")
        ahead = quotient(rows, x[self.axis(x)])  # the first state needs no gradient
        first = 0 if "x" in needs else rows * x["C"]
        began = 0 if "state" in needs else self.layers * ahead * h
        runs = 1 + self.bidirectional
        spared = runs * (first + began) * self.gates * h
        return Cost(2 * cost.macs - spared, doubled(cost.elementwise))

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        axis = self.axis(x)
        size = x[axis]
        assert isinstance(size, int)
        all_of_it = self.last or self.bidirectional
        reach: Reach = Whole(size) if all_of_it else Upto(axis)
        found = {port: same_positions(tensor) for port, tensor in ins.items()}
        return {**found, "x": {**found["x"], axis: reach}}

    def steps(self, ins: Inputs) -> Size:
        return ins["x"][self.axis(ins["x"])] * self.layers

    def paths(self, ins: Inputs, outs: Outputs) -> Paths | None:
        x = ins["x"]
        places = x.extent(a for a in x.names if a != "C")
        up = 0 if self.last == "all" else self.layers - 1
        size = x[self.axis(x)]
        far = near = size + up
        if self.bidirectional and self.last:
            far = near = ceil_div(size, 2) + up
        elif self.bidirectional:
            near = size // 2 + 1 + up
        return Paths(places * self.hidden**2, maximum=(far,), meet=(near,))

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        x = features_last(ins["x"], (self.axis(ins["x"]),))
        state = tuple(a for a in x if a != self.axis(ins["x"]))
        return {"x": x, "state": state} if "state" in ins else {"x": x}

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        axis = self.axis(x)
        make = Make(
            self.module,
            (
                positional("input_size", x["C"]),
                positional("hidden_size", self.hidden),
                Arg("num_layers", self.layers, 1),
                Arg("bias", self.bias, True),
                Arg("batch_first", True, False),
                Arg("dropout", self.dropout, 0.0),
                Arg("bidirectional", self.bidirectional, False),
                *self.further(),
            ),
        )
        layout = site.layouts["x"]
        call = self._call(len(layout) - 2, "state" in site.ins)
        if self.last:
            layout = tuple(a for a in layout if a != axis)
        hidden = (positional("hidden_size", self.hidden),)
        literals = hidden if "state" in site.ins else ()
        return Emit(fold(call, x, (axis,)), (layout,), make, literals)

    def further(self) -> tuple[Arg, ...]:
        """What the module takes besides."""
        return ()

    def _call(self, batch: int, begins: bool) -> str:
        """The module returns every state, and the final ones of each layer.

        Args:
            batch: How many axes of batch there are.
            begins: Whether it is given the first states.
        """
        call = f"{{self}}({{x}}, {self._first(batch)})" if begins else "{self}({x})"
        if not self.last:
            return f"{call}[0]"
        if self.last == "all":
            final = f"torch.cat({call}[1])" if self.kinds > 1 else f"{call}[1]"
            return f"torch.cat({final}.unbind(), -1)"
        final = f"{call}[1][0]" if self.kinds > 1 else f"{call}[1]"
        if not self.bidirectional:
            return f"{final}[-1]"
        return f"torch.cat({final}[-2:].unbind(), -1)"

    def _first(self, batch: int) -> str:
        """The first states as the module takes them: layers and directions first."""
        state = f"torch.flatten({{state}}, 0, {batch - 1})" if batch > 1 else "{state}"
        state = f"torch.stack(torch.split({state}, {{hidden_size}}, -1))"
        return f"torch.chunk({state}, 2)" if self.kinds > 1 else state

    def label(self, ins: Inputs) -> str:
        layers = f" ×{self.layers}" if self.layers > 1 else ""
        both = ", both ways" if self.bidirectional else ""
        return f"{self.name} {self.hidden}{layers}{both}"
