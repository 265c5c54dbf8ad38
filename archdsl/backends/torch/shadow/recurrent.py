"""PyTorch's recurrent modules without numbers, as its CPU kernels run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

from archdsl.backends.torch.shadow import functions as F
from archdsl.backends.torch.shadow.modules import Module, Parameter
from archdsl.backends.torch.shadow.tensor import Shadow, made

Weights: TypeAlias = Sequence[Shadow]  # of what goes in and of the state, and biases
Cell: TypeAlias = Callable[[Shadow, Shadow, Weights], Shadow]


class _Recurrent(Module):
    """Layers of recurrence over (B, T, C): what the kinds share."""

    gates: ClassVar[int]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        assert batch_first
        self.hidden, self.dropout = hidden_size, dropout
        self.directions = 1 + bidirectional
        gates = self.gates * hidden_size
        self.weights: list[list[list[Parameter]]] = []
        for layer in range(num_layers):
            width = hidden_size * self.directions if layer else input_size
            shapes = [(gates, width), (gates, hidden_size), *[(gates,)] * 2 * bias]
            self.weights.append(
                [[Parameter(Shadow(s)) for s in shapes] for _ in range(self.directions)]
            )

    def zeros(self, batch: int) -> Shadow:
        """The states that every layer and direction begins with."""
        return Shadow((len(self.weights) * self.directions, batch, self.hidden))

    def between(self, x: Shadow, layer: int) -> Shadow:
        """What a layer gives the next one."""
        if layer == len(self.weights) - 1:
            return x
        return F.dropout(x, self.dropout, self.training)


class LSTM(_Recurrent):
    """Each direction of a layer is one kernel of oneDNN."""

    gates = 4

    def _run(  # type: ignore[override]
        self, x: Shadow, begins: tuple[Shadow, Shadow] | None = None
    ) -> tuple[Shadow, tuple[Shadow, Shadow]]:
        if x.ndim == 2:  # one example
            if begins is not None:
                begins = begins[0].unsqueeze(1), begins[1].unsqueeze(1)
            every, (last, cell) = self._run(x.unsqueeze(0), begins)
            return every.squeeze(0), (last.squeeze(1), cell.squeeze(1))
        if begins is None:
            begins = self.zeros(x.shape[0]), self.zeros(x.shape[0])
        first, cells = begins
        given = x.transpose(0, 1).contiguous()  # which lives until the end
        x = given
        lasts, final = list[Shadow](), list[Shadow]()
        states = [x] * self.directions  # each until the next layer's takes its place
        for i, layer in enumerate(self.weights):
            for j, weights in enumerate(layer):
                state = first.select(0), cells.select(0)
                states[j], last, cell = lstm_layer(x, state, weights)
                lasts.append(last)
                final.append(cell)
            x = F.cat(states, -1) if len(states) > 1 else states[0]
            x = self.between(x, i)
        return x.transpose(0, 1), (F.stack(lasts), F.stack(final))


def lstm_layer(
    x: Shadow, state: tuple[Shadow, Shadow], weights: Sequence[Shadow]
) -> tuple[Shadow, Shadow, Shadow]:
    """One direction of one layer over (T, B, C): every state, the last, its cell.

    Holds its input, the states before and after, and all states. What oneDNN holds
    besides, in a buffer of its own, is no tensor of the model and is not counted.
    """
    steps, batch, _ = x.shape
    width = weights[1].shape[1]
    if len(weights) == 2:  # in place of biases, zeros as large as the weights
        weights = [*weights, *(Shadow(w.shape) for w in weights)]
    every = Shadow((steps, batch, width))
    last, cell = Shadow((batch, width)), Shadow((batch, width))
    for result in (every, last, cell):
        made("lstm", result, (x, *state, *weights))
    if every.note is not None:
        saved = (x, *state, every, last, cell, *weights)
        every.note.saved = tuple(t.storage for t in saved)
        last.note = cell.note = every.note
    return every, last, cell


class _Stepwise(_Recurrent):
    """What PyTorch runs step by step on CPUs."""

    cell: Cell

    def _run(  # type: ignore[override]
        self, x: Shadow, begins: Shadow | None = None
    ) -> tuple[Shadow, Shadow]:
        if x.ndim == 2:  # one example
            if begins is not None:
                begins = begins.unsqueeze(1)
            every, last = self._run(x.unsqueeze(0), begins)
            return every.squeeze(0), last.squeeze(1)
        first = self.zeros(x.shape[0]) if begins is None else begins
        x = x.transpose(0, 1)
        lasts = list[Shadow]()
        for i, layer in enumerate(self.weights):
            x, final = self._layer(x, first.select(0), layer)
            lasts += final
            x = self.between(x, i)
        return x.transpose(0, 1), F.stack(lasts)

    def _layer(
        self, x: Shadow, state: Shadow, layer: Sequence[Weights]
    ) -> tuple[Shadow, list[Shadow]]:
        """All directions: every state, one's features after another's, and the last."""
        every, steps = list[Shadow](), list[list[Shadow]]()
        mapped = x
        for weights in layer:  # the map of one direction lives until the next is made
            mapped = F.linear(x, weights[0], *weights[2:3])
            steps.append(self._states(mapped, state, weights))
            every.append(F.stack(steps[-1]))
        both = F.cat(every, -1) if len(every) > 1 else every[0]
        return both, [states[-1] for states in steps]

    def _states(self, x: Shadow, state: Shadow, weights: Weights) -> list[Shadow]:
        """The state after each step, from what all steps take in."""
        found = list[Shadow]()
        for _ in range(x.shape[0]):
            state = self.cell(x.select(0), state, weights)
            found.append(state)
        return found


class RNN(_Stepwise):
    """States by one map and one function."""

    gates = 1

    def __init__(
        self, *args: object, nonlinearity: str = "tanh", **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def cell(self, x: Shadow, state: Shadow, weights: Weights) -> Shadow:
        """Holds the state before, and its result; adds in place."""
        total = F.linear(state, weights[1], *weights[3:])
        result = Shadow(total.shape)
        return made("rnn", result, (total, x), (result,))


class GRU(_Stepwise):
    """States by two gates and a candidate."""

    gates = 3

    def cell(self, x: Shadow, state: Shadow, weights: Weights) -> Shadow:
        """Holds the state before, its map, which becomes the gates, and the candidate.

        What is multiplied in place is copied before: the part of the map that is reset,
        and the difference between the state and the candidate.
        """
        mapped = F.linear(state, weights[1], *weights[3:])
        new = Shadow(state.shape)
        copy = [Shadow(state.shape)] if mapped.needs else []
        made("gru", new, (mapped, x), (mapped, new, *copy))
        result = Shadow(state.shape)
        copy = [Shadow(state.shape)] if mapped.needs else []
        return made("gru", result, (new, state), (mapped, *copy))
