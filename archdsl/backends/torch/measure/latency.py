"""How long every layer takes, measured on a device.

A layer is a module; its time runs from when it is called to when it returns. What is a
function of its own in between (an activation, an addition) is counted in the module
whose ``forward`` calls it, as time of its own.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archdsl.analysis.cost import Costs, layers
from archdsl.backends.torch.measure.clock import Clock, clock_of
from archdsl.backends.torch.measure.gradients import tensors
from archdsl.backends.torch.measure.trial import Trial, Turns
from archdsl.backends.torch.measure.watch import Watch

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class ModuleLatency:
    """The time of one module; medians over the runs, in seconds.

    Attributes:
        path: Its name from the model down; "" is the model itself.
        kind: Its class.
        calls: How often it is called in one run.
        macs: Multiply-accumulates in it, and in what it calls, in one run; those of the
            parts of a layer are the layer's.
        own_macs: Those of no module that it calls.
        forward: The time in it, and in what it calls.
        own: That without the modules that it calls.
        backward: The time of its gradients; None if they were not asked for.
        own_backward: That without the modules that it calls.
    """

    path: str
    kind: str
    calls: int
    macs: int
    own_macs: int
    forward: float
    own: float
    backward: float | None
    own_backward: float | None


@dataclass(frozen=True)
class Profile:
    """The time of a model and of its modules.

    Attributes:
        model: The model.
        device: What it ran on, in words.
        threads: How many threads it had on a CPU; None elsewhere.
        runs: Of how many runs medians are taken.
        forward: A whole forward pass, in seconds, with nothing else measured.
        backward: A whole backward pass, if asked for.
        fastest: The fastest of the forward passes.
        slowest: The slowest.
        modules: Every module that is called, each before those that it calls.
    """

    model: str
    device: str
    threads: int | None
    runs: int
    forward: float
    backward: float | None
    fastest: float
    slowest: float
    modules: tuple[ModuleLatency, ...]


def measure(
    trial: Trial,
    runs: int = 20,
    warm_up: int = 3,
    threads: int | None = None,
    *,
    backward: bool = False,
    turns: Turns = iter,
) -> Profile:
    """The latency of a model and of each of its modules.

    The whole is timed first, by itself; then the modules, in as many runs, by hooks
    which add some microseconds to each call. The model is in inference, with gradients
    only if `backward`.

    Args:
        trial: What to run.
        runs: How many runs to take medians of.
        warm_up: How many runs to throw away before.
        threads: How many threads a CPU may use; None for as many as torch likes.
        backward: Whether to time the backward pass, too.
        turns: Shows how far it is.
    """
    import torch

    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with torch.set_grad_enabled(backward):
            return _profile(trial, runs, warm_up, backward, turns)
    finally:
        torch.set_num_threads(before)


def _profile(
    trial: Trial, runs: int, warm_up: int, backward: bool, turns: Turns
) -> Profile:
    import torch

    model, inputs = trial.model(), trial.inputs()
    for x in inputs:
        x.requires_grad_(backward and x.is_floating_point())
    clock = clock_of(trial.device)
    watch = Watch(clock)
    wholes: list[tuple[float, float]] = []
    for turn in turns(range(warm_up + 2 * runs)):
        if turn < warm_up + runs:
            times = _run(model, inputs, clock, backward)
            wholes += [times] if turn >= warm_up else []
            continue
        with watch.on(model, backward):
            _run(model, inputs, clock, backward)
        watch.end()
    forwards = [forward for forward, _ in wholes]
    return Profile(
        trial.graph.name,
        _device(trial.device),
        torch.get_num_threads() if trial.device == "cpu" else None,
        runs,
        statistics.median(forwards),
        statistics.median(b for _, b in wholes) if backward else None,
        min(forwards),
        max(forwards),
        tuple(_modules(watch, trial, backward)),
    )


def _device(device: str) -> str:
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return "CPU" if device == "cpu" else "Apple GPU"


def _run(
    model: nn.Module, inputs: list[torch.Tensor], clock: Clock, backward: bool
) -> tuple[float, float]:
    """One pass: seconds forwards and backwards."""
    import torch

    clock.wait()
    marks = [clock.mark()]
    results = model(*inputs)
    marks.append(clock.mark())
    if backward:
        results = [y for y in tensors(results) if y.requires_grad]
        torch.autograd.backward(results, [torch.ones_like(y) for y in results])
        marks.append(clock.mark())
        model.zero_grad()
        for x in inputs:
            x.grad = None
    clock.wait()
    seconds = [clock.between(a, b) for a, b in itertools.pairwise(marks)]
    return seconds[0], seconds[-1]


def _modules(watch: Watch, trial: Trial, backward: bool) -> Iterator[ModuleLatency]:
    """The records, each module before those that it calls."""
    below, own = _macs(trial, watch.times)
    for path, times in watch.times.items():
        yield ModuleLatency(
            path,
            times.kind,
            times.calls,
            below.get(path, 0),
            own.get(path, 0),
            statistics.median(times.forward),
            max(0.0, statistics.median(times.own)),
            statistics.median(times.backward) if backward else None,
            max(0.0, statistics.median(times.own_backward)) if backward else None,
        )


def _macs(
    trial: Trial, called: Collection[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """The MACs below each path of the graph, and those of no module further below."""
    below: Counter[str] = Counter()
    own: Counter[str] = Counter()
    for layer in layers(trial.graph, Costs()):
        assert isinstance(layer.cost.macs, int)
        paths = [".".join(layer.path[:n]) for n in range(len(layer.path) + 1)]
        for path in paths:
            below[path] += layer.cost.macs
        own[max((p for p in paths if p in called), key=len)] += layer.cost.macs
    return below, own
