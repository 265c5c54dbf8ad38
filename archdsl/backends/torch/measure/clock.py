"""Time on a device: a GPU works on its own, so that asking the CPU's clock is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch

    Mark: TypeAlias = float | torch.cuda.Event


class Clock:
    """Marks moments of a device's work; this one is for a CPU."""

    def mark(self) -> Mark:
        """This moment, after all that was asked of the device before."""
        return time.perf_counter()

    def wait(self) -> None:
        """Waits until the device has done all; a CPU has when a call returns."""

    def between(self, start: Mark, end: Mark) -> float:
        """Seconds from one mark to a later one; after `wait`."""
        assert isinstance(start, float) and isinstance(end, float)
        return end - start


class MpsClock(Clock):
    """An Apple GPU: each mark waits for it, which keeps it from working ahead."""

    def mark(self) -> Mark:
        """The time when it has done all."""
        self.wait()
        return time.perf_counter()

    def wait(self) -> None:
        """Waits for the GPU."""
        import torch

        torch.mps.synchronize()


class CudaClock(Clock):
    """An Nvidia GPU: marks are events in its queue, which do not stop it."""

    def mark(self) -> Mark:
        """An event behind all that is queued."""
        import torch

        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def wait(self) -> None:
        """Waits for the GPU."""
        import torch

        torch.cuda.synchronize()

    def between(self, start: Mark, end: Mark) -> float:
        """Seconds between two events, by the GPU's own clock."""
        assert not isinstance(start, float) and not isinstance(end, float)
        return float(start.elapsed_time(end)) / 1000


def clock_of(device: str) -> Clock:
    """The clock of a device."""
    kinds = {"cuda": CudaClock, "mps": MpsClock}
    return kinds.get(device, Clock)()
