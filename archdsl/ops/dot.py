"""Products of two tensors, summed over axes that are named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.tensor import BATCH, FEATURES
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Port,
    Tensor,
)
from archdsl.ops.emit import Arg, Emit, Make, Site
from archdsl.ops.fields import Axes
from archdsl.ops.rules import need_axes, need_equal, need_float
from archdsl.ops.spread import Reach, Spread, Whole, same_positions


class _Roles(NamedTuple):
    """What each axis does in one product."""

    shared: Layout  # both have it, and it stays: gone through side by side
    left: Layout  # of x alone
    right: Layout  # of the other alone


class Dot(Op):
    """Sum of products over axes that two tensors share: a product of matrices.

    The axes of `over` go. Others that both have are gone through side by side, and
    those that only one has are combined each with each: ``[B, N, C]`` and
    ``[B, M, C]`` give ``[B, N, M]``, all likenesses of N queries and M keys, and
    ``over = M`` takes with such weights a mean of ``[B, M, C]``. So this is what others
    write as matmul or einsum. Costs a MAC for each number that comes out and each index
    of what is summed over.

    Shape:
        The axes of x without `over`, then those that only `other` has.

    Args:
        over: The axes that are summed over; C, if none is named.
    """

    name = "dot"
    group = "arithmetic"
    ports = (Port("x"), Port("other"))
    examples = (
        Example("dot(y)", {"x": "[B, N = 3, C = 4]", "y": "[B, M = 5, C = 4]"}),
        Example(
            "dot(y, over = T)", {"x": "[B, N = 2, T = 5]", "y": "[B, C = 3, T = 5]"}
        ),
        Example("dot(y)", {"x": "[B, C = 4]", "y": "[N = 3, C = 4]"}),
        Example("dot(y)", {"x": "[B, T = 3, C = 4]", "y": "[B, C = 4, T = 3]"}),
        Example(
            "dot(y, over = [C, D])",
            {
                "x": "[B, H = 2, W = 3, C = 2, D = 3]",
                "y": "[D = 3, B, G = 2, C = 2, K = 2]",
            },
        ),
        Example("dot(y)", {"x": "[N = 3, C = 4]", "y": "[B, T = 2, C = 4]"}),
        Example("dot(y, H)", {"x": "[B, H = 3]", "y": "[B, C = 2, H = 3, W = 2]"}),
    )

    over: Axes = (FEATURES,)

    def roles(self, ins: Inputs, given: Mapping[str, Layout] | None = None) -> _Roles:
        """Which axis does what, in the order of the layouts given."""
        x, other = (given or {}).get("x"), (given or {}).get("other")
        x = ins["x"].names if x is None else x
        other = ins["other"].names if other is None else other
        both = [a for a in x if a in other and a not in self.over]
        shared = tuple(sorted(both, key=lambda a: a != BATCH))
        left = tuple(a for a in x if a not in other)
        return _Roles(shared, left, tuple(a for a in other if a not in x))

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x, other = ins["x"], ins["other"]
        need_float(self, x)
        need_float(self, other)
        if not self.over:
            raise Refused(MissingArgument(self.name, "over", "dot(y)"), "over")
        if BATCH in self.over:
            needs = "works inside one example, and B counts examples"
            raise Refused(WrongAxes(self.name, needs, str(x)), "over")
        need_axes(self, x, self.over, "over")
        need_axes(self, other, self.over, "other")
        both = [a for a in x.names if a in other]
        need_equal(self, facts, (x, other), both, at="other")
        new = [a for a in other.axes if a[0] not in x]
        axes = (*x.without(self.over).axes, *new)
        return (Tensor(tuple(sorted(axes, key=lambda a: a[0] != BATCH))),)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(outs[0].numel * ins["x"].extent(self.over))

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        return Cost(self.cost(ins, outs).macs * len(set(needs)))

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        spread: dict[str, dict[str, Reach]] = {}
        for port, tensor in ins.items():
            spread[port] = same_positions(tensor)
            for axis in self.over:
                size = tensor[axis]
                if axis in tensor.positions and isinstance(size, int):
                    spread[port][axis] = Whole(size)
        return spread

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        roles = self.roles(ins, given)
        shared, left, right = roles
        other = (*shared, *self.over, *right)
        if self._turns(roles) and given["other"] == (*shared, *right, *self.over):
            other = given["other"]
        return {"x": (*shared, *left, *self.over), "other": other}

    def _turns(self, roles: _Roles) -> bool:
        """Whether it is one product of two matrices, of which one can be turned."""
        return len(roles.left) < 2 and len(roles.right) == len(self.over) == 1

    def emit(self, site: Site) -> Emit:
        roles = self.roles(site.ins, site.layouts)
        shared, left, right = roles
        layouts = ((*shared, *left, *right),)
        at, summed = len(shared), len(self.over)
        x = "{x}" if left else f"{{x}}.unsqueeze({at})"
        other = "{other}" if right else "{other}.unsqueeze(-1)"
        ends = ("" if right else ".squeeze(-1)") + ("" if left else f".squeeze({at})")
        rows = len(left) or 1
        if rows > 1 or len(right) > 1:
            counts = (("ahead", at), ("rows", rows), ("summed", summed))
            make = Make("MatMul", tuple(Arg(name, count) for name, count in counts))
            return Emit(f"{{self}}({x}, {other}){ends}", layouts, make)
        x, other = _joined(x, at + rows, summed), _joined(other, at, summed)
        if self._turns(roles) and site.layouts["other"][-1] == self.over[0]:
            other += f".transpose({at}, {at + 1})"
        forward = f"{x} @ {other}"
        return Emit(f"({forward}){ends}" if ends else forward, layouts)

    def label(self, ins: Inputs) -> str:
        return f"dot over {', '.join(self.over)}"


def _joined(text: str, start: int, count: int) -> str:
    """Some dimensions as one."""
    return f"{text}.flatten({start}, {start + count - 1})" if count > 1 else text


def _runtime() -> None:
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    class MatMul(nn.Module):
        """A product of matrices, rows and columns of which are several dimensions."""

        def __init__(self, ahead: int, rows: int, summed: int) -> None:
            super().__init__()
            self.left = ahead + rows  # dimensions
            self.right = ahead + summed
            self.ahead = ahead

        def forward(self, x: Tensor, other: Tensor) -> Tensor:
            rows, columns = x.shape[self.ahead : self.left], other.shape[self.right :]
            x = x.flatten(self.left).flatten(self.ahead, -2)
            other = other.flatten(self.right).flatten(self.ahead, -2)
            return (x @ other).unflatten(-1, columns).unflatten(self.ahead, rows)
