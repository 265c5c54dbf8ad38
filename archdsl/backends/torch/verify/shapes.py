"""Shapes: of each output of the model, and of what every op makes."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.verification import Row, equal
from archdsl.backends.torch.verify.steps import Place
from archdsl.backends.torch.verify.subject import Check, Subject, shape
from archdsl.ir.tensor import Layout, Tensor

NAME = "shapes"


def rows(subject: Subject) -> Iterator[Row]:
    """Compares them."""
    graph = subject.graph
    if subject.problem is None:
        outputs, _ = subject.outcome
        said = zip(graph.result_names, graph.outputs, graph.result_orders, strict=True)
        expected = {n: _said(subject, t, order) for n, t, order in said}
        for name in dict.fromkeys((*expected, *outputs)):
            found = shape(outputs[name]) if name in outputs else "missing"
            yield equal(NAME, f"output {name}", expected.get(name, "none"), found)
    yield from _ops(subject)


def _ops(subject: Subject) -> Iterator[Row]:
    wrong: dict[str, Row] = {}
    for step in subject.trace.seen:
        expected = _expected(subject, step.place)
        if expected != step.shapes:
            path = ".".join(step.place.path)
            row = equal(NAME, path, ", ".join(expected), ", ".join(step.shapes))
            wrong.setdefault(path, row)
    paths = {step.place.path for step in subject.trace.seen}
    yield equal(NAME, "layers as said", len(paths), len(paths) - len(wrong))
    yield from wrong.values()


def _expected(subject: Subject, place: Place) -> tuple[str, ...]:
    pairs = zip(place.node.outputs, place.layouts, strict=True)
    return tuple(_said(subject, tensor, layout) for tensor, layout in pairs)


def _said(subject: Subject, tensor: Tensor, order: Layout) -> str:
    kind = "" if tensor.dtype == "float" else tensor.dtype
    return f"{kind}{[subject.size(tensor[axis]) for axis in order]}"


CHECK = Check(NAME, "what the model puts out, and what every op makes", rows)
