"""Values: the module runs in float64, all is finite, and fusing changed no number."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from archdsl.analysis.verification import Row, equal, skipped
from archdsl.backends.torch.verify.steps import Steps
from archdsl.backends.torch.verify.subject import Check, Subject, outputs_of

NAME = "forward"
_CLOSE = 1e-9  # of the largest number


def rows(subject: Subject) -> Iterator[Row]:
    """Runs it."""
    if subject.left_out:
        yield skipped(NAME, "outputs", subject.left_out)
        return
    subject.progress("running it in float64")
    inputs = subject.inputs(torch.float64)
    with torch.no_grad():
        whole = outputs_of(subject.graph, subject.module(*inputs))
        subject.progress("running it in float64, op by op")
        steps = Steps(subject.plan, subject.module, subject.values).run(inputs)
    for (name, x), y in zip(whole.items(), steps, strict=True):
        finite = bool(torch.isfinite(x).all())
        words = "finite" if finite else f"{_share(x):.1%} not finite"
        yield equal(NAME, f"output {name}", "finite", words)
        gap = _gap(x, y)
        same = "same" if gap <= _CLOSE else f"differs by {gap:.1e} of the largest"
        yield equal(NAME, f"output {name}, op by op", "same", same)


def _share(x: Tensor) -> float:
    return 1 - torch.isfinite(x).double().mean().item()


def _gap(x: Tensor, y: Tensor) -> float:
    """How far two tensors are apart, as a share of the largest number."""
    if x.shape != y.shape:
        return float("inf")
    both = torch.nan_to_num(x.double()), torch.nan_to_num(y.double())
    largest = max(both[0].abs().max().item(), 1e-30) if x.numel() else 1.0
    return (both[0] - both[1]).abs().max().item() / largest if x.numel() else 0.0


CHECK = Check(NAME, "in float64 all outputs are finite, and the same op by op", rows)
