"""Models of two inputs, compared as models of the first: the second stays as it is."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tests.parity.reference import Rule, fill


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


class Pair(NamedTuple):
    """Two models that should be one, given the same thing beside their first input."""

    ours: Beside
    theirs: Beside
    rules: list[Rule]

    def given(self, other: Tensor) -> "Pair":
        """The same models, beside something else."""
        for model in self[:2]:
            model.other = other
        return self


def paired(
    ours: nn.Module,
    theirs: nn.Module,
    rules: Iterable[Rule],
    other: Tensor,
    *,
    mine: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None,
    yours: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None,
) -> Pair:
    """Our model with the weights of theirs, both beside `other`.

    `mine` and `yours` say how ours and theirs are called.
    """
    rules = [Rule(rf"model\.{r.theirs}", within(r), r.change) for r in rules]
    pair = Beside(ours, other, mine), Beside(theirs, other, yours)
    fill(*pair, rules)
    return Pair(*pair, rules)


def within(rule: Rule) -> Callable[..., str]:
    """The name that a rule gives, in a model that is called `model`."""
    if callable(rule.ours):
        return lambda match: f"model.{rule.ours(match)}"
    return lambda match: f"model.{match.expand(rule.ours)}"


def tasks(count: int, batch: int = 2) -> Tensor:
    """A task for each example, the last one first."""
    return torch.arange(batch).flip(0) % count
