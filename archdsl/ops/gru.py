"""Gated recurrent units."""

from __future__ import annotations

from typing import ClassVar

from archdsl.ops.base import Example
from archdsl.ops.recurrence import Recurrence


class Gru(Recurrence):
    """Gated recurrent units: recurrent layers with a state and two gates.

    A new state is ``(1 - z) * n + z * h``, where z is the update gate and n is
    ``tanh(Wx + b + r * (Uh + c))``: the reset gate r acts on the state's map, its bias
    c with it, as in PyTorch and cuDNN; the paper resets the state before the map.
    Runs along the one position axis there is, or along `over`; other positions are
    batch. C becomes `hidden`, twice that if `bidirectional`: forwards, then backwards.
    It begins with zeros, or with `state`: all final states of a layer as deep and wide,
    as it puts them out with ``last = "all"``, or such a one from elsewhere, with x's
    axes but the one that it runs along (`expand` gives a learned one the batch).
    Costs ``3 * (n * hidden + hidden**2)`` MACs for each step of each layer and
    direction that takes n features, and for each hidden number 6 operations of bias,
    9 of activation (2 sigmoids, 1 tanh) and 7 of arithmetic (3 to add up the gates,
    1 to reset, 3 to update the state).
    """

    name = "gru"
    paper = "Cho et al. 2014, Learning Phrase Representations by RNN Encoder-Decoder"
    examples = (
        Example("gru(5)", {"x": "[B, T = 7, C = 4]"}),
        Example("gru(3, layers = 2, bidirectional = true)", {"x": "[B, C = 2, T = 6]"}),
        Example("gru(3, last = true, bias = false)", {"x": "[B, T = 7, C = 2]"}),
        Example(
            "gru(3, 2, bidirectional = true, last = true, dropout = 0.1)",
            {"x": "[B, T = 5, C = 4]"},
        ),
        Example("gru(4, over = W)", {"x": "[B, C = 3, H = 2, W = 5]"}),
        Example("gru(2, last = true, over = T)", {"x": "[B, T = 4, N = 3, C = 3]"}),
        Example(
            'gru(3, layers = 2, bidirectional = true, last = "all")',
            {"x": "[B, T = 5, C = 4]"},
        ),
        Example("gru(3, state = s)", {"x": "[B, T = 5, C = 4]", "s": "[B, C = 3]"}),
        Example(
            'gru(2, 2, bidirectional = true, last = "all", over = T, state = s)',
            {"x": "[B, T = 4, N = 3, C = 3]", "s": "[B, C = 8, N = 3]"},
        ),
    )

    gates: ClassVar[int] = 3
    per_state: ClassVar[tuple[int, int]] = (9, 7)
    module: ClassVar[str] = "nn.GRU"
