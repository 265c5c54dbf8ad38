"""Who is who in one use of attention: the tensors, and what their axes do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import Size
from archdsl.ir.facts import Facts
from archdsl.ir.tensor import BATCH, Tensor
from archdsl.ops.base import Op
from archdsl.ops.emit import batch_axes
from archdsl.ops.rules import need_axes, need_equal, need_features


class Roles(NamedTuple):
    """Who is who in one use: the tensors, and which of their axes do what."""

    x: Tensor
    key: Tensor
    value: Tensor
    batch: tuple[str, ...]  # positions that only stand side by side
    asking: tuple[str, ...]  # positions of x
    asked: tuple[str, ...]  # positions of key and value

    @property
    def beside(self) -> tuple[str, ...]:
        """The batch and the positions beside, in the order of x."""
        return batch_axes(self.x, self.asking)

    @property
    def rows(self) -> dict[str, Size]:
        """At how many positions each linear map stands."""
        batch = self.x.extent(self.beside)
        asking = batch * self.x.extent(self.asking)
        asked = batch * self.key.extent(self.asked)
        return {"q": asking, "k": asked, "v": asked, "out": asking}

    @property
    def pairs(self) -> Size:
        """Of how many pairs of positions there are scores."""
        return self.rows["q"] * self.key.extent(self.asked)


def check_roles(op: Op, r: Roles, others: Iterable[str], facts: Facts) -> None:
    """Refuses a key or a value that does not go with x, or with each other.

    Args:
        op: The attention.
        r: Its tensors and axes.
        others: The ports that are given beside x.
        facts: What is known of open sizes.
    """
    for port in others:
        _check_other(op, r, r.key if port == "key" else r.value, port, facts)
    if not r.asked:
        needs = "needs a position axis in the key, besides those of the batch"
        raise Refused(WrongAxes(op.name, needs, str(r.key)), "key")
    need_axes(op, r.value, r.asked, "value")
    need_axes(op, r.key, r.value.positions, "value")
    need_equal(op, facts, (r.key, r.value), r.asked, at="value")


def _check_other(op: Op, r: Roles, other: Tensor, port: str, facts: Facts) -> None:
    need_features(op, other)
    if (BATCH in r.x) != (BATCH in other):
        needs = f"needs the batch B in x and in its {port}, or in neither"
        bare = other if BATCH in r.x else r.x
        mend = "a tensor gets the batch by adding it to one that has B"
        raise Refused(WrongAxes(op.name, needs, str(bare), mend), port)
    need_axes(op, other, r.batch, port)
    need_equal(op, facts, (r.x, other), r.batch, at=port)


def check_line(op: Op, r: Roles, at: str, why: str) -> None:
    """Refuses several axes that ask or are asked, where an argument needs one."""
    for tensor, axes in ((r.x, r.asking), (r.key, r.asked)):
        if len(axes) > 1:
            mend = f"merge({', '.join(axes)}, into = T) first, or name it: over = …"
            needs = f"with {at} needs one axis, {why}"
            raise Refused(WrongAxes(op.name, needs, str(tensor), mend), at)


def check_before(op: Op, r: Roles, facts: Facts) -> None:
    """Refuses positions among which there is no before."""
    check_line(op, r, "causal", "along which there is a before")
    asking, asked = r.x[r.asking[0]], r.key[r.asked[0]]
    if not facts.equal(asking, asked):
        problem = "needs as many positions in the key as in x"
        found = f"{asking} positions asking {asked}"
        mend = "leave causal out: between two sequences there is no before"
        fault = WrongValue(op.name, "causal", problem, found, mend)
        raise Refused(fault, "causal")
