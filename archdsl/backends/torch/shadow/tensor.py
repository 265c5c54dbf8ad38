"""Tensors without elements: shape, strides, dtype, storage, and autograd's notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TypeAlias

from archdsl.backends.torch.shadow.storage import Note, Storage, ledger
from archdsl.backends.torch.shadow.strides import (
    Plain,
    Shape,
    contiguous,
    indexed,
    is_contiguous,
    like,
    viewed,
)
from archdsl.backends.torch.shadow.views import View

Number: TypeAlias = bool | int | float
Index: TypeAlias = "Plain | Shadow"


def _pairwise(
    what: str, dtype: str = ""
) -> Callable[[Shadow, Shadow | Number], Shadow]:
    """An operator of two tensors, or of one and a number."""
    return lambda x, other: pointwise(what, x, other, dtype)


def _function(what: str, *, of_result: bool = False) -> Callable[[Shadow], Shadow]:
    """A function of each number; its derivative reads the input, or the result."""

    def found(x: Shadow) -> Shadow:
        result = Shadow(x.shape, x.dtype, like(x.shape, [x.layout]))
        return made(what, result, (x,), (result if of_result else x,))

    return found


class Shadow(View["Shadow"]):
    """What stands for a ``torch.Tensor``; its methods do what theirs do to memory."""

    __slots__ = ()
    device = "cpu"

    def seen(self, shape: Sequence[int], stride: Sequence[int]) -> Shadow:
        """A view: the same storage in another way."""
        view = Shadow(shape, self.dtype, tuple(stride), self.storage)
        view.needs, view.note = self.needs, self.note
        return view

    def __getitem__(self, key: Index | tuple[Index, ...]) -> Shadow:
        keys = key if isinstance(key, tuple) else (key,)
        plain = [k for k in keys if not isinstance(k, Shadow)]
        if len(plain) < len(keys):
            return self._rows(keys)
        return self.seen(*indexed(self.shape, self.stride, plain))

    def _rows(self, keys: Sequence[Index]) -> Shadow:
        """What tensors of indices name, which stand side by side: a copy."""
        indices = [k for k in keys if isinstance(k, Shadow)]
        ahead = len(keys) - len(indices)  # whole dimensions, `:`
        shape = broadcast(*(i.shape for i in indices))
        behind = self.shape[ahead + len(indices) :]
        found = Shadow((*self.shape[:ahead], *shape, *behind), self.dtype)
        return made("index", found, (self,), indices)

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

    __add__ = __radd__ = _pairwise("add")
    __sub__ = _pairwise("sub")
    __rsub__ = _pairwise("rsub")
    __mul__ = __rmul__ = _pairwise("mul")
    __truediv__ = _pairwise("div")
    __mod__ = _pairwise("remainder")
    __and__ = _pairwise("and")
    __ge__ = _pairwise("ge", dtype="bool")
    rsqrt = _function("rsqrt", of_result=True)
    exp = _function("exp", of_result=True)
    sqrt = _function("sqrt", of_result=True)
    log = _function("log")
    log2 = _function("log2")
    abs = _function("abs")
    sin = _function("sin")
    cos = _function("cos")

    def clamp(self, min: Number | None = None, max: Number | None = None) -> Shadow:
        """Each number within bounds; holds its input."""
        return _function("clamp")(self)

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

    def __rpow__(self, base: Number) -> Shadow:
        """A number to the power of each; holds its exponent and result."""
        result = pointwise("pow", self)
        return made("pow", result, (self,), (self, result))

    def __neg__(self) -> Shadow:
        return pointwise("neg", self)

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

    def __rtruediv__(self, other: Number) -> Shadow:
        result = pointwise("rdiv", self)
        return made("rdiv", result, (self,), (result,))

    def __invert__(self) -> Shadow:
        return pointwise("not", self)

    def sign(self) -> Shadow:
        """-1, 0 or 1."""
        return pointwise("sign", self)

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
