"""What emitted source imports: ``torch``, ``nn`` and ``F``, without numbers."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf, pi
from types import SimpleNamespace

from archdsl.backends.torch.shadow import functions, modules, recurrent
from archdsl.backends.torch.shadow.tensor import (
    Number,
    Shadow,
    broadcast,
    pointwise,
)
from archdsl.backends.torch.shadow.views import Size

_POOLS: Mapping[str, Callable[..., Shadow]] = {
    "MaxPool": functions.max_pool,
    "AvgPool": functions.avg_pool,
    "AdaptiveAvgPool": functions.adaptive_avg_pool,
    "AdaptiveMaxPool": functions.adaptive_max_pool,
}


def _flatten(x: Shadow, start_dim: int = 1, end_dim: int = -1) -> Shadow:
    return x.flatten(start_dim, end_dim)


_PLAIN: Mapping[str, Callable[..., Shadow]] = {
    "Identity": lambda x: x,
    "ReLU": functions.relu,
    "ReLU6": functions.relu6,
    "Tanh": functions.tanh,
    "Sigmoid": functions.sigmoid,
    "SiLU": functions.silu,
    "GELU": functions.gelu,
    "Softmax": functions.softmax,
    "Flatten": _flatten,
    "Unflatten": Shadow.unflatten,
}


def importer() -> Callable[..., object]:
    """What stands for ``__import__`` where the source is executed."""
    torch = _torch()

    def find(
        name: str,
        scope: object = None,
        local: object = None,
        names: Sequence[str] | None = None,
        level: int = 0,
    ) -> object:
        if name.partition(".")[0] == "torch":
            return torch
        return builtins.__import__(name, None, None, names or (), level)

    return find


def _torch() -> SimpleNamespace:
    return SimpleNamespace(
        nn=_nn(),
        Tensor=Shadow,
        Size=Size,
        inf=inf,
        pi=pi,
        bool="bool",
        float32="float32",
        promote_types=_promoted,
        tanh=functions.tanh,
        sigmoid=functions.sigmoid,
        cat=functions.cat,
        chunk=Shadow.chunk,
        flatten=Shadow.flatten,
        split=Shadow.split,
        stack=functions.stack,
        roll=functions.roll,
        empty=_filled,
        zeros=_filled,
        ones=_filled,
        full=_filled,
        zeros_like=_zeros_like,
        arange=_arange,
        meshgrid=_meshgrid,
        where=_where,
    )


def _nn() -> SimpleNamespace:
    found = {**vars(modules), **vars(recurrent)}
    classes = {n: v for n, v in found.items() if isinstance(v, type)}
    plain = {name: partial(_Call, function) for name, function in _PLAIN.items()}
    pools = {
        f"{kind}{i}d": partial(_Call, _pool(function, i))
        for kind, function in _POOLS.items()
        for i in (1, 2, 3)
    }
    names = ("normal_", "trunc_normal_", "constant_", "zeros_", "ones_", "uniform_")
    init = SimpleNamespace(**dict.fromkeys(names, _nothing))
    functional = _functional()
    return SimpleNamespace(
        **classes, **plain, **pools, init=init, functional=functional
    )


def _functional() -> SimpleNamespace:
    words = "relu relu6 gelu silu softmax normalize dropout linear pad interpolate"
    names = (*words.split(), "scaled_dot_product_attention")
    plain = {name: getattr(functions, name) for name in names}
    pools = {}
    for i in (1, 2, 3):
        pools[f"max_pool{i}d"] = _pool(functions.max_pool, i)
        pools[f"avg_pool{i}d"] = _pool(functions.avg_pool, i)
        pools[f"adaptive_avg_pool{i}d"] = _pool(functions.adaptive_avg_pool, i)
        pools[f"adaptive_max_pool{i}d"] = _pool(functions.adaptive_max_pool, i)
    return SimpleNamespace(**plain, **pools, layer_norm=_layer_norm)


def _layer_norm(x: Shadow, normalized_shape: Sequence[int], eps: float) -> Shadow:
    return functions.layer_norm(x, len(normalized_shape), None, None)


def _pool(function: Callable[..., Shadow], count: int) -> Callable[..., Shadow]:
    """A pool over some number of dimensions."""

    def call(x: Shadow, *args: object, **kwargs: object) -> Shadow:
        return function(x, count, *args, **kwargs)

    return call


class _Call(modules.Module):
    """A function as a module that holds its other arguments."""

    def __init__(
        self, function: Callable[..., Shadow], *args: object, **kwargs: object
    ) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return self.function(x, *self.args, **self.kwargs)


# --- new tensors --------------------------------------------------------------------


def _nothing(*args: object, **kwargs: object) -> None:
    """Fills a tensor, in PyTorch."""


def _filled(
    *shape: int | Sequence[int],
    dtype: str = "float32",
    device: str = "cpu",
) -> Shadow:
    """Takes the sizes, or a tuple of them, and what each element would be."""
    sizes = shape[0] if isinstance(shape[0], Sequence) else shape
    return Shadow([s for s in sizes if isinstance(s, int)], dtype)


def _zeros_like(x: Shadow) -> Shadow:
    return Shadow(x.shape, x.dtype)


def _arange(*ends: int, device: str = "cpu", dtype: str = "int64") -> Shadow:
    """Takes the stop; or the start, the stop and the step."""
    return Shadow((len(range(*ends)),), dtype)


def _promoted(one: str, other: str) -> str:
    """The kind of numbers that holds both: of ours, never another float."""
    return "float32" if "float32" in (one, other) else one


def _meshgrid(*axes: Shadow, indexing: str) -> list[Shadow]:
    shape = tuple(axis.shape[0] for axis in axes)
    return [Shadow(shape, axis.dtype).seen(shape, (0,) * len(shape)) for axis in axes]


def _where(mask: Shadow, yes: Shadow | Number, no: Shadow | Number) -> Shadow:
    shapes = [t.shape for t in (mask, yes, no) if isinstance(t, Shadow)]
    return pointwise("where", mask.expand(*broadcast(*shapes)), dtype="float32")
