"""Views: a storage under a shape and strides, seen in other ways without a copy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from typing import Generic, TypeVar

from archdsl.backends.torch.shadow.storage import MOST, Note, Storage, Unknown
from archdsl.backends.torch.shadow.strides import Shape, contiguous

Seen = TypeVar("Seen")  # what a view is
ITEMSIZE = {"float32": 4, "int64": 8, "bool": 1, "uint8": 1}


class Size(tuple[int, ...]):
    """A shape, as ``torch.Size``."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        return prod(self)


class View(ABC, Generic[Seen]):
    """What tensors have without their numbers; its methods copy nothing."""

    __slots__ = ("dtype", "needs", "note", "shape", "storage", "stride")

    def __init__(
        self,
        shape: Sequence[int],
        dtype: str = "float32",
        stride: Shape | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.shape = Size(shape)
        self.dtype = dtype
        self.stride = contiguous(self.shape) if stride is None else stride
        size = prod(self.shape) * ITEMSIZE[dtype]
        self.storage = Storage(size) if storage is None else storage
        self.needs = False  # a gradient
        self.note: Note | None = None

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def numel(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def layout(self) -> tuple[Shape, Shape]:
        """Shape and strides."""
        return self.shape, self.stride

    # -- views -----------------------------------------------------------------------

    @abstractmethod
    def seen(self, shape: Sequence[int], stride: Sequence[int]) -> Seen:
        """The same storage in another way."""

    def permute(self, *dims: int) -> Seen:
        """The dimensions in another order; of any that is not named, one index."""
        return self.seen([self.shape[i] for i in dims], [self.stride[i] for i in dims])

    def transpose(self, first: int, second: int) -> Seen:
        """Two dimensions exchanged."""
        order = list(range(self.ndim))
        order[first], order[second] = order[second], order[first]
        return self.permute(*order)

    @property
    def T(self) -> Seen:
        """The dimensions in reverse."""
        return self.permute(*range(self.ndim - 1, -1, -1))

    def movedim(self, source: int, target: int) -> Seen:
        """One dimension put elsewhere."""
        order = [i for i in range(self.ndim) if i != source % self.ndim]
        order.insert(target % self.ndim, source % self.ndim)
        return self.permute(*order)

    def expand(self, *sizes: int) -> Seen:
        """Repeated along dimensions of one element, and along new ones."""
        ahead = len(sizes) - self.ndim
        shape, stride = list(sizes), [0] * len(sizes)
        for i in range(self.ndim):
            if sizes[ahead + i] in (-1, self.shape[i]):
                shape[ahead + i], stride[ahead + i] = self.shape[i], self.stride[i]
        return self.seen(shape, stride)

    def unsqueeze(self, dim: int) -> Seen:
        """A new dimension of one element."""
        dim %= self.ndim + 1
        step = self.shape[dim] * self.stride[dim] if dim < self.ndim else 1
        shape = [*self.shape[:dim], 1, *self.shape[dim:]]
        return self.seen(shape, [*self.stride[:dim], step, *self.stride[dim:]])

    def squeeze(self, dim: int) -> Seen:
        """Without a dimension of one element."""
        assert self.shape[dim] == 1
        return self.select(dim)

    def select(self, dim: int) -> Seen:
        """One index of a dimension, which goes."""
        rest = [i for i in range(self.ndim) if i != dim % self.ndim]
        return self.permute(*rest)

    def narrow(self, dim: int, start: int, length: int) -> Seen:
        """A stretch of a dimension."""
        shape = list(self.shape)
        shape[dim] = length
        return self.seen(shape, self.stride)

    def unbind(self, dim: int = 0) -> tuple[Seen, ...]:
        """Every index of a dimension, which goes."""
        if self.shape[dim] > MOST:
            raise Unknown(f"what more than {MOST:,} turns of a loop take")
        return tuple(self.select(dim) for _ in range(self.shape[dim]))

    def split(self, sizes: int | Sequence[int], dim: int = 0) -> tuple[Seen, ...]:
        """Stretches of a dimension, one after another; of one size, that divides it."""
        dim %= self.ndim
        if isinstance(sizes, int):
            sizes = [sizes] * (self.shape[dim] // sizes)
        return tuple(self.narrow(dim, 0, size) for size in sizes)

    def chunk(self, count: int, dim: int = 0) -> tuple[Seen, ...]:
        """As many equal stretches of a dimension, which their number divides."""
        return self.split(self.shape[dim] // count, dim)
