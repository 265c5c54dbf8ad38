"""Plain recurrent layers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import PlainValidator

from archdsl.ops.base import Example
from archdsl.ops.emit import Arg
from archdsl.ops.recurrence import Recurrence


def _nonlinearity(value: object) -> str:
    if isinstance(value, str) and value in ("tanh", "relu"):
        return value
    raise ValueError('must be "tanh" or "relu"')


Nonlinearity = Annotated[str, PlainValidator(_nonlinearity), '"tanh" or "relu"']


class Rnn(Recurrence):
    """Plain recurrent layers, without gates: a state is ``tanh(Wx + b + Uh + c)``.

    Runs along the one position axis there is, or along `over`; other positions are
    batch. C becomes `hidden`, twice that if `bidirectional`: forwards, then backwards.
    It begins with zeros, or with `state`: all final states of a layer as deep and wide,
    as it puts them out with ``last = "all"``, or such a one from elsewhere, with x's
    axes but the one that it runs along (`expand` gives a learned one the batch).
    Costs ``n * hidden + hidden**2`` MACs for each step of each layer and direction that
    takes n features, and for each hidden number 2 operations of bias, 1 of activation
    and 1 of arithmetic.

    Args:
        nonlinearity: ``"tanh"``, or ``"relu"`` in its place.
    """

    name = "rnn"
    paper = "Elman 1990, Finding Structure in Time"
    examples = (
        Example("rnn(5)", {"x": "[B, T = 7, C = 4]"}),
        Example("rnn(3, layers = 2, bidirectional = true)", {"x": "[B, C = 2, T = 6]"}),
        Example("rnn(3, last = true, bias = false)", {"x": "[B, T = 7, C = 2]"}),
        Example(
            "rnn(3, 2, bidirectional = true, last = true, dropout = 0.1)",
            {"x": "[B, T = 5, C = 4]"},
        ),
        Example("rnn(4, over = W)", {"x": "[B, C = 3, H = 2, W = 5]"}),
        Example("rnn(2, last = true, over = T)", {"x": "[B, T = 4, N = 3, C = 3]"}),
        Example('rnn(3, nonlinearity = "relu")', {"x": "[B, T = 5, C = 4]"}),
        Example(
            'rnn(3, layers = 2, bidirectional = true, last = "all")',
            {"x": "[B, T = 5, C = 4]"},
        ),
        Example("rnn(3, state = s)", {"x": "[B, T = 5, C = 4]", "s": "[B, C = 3]"}),
        Example(
            'rnn(2, 2, bidirectional = true, last = "all", over = T, state = s)',
            {"x": "[B, T = 4, N = 3, C = 3]", "s": "[B, C = 8, N = 3]"},
        ),
    )

    gates: ClassVar[int] = 1
    per_state: ClassVar[tuple[int, int]] = (1, 1)
    module: ClassVar[str] = "nn.RNN"

    nonlinearity: Nonlinearity = "tanh"

    def further(self) -> tuple[Arg, ...]:
        return (Arg("nonlinearity", self.nonlinearity, "tanh"),)
