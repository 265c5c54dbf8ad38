"""Promises: what a spec says of a model's figures, as data that analyses check.

A promise is a chain of comparisons between terms. All that elaboration knows is a
number already; a figure is only named, since what computes it lies above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from archdsl.ir.dim import Size
    from archdsl.source import Span

# What a spec may promise something about, and what each is of: the model as a whole,
# or an axis of an input. `archdsl.analysis.promises` computes them.
FIGURES: Mapping[str, Literal["model", "axis"]] = {
    "params": "model",
    "trainable_params": "model",
    "buffers": "model",
    "macs": "model",
    "matmul_flops": "model",
    "flops": "model",
    "weight_bytes": "model",
    "buffer_bytes": "model",
    "activation_bytes": "model",
    "receptive_field": "axis",
    "sequential_steps": "model",
    "path_length": "axis",
}


@dataclass(frozen=True)
class Number:
    """What elaboration knows: a number, or the size of an axis."""

    value: Size | float
    span: Span


@dataclass(frozen=True)
class Figure:
    """``params``, ``receptive_field(H)``.

    Attributes:
        name: One of `FIGURES`.
        input: The input that the axis is of; "" where the figure is of the model.
        axis: The axis.
        span: The place in the spec.
    """

    name: str
    input: str
    axis: str
    span: Span


@dataclass(frozen=True)
class Applied:
    """``params + buffers``, ``max(params, macs)``: an operator or a function."""

    name: str
    terms: tuple[Term, ...]
    span: Span


Term: TypeAlias = Number | Figure | Applied


@dataclass(frozen=True)
class Promise:
    """``4e9 <= macs < 5e9``: the signs stand between the terms."""

    terms: tuple[Term, ...]
    signs: tuple[str, ...]
    span: Span


def figures(term: Term) -> Iterator[Figure]:
    """The figures that a term is made of, in order."""
    if isinstance(term, Figure):
        yield term
    elif isinstance(term, Applied):
        for part in term.terms:
            yield from figures(part)
