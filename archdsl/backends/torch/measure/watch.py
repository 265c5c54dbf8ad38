"""Hooks that time every module of a model, forwards and backwards."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archdsl.backends.torch.measure.clock import Clock
from archdsl.backends.torch.measure.gradients import tensors

if TYPE_CHECKING:
    from torch import nn

    from archdsl.backends.torch.measure.clock import Mark


@dataclass
class Times:
    """What was seen of one module; seconds, a number for each run.

    Attributes:
        kind: Its class.
        parent: Who called it first; None of the model.
        calls: How often it was called in the first run.
        forward: The time in it, all its calls in one run together.
        own: That without the modules that it called.
        backward: The time of its gradients.
        own_backward: That without those of the modules that it called.
    """

    kind: str
    parent: str | None
    calls: int = 0
    forward: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    backward: list[float] = field(default_factory=list)
    own_backward: list[float] = field(default_factory=list)


@dataclass
class _Back:
    """One run's marks of a module's gradients, a call after the other."""

    starts: list[Mark] = field(default_factory=list)
    ends: list[Mark] = field(default_factory=list)
    learned: Mark | None = None  # when the last of its parameters had its gradient


class Watch:
    """Hooks that mark when modules begin and end, and what they have found."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.times: dict[str, Times] = {}
        self._inside: list[tuple[str, Mark]] = []
        self._forward: list[tuple[str, str | None, Mark, Mark]] = []
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
                # Of models that put several tensors out, by name.
                warnings.filterwarnings("ignore", message="For backward hooks")
                yield
        finally:
            for handle in handles:
                handle.remove()

    def enter(self, path: str, kind: str) -> None:
        """A module is called."""
        parent = self._inside[-1][0] if self._inside else None
        times = self.times.setdefault(path, Times(kind, parent))
        times.calls += not times.forward
        self._inside.append((path, self.clock.mark()))

    def leave(self) -> None:
        """The innermost module returns."""
        path, start = self._inside.pop()
        parent = self._inside[-1][0] if self._inside else None
        self._forward.append((path, parent, start, self.clock.mark()))

    def back(self, path: str) -> _Back:
        """The marks of a module's gradients in this run."""
        return self._back.setdefault(path, _Back())

    def end(self) -> None:
        """Adds a run up."""
        runs = [(self._forward, "forward", "own")]
        runs.append((self._gradients(), "backward", "own_backward"))
        for spans, whole, own in runs:
            for times in self.times.values():
                getattr(times, whole).append(0.0)
                getattr(times, own).append(0.0)
            for path, parent, start, end in spans:
                seconds = self.clock.between(start, end)
                getattr(self.times[path], whole)[-1] += seconds
                getattr(self.times[path], own)[-1] += seconds
                if parent is not None:
                    getattr(self.times[parent], own)[-1] -= seconds
        self._forward, self._back = [], {}

    def _gradients(self) -> list[tuple[str, str | None, Mark, Mark]]:
        """The spans of the backward pass."""
        return [
            (path, times.parent, start, end)
            for path, times in self.times.items()
            for start, end in _spans(self.back(path), times.calls)
        ]


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

    def __init__(self, watch: Watch, path: str, backward: bool) -> None:
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
                tensor.register_hook(self.begin)  # type: ignore[no-untyped-call]

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
