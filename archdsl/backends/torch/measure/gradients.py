"""How large gradients are, layer by layer: where they vanish, where they explode.

Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural
networks, plot the same at initialisation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from archdsl.analysis.cost import Layer
from archdsl.backends.torch.measure.trial import (
    Trial,
    Turns,
    Unmeasurable,
    chance,
    parts,
    seeded,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

Verdict: TypeAlias = Literal["", "vanishes", "explodes"]

FAR = 1000.0  # times less or more than at the last layer


@dataclass(frozen=True)
class LayerGradient:
    """The gradients of one layer; root mean squares over the samples.

    Attributes:
        path: The layer.
        op: What it does.
        params: How many learned numbers it has.
        output: The Euclidean norm of the gradient to what it puts out, where the
            gradient to the model's outputs has norm 1; None where none arrives.
        weight: The norm of the gradient to its parameters; None if it has none.
        update: That over the norm of the parameters themselves.
        verdict: "vanishes" where `output` is less than a thousandth of what it is at
            the last layer, "explodes" where it is more than a thousand times as much.
    """

    path: str
    op: str
    params: int
    output: float | None
    weight: float | None
    update: float | None
    verdict: Verdict


@dataclass(frozen=True)
class GradientFindings:
    """The gradients of a model.

    Attributes:
        model: The model.
        samples: Over how many draws of inputs, and weights, it is averaged.
        trained: Whether the weights were given.
        ratio: `output` of the first layer over that of the last; None without layers.
        layers: Every layer that is a module of its own, in order.
    """

    model: str
    samples: int
    trained: bool
    ratio: float | None
    layers: tuple[LayerGradient, ...]


def measure(trial: Trial, samples: int = 4, turns: Turns = iter) -> GradientFindings:
    """The norms of the gradients of every layer, in training.

    The loss is the sum of the outputs, each number weighed by a random one such that
    the gradient to the outputs has norm 1: no labels are needed, and what is found is
    what the network does to a gradient. Give several images a batch where there are
    norms of batches.

    Args:
        trial: What to run.
        samples: How many draws to average; each has weights of its own where none are
            given.
        turns: Shows how far it is.

    Raises:
        Unmeasurable: No output depends on anything learned; or a batch is too small for
            training.
    """
    tallies: dict[str, _Tally] = {}
    model = None
    for turn in turns(range(samples)):
        if model is None or trial.weights is None:
            model = trial.model(turn).train()
        if not tallies:
            found = parts(trial.graph, model)
            tallies = {".".join(layer.path): _Tally(layer) for layer, _ in found}
        _once(trial, model, turn, tallies)
    ordered = [tally for tally in tallies.values() if not tally.is_silent]
    arrived = [t.mean(t.outputs) for t in ordered if t.outputs]
    last = arrived[-1] if arrived else None
    return GradientFindings(
        trial.graph.name,
        samples,
        trial.weights is not None,
        arrived[0] / last if last else None,
        tuple(tally.record(last) for tally in ordered),
    )


class _Tally:
    """The squares of a layer's norms, one a sample."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.outputs: list[float] = []
        self.weights: list[float] = []
        self.updates: list[float] = []

    @property
    def is_silent(self) -> bool:
        """Whether nothing was heard of it: a module that did not run."""
        return not self.outputs and not self.weights

    @staticmethod
    def mean(squares: list[float]) -> float:
        """The root of the mean."""
        return math.sqrt(math.fsum(squares) / len(squares))

    def record(self, last: float | None) -> LayerGradient:
        """The means."""
        output = self.mean(self.outputs) if self.outputs else None
        params = self.layer.cost.params
        return LayerGradient(
            ".".join(self.layer.path),
            getattr(self.layer.node.payload, "name", ""),
            params if isinstance(params, int) else 0,
            output,
            self.mean(self.weights) if self.weights else None,
            self.mean(self.updates) if self.updates else None,
            _verdict(output, last),
        )


def _verdict(output: float | None, last: float | None) -> Verdict:
    if output is None or last is None:
        return ""
    if not math.isfinite(output) or output > FAR * last:
        return "explodes"
    return "vanishes" if output < last / FAR else ""


def _once(
    trial: Trial, model: nn.Module, turn: int, tallies: dict[str, _Tally]
) -> None:
    """One forward and one backward pass."""
    heard: dict[str, list[torch.Tensor]] = {}
    handles = []
    for path in tallies:
        module = model.get_submodule(path)
        hook = _Listener(heard.setdefault(path, []))
        handles.append(module.register_forward_hook(hook))
    try:
        with seeded(trial.seed, turn, "dropout"):
            results = list(tensors(model(*trial.inputs(turn))))
    except ValueError as error:
        # A batch norm says so of one value a channel.
        raise Unmeasurable(f"in training, {error}: try --batch 8") from None
    finally:
        for handle in handles:
            handle.remove()
    _backward(results, chance(trial.seed, turn, "gradient"))
    for path, tally in tallies.items():
        _add(tally, heard[path], model.get_submodule(path))
    model.zero_grad()


class _Listener:
    """A hook that keeps what a module puts out, and its gradient when it comes."""

    def __init__(self, outputs: list[torch.Tensor]) -> None:
        self.outputs = outputs

    def __call__(self, module: nn.Module, given: object, output: object) -> None:
        for tensor in tensors(output):
            if tensor.requires_grad:
                tensor.retain_grad()
                self.outputs.append(tensor)


def tensors(value: object) -> Iterator[torch.Tensor]:
    """The tensors of a result, be it one, a tuple of them, or a dict."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)


def _backward(results: list[torch.Tensor], seed: int) -> None:
    """Sends a random gradient of norm 1 back from the outputs."""
    import torch

    results = [y for y in results if y.requires_grad]
    if not results:
        raise Unmeasurable("no output depends on anything learned: no gradient flows")
    source = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(y.shape, generator=source).to(y) for y in results]
    norm = math.sqrt(sum(float(d.double().square().sum()) for d in drawn))
    torch.autograd.backward(results, [d / norm for d in drawn])


def _add(tally: _Tally, outputs: list[torch.Tensor], module: nn.Module) -> None:
    """What one pass says of one layer; of one that is used often, all uses together."""
    arrived = [y.grad for y in outputs if y.grad is not None]
    if arrived:
        tally.outputs.append(_square(arrived))
    learned = [p for p in module.parameters() if p.grad is not None]
    if learned:
        square = _square(p.grad for p in learned if p.grad is not None)
        tally.weights.append(square)
        there = _square(p.detach() for p in learned)
        tally.updates.append(square / there if there else math.inf)


def _square(tensors: Iterable[torch.Tensor]) -> float:
    """The square of the norm of several tensors together."""
    return math.fsum(float(t.double().square().sum()) for t in tensors)
