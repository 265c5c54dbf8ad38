"""Claims about shapes: `: [B, C = 10]`, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.diagnostics.faults.shapes import ClaimWrong
from archdsl.ir.tensor import Tensor


def wrong_claim(
    found: Tensor, dtype: str, names: Sequence[str], wrong: Sequence[str]
) -> ClaimWrong | None:
    """What a claim is wrong about; None if it is right.

    Args:
        found: The tensor.
        dtype: The kind of elements that is claimed, or "".
        names: The axes that are claimed.
        wrong: Those of them that the tensor has with another size.
    """
    words = []
    if dtype not in ("", found.dtype):
        words.append(f"its values are {found.dtype}")
    if wrong:
        words.append(" and ".join(f"{a} is {found[a]}" for a in wrong))
    missing = [a for a in names if a not in found]
    if missing:
        words.append(f"there is no {' and no '.join(missing)}")
    more = [a for a in found.names if a not in names]
    if more:
        words.append(f"it says nothing of {' and '.join(more)}")
    return ClaimWrong(", ".join(words), str(found)) if words else None
