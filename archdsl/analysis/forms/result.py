"""Closed forms as a part of a report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class ClosedForm(_Part):
    """What uses of a block or op cost in their own sizes.

    Attributes:
        layer: The block or op.
        block: Whether it is a block.
        count: How many uses of it have this formula.
        macs: Its MACs.
        params: Its parameters; None where the uses differ.
        flops: Its FLOPs; None where the uses differ.
    """

    layer: str
    block: bool
    count: int
    macs: str
    params: str | None
    flops: str | None


class ClosedForms(_Part):
    """The closed forms of a model, blocks before ops with matrix products."""

    layers: tuple[ClosedForm, ...]
