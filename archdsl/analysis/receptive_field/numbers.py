"""Open sizes: what stands in for them where only the closed figures are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.ir.dim import Poly, Size, substitute
from archdsl.ir.graph import Graph, reachable
from archdsl.ir.tensor import BATCH, FEATURES, Tensor
from archdsl.ops.base import Op

# Divisible by what sizes are usually divided by; figures that are made from it are
# larger than those of any window.
_STAND_IN = 2**80 * 3**2 * 5 * 7 * 11
LARGEST = 2**48


class Numbers:
    """The sizes of a model as numbers.

    Attributes:
        symbols: The open sizes without which positions cannot be counted, in order.
    """

    def __init__(self, model: Graph) -> None:
        self.symbols = tuple(sorted(_positions(model)))
        tensors = (t for g in reachable(model) for n in g for t in n.outputs)
        self._all_known = all(isinstance(s, int) for t in tensors for _, s in t.axes)
        self._known: dict[int, Tensor] = {}
        self._model = model

    @property
    def are_open(self) -> bool:
        """Whether only the closed figures can be had."""
        return bool(self.symbols)

    def whole(self, size: Size) -> int:
        """A size as a number, a large one that divides well for an open one."""
        if isinstance(size, int):
            return size
        found = substitute(size, dict.fromkeys(size.symbols, _STAND_IN))
        assert isinstance(found, int)
        return max(found, 1)

    def tensor(self, tensor: Tensor) -> Tensor:
        """A type with numbers for sizes."""
        if self._all_known:
            return tensor
        if id(tensor) not in self._known:
            sizes = {a: self.whole(n) for a, n in tensor.axes}
            self._known[id(tensor)] = tensor.resized(sizes)
        return self._known[id(tensor)]

    def op(self, op: Op) -> Op:
        """An op with numbers for what it was given."""
        fields = {n: getattr(op, n) for n in type(op).model_fields}
        found = {n: self._given(v) for n, v in fields.items()}
        return op if found == fields else op.model_copy(update=found)

    def _given(self, value: object) -> object:
        if isinstance(value, Poly):
            return self.whole(value)
        if type(value) is tuple:
            return tuple(map(self._given, value))
        return value


def _positions(model: Graph) -> Iterable[str]:
    """The open sizes of positions, and of features that are cut into positions."""
    found = set[str]()
    for graph in reachable(model):
        for node in graph:
            op = node.payload
            kept = (BATCH,) if getattr(op, "name", "") == "split" else (BATCH, FEATURES)
            for tensor in node.outputs:
                sizes = (s for a, s in tensor.axes if a not in kept)
                found.update(*(s.symbols for s in sizes if isinstance(s, Poly)))
    return found
