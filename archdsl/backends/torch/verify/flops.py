"""FLOPs of matrix products in total and by op, by PyTorch's own counter."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.verification import Row, equal
from archdsl.backends.torch.verify.subject import Check, Subject

NAME = "flops"


def rows(subject: Subject) -> Iterator[Row]:
    """Compares them."""
    total = subject.size(subject.costs.total(subject.graph).matmul_flops)
    if subject.problem is None:
        yield equal(NAME, "matmul FLOPs", total, subject.outcome[1])
    said: dict[str, int] = {}
    found: dict[str, int] = {}
    for step in subject.trace.seen:
        path = ".".join(step.place.path)
        cost = subject.costs.node(step.place.plan.graph, step.place.node)
        said[path] = said.get(path, 0) + subject.size(cost.matmul_flops)
        found[path] = found.get(path, 0) + step.flops
    wrong = [path for path in said if said[path] != found[path]]
    yield equal(NAME, "layers as said", len(said), len(said) - len(wrong))
    for path in wrong:
        yield equal(NAME, path, said[path], found[path])


CHECK = Check(
    NAME, "2 x MACs, in total and of every layer, by torch.utils.flop_counter", rows
)
