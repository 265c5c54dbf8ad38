"""Time on a device, estimated from work and traffic: the roofline.

A layer takes as long as the slower of its arithmetic and its traffic:
``max(flops / peak, bytes / bandwidth)`` (Williams, Waterman & Patterson 2009,
"Roofline", equation 1). What it reads are its inputs and weights, what it writes its
outputs. Run *eagerly*, every op does so; *fused*, an op that only computes number by
number works on what the op before has in its registers, and reads its other inputs
alone. Launching a kernel takes no time here, caches keep nothing between ops, and no
kernel is slower than the device: so it is a bound from below, and no forecast. What
happens inside of an op moves nothing either: attention is a kernel that keeps its
scores to itself (Dao et al. 2022, "FlashAttention").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archdsl.analysis.cost import Costs, layers
from archdsl.analysis.memory.devices import Device
from archdsl.analysis.memory.names import PRECISIONS, Precision
from archdsl.ir.dim import Size, total
from archdsl.ir.graph import Graph, Node, Path, Ref
from archdsl.ir.operation import Cost, Inputs, Operation
from archdsl.ir.tensor import Tensor

_OF_FLOATS = ("activation", "arithmetic", "regularisation")


@dataclass(frozen=True)
class Traffic:
    """The work of one op and the bytes that it moves.

    Attributes:
        path: Its path.
        kind: What most of its arithmetic is: "matmul", "norm", …; "memory" where it
            only moves numbers, "view" where it does nothing.
        matmul: FLOPs of its products of matrices.
        other: Its other FLOPs.
        nbytes: Bytes read and written.
    """

    path: Path
    kind: str
    matmul: Size
    other: Size
    nbytes: Size

    @property
    def flops(self) -> Size:
        """All of it."""
        return self.matmul + self.other

    def seconds(self, device: Device, precision: Precision) -> float:
        """The least time that a device takes; sizes are numbers here."""
        assert isinstance(self.matmul, int) and isinstance(self.other, int)
        assert isinstance(self.nbytes, int)
        work = self.matmul / device.matmul[precision] + self.other / device.vector
        return max(work, self.nbytes / device.bandwidth)

    def bound(self, device: Device, precision: Precision) -> str:
        """What it waits for: "compute" or "memory"; "" where it does nothing."""
        assert isinstance(self.nbytes, int)
        slow = self.nbytes / device.bandwidth
        if not self.seconds(device, precision):
            return ""
        return "memory" if self.seconds(device, precision) == slow else "compute"


def traffic(
    graph: Graph, precision: Precision = "fp32", *, fused: bool = False
) -> Iterator[Traffic]:
    """The work and traffic of every op of a model, in order, blocks opened."""
    size = PRECISIONS[precision]
    costs = Costs()
    for layer in layers(graph, costs):
        node, here = layer.node, layer.graph
        assert isinstance(node.payload, Operation)
        once = costs.node(here, node)
        moved: Size = 0
        if node.inputs and not _is_idle(node.payload):
            moved = _moved(here, node, size, fused=fused)
        turns = _turns(layer.cost.activation_bytes, once.activation_bytes)
        cost = layer.cost
        kind = _kind(node.payload, Cost(cost.macs, cost.elementwise))
        work = cost.flops - cost.matmul_flops
        yield Traffic(layer.path, kind, cost.matmul_flops, work, moved * turns)


def _turns(together: Size, once: Size) -> Size:
    """How often an op of a scan runs, from what it writes in all turns and in one."""
    return together // once if once else 1


def _is_idle(op: Operation) -> bool:
    """Whether an op does nothing in inference, as a view and dropout do."""
    return op.view or getattr(op, "group", "") == "regularisation"


def _kind(op: Operation, cost: Cost) -> str:
    if op.view:
        return "view"
    if cost.macs:
        return "matmul"
    kinds = [kind for kind, count in cost.elementwise.items() if count]
    return kinds[0] if kinds else "memory"


def _moved(graph: Graph, node: Node, size: int, *, fused: bool) -> Size:
    """Bytes that an op reads and writes: inputs, weights, outputs."""
    assert isinstance(node.payload, Operation)
    ins = graph.ins(node)
    weights = total(
        w.numel * (size if w.itemsize == 4 else w.itemsize)
        for w in node.payload.weights(ins)
    )
    if node.payload.name == "embedding":  # as many rows as there are ids
        weights = _nbytes(node.outputs[0], size)
    held = _joins(graph, node) if fused else None
    read = total(_nbytes(t, size) for t in _read(node, ins, held))
    if held is not None:  # the maker has written, in its own count
        return read + weights
    return read + weights + total(_nbytes(t, size) for t in node.outputs)


def _read(node: Node, ins: Inputs, held: Ref | None) -> Iterator[Tensor]:
    """The tensors that an op reads, each once, but one that it holds."""
    assert isinstance(node.payload, Operation)
    seen = set[Ref]() if held is None else {held}
    for port, ref in node.inputs:
        if ref not in seen and port not in node.payload.sized:
            seen.add(ref)
            yield ins[port]


def _nbytes(tensor: Tensor, size: int) -> Size:
    return tensor.numel * (size if tensor.dtype == "float" else 8)


def _joins(graph: Graph, node: Node) -> Ref | None:
    """The value whose maker an op is fused with: it must be its only reader."""
    op = node.payload
    assert isinstance(op, Operation)
    if getattr(op, "group", "") not in _OF_FLOATS or op.name == "softmax":
        return None
    for _, ref in node.inputs:
        maker = graph[ref.node].payload
        users = {user.id for user, _ in graph.users(ref)}
        alone = users == {node.id} and ref not in graph.results
        whole = graph.tensor(ref).sizes == node.outputs[0].sizes
        inside = isinstance(maker, Operation) and not maker.view
        if alone and whole and inside:
            return ref
    return None
