"""Closed forms of an op: its figures in its own sizes instead of numbers.

The op is asked again with its axes named for what they are, and its fields for what
`Op.letters` calls them: a convolution of 64 features becomes ``k**2*H*W*C**2``. A
form is kept only where the op's own sizes, put in, give the op's own figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.diagnostics import Refused
from archdsl.ir.dim import Setting, Size, substitute, symbol, total
from archdsl.ir.facts import Facts
from archdsl.ir.operation import Inputs, Outputs
from archdsl.ir.tensor import BATCH, FEATURES, Tensor
from archdsl.ops.base import Op


@dataclass(frozen=True)
class Opened:
    """An op with names in the place of its sizes.

    Attributes:
        op: The op, the fields of its `letters` open.
        ins: What goes in, its axes open.
        outs: What comes out.
        values: What the names stand for: numbers, or formulas of a model's symbols.
    """

    op: Op
    ins: Inputs
    outs: Outputs
    values: Mapping[str, Size]

    def agrees(self, form: Size, figure: Size) -> bool:
        """Whether a form gives a figure when the op's sizes are put in."""
        return substitute(form, self.values) == figure


def opened(op: Op, ins: Inputs) -> Opened | None:
    """An op with open sizes; None where it cannot be asked so."""
    values: dict[str, Size] = {}
    named = {port: open_axes(t, values, port) for port, t in ins.items()}
    fields = _letters(op, ins, values)
    shaped = {f: size for f, size in fields.items() if FEATURES in op.letters[f]}
    try:
        outs = op.model_copy(update=shaped).outputs(named, Facts())
    except Refused:
        return None
    return Opened(op.model_copy(update=fields), named, outs, values)


def open_axes(tensor: Tensor, values: dict[str, Size], port: str = "x") -> Tensor:
    """A tensor with the names of its axes as their sizes, which go into `values`.

    An axis that has another size elsewhere gets the port's name too.
    """
    axes: list[tuple[str, Size]] = []
    for axis, size in tensor.axes:
        if axis == BATCH and size == 1:
            axes.append((axis, 1))
            continue
        name = axis
        while values.setdefault(name, size) != size:
            name += f"_{port}"
        axes.append((axis, symbol(name)))
    return Tensor(tuple(axes), tensor.dtype)


def _letters(op: Op, ins: Inputs, values: dict[str, Size]) -> dict[str, Size]:
    """The fields that get a letter: an axis' where it has that size, or their own."""
    axes = {axis for tensor in ins.values() for axis in tensor.names}
    found: dict[str, Size] = {}
    for field, names in op.letters.items():
        size = _one(getattr(op, field))
        if size is None or size == 1:
            continue
        for name in names:
            if name in axes and values.get(name) == size:
                found[field] = symbol(name)
                break
            if name not in axes and values.setdefault(name, size) == size:
                found[field] = symbol(Setting(name) if name.islower() else name)
                break
    return found


def _one(value: object) -> int | None:
    """The number that a field is, or that all of its numbers are."""
    several = set(value) if isinstance(value, tuple) else {value}
    first = next(iter(several), None)
    return first if len(several) == 1 and isinstance(first, int) else None


@dataclass(frozen=True)
class Form:
    """What a layer costs in its own sizes; None where no formula gives the figure."""

    params: Size | None
    macs: Size | None
    flops: Size | None


def form(op: Op, ins: Inputs, outs: Outputs) -> Form | None:
    """An op's costs in its own sizes; None where it cannot be asked so."""
    there = opened(op, ins)
    if there is None:
        return None
    cost, exact = there.op.cost(there.ins, there.outs), op.cost(ins, outs)
    params, held = _params(there.op, there.ins), _params(op, ins)
    pairs = ((params, held), (cost.macs, exact.macs), (cost.flops, exact.flops))
    return Form(*(f if there.agrees(f, figure) else None for f, figure in pairs))


def _params(op: Op, ins: Inputs) -> Size:
    return total(w.numel for w in op.weights(ins) if w.learned)
