"""Tensors without elements: shape, strides, dtype, storage, and autograd's notes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from types import EllipsisType
from typing import TypeAlias

from archdsl.backends.torch.shadow.storage import (
    MOST,
    Note,
    Storage,
    Unknown,
    ledger,
)
from archdsl.backends.torch.shadow.strides import (
    Shape,
    contiguous,
    is_contiguous,
    like,
    viewed,
)

ITEMSIZE = {"float32": 4, "int64": 8, "bool": 1, "uint8": 1}
Number: TypeAlias = bool | int | float
Index: TypeAlias = "int | slice | EllipsisType | Shadow | None"


class Shadow:
    """What stands for a ``torch.Tensor``; its methods do what theirs do to memory."""

    __slots__ = ("dtype", "needs", "note", "shape", "storage", "stride")
    device = "cpu"

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

    # -- asking ----------------------------------------------------------------------

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

    def seen(self, shape: Sequence[int], stride: Sequence[int]) -> Shadow:
        """A view: the same storage in another way."""
        view = Shadow(shape, self.dtype, tuple(stride), self.storage)
        view.needs, view.note = self.needs, self.note
        return view

    def permute(self, *dims: int) -> Shadow:
        """The dimensions in another order."""
        return self.seen([self.shape[i] for i in dims], [self.stride[i] for i in dims])

    def transpose(self, first: int, second: int) -> Shadow:
        """Two dimensions exchanged."""
        order = list(range(self.ndim))
        order[first], order[second] = order[second], order[first]
        return self.permute(*order)

    @property
    def T(self) -> Shadow:
        """The dimensions in reverse."""
        return self.permute(*range(self.ndim - 1, -1, -1))

    def movedim(self, source: int, target: int) -> Shadow:
        """One dimension put elsewhere."""
        order = [i for i in range(self.ndim) if i != source % self.ndim]
        order.insert(target % self.ndim, source % self.ndim)
        return self.permute(*order)

    def expand(self, *sizes: int) -> Shadow:
        """Repeated along dimensions of one element, and along new ones."""
        ahead = len(sizes) - self.ndim
        shape, stride = list(sizes), [0] * len(sizes)
        for i in range(self.ndim):
            if sizes[ahead + i] in (-1, self.shape[i]):
                shape[ahead + i], stride[ahead + i] = self.shape[i], self.stride[i]
        return self.seen(shape, stride)

    def unsqueeze(self, dim: int) -> Shadow:
        """A new dimension of one element."""
        dim %= self.ndim + 1
        step = self.shape[dim] * self.stride[dim] if dim < self.ndim else 1
        shape = [*self.shape[:dim], 1, *self.shape[dim:]]
        return self.seen(shape, [*self.stride[:dim], step, *self.stride[dim:]])

    def squeeze(self, dim: int) -> Shadow:
        """Without a dimension of one element."""
        assert self.shape[dim] == 1
        return self.select(dim)

    def select(self, dim: int) -> Shadow:
        """One index of a dimension, which goes."""
        rest = [i for i in range(self.ndim) if i != dim % self.ndim]
        return self.permute_some(rest)

    def permute_some(self, dims: Sequence[int]) -> Shadow:
        """Some of the dimensions, one index of the others."""
        return self.seen([self.shape[i] for i in dims], [self.stride[i] for i in dims])

    def narrow(self, dim: int, start: int, length: int) -> Shadow:
        """A stretch of a dimension."""
        shape = list(self.shape)
        shape[dim] = length
        return self.seen(shape, self.stride)

    def unbind(self, dim: int = 0) -> tuple[Shadow, ...]:
        """Every index of a dimension, which goes."""
        if self.shape[dim] > MOST:
            raise Unknown(f"what more than {MOST:,} turns of a loop take")
        return tuple(self.select(dim) for _ in range(self.shape[dim]))

    def __getitem__(self, key: Index | tuple[Index, ...]) -> Shadow:
        keys = key if isinstance(key, tuple) else (key,)
        if any(isinstance(k, Shadow) for k in keys):
            return self._rows(keys)
        named = sum(k is not None and k is not Ellipsis for k in keys)
        if Ellipsis not in keys:
            keys = (*keys, Ellipsis)
        shape, stride, at = list[int](), list[int](), 0
        for k in keys:
            if k is None:
                shape.append(1)
                stride.append(self.stride[at] * self.shape[at] if at < self.ndim else 1)
            elif k is Ellipsis:
                end = at + self.ndim - named
                shape += self.shape[at:end]
                stride += self.stride[at:end]
                at = end
            elif isinstance(k, slice):
                start, stop, step = k.indices(self.shape[at])
                shape.append(max(0, -(-(stop - start) // step)))
                stride.append(self.stride[at] * step)
                at += 1
            else:
                at += 1
        return self.seen(shape, stride)

    def _rows(self, keys: Sequence[Index]) -> Shadow:
        """What tensors of indices name, which stand side by side: a copy."""
        indices = [k for k in keys if isinstance(k, Shadow)]
        ahead = len(keys) - len(indices)  # whole dimensions, `:`
        shape = broadcast(*(i.shape for i in indices))
        behind = self.shape[ahead + len(indices) :]
        found = Shadow((*self.shape[:ahead], *shape, *behind), self.dtype)
        return made("index", found, (self,), indices)

    def split(self, sizes: int | Sequence[int], dim: int = 0) -> tuple[Shadow, ...]:
        """Stretches of a dimension, one after another; of one size, that divides it."""
        dim %= self.ndim
        if isinstance(sizes, int):
            sizes = [sizes] * (self.shape[dim] // sizes)
        return tuple(self.narrow(dim, 0, size) for size in sizes)

    def chunk(self, count: int, dim: int = 0) -> tuple[Shadow, ...]:
        """As many equal stretches of a dimension, which their number divides."""
        return self.split(self.shape[dim] // count, dim)

    # -- shapes that may take a copy -------------------------------------------------

    def reshape(self, *shape: int) -> Shadow:
        """Another shape: a view where there is one, else of a copy."""
        if -1 in shape:
            known = prod(s for s in shape if s != -1)
            shape = tuple(self.numel() // known if s == -1 else s for s in shape)
        stride = viewed(self.shape, self.stride, shape)
        if stride is not None:
            return self.seen(shape, stride)
        return self.copied().seen(shape, contiguous(shape))

    def contiguous(self) -> Shadow:
        """The same in order: itself, or a copy."""
        return self if is_contiguous(self.shape, self.stride) else self.copied()

    def copied(self) -> Shadow:
        """A copy in order."""
        return made("clone", Shadow(self.shape, self.dtype), (self,))

    def flatten(self, start: int = 0, end: int = -1) -> Shadow:
        """Some dimensions as one."""
        start, end = start % self.ndim, end % self.ndim
        if start == end:
            return self
        middle = prod(self.shape[start : end + 1])
        return self.reshape(*self.shape[:start], middle, *self.shape[end + 1 :])

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Shadow:
        """One dimension as several."""
        dim %= self.ndim
        known = prod(s for s in sizes if s != -1)
        parts = [self.shape[dim] // known if s == -1 else s for s in sizes]
        shape = (*self.shape[:dim], *parts, *self.shape[dim + 1 :])
        # A view of the whole, which gives dimensions of one element other strides.
        return self.reshape(*shape)

    def flip(self, dims: Sequence[int]) -> Shadow:
        """Some dimensions turned round: a copy."""
        stride = like(self.shape, [self.layout])
        return made("flip", Shadow(self.shape, self.dtype, stride), (self,))

    # -- reductions ------------------------------------------------------------------

    def _reduced(self, dims: int | tuple[int, ...], dtype: str = "") -> Shadow:
        gone = {d % self.ndim for d in (dims if isinstance(dims, tuple) else (dims,))}
        shape = [s for i, s in enumerate(self.shape) if i not in gone]
        return Shadow(shape, dtype or self.dtype)

    def mean(self, dims: int | tuple[int, ...]) -> Shadow:
        """The mean over some dimensions."""
        return made("mean", self._reduced(dims), (self,))

    def sum(self, dims: int | tuple[int, ...]) -> Shadow:
        """The sum over some dimensions."""
        return made("sum", self._reduced(dims), (self,))

    def amax(self, dims: int | tuple[int, ...]) -> Shadow:
        """The largest over some dimensions."""
        found = self._reduced(dims)
        return made("amax", found, (self,), (self, found))

    def argmax(self, dim: int) -> Shadow:
        """Where the largest is along a dimension."""
        return self._reduced(dim, "int64")

    def any(self, dims: int) -> Shadow:
        """Whether any is true along a dimension."""
        return self._reduced(dims, "bool")

    # -- arithmetic ------------------------------------------------------------------

    def __add__(self, other: Shadow | Number) -> Shadow:
        return pointwise("add", self, other)

    def __sub__(self, other: Shadow | Number) -> Shadow:
        return pointwise("sub", self, other)

    def __mul__(self, other: Shadow | Number) -> Shadow:
        return pointwise("mul", self, other)

    def __truediv__(self, other: Shadow | Number) -> Shadow:
        return pointwise("div", self, other)

    def __matmul__(self, other: Shadow) -> Shadow:
        """A batch of products; holds both sides, in order as far as it needs."""
        batch, rows, columns = self.shape[:-2], self.shape[-2], other.shape[-1]
        left = self.reshape(prod(batch), *self.shape[-2:])
        right = other.reshape(prod(batch), *other.shape[-2:])
        shape = (*batch, rows, columns)
        result = Shadow((prod(batch), rows, columns))
        saved = [right] * left.needs + [left] * right.needs
        made("matmul", result, (left, right), saved)
        return result.seen(shape, contiguous(shape))

    def __mod__(self, other: Shadow | Number) -> Shadow:
        return pointwise("remainder", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Number) -> Shadow:
        return pointwise("rsub", self, other)

    def __rpow__(self, base: Number) -> Shadow:
        """A number to the power of each; holds its exponent and result."""
        result = pointwise("pow", self)
        return made("pow", result, (self,), (self, result))

    def __neg__(self) -> Shadow:
        return pointwise("neg", self)

    def rsqrt(self) -> Shadow:
        """One over the root; holds its result."""
        return self._function("rsqrt", of_result=True)

    def exp(self) -> Shadow:
        """Holds its result."""
        return self._function("exp", of_result=True)

    def sqrt(self) -> Shadow:
        """Holds its result."""
        return self._function("sqrt", of_result=True)

    def log(self) -> Shadow:
        """Holds its input."""
        return self._function("log")

    def abs(self) -> Shadow:
        """Holds its input."""
        return self._function("abs")

    def clamp(self, min: Number | None = None, max: Number | None = None) -> Shadow:
        """Holds its input."""
        return self._function("clamp")

    def sin(self) -> Shadow:
        """Holds its input."""
        return self._function("sin")

    def cos(self) -> Shadow:
        """Holds its input."""
        return self._function("cos")

    def cumsum(self, dim: int, dtype: str = "") -> Shadow:
        """Running sums along a dimension; holds nothing."""
        stride = like(self.shape, [self.layout])
        return made("cumsum", Shadow(self.shape, dtype or self.dtype, stride), (self,))

    def to(self, dtype: str) -> Shadow:
        """The same in another kind of numbers: itself, or a copy."""
        if dtype == self.dtype:
            return self
        stride = like(self.shape, [self.layout])
        return made("to", Shadow(self.shape, dtype, stride), (self,))

    def _function(self, what: str, *, of_result: bool = False) -> Shadow:
        """A function of one number."""
        result = Shadow(self.shape, self.dtype, like(self.shape, [self.layout]))
        return made(what, result, (self,), (result if of_result else self,))

    def __rtruediv__(self, other: Number) -> Shadow:
        result = pointwise("rdiv", self)
        return made("rdiv", result, (self,), (result,))

    def __and__(self, other: Shadow) -> Shadow:
        return pointwise("and", self, other)

    def __invert__(self) -> Shadow:
        return pointwise("not", self)

    def sign(self) -> Shadow:
        """-1, 0 or 1."""
        return pointwise("sign", self)

    def log2(self) -> Shadow:
        """The logarithm; holds its input."""
        return self._function("log2")

    def tril(self) -> Shadow:
        """A copy without what stands above the diagonal."""
        return Shadow(self.shape, self.dtype)

    def bool(self) -> Shadow:
        """Whether each number is another than 0."""
        return self.to("bool")

    def float(self) -> Shadow:
        """The numbers in float32."""
        return self.to("float32")

    def where(self, mask: Shadow, other: Number) -> Shadow:
        """Another number where a mask is false; holds the mask."""
        result = pointwise("where", self, mask, dtype=self.dtype)
        return made("where", result, (self,), (mask,))

    def __ge__(self, other: Shadow | Number) -> Shadow:
        return pointwise("ge", self, other, dtype="bool")

    def __ne__(self, other: object) -> Shadow:  # type: ignore[override]
        assert isinstance(other, Shadow)
        return pointwise("ne", self, other, dtype="bool")

    __hash__ = None  # type: ignore[assignment]

    def masked_fill(self, mask: Shadow, value: Number) -> Shadow:
        """A number put where a mask is true."""
        return pointwise("masked_fill", self, mask, dtype=self.dtype)

    def new_full(self, shape: Sequence[int], value: Number) -> Shadow:
        """A tensor of one number, of the same kind."""
        return Shadow(shape, self.dtype)

    def bernoulli(self) -> Shadow:
        """Chance, number by number."""
        return Shadow(self.shape, self.dtype)


class Size(tuple[int, ...]):
    """A shape, as ``torch.Size``."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        return prod(self)


def made(
    what: str,
    result: Shadow,
    inputs: Sequence[Shadow],
    saved: Sequence[Shadow | Storage] = (),
) -> Shadow:
    """A result with autograd's note on how it came about, if it takes any."""
    if ledger().grad and any(t.needs for t in inputs):
        storages = tuple(s.storage if isinstance(s, Shadow) else s for s in saved)
        before = tuple(t.note for t in inputs if t.note is not None)
        result.needs, result.note = True, Note(what, storages, before)
    return result


def pointwise(
    what: str, x: Shadow, other: Shadow | Number = 0, dtype: str = ""
) -> Shadow:
    """An operation of each number of one tensor, or of two that broadcast."""
    inputs = [t for t in (x, other) if isinstance(t, Shadow)]
    shape = broadcast(*(t.shape for t in inputs))
    stride = like(shape, [t.layout for t in inputs if t.ndim])
    result = Shadow(shape, dtype or x.dtype, stride)
    return made(what, result, inputs, _saved(what, x, other))


def _saved(what: str, x: Shadow, other: Shadow | Number) -> list[Shadow]:
    """What the derivative of each side of a product or quotient reads."""
    if not isinstance(other, Shadow) or what not in ("mul", "div"):
        return []
    if what == "mul":
        return [other] * x.needs + [x] * other.needs
    return [other] + [x] * other.needs


def broadcast(*shapes: Shape) -> Shape:
    """The shape that several broadcast to."""
    count = max(map(len, shapes))
    wide = [(1,) * (count - len(s)) + s for s in shapes]
    return tuple(
        next((n for n in sizes if n != 1), 1) for sizes in zip(*wide, strict=True)
    )
