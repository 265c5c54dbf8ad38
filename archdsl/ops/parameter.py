"""Tensors that depend on no input: learned ones, and constants."""

from __future__ import annotations

from math import inf, isfinite
from typing import Annotated, ClassVar

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import Size
from archdsl.ir.tensor import BATCH
from archdsl.ops.base import Example, Facts, Inputs, Op, Outputs, Tensor, Weight
from archdsl.ops.emit import Arg, Emit, Make, Site, positional
from archdsl.ops.fields import AxisSizes


def _start(value: object) -> str | float:
    if isinstance(value, str) and value in ("normal", "zeros", "ones"):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        value = inf
    if isfinite(value):
        return float(value)
    raise ValueError('must be "normal", "zeros", "ones" or a number')


Start = Annotated[
    str | float, PlainValidator(_start), '"normal" or "zeros" or "ones", or a number'
]


class _Source(Op):
    """What ops without inputs share.

    Shape:
        The axes that are named.

    Args:
        axes: The axes, with their sizes.
    """

    group = "sources"
    ports = ()
    axis_keywords = "axes"

    axes: AxisSizes = ()

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        tensor = Tensor(self.known())
        if BATCH in tensor:
            needs = "makes a tensor for the whole batch, without the axis B"
            raise Refused(WrongAxes(self.name, needs, str(tensor)), "axes")
        return (tensor,)

    def known(self) -> tuple[tuple[str, Size], ...]:
        """The axes, all of which must have a size."""
        known: dict[str, Size] = {}
        for axis, size in self.axes:
            if size is None:
                fault = WrongValue(self.name, axis, "needs a size", "only a name")
                raise Refused(fault, "axes")
            if isinstance(size, int) and size < 1:
                fault = WrongValue(self.name, axis, "must be at least 1", str(size))
                raise Refused(fault, "axes")
            known[axis] = size
        return tuple(known.items())

    def extents(self) -> tuple[Size, ...]:
        """The sizes alone."""
        return tuple(size for _, size in self.known())

    def label(self, ins: Inputs) -> str:
        return f"{self.name} {' × '.join(map(str, self.extents()))}".rstrip()


class Parameter(_Source):
    """Learned tensor of its own: queries, tokens, gains.

    Takes no input and has exactly the axes that are named, or none: a number. Where it
    meets a tensor with a batch, it broadcasts. Costs nothing.

    Args:
        axes: The axes with their sizes: ``N = 100, C = 256``.
        init: What training starts from: "normal" (mean 0, standard deviation 0.02),
            "zeros", "ones" or a number that all of it is.
    """

    name = "parameter"
    examples = (
        Example("add(parameter(T = 5, C = 4))", {"x": "[B, T = 5, C = 4]"}),
        Example(
            'multiply(parameter(C = 4, init = "ones"))',
            {"x": "[B, C = 4, H = 3, W = 2]"},
        ),
        Example('add(parameter(C = 3, T = 2, init = "zeros"))', {"x": "[B, C = 3]"}),
        Example("multiply(parameter(C = 3, init = 1e-6))", {"x": "[B, T = 5, C = 3]"}),
        Example("multiply(parameter(init = 2.5))", {"x": "[B, C = 3]"}),
    )

    init: Start = "normal"

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        return (Weight("weight", self.extents()),)

    def emit(self, site: Site) -> Emit:
        args = (positional("size", self.extents()), Arg("init", self.init, "normal"))
        return Emit("{self}()", (site.outs[0].names,), Make("LearnedTensor", args))


class Zeros(_Source):
    """Tensor of zeros: a first state, a query without content.

    Takes no input and has exactly the axes that are named. It is a buffer, made once,
    that is not saved with the weights. Costs nothing.

    Args:
        axes: The axes with their sizes: ``C = 256``.
    """

    name = "zeros"
    value: ClassVar[float] = 0.0
    examples = (
        Example("add(zeros(C = 4))", {"x": "[B, C = 4]"}),
        Example("add(zeros(T = 3, C = 4))", {"x": "[B, C = 4]"}),
    )

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        return (Weight("value", self.extents(), learned=False, saved=False),)

    def emit(self, site: Site) -> Emit:
        args = (positional("size", self.extents()), positional("fill", self.value))
        return Emit("{self}()", (site.outs[0].names,), Make("ConstantTensor", args))


class Ones(Zeros):
    """Tensor of ones.

    Takes no input and has exactly the axes that are named. It is a buffer, made once,
    that is not saved with the weights. Costs nothing.

    Args:
        axes: The axes with their sizes: ``C = 256``.
    """

    name = "ones"
    value: ClassVar[float] = 1.0
    examples = (
        Example("multiply(ones(C = 4))", {"x": "[B, C = 4, H = 3]"}),
        Example("add(ones(T = 3, C = 4))", {"x": "[B, C = 4]"}),
    )


def _runtime() -> None:
    import torch
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    class LearnedTensor(nn.Module):
        """A learned tensor that depends on no input."""

        def __init__(self, size: tuple[int, ...], init: str | float = "normal") -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(size))
            if init == "normal":
                nn.init.normal_(self.weight, std=0.02)
            else:
                value = float(init == "ones") if isinstance(init, str) else init
                nn.init.constant_(self.weight, value)

        def forward(self) -> Tensor:
            return self.weight

    class ConstantTensor(nn.Module):
        """A tensor of one number, the same for every input."""

        value: Tensor

        def __init__(self, size: tuple[int, ...], fill: float) -> None:
            super().__init__()
            self.size = size
            self.fill = fill
            self.reset_buffers()

        def reset_buffers(self) -> None:
            value = torch.full(self.size, self.fill)
            self.register_buffer("value", value, persistent=False)

        def forward(self) -> Tensor:
            return self.value
