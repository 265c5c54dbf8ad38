"""PyTorch's functions, as to what they allocate and what autograd saves of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archdsl.backends.torch.shadow.strides import (
    Shape,
    for_kernel,
    is_laid,
    like,
    viewed,
    wants_channels_last,
)
from archdsl.backends.torch.shadow.tensor import Number, Shadow, made, pointwise

# --- one number at a time -----------------------------------------------------------


def relu(x: Shadow) -> Shadow:
    """Holds its result."""
    return _of_result("relu", x)


def relu6(x: Shadow) -> Shadow:
    """Holds its input."""
    return made("relu6", Shadow(x.shape, x.dtype, _same(x)), (x,), (x,))


def tanh(x: Shadow) -> Shadow:
    """Holds its result."""
    return _of_result("tanh", x)


def sigmoid(x: Shadow) -> Shadow:
    """Holds its result."""
    return _of_result("sigmoid", x)


def gelu(x: Shadow, approximate: str = "none") -> Shadow:
    """Holds its input."""
    return made("gelu", Shadow(x.shape, x.dtype, _same(x)), (x,), (x,))


def silu(x: Shadow) -> Shadow:
    """Holds its input."""
    return made("silu", Shadow(x.shape, x.dtype, _same(x)), (x,), (x,))


def _of_result(what: str, x: Shadow) -> Shadow:
    result = Shadow(x.shape, x.dtype, _same(x))
    return made(what, result, (x,), (result,))


def _same(x: Shadow) -> Shape:
    return like(x.shape, [x.layout])


def normalize(x: Shadow, dim: int | tuple[int, ...], eps: float = 1e-12) -> Shadow:
    """Holds its input, and for each vector its length, as it is and as it divides."""
    return x / _length(x, dim).clamp(min=eps).expand(*x.shape)


def _length(x: Shadow, dim: int | tuple[int, ...]) -> Shadow:
    gone = {d % x.ndim for d in (dim if isinstance(dim, tuple) else (dim,))}
    shape = [1 if i in gone else s for i, s in enumerate(x.shape)]
    result = Shadow(shape, x.dtype)
    return made("norm", result, (x,), (x, result))


def softmax(x: Shadow, dim: int) -> Shadow:
    """Holds its result, which lies in order."""
    result = Shadow(x.shape, x.dtype)
    return made("softmax", result, (x,), (result,))


def dropout(x: Shadow, p: float, training: bool) -> Shadow:
    """Holds the mask: a number for each of the input's."""
    if p == 0 or not training:
        return x
    mask = Shadow(x.shape, x.dtype, _same(x))
    return made("dropout", Shadow(x.shape, x.dtype, _same(x)), (x,), (mask,))


# --- products of matrices -----------------------------------------------------------


def linear(x: Shadow, weight: Shadow, bias: Shadow | None = None) -> Shadow:
    """Holds its input, in order."""
    rows = x
    if x.ndim > 2 and not is_dense_rows(x):
        rows = x.copied()
    shape = (*x.shape[:-1], weight.shape[0])
    inputs = [t for t in (rows, weight, bias) if t is not None]
    saved = [rows] * weight.needs + [weight] * rows.needs
    return made("linear", Shadow(shape), inputs, saved)


def is_dense_rows(x: Shadow) -> bool:
    """Whether all dimensions but the last are one without a copy."""
    flat = (prod(x.shape[:-1]), x.shape[-1])
    return viewed(x.shape, x.stride, flat) is not None


def matmul(x: Shadow, y: Shadow) -> Shadow:
    """A batch of products; holds both sides, in order as far as a batch needs it."""
    return x @ y


def scaled_dot_product_attention(
    query: Shadow,
    key: Shadow,
    value: Shadow,
    attn_mask: Shadow | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Shadow:
    """One kernel, which holds its inputs, its result and a number for each query.

    A mask of truth values becomes one of numbers.

    With dropout, a learned mask, other than 4 dimensions, or where the features
    of a position do not lie side by side, several: `_attention`.
    """
    if attn_mask is not None:
        attn_mask = attn_mask.to("float32")
    learned = attn_mask is not None and attn_mask.needs
    apart = any(t.stride[-1] != 1 for t in (query, key, value))
    if dropout_p or learned or query.ndim != 4 or apart:
        if enable_gqa:
            key, value = (repeated(t, query.shape[-3]) for t in (key, value))
        return _attention(query, key, value, attn_mask, dropout_p, is_causal)
    stride = like(query.shape, [query.layout])
    result = Shadow(query.shape, query.dtype, stride)
    sums = Shadow(query.shape[:-1])
    masks = [attn_mask] if attn_mask is not None else []
    inputs = (query, key, value)
    return made("attention", result, inputs, (*inputs, sums, result, *masks))


def repeated(x: Shadow, heads: int) -> Shadow:
    """Each head as often as heads of the query share it."""
    shape = (*x.shape[:-3], heads, *x.shape[-2:])
    return x if shape == x.shape else made("repeat", Shadow(shape, x.dtype), (x,))


def _attention(
    query: Shadow,
    key: Shadow,
    value: Shadow,
    mask: Shadow | None,
    p: float,
    causal: bool,
) -> Shadow:
    """Attention by products of matrices, step by step: holds the scores."""
    query = pointwise("scale", query)
    if causal:
        mask = Shadow((query.shape[-2], key.shape[-2]))
    scores = matmul(query, pointwise("scale", key.transpose(-2, -1)))
    if mask is not None:  # added in place
        scores = made("add", scores.seen(*scores.layout), (scores, mask))
    scores = softmax(scores, -1)
    scores = dropout(scores, p, training=True)
    return matmul(scores, value)


def embedding(ids: Shadow, weight: Shadow) -> Shadow:
    """Holds the ids."""
    result = Shadow((*ids.shape, weight.shape[1]))
    return made("embedding", result, (weight,), (ids,))


# --- windows ------------------------------------------------------------------------


def convolution(x: Shadow, weight: Shadow, shape: Shape, bias: Shadow | None) -> Shadow:
    """Holds its input and its weight, whichever of them needs a gradient."""
    stride = for_kernel(shape, x.layout)
    inputs = [t for t in (x, weight, bias) if t is not None]
    return made("conv", Shadow(shape, x.dtype, stride), inputs, (x, weight))


def slid(
    size: Shape,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    *,
    up: bool = False,
) -> Shape:
    """What is left of some dimensions after a window has slid over them."""
    found = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = (room + up * (s - 1)) // s + 1
        found.append(count - (up and (count - 1) * s >= n + p))
    return tuple(found)


def each(value: int | Sequence[int], count: int) -> Shape:
    """One number for each dimension."""
    return (value,) * count if isinstance(value, int) else tuple(value)


def max_pool(
    x: Shadow,
    count: int,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> Shadow:
    """Holds its input, and where in it each result comes from."""
    steps = kernel_size if stride is None else stride
    around, apart = each(padding, count), each(dilation, count)
    window = each(kernel_size, count), each(steps, count)
    shape = slid(x.shape[-count:], *window, around, apart, up=ceil_mode)
    return _pooled("max_pool", x, count, shape, indexed=True)


def avg_pool(
    x: Shadow,
    count: int,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Shadow:
    """Holds its input."""
    steps = kernel_size if stride is None else stride
    around, apart = each(padding, count), each(1, count)
    window = each(kernel_size, count), each(steps, count)
    shape = slid(x.shape[-count:], *window, around, apart, up=ceil_mode)
    return _pooled("avg_pool", x, count, shape)


def adaptive_avg_pool(
    x: Shadow, count: int, output_size: int | Sequence[int]
) -> Shadow:
    """Holds its input, but where it is a mean over all."""
    shape = each(output_size, count)
    if set(shape) == {1}:
        flat = (*x.shape[:-count], *shape)
        return made("mean", Shadow(flat, x.dtype, for_kernel(flat, x.layout)), (x,))
    return _pooled("adaptive_avg_pool", x, count, shape)


def adaptive_max_pool(
    x: Shadow, count: int, output_size: int | Sequence[int]
) -> Shadow:
    """Holds its input, and where in it each result comes from."""
    size = each(output_size, count)
    return _pooled("adaptive_max_pool", x, count, size, indexed=True)


def _pooled(
    what: str, x: Shadow, count: int, size: Shape, *, indexed: bool = False
) -> Shadow:
    flat = x.unsqueeze(-2) if count == 1 else x
    shape = (*x.shape[:-count], *(1,) * (count == 1), *size)
    strides = for_kernel(shape, flat.layout)
    found = Shadow(shape, x.dtype, strides)
    index = [Shadow(shape, "int64", strides)] if indexed else []
    result = made(what, found, (flat,), (flat, *index))
    return result.squeeze(-2) if count == 1 else result


def interpolate(
    x: Shadow,
    size: int | Sequence[int] | None = None,
    scale_factor: int | Sequence[int] = 1,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Shadow:
    """Holds nothing but sizes."""
    count = x.ndim - 2
    rows = zip(x.shape[2:], each(scale_factor, count), strict=True)
    sizes = [n * factor for n, factor in rows] if size is None else each(size, count)
    shape = (*x.shape[:2], *sizes)
    stride = for_kernel(shape, x.layout)
    return made("interpolate", Shadow(shape, x.dtype, stride), (x,))


# --- normalisation ------------------------------------------------------------------


def layer_norm(
    x: Shadow, count: int, weight: Shadow | None, bias: Shadow | None
) -> Shadow:
    """Holds its input, and two numbers for each position."""
    places = (*x.shape[:-count], *(1,) * count)
    result, mean, scale = Shadow(x.shape), Shadow(places), Shadow(places)
    inputs = [t for t in (x, weight, bias) if t is not None]
    return made("layer_norm", result, inputs, (x, mean, scale))


def rms_norm(x: Shadow, weight: Shadow | None) -> Shadow:
    """Step by step: holds its input, a number for each position, and the product."""
    square = made("pow", Shadow(x.shape, x.dtype, _same(x)), (x,), (x,))
    mean = made("mean", Shadow((*x.shape[:-1], 1)), (square,))
    scale = mean.rsqrt()
    del square, mean  # which live as long as the expression
    result = x * scale
    if weight is not None:
        result = result * weight
    return result.contiguous()


def group_norm(
    x: Shadow, groups: int, weight: Shadow | None, bias: Shadow | None
) -> Shadow:
    """Holds its input, as kernels lay it, and two numbers for each group."""
    stride = for_kernel(x.shape, x.layout)
    if not is_laid(x.shape, x.stride, stride):
        x = made("clone", Shadow(x.shape, x.dtype, stride), (x,))
    places = (x.shape[0], groups)
    result, mean, scale = Shadow(x.shape, x.dtype, stride), *map(Shadow, (places,) * 2)
    inputs = [t for t in (x, weight, bias) if t is not None]
    return made("group_norm", result, inputs, (x, mean, scale))


def instance_norm(x: Shadow, weight: Shadow | None, bias: Shadow | None) -> Shadow:
    """A batch norm of examples side by side, with as many copies of the weights."""
    many = x.shape[0] * x.shape[1]
    held = [
        w if w is None else made("repeat", Shadow((many,)), (w,))
        for w in (weight, bias)
    ]
    row = x.contiguous().reshape(1, many, *x.shape[2:])
    result, mean, scale = Shadow(row.shape), Shadow((many,)), Shadow((many,))
    inputs = [t for t in (row, *held) if t is not None]
    saved = [t for t in (row, held[0], mean, scale) if t is not None]
    return made("batch_norm", result, inputs, saved).reshape(*x.shape)


def batch_norm(
    x: Shadow, weight: Shadow | None, bias: Shadow | None, training: bool
) -> Shadow:
    """Holds its input, and in training two numbers for each feature."""
    channels = (x.shape[1] if training else 0,)
    result = Shadow(x.shape, x.dtype, for_kernel(x.shape, x.layout))
    mean, scale = Shadow(channels), Shadow(channels)
    inputs = [t for t in (x, weight, bias) if t is not None]
    return made("batch_norm", result, inputs, (x, mean, scale))


# --- whole tensors ------------------------------------------------------------------


def cat(parts: Sequence[Shadow], dim: int = 0) -> Shadow:
    """A copy of all, one after another."""
    dim %= parts[0].ndim
    shape = list(parts[0].shape)
    shape[dim] = sum(t.shape[dim] for t in parts)
    last = all(wants_channels_last(*t.layout) for t in parts)
    stride = for_kernel(tuple(shape), parts[0].layout) if last else None
    return made("cat", Shadow(shape, parts[0].dtype, stride), parts)


def stack(parts: Sequence[Shadow], dim: int = 0) -> Shadow:
    """A copy of all, side by side, laid out as `cat` lays them out."""
    dim %= parts[0].ndim + 1
    return cat([part.unsqueeze(dim) for part in parts], dim)


def roll(x: Shadow, shifts: int | Sequence[int], dims: int | Sequence[int]) -> Shadow:
    """A copy in order."""
    return made("roll", Shadow(x.shape, x.dtype), (x,))


def pad(
    x: Shadow, padding: Sequence[int], mode: str = "constant", value: Number = 0
) -> Shadow:
    """A copy with something around; from the input itself, it holds that.

    With nothing around it is a clone, which lies as the input does.
    """
    shape = list(x.shape)
    for i in range(len(padding) // 2):
        shape[-1 - i] += padding[2 * i] + padding[2 * i + 1]
    if mode in ("reflect", "replicate"):
        return made("pad", Shadow(shape, x.dtype), (x,), (x,))
    stride = for_kernel(tuple(shape), x.layout) if mode == "constant" else None
    if mode == "constant" and not any(padding):
        stride = like(x.shape, [x.layout])
    return made("pad", Shadow(shape, x.dtype, stride), (x,))
