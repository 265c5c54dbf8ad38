"""Long short-term memory."""

from __future__ import annotations

from typing import ClassVar

from archdsl.ops.base import Example
from archdsl.ops.recurrence import Recurrence


class Lstm(Recurrence):
    """Long short-term memory: recurrent layers with a state, a cell and three gates.

    Runs along the one position axis there is, or along `over`; other positions are
    batch. C becomes `hidden`, twice that if `bidirectional`: forwards, then backwards.
    It begins with zeros, or with `state`: all final states of a layer as deep and wide,
    as it puts them out with ``last = "all"``, or such a one from elsewhere, with x's
    axes but the one that it runs along (`expand` gives a learned one the batch).
    Costs ``4 * (n * hidden + hidden**2)`` MACs for each step of each layer and
    direction that takes n features, and for each hidden number 8 operations of bias,
    14 of activation (3 sigmoids, 2 tanh) and 8 of arithmetic (4 to add up the gates,
    4 to update the cell and put it out).
    """

    name = "lstm"
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
        Example(
            'lstm(3, layers = 2, bidirectional = true, last = "all")',
            {"x": "[B, T = 5, C = 4]"},
        ),
        Example("lstm(3, state = s)", {"x": "[B, T = 5, C = 4]", "s": "[B, C = 6]"}),
        Example(
            'lstm(2, 2, bidirectional = true, last = "all", over = T, state = s)',
            {"x": "[B, T = 4, N = 3, C = 3]", "s": "[B, C = 16, N = 3]"},
        ),
    )

    gates: ClassVar[int] = 4
    per_state: ClassVar[tuple[int, int]] = (14, 8)
    module: ClassVar[str] = "nn.LSTM"
    kinds: ClassVar[int] = 2  # states, and cells
