"""How long every layer takes, measured on a device.

A layer is a module; its time runs from when it is called to when it returns. What is a
function of its own in between (an activation, an addition) is counted in the module
whose ``forward`` calls it, as time of its own.
"""

from __future__ import annotations

import itertools
import statistics
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archdsl.analysis.cost import Costs, layers
from archdsl.backends.torch.measure.clock import Clock, clock_of
from archdsl.backends.torch.measure.gradients import tensors
from archdsl.backends.torch.measure.trial import Trial, Turns

if TYPE_CHECKING:
    import torch
    from torch import nn

    from archdsl.backends.torch.measure.clock import Mark


@dataclass(frozen=True)
class ModuleLatency:
    """The time of one module; medians over the runs, in seconds.

    Attributes:
        path: Its name from the model down; "" is the model itself.
        kind: Its class.
        calls: How often it is called in one run.
        macs: Multiply-accumulates of its layers in one run; None of a part of a layer.
        forward: The time in it, and in what it calls.
        own: That without the modules that it calls.
        backward: The time of its gradients; None if they were not asked for.
    """

    path: str
    kind: str
    calls: int
    macs: int | None
    forward: float
    own: float
    backward: float | None


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
    watch = _Watch(clock)
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
        tuple(watch.modules(trial, backward)),
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


@dataclass
class _Times:
    """What was seen of one module: a sum for each run."""

    kind: str
    parent: str
    calls: int = 0
    forward: list[float] = field(default_factory=list)
    backward: list[float] = field(default_factory=list)


@dataclass
class _Back:
    """One run's marks of a module's gradients, a call after the other."""

    starts: list[Mark] = field(default_factory=list)
    ends: list[Mark] = field(default_factory=list)
    learned: Mark | None = None  # when the last of its parameters had its gradient


class _Watch:
    """Hooks that mark when modules begin and end, and what they have found."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.times: dict[str, _Times] = {}
        self._inside: list[tuple[str, Mark]] = []
        self._forward: dict[str, list[tuple[Mark, Mark]]] = {}
        self._back: dict[str, _Back] = {}

    @contextmanager
    def on(self, model: nn.Module, backward: bool) -> Iterator[None]:
        """Watches a model."""
        handles = []
        for path, module in model.named_modules():
            hooks = _Hooks(self, path, backward)
            handles.append(module.register_forward_pre_hook(hooks.enter))
            handles.append(module.register_forward_hook(hooks.leave))
            if backward:
                handles.append(module.register_full_backward_hook(hooks.finish))
                for p in module.parameters():
                    handles.append(p.register_post_accumulate_grad_hook(hooks.learned))
        try:
            with warnings.catch_warnings():
                # Of modules that take no gradient any further, such as embeddings.
                warnings.filterwarnings("ignore", message="Full backward hook")
                yield
        finally:
            for handle in handles:
                handle.remove()

    def enter(self, path: str, kind: str) -> None:
        """A module is called."""
        parent = self._inside[-1][0] if self._inside else ""
        times = self.times.setdefault(path, _Times(kind, parent))
        times.calls += not times.forward
        self._inside.append((path, self.clock.mark()))

    def leave(self) -> None:
        """The innermost module returns."""
        path, start = self._inside.pop()
        self._forward.setdefault(path, []).append((start, self.clock.mark()))

    def back(self, path: str) -> _Back:
        """The marks of a module's gradients in this run."""
        return self._back.setdefault(path, _Back())

    def end(self) -> None:
        """Adds a run up."""
        for path, times in self.times.items():
            spans = self._forward.get(path, [])
            times.forward.append(sum(self.clock.between(a, b) for a, b in spans))
            spans = _spans(self.back(path), times.calls)
            times.backward.append(sum(self.clock.between(a, b) for a, b in spans))
        self._forward, self._back = {}, {}

    def modules(self, trial: Trial, backward: bool) -> Iterator[ModuleLatency]:
        """The records, each module before those that it calls."""
        macs = _macs(trial)
        inner: dict[str, list[list[float]]] = {}
        for path, times in self.times.items():
            if path:
                inner.setdefault(times.parent, []).append(times.forward)
        for path, times in self.times.items():
            rows = zip(times.forward, *inner.get(path, []), strict=True)
            own = statistics.median(f - sum(parts) for f, *parts in rows)
            yield ModuleLatency(
                path,
                times.kind,
                times.calls,
                macs.get(path),
                statistics.median(times.forward),
                max(0.0, own),
                statistics.median(times.backward) if backward else None,
            )


def _spans(back: _Back, calls: int) -> list[tuple[Mark, Mark]]:
    """From when a gradient comes to when all that follow from it are there.

    A module that is called once is done when its parameters have their gradients, too;
    those of one that is shared come only when all its calls are done.
    """
    if calls == 1 and back.starts:
        ends = [e for e in (*back.ends[-1:], back.learned) if e is not None]
        return [(back.starts[0], end) for end in ends[-1:]]
    return list(zip(back.starts, back.ends, strict=False))


class _Hooks:
    """The hooks of one module."""

    def __init__(self, watch: _Watch, path: str, backward: bool) -> None:
        self.watch = watch
        self.path = path
        self.backward = backward
        self.begun = False

    def enter(self, module: nn.Module, _: object) -> None:
        """Before ``forward``."""
        self.watch.enter(self.path, type(module).__name__)

    def leave(self, _: object, __: object, output: object) -> None:
        """After ``forward``: asks to be told when a gradient comes back."""
        self.watch.leave()
        self.begun = False
        for tensor in tensors(output) if self.backward else ():
            if tensor.requires_grad:
                tensor.register_hook(self.begin)

    def begin(self, _: object) -> None:
        """The first gradient of what a module has put out; others may follow."""
        if not self.begun:
            back = self.watch.back(self.path)
            back.starts.append(self.watch.clock.mark())
        self.begun = True

    def finish(self, *_: object) -> None:
        """The gradients of what it was given."""
        self.watch.back(self.path).ends.append(self.watch.clock.mark())
        self.begun = False

    def learned(self, _: object) -> None:
        """The gradient of one of its parameters."""
        self.watch.back(self.path).learned = self.watch.clock.mark()


def _macs(trial: Trial) -> dict[str, int]:
    """The MACs below each path of the graph."""
    found: dict[str, int] = {}
    for layer in layers(trial.graph, Costs()):
        assert isinstance(layer.cost.macs, int)
        for length in range(len(layer.path) + 1):
            path = ".".join(layer.path[:length])
            found[path] = found.get(path, 0) + layer.cost.macs
    return found
