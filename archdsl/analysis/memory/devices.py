"""Devices: how fast they compute and how fast they read, as their makers say.

The figures are peaks of dense arithmetic; no program reaches them. In fp32 products of
matrices are those of fp32 itself, and not of TF32, which convolutions in PyTorch use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.analysis.memory.names import Precision


@dataclass(frozen=True)
class Device:
    """A machine.

    Attributes:
        name: What people call it.
        matmul: FLOPs a second in products of matrices, by precision.
        vector: FLOPs a second in all other arithmetic, in fp32.
        bandwidth: Bytes a second between memory and chip.
        source: Where the figures are from.
    """

    name: str
    matmul: Mapping[Precision, float]
    vector: float
    bandwidth: float
    source: str


DEVICES: Mapping[str, Device] = {
    "h100": Device(
        "NVIDIA H100 SXM 80 GB",
        {"fp32": 66.9e12, "bf16": 989.4e12, "fp16": 989.4e12},
        66.9e12,
        3.35e12,
        "NVIDIA H100 Tensor Core GPU Architecture, 2022, tables 1 and 3; HBM3 of its "
        "data sheet",
    ),
    "h200": Device(
        "NVIDIA H200 SXM 141 GB",
        {"fp32": 66.9e12, "bf16": 989.4e12, "fp16": 989.4e12},
        66.9e12,
        4.8e12,
        "NVIDIA H200 data sheet, 2023; the chip is that of the H100",
    ),
    "a100": Device(
        "NVIDIA A100 SXM 80 GB",
        {"fp32": 19.5e12, "bf16": 312e12, "fp16": 312e12},
        19.5e12,
        2.039e12,
        "NVIDIA A100 Tensor Core GPU data sheet, 2021",
    ),
    "v100": Device(
        "NVIDIA V100 SXM2 32 GB",
        {"fp32": 15.7e12, "bf16": 15.7e12, "fp16": 125e12},
        15.7e12,
        0.9e12,
        "NVIDIA Tesla V100 GPU Architecture, 2017, table 1; it has no bf16",
    ),
    "rtx4090": Device(
        "NVIDIA GeForce RTX 4090",
        {"fp32": 82.6e12, "bf16": 165.2e12, "fp16": 165.2e12},
        82.6e12,
        1.008e12,
        "NVIDIA Ada GPU Architecture, 2022, appendix A; 16-bit with sums in fp32",
    ),
    "cpu": Device(
        "server CPU of 2021, one socket: Intel Xeon Platinum 8380",
        {"fp32": 5.89e12, "bf16": 5.89e12, "fp16": 5.89e12},
        5.89e12,
        0.2048e12,
        "Intel ARK: 40 cores of 2.3 GHz with two AVX-512 units, which do 64 FLOPs a "
        "cycle, and 8 channels of DDR4-3200; 16 bits are computed in fp32",
    ),
}
