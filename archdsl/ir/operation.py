"""What the graph asks of an operation, and the form of the answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from archdsl.ir.dim import Size, product
from archdsl.ir.tensor import Tensor
from archdsl.record import record

Inputs: TypeAlias = Mapping[str, Tensor]  # by port; several of one port: "x0", "x1"…
Outputs: TypeAlias = tuple[Tensor, ...]


@record
class Weight:
    """A tensor that an operation holds: learned, or a buffer where not.

    One that is learned may be frozen: a parameter that training leaves as it is. One
    that is not `saved` is made anew with the module, and in no state dict.
    """

    name: str
    shape: tuple[Size, ...]
    learned: bool = True
    itemsize: int = 4  # bytes an element
    frozen: bool = False
    saved: bool = True

    @property
    def trained(self) -> bool:
        """Whether training changes it, so that it has a gradient."""
        return self.learned and not self.frozen

    @property
    def numel(self) -> Size:
        """The number of elements."""
        return product(self.shape)


@record
class Cost:
    """What one run of an operation does.

    `macs` are multiply-accumulates of matrix products; `elementwise` counts the other
    arithmetic by kind (bias, norm, activation, softmax, pool, arithmetic, …), with
    every function of one number (exp, tanh, erf, sqrt, …) as one operation.
    """

    macs: Size = 0
    elementwise: Mapping[str, Size] = field(default_factory=dict)

    @property
    def flops(self) -> Size:
        """Two a MAC, and all that is element-wise."""
        total: Size = 2 * self.macs
        for count in self.elementwise.values():
            total = total + count
        return total


@runtime_checkable
class Operation(Protocol):
    """The questions that the graph and the analyses put to an op."""

    name: ClassVar[str]
    view: ClassVar[bool]
    sized: ClassVar[tuple[str, ...]]

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        """The tensors it holds."""
        ...

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        """What one run costs."""
        ...

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        """What the gradients of one run cost, of weights and of the ports `needs`."""
        ...

    def text(self) -> str:
        """The operation as written in a spec, defaults left out."""
        ...
