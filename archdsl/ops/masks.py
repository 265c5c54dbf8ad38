"""Masks of attention: what their axes are to the scores, and how they get in."""

from __future__ import annotations

from typing import NamedTuple

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import SizesDiffer, WrongAxes, WrongDtype
from archdsl.ir.facts import Facts
from archdsl.ir.tensor import BATCH, FEATURES, Tensor
from archdsl.ops.base import Op
from archdsl.ops.roles import Roles
from archdsl.ops.rules import need_axes, need_equal
from archdsl.ops.spread import Reach, Same


class Laid(NamedTuple):
    """What the axes of a mask are: which it has of those that scores have.

    Attributes:
        batch: The batch and the positions beside, in the order of x.
        heads: ``("C",)`` if it has an entry for each head.
        asking: The mask's names for the positions that ask, in the order of x; or ().
        asked: The positions that are asked.
    """

    batch: tuple[str, ...]
    heads: tuple[str, ...]
    asking: tuple[str, ...]
    asked: tuple[str, ...]

    @property
    def layout(self) -> tuple[str, ...]:
        """All of them, in the order of the scores."""
        return (*self.batch, *self.heads, *self.asking, *self.asked)


def laid(op: Op, r: Roles, mask: Tensor, port: str) -> Laid:
    """What each axis of a mask is to the scores.

    A name that the key's positions have means the key's. One name stands for two axes
    where x asks itself, so that the positions that ask have other names in a mask: any,
    in the order of x.

    Raises:
        Refused: It lacks an axis that is asked, or has one that scores have not.
    """
    need_axes(op, mask, r.asked, port)
    batch = tuple(a for a in r.beside if a in mask)
    heads = (FEATURES,) if FEATURES in mask else ()
    rest = [a for a in mask.names if a not in (*batch, *heads, *r.asked)]
    own = [a for a in r.asking if a in rest and a not in r.asked]
    others = iter([a for a in rest if a not in own])
    asking = tuple(a if a in own else next(others, "") for a in r.asking if rest)
    if "" in asking or next(others, "") or BATCH in asking:
        raise Refused(_misfit(op, r, mask), port)
    return Laid(batch, heads, asking, r.asked)


def _misfit(op: Op, r: Roles, mask: Tensor) -> WrongAxes:
    beside = ", ".join(r.beside) or "none"
    needs = f"takes a mask of the positions that are asked ({', '.join(r.asked)})"
    mend = f"it may have, too, those of the batch ({beside}), C for the heads, and"
    if set(r.asking) & set(r.asked):
        count = "one axis" if len(r.asking) == 1 else f"{len(r.asking)} axes"
        mend += f" {count} of another name for the positions that ask"
    else:
        mend += f" all positions that ask ({', '.join(r.asking)})"
    return WrongAxes(op.name, needs, str(mask), mend)


def check_mask(
    op: Op, r: Roles, mask: Tensor, port: str, heads: int, facts: Facts
) -> None:
    """Refuses a mask of other sizes or of another kind than the scores need."""
    if port == "mask" and mask.dtype == "float":
        mend = "what is added to the scores is given as `added`"
        raise Refused(
            WrongDtype(f"{op.name}: mask", "bool or int", "float", mend), port
        )
    found = laid(op, r, mask, port)
    need_equal(op, facts, (r.x, mask), found.batch, at=port)
    need_equal(op, facts, (r.key, mask), found.asked, at=port)
    pairs = [(r.x[a], mask[m], m) for a, m in zip(r.asking, found.asking, strict=False)]
    pairs += [(heads, mask[m], m) for m in found.heads]
    for needed, given, axis in pairs:
        if not facts.equal(needed, given):
            what = "heads" if axis == FEATURES else str(r.x)
            fault = SizesDiffer(op.name, axis, needed, given, what, str(mask))
            raise Refused(fault, port)


def mask_reaches(r: Roles, found: Laid) -> dict[str, Reach]:
    """Where a mask is read from: beside, and by the positions that ask."""
    reaches: dict[str, Reach] = {a: Same(a) for a in found.batch if a != BATCH}
    asks = zip(found.asking, r.asking, strict=False)
    return reaches | {theirs: Same(ours) for theirs, ours in asks}


def mask_code(r: Roles, mask: Tensor, found: Laid, port: str) -> str:
    """A mask that broadcasts with scores of (batch…, heads, N, M), in that layout."""
    code = f"{{{port}}}"
    if mask.dtype == "int":
        code += ".bool()"
    ahead = len(found.batch) + len(found.heads)
    for start, count in (
        (ahead + len(found.asking), len(found.asked)),
        (ahead, len(found.asking)),
    ):
        if count > 1:
            code += f".flatten({start}, {start + count - 1})"
    has = [a in found.batch for a in r.beside]
    has += [bool(found.heads), bool(found.asking), True]
    if not any(has[:-2]):  # kernels take two dimensions, or all
        has = has[-2:]
    while has and has[-1]:
        has.pop()
    return f"{code}[{', '.join(':' if h else 'None' for h in has)}]" if has else code
