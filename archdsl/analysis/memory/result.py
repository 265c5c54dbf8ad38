"""Memory, training and time in a report; docs/memory.md has the definitions."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.analysis.part import Number, Part, Section
from archdsl.analysis.tables import Table


class HeldBytes(Part):
    """What autograd holds of one function of one layer, in float32.

    Attributes:
        path: The module in whose forward pass it happens.
        function: The function of PyTorch.
        bytes: Of the storages that no function before holds already.
    """

    path: str
    function: str
    bytes: int


class CachedBytes(Part):
    """Keys and values that one attention keeps while tokens are written one by one.

    Attributes:
        path: The attention.
        cross: Whether they are another tensor's and do not grow.
        position_bytes: Of one position, the whole batch together.
        positions: How many there are at the end.
        bytes: Of all of them.
    """

    path: str
    cross: bool
    position_bytes: Number
    positions: Number
    bytes: Number


class Memory(Section):
    """Bytes that a model takes.

    Attributes:
        precision: In what weights, gradients and caches are held.
        optimizer: Whose state is counted.
        weights: The parameters, shared ones once.
        gradients: One for each parameter.
        optimizer_state: What the optimizer holds, fp32 copies of weights included.
        buffers: What is held and not learned.
        saved: What autograd holds for the backward pass when the forward pass of a
            step is done, in float32; None where it is not known.
        peak: The most bytes of tensors that live at once in inference, in float32,
            inputs and results included; None where it is not known.
        training: All that is there when a step's forward pass is done: weights,
            gradients, optimizer state, buffers and `saved`.
        inference: Weights, buffers and `peak`.
        saved_by_layer: The parts of `saved`, in order; empty where sizes are open.
        caches: Of a decoder that writes token by token.
        multiples: The formulas are for sizes that are multiples of this.
        unknown: Why `saved` and `peak` are not known.
    """

    precision: str
    optimizer: str
    weights: Number
    gradients: Number
    optimizer_state: Number
    buffers: Number
    saved: Number | None
    peak: Number | None
    training: Number | None
    inference: Number | None
    saved_by_layer: tuple[HeldBytes, ...]
    caches: tuple[CachedBytes, ...]
    multiples: int = 1
    unknown: str = ""

    def tables(self, depth: int) -> Sequence[Table]:
        """One for the model as a whole, others by layer."""
        from archdsl.analysis.memory.show import memory_tables

        return memory_tables(self, depth)


class LayerWork(Part):
    """The work of one op in a step of training.

    Attributes:
        path: The op.
        kind: What most of its arithmetic is: "matmul", "norm", …; "memory" where it
            only moves numbers, "view" where it does nothing.
        forward: FLOPs of the forward pass.
        backward: FLOPs of the gradients.
        bytes: What the forward pass reads and writes, in float32: inputs, weights and
            outputs.
    """

    path: str
    kind: str
    forward: Number
    backward: Number
    bytes: Number


class Training(Section):
    """What a step of training computes, the optimizer's own arithmetic left out.

    Attributes:
        forward_macs: Multiply-accumulates of the forward pass.
        backward_macs: Those of the gradients that are needed.
        forward: FLOPs of the forward pass, by kind; "matmul" is 2 a MAC.
        backward: FLOPs of the gradients, by kind.
        layers: Every op.
    """

    forward_macs: Number
    backward_macs: Number
    forward: dict[str, Number]
    backward: dict[str, Number]
    layers: tuple[LayerWork, ...]

    def tables(self, depth: int) -> Sequence[Table]:
        """One for the model as a whole, others by layer."""
        from archdsl.analysis.memory.show import training_tables

        return training_tables(self, depth)


class LayerTime(Part):
    """The least time of one op.

    Attributes:
        path: The op.
        kind: As in `LayerWork`.
        flops: FLOPs.
        bytes: Read and written.
        seconds: The slower of the two.
        bound: Which that is: "compute" or "memory"; "" where it does nothing.
    """

    path: str
    kind: str
    flops: int
    bytes: int
    seconds: float
    bound: str


class Roofline(Section):
    """The least time that a forward pass takes on a device.

    Attributes:
        device: Its name.
        precision: Of weights and activations.
        fused: Whether element-wise ops work on what is in registers already.
        matmul_peak: FLOPs a second of products of matrices.
        vector_peak: FLOPs a second of all else.
        bandwidth: Bytes a second.
        source: Where these figures are from.
        seconds: Of all ops, one after another.
        layers: Every op.
    """

    device: str
    precision: str
    fused: bool
    matmul_peak: float
    vector_peak: float
    bandwidth: float
    source: str
    seconds: float
    layers: tuple[LayerTime, ...]

    def tables(self, depth: int) -> Sequence[Table]:
        """One for the model as a whole, others by layer."""
        from archdsl.analysis.memory.show import roofline_tables

        return roofline_tables(self, depth)
