"""Models of two inputs, compared as models of the first: the second stays as it is."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn


class Beside(nn.Module):
    """A model, given what stands beside each example of its first input.

    Attributes:
        model: The model of both.
        other: What the second input is, an entry for each example.
        ask: How the model is called, where that is not `model(first, other)`.
    """

    def __init__(
        self,
        model: nn.Module,
        other: Tensor,
        ask: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.other = model, other
        self.ask = ask or (lambda model, first, other: model(first, other))

    def forward(self, first: Tensor) -> Tensor:
        return self.ask(self.model, first, self.other[: len(first)])


class Two(NamedTuple):
    """Two models that should be one, given the same thing beside their first input."""

    ours: Beside
    theirs: Beside

    def given(self, other: Tensor) -> "Two":
        """The same models, beside something else."""
        for model in self:
            model.other = other
        return self
