"""Memory: what autograd holds after a forward pass, and the peak of inference."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.verification import Row, equal, skipped
from archdsl.backends.torch.load import load
from archdsl.backends.torch.measure.memory import peak_bytes, saved_bytes
from archdsl.backends.torch.shadow.run import usage
from archdsl.backends.torch.shadow.storage import Unknown
from archdsl.backends.torch.verify.subject import Check, Subject

NAME = "memory"
_SAVED, _PEAK = "saved for backward", "peak in inference"


def rows(subject: Subject) -> Iterator[Row]:
    """Compares them, in bytes of float32."""
    if subject.left_out:
        yield skipped(NAME, "bytes", subject.left_out)
        return
    subject.progress("watching what it holds")
    try:
        said = usage(subject.graph, subject.values)
    except Unknown as problem:
        yield skipped(NAME, "bytes", f"not known without running: {problem}")
        return
    module, inputs = load(subject.graph), subject.inputs()
    try:
        saved = saved_bytes(module.train(), inputs)
        yield equal(NAME, _SAVED, said.saved, saved)
    except ValueError as problem:  # a batch norm of one number
        yield skipped(NAME, _SAVED, f"does not train at this size: {problem}")
    yield equal(NAME, _PEAK, said.peak, peak_bytes(module.eval(), inputs))


CHECK = Check(NAME, "what training holds and inference takes, in bytes", rows)
