"""The effective receptive field: what of the input an output really depends on.

Luo et al. 2016, Understanding the Effective Receptive Field in Deep Convolutional
Neural Networks: the gradient of the centre of an output to the input, averaged over
random inputs and weights, is nearly Gaussian and much smaller than the theoretical
field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archdsl.analysis.effective_field import estimate, moments
from archdsl.backends.torch.measure.trial import (
    Trial,
    Turns,
    Unmeasurable,
    chance,
)
from archdsl.ir.graph import Enter, Graph, Ref
from archdsl.ir.prune import prune
from archdsl.ops.embedding import Embedding

if TYPE_CHECKING:
    import torch
    from torch import nn

INSIDE = 1 - 0.9545  # of the largest impact: two standard deviations of Luo et al.


@dataclass(frozen=True)
class AxisField:
    """The field along one axis of the input; lengths in its positions.

    Attributes:
        axis: The axis.
        size: Its length.
        mean: Where the field's middle lies.
        std: Its standard deviation: that of the Gaussian with the same moments.
        fit: How much of the profile that Gaussian explains: R squared, at most 1.
        inside: How many positions have at least 4.55 % of the largest impact.
        static: The standard deviation that `archdsl.analysis.effective_field`
            estimates for weights that are all equal; None where it cannot.
        first: The first position of the theoretical field, or None.
        last: The last one.
        profile: The impact of each index, all other axes added up; the sum is 1.
    """

    axis: str
    size: int
    mean: float
    std: float
    fit: float
    inside: int
    static: float | None
    first: int | None
    last: int | None
    profile: tuple[float, ...]


@dataclass(frozen=True)
class EffectiveField:
    """The impact of an input's positions on one position of a value.

    Attributes:
        model: The model.
        value: The name of the value.
        at: The index of its position, by axis.
        input: The name of the input; of ids, the vectors that stand for them.
        samples: Over how many draws of inputs, and weights, it is averaged; those that
            let no gradient through are not counted.
        trained: Whether the weights were given.
        axes: The field along each axis.
        impact: The mean magnitude of the gradient of the value's features, weighed at
            random; every draw counts alike. The last axis runs fastest, the largest
            is 1.
        inside: How many positions have at least 4.55 % of that.
    """

    model: str
    value: str
    at: Mapping[str, int]
    input: str
    samples: int
    trained: bool
    axes: tuple[AxisField, ...]
    impact: tuple[float, ...]
    inside: int


def last_map(graph: Graph) -> Ref:
    """The last value that has positions, of those that the outputs are made of.

    Raises:
        Unmeasurable: There is none.
    """
    names = {f"{i}": (ref,) for i, ref in enumerate(graph.results)}
    kept = {node.path for node in prune(graph, names)}
    for node in reversed(graph.nodes):
        tensor = node.outputs[0]
        if isinstance(node.payload, Enter):
            continue
        if node.path in kept and tensor.positions and tensor.dtype == "float":
            return Ref(node.id)
    where = f"`{graph.name}`, outside of its blocks,"
    raise Unmeasurable(f"no value of {where} has positions: there is no field")


def measure(
    trial: Trial,
    samples: int = 16,
    at: Mapping[str, int] | None = None,
    turns: Turns = iter,
) -> EffectiveField:
    """The effective field of a model's first output, or of the last map before it.

    Each sample has an input of its own, and weights of its own where none are given.
    The model is in inference: norms of batches would couple all positions.

    Args:
        trial: What to run.
        samples: How many draws to average.
        at: The position of the output, by axis; its centre where none is named.
        turns: Shows how far it is.

    Raises:
        Unmeasurable: No value has positions; there is no such position; or no gradient
            reaches an input that has positions.
    """
    import torch

    ref = trial.graph.results[0]
    if not trial.graph.tensor(ref).positions:
        ref = last_map(trial.graph)
    place = _place(trial.graph, ref, at or {})
    name, graph = _cut(trial.graph, ref)
    trial = replace(trial, graph=graph)
    source = _source(graph)
    total, model, live = None, None, 0
    drawing = torch.Generator()
    drawing.manual_seed(chance(trial.seed, 0, "gradient"))
    for turn in turns(range(samples)):
        if model is None or trial.weights is None:
            model = trial.model(turn)
        impact = _impact(model, trial.inputs(turn), graph, source, place, drawing)
        whole = float(impact.sum())
        if not math.isfinite(whole):
            raise Unmeasurable(f"the gradient of `{name}` is no number: it explodes")
        if whole > 0:  # not where every relu of a small network is closed
            # Every draw counts alike, be its gradient large or small.
            total = impact / whole if total is None else total + impact / whole
            live += 1
    if total is None:
        raise Unmeasurable(f"no gradient of `{name}` reaches `{source.name}`")
    return _result(trial, name, place, source, total / total.max(), live)


def _cut(graph: Graph, ref: Ref) -> tuple[str, Graph]:
    """What a value is called, and the model that ends there."""
    names = dict(zip(graph.results, graph.result_names, strict=True))
    name = names.get(ref, graph[ref.node].name)
    return name, prune(graph, {name: (ref,)})


def _place(graph: Graph, ref: Ref, at: Mapping[str, int]) -> dict[str, int]:
    """The position that is asked for, the centre where nothing is said."""
    tensor = graph.tensor(ref)
    for axis, index in at.items():
        size = tensor.sizes.get(axis)
        if axis not in tensor.positions or not isinstance(size, int):
            there = ", ".join(tensor.positions)
            raise Unmeasurable(f"{tensor} has no position axis {axis}; it has {there}")
        if not 0 <= index < size:
            problem = f"{axis} = {index} is outside of {tensor}"
            raise Unmeasurable(f"{problem}: use 0 to {size - 1}")
    sizes = {a: tensor[a] for a in tensor.positions}
    return {a: at.get(a, s // 2) for a, s in sizes.items() if isinstance(s, int)}


@dataclass(frozen=True)
class _Source:
    """The tensor that the gradient is taken of.

    Attributes:
        name: The input.
        number: Which input it is.
        axes: Its axes, in the order of the tensor.
        embedding: The path of the layer that makes vectors of ids, or "".
    """

    name: str
    number: int
    axes: tuple[tuple[str, int], ...]
    embedding: str = ""

    @property
    def positions(self) -> dict[str, int]:
        return {a: s for a, s in self.axes if a not in ("B", "C")}


def _source(graph: Graph) -> _Source:
    """The first input that has positions; one of ids, behind its embedding."""
    for number, (name, tensor) in enumerate(graph.inputs.items()):
        axes = tuple((a, s) for a, s in tensor.axes if isinstance(s, int))
        if not tensor.positions:
            continue
        if tensor.dtype == "float":
            return _Source(name, number, axes)
        for node in graph:
            if isinstance(node.payload, Embedding):
                entry = graph[dict(node.inputs)["x"].node]
                if entry.outputs[0] == tensor and entry.path == (name,):
                    return _Source(name, number, (*axes, ("C", -1)), node.name)
    raise Unmeasurable(f"`{graph.name}` has no input with positions and a gradient")


def _impact(
    model: nn.Module,
    inputs: list[torch.Tensor],
    graph: Graph,
    source: _Source,
    place: Mapping[str, int],
    drawing: torch.Generator,
) -> torch.Tensor:
    """The magnitude of the gradient of one position, its features weighed at random."""
    import torch

    watched: list[torch.Tensor] = []
    handle = None
    if source.embedding:
        layer = model.get_submodule(source.embedding)

        def vectors(_: nn.Module, __: object, y: torch.Tensor) -> torch.Tensor:
            watched.append(y.detach().requires_grad_())
            return watched[0]

        handle = layer.register_forward_hook(vectors)
    else:
        inputs[source.number].requires_grad_()
        watched.append(inputs[source.number])
    y = model(*inputs)
    if handle is not None:
        handle.remove()
    order = graph.result_orders[0]
    index = tuple(place.get(axis, slice(None)) for axis in order)
    centre = y[index]
    # Not their sum: that of what a layer norm puts out is always 0.
    weights = torch.randn(centre.shape, generator=drawing).to(centre)
    out = (centre * weights).sum()
    (gradient,) = torch.autograd.grad(out, watched[0], allow_unused=True)
    if gradient is None:
        problem = f"`{graph.result_names[0]}` does not depend on `{source.name}`"
        raise Unmeasurable(f"{problem} in a way that has a gradient")
    names = [a for a, _ in source.axes]
    rest = tuple(i for i, a in enumerate(names) if a in ("B", "C"))
    impact = gradient.detach().abs().double()
    return (impact.sum(rest) if rest else impact).cpu()


def _result(
    trial: Trial,
    name: str,
    place: Mapping[str, int],
    source: _Source,
    impact: torch.Tensor,
    samples: int,
) -> EffectiveField:
    """The record of a map of impacts, the largest of which is 1."""
    found = estimate(trial.graph, trial.graph.results[0], place)
    static = found.get(source.name) if found else None
    axes = []
    for dim, (axis, size) in enumerate(source.positions.items()):
        others = tuple(d for d in range(impact.dim()) if d != dim)
        profile = (impact.sum(others) if others else impact).tolist()
        whole = math.fsum(profile)
        profile = [p / whole for p in profile]
        mean, std = moments(profile)
        first, last = static.bounds(axis) if static else (None, None)
        axes.append(
            AxisField(
                axis,
                size,
                mean,
                std,
                _fit(profile, mean, std),
                sum(p >= INSIDE * max(profile) for p in profile),
                static.std(axis) if static else None,
                first,
                last,
                tuple(profile),
            )
        )
    return EffectiveField(
        trial.graph.name,
        name,
        place,
        source.name,
        samples,
        trial.weights is not None,
        tuple(axes),
        tuple(impact.flatten().tolist()),
        int((impact >= INSIDE).sum()),
    )


def _fit(profile: list[float], mean: float, std: float) -> float:
    """R squared of the Gaussian that has the moments of a profile."""
    if std == 0:
        return 1.0
    bell = [math.exp(-(((i - mean) / std) ** 2) / 2) for i in range(len(profile))]
    scale = math.fsum(b * p for b, p in zip(bell, profile, strict=True))
    scale /= math.fsum(b * b for b in bell)
    middle = math.fsum(profile) / len(profile)
    left = math.fsum((p - scale * b) ** 2 for b, p in zip(bell, profile, strict=True))
    there = math.fsum((p - middle) ** 2 for p in profile)
    return 1 - left / there if there else 1.0
