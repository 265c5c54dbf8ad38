"""What models are trained in and with: precisions and optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]
Optimizer: TypeAlias = Literal["sgd", "momentum", "adam"]

PRECISIONS: Mapping[Precision, int] = {"fp32": 4, "bf16": 2, "fp16": 2}
"""Bytes of a number."""
OPTIMIZERS: Mapping[Optimizer, int] = {"sgd": 0, "momentum": 1, "adam": 2}
"""Numbers in fp32 that an optimizer holds for each parameter; AdamW is as Adam."""
