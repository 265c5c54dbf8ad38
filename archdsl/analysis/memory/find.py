"""Memory, training and time, found for a report."""

from __future__ import annotations

from archdsl.analysis.cost import Costs, blaming, layers
from archdsl.analysis.memory.devices import DEVICES
from archdsl.analysis.memory.gradients import Training as Gradients
from archdsl.analysis.memory.names import Precision
from archdsl.analysis.memory.result import (
    LayerTime,
    LayerWork,
    Roofline,
    Training,
)
from archdsl.analysis.memory.roofline import traffic
from archdsl.analysis.part import Number
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.shapes import OpenSize
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Graph
from archdsl.ir.operation import Cost


def number(size: Size) -> Number:
    """A size as a report holds it."""
    return str(size) if isinstance(size, Poly) else size


def training(graph: Graph) -> Training:
    """What a step of training computes.

    Raises:
        SpecError: A formula grows too long.
    """
    gradients, costs = Gradients(), Costs()
    forward, backward = costs.total(graph), gradients.backward(graph)
    found = []
    ops = layers(graph, costs), gradients.layers(graph)
    with blaming(graph.span):
        for moved, layer, after in zip(traffic(graph), *ops, strict=True):
            found.append(
                LayerWork(
                    path=".".join(moved.path),
                    kind=moved.kind,
                    forward=number(layer.cost.flops),
                    backward=number(after.cost.flops),
                    bytes=number(moved.nbytes),
                )
            )
        return Training(
            forward_macs=number(forward.macs),
            backward_macs=number(backward.macs),
            forward=_kinds(Cost(forward.macs, forward.elementwise)),
            backward=_kinds(backward),
            layers=tuple(found),
        )


def _kinds(cost: Cost) -> dict[str, Number]:
    rows = {"matmul": 2 * cost.macs, **dict(sorted(cost.elementwise.items()))}
    return {kind: number(count) for kind, count in rows.items() if count != 0}


def roofline(
    graph: Graph, device: str, precision: Precision, *, fused: bool
) -> Roofline:
    """The least time of a forward pass on a device.

    Args:
        graph: The model.
        device: One of `DEVICES`.
        precision: Of weights and activations.
        fused: Whether element-wise ops cost no traffic of their own.

    Raises:
        SpecError: A size is open.
    """
    machine = DEVICES[device]
    times = []
    for row in traffic(graph, precision, fused=fused):
        sizes = (row.matmul, row.other, row.nbytes)
        if any(isinstance(size, Poly) for size in sizes):
            raise _open(graph)
        assert isinstance(row.flops, int) and isinstance(row.nbytes, int)
        times.append(
            LayerTime(
                path=".".join(row.path),
                kind=row.kind,
                flops=row.flops,
                bytes=row.nbytes,
                seconds=row.seconds(machine, precision),
                bound=row.bound(machine, precision),
            )
        )
    return Roofline(
        device=machine.name,
        precision=precision,
        fused=fused,
        matmul_peak=machine.matmul[precision],
        vector_peak=machine.vector,
        bandwidth=machine.bandwidth,
        source=machine.source,
        seconds=sum(row.seconds for row in times),
        layers=tuple(times),
    )


def _open(graph: Graph) -> SpecError:
    """The error for an open size, at the model."""
    axes = [(a, s) for t in graph.inputs.values() for a, s in t.axes]
    axis, size = next((a, s) for a, s in axes if isinstance(s, Poly))
    fault = OpenSize("an estimate of time", axis, size, f": `--size {axis}=…`")
    return SpecError.at(graph.span, fault)
