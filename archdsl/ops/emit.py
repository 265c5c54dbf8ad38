"""How an op is written in PyTorch, as data: nothing here imports torch.

Every number of an op travels as an `Arg` with a name, never inside a text, so that
the compiler can turn what differs between two uses of a block into a constructor's
argument, and so that nothing of a spec's text can become code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, Union

from archdsl.ir.dim import Poly
from archdsl.ir.operation import Inputs, Outputs
from archdsl.ir.tensor import BATCH, FEATURES, Layout, Tensor

# An open size is refused by the compiler where it would have to be a number.
Literal: TypeAlias = Union[  # noqa: UP007 - it refers to itself
    bool, int, float, str, Poly, tuple["Literal", ...], None
]


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True)
class Arg:
    """A named number, text or tuple.

    Attributes:
        name: The keyword; also what a constructor calls it if it must take it.
        value: A Python literal.
        default: Left out where `value` equals it.
        keyword: Whether it is written ``name=value`` or just ``value``.
    """

    name: str
    value: Literal
    default: Literal | _Required = REQUIRED
    keyword: bool = True


def positional(name: str, value: Literal) -> Arg:
    """An argument that is always written, without its name."""
    return Arg(name, value, keyword=False)


@dataclass(frozen=True)
class Make:
    """The construction of a module: ``nn.Conv2d(3, 64, kernel_size=7)``.

    `callee` is a name under ``torch`` or ``nn``, or a class that the op's own file
    defines in its ``_runtime`` function. Of one that is `frozen`, no parameter needs a
    gradient.
    """

    callee: str
    args: tuple[Arg, ...] = ()
    frozen: bool = False


@dataclass(frozen=True)
class Emit:
    """One use of an op.

    Attributes:
        forward: A template of one Python expression. ``{port}`` stands for an input,
            ``{self}`` for the module that `make` builds, any other name for an
            argument of `literals`.
        layouts: The physical order of each output's axes.
        make: The module that holds the op's weights, tables or mode, if any.
        literals: Numbers that the template uses.
        module: For an op that needs no module: the ``nn`` class that does the same,
            so that it can stand in an ``nn.Sequential``.
    """

    forward: str
    layouts: tuple[Layout, ...]
    make: Make | None = None
    literals: tuple[Arg, ...] = ()
    module: Make | None = None


@dataclass(frozen=True)
class Site:
    """Where an op is written: the types around it and the layouts that it gets.

    `layouts` has one entry a port, as `Op.arrange` asked for.
    """

    ins: Inputs
    outs: Outputs
    layouts: Mapping[str, Layout]

    def dim(self, axis: str, port: str = "x") -> int:
        """The dimension at which an axis lies."""
        return self.layouts[port].index(axis)


# --- layouts ------------------------------------------------------------------------


def batch_axes(tensor: Tensor, over: tuple[str, ...]) -> tuple[str, ...]:
    """The axes that an op over some positions leaves alone, the batch first."""
    rest = tuple(p for p in tensor.positions if p not in over)
    return ((BATCH,) if BATCH in tensor else ()) + rest


def features_first(tensor: Tensor, over: tuple[str, ...]) -> Layout:
    """``B … C H W``: batch, other positions, features, then what is worked on."""
    middle = (FEATURES,) if FEATURES in tensor else ()
    return (*batch_axes(tensor, over), *middle, *over)


def features_last(tensor: Tensor, over: tuple[str, ...] = ()) -> Layout:
    """``B … H W C``: batch, other positions, what is worked on, features."""
    last = (FEATURES,) if FEATURES in tensor else ()
    return (*batch_axes(tensor, over), *over, *last)
