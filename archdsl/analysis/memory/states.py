"""What stays in memory between steps: weights, gradients, an optimizer's state, caches.

Bytes a parameter, by what numbers are trained in (Rajbhandari et al. 2020, "ZeRO",
section 3.1, has the 16 of Adam in mixed precision):

==========  =======  =========  =====  ========  ====
precision   weights  gradients  SGD    momentum  Adam
==========  =======  =========  =====  ========  ====
fp32        4        4          0      4         8
bf16, fp16  2        2          4      8         12
==========  =======  =========  =====  ========  ====

In mixed precision the optimizer holds a copy of the weights in fp32 besides its own
numbers; both are counted as its state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archdsl.analysis.cost import Totals, blaming
from archdsl.analysis.memory.names import (
    OPTIMIZERS,
    PRECISIONS,
    Optimizer,
    Precision,
)
from archdsl.ir.dim import Size, product
from archdsl.ir.graph import Call, Graph, Path
from archdsl.ir.tensor import BATCH
from archdsl.ops.attention import Attention

_MASTER = 4  # bytes of a number in fp32


@dataclass(frozen=True)
class States:
    """Bytes between two steps of training.

    Attributes:
        weights: The parameters, shared ones once.
        gradients: One for each parameter that is trained, in the precision of the
            weights.
        optimizer: What the optimizer holds, a copy of the weights in fp32 included.
        buffers: What the model holds and does not learn.
    """

    weights: Size
    gradients: Size
    optimizer: Size
    buffers: Size


def states(totals: Totals, optimizer: Optimizer, precision: Precision) -> States:
    """What training a model holds between steps."""
    size = PRECISIONS[precision]
    copy = _MASTER if size < _MASTER else 0
    return States(
        totals.params * size,
        totals.trainable * size,
        totals.trainable * (copy + _MASTER * OPTIMIZERS[optimizer]),
        totals.buffer_bytes,
    )


@dataclass(frozen=True)
class Cached:
    """Keys and values that one attention keeps while a model writes token by token.

    Attributes:
        path: The attention's path.
        cross: Whether they are those of another tensor, which does not grow.
        each: Bytes a position of what is attended to, of the whole batch.
        positions: How many there are.
    """

    path: Path
    cross: bool
    each: Size
    positions: Size

    @property
    def nbytes(self) -> Size:
        """At the end of the sequence."""
        return self.each * self.positions


def caches(graph: Graph, precision: Precision = "fp32") -> tuple[Cached, ...]:
    """The caches of a decoder: of its causal attention, and of that to other tensors.

    A model without causal attention writes all at once, and has none.
    """
    found = tuple(_caches(graph, (), PRECISIONS[precision]))
    return found if any(not one.cross for one in found) else ()


def _caches(graph: Graph, prefix: Path, size: int) -> Iterator[Cached]:
    for node in graph:
        path = prefix + node.path
        if isinstance(node.payload, Call):
            yield from _caches(node.payload.graph, path, size)
        elif isinstance(node.payload, Attention):
            ins = graph.ins(node)
            roles = node.payload.roles(ins)
            if node.payload.causal or "key" in ins:
                rows = roles.x.extent(
                    [a for a in (BATCH, *roles.batch) if a in roles.x]
                )
                with blaming(node.span):
                    each = 2 * rows * node.payload.kept(roles.x) * size
                    asked = product(roles.key[a] for a in roles.asked)
                yield Cached(path, not node.payload.causal, each, asked)
