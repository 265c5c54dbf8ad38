"""Hearing what attention weighs: the compiled module never has the weights itself.

It calls PyTorch's fused attention; here each call is computed a second time, as it
happens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch
    from torch import nn

    Heard: TypeAlias = Callable[[str, torch.Tensor, torch.Tensor], None]

_APART = -50.0  # a score that a mask lowers by more than this weighs nothing


@contextmanager
def listening(model: nn.Module, heard: Heard) -> Iterator[None]:
    """Tells of every call of attention inside: the module, its weights, what it sees.

    Weights have the shape (…, heads, queries, keys) that the call's q and k have; seen
    is true where no mask keeps a key from a query.
    """
    import torch.nn.functional as F
    from torch.overrides import TorchFunctionMode

    inside: list[str] = []

    spoken: Callable[..., tuple[torch.Tensor, torch.Tensor]] = weights_of

    class Ear(TorchFunctionMode):
        def __torch_function__(
            self,
            function: Callable[..., object],
            types: object,
            args: tuple[object, ...] = (),
            kwargs: Mapping[str, object] | None = None,
        ) -> object:
            named = kwargs or {}
            if function is F.scaled_dot_product_attention:
                heard(inside[-1] if inside else "", *spoken(*args, **named))
            return function(*args, **named)

    handles = []
    for name, module in model.named_modules():

        def enter(*_: object, name: str = name) -> None:
            inside.append(name)

        def leave(*_: object) -> None:
            inside.pop()

        handles.append(module.register_forward_pre_hook(enter))
        handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        with Ear():
            yield
    finally:
        for handle in handles:
            handle.remove()


def weights_of(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights of a call of ``scaled_dot_product_attention``, without dropout.

    And, of the same shape, which keys a query sees.
    """
    import torch

    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    added = torch.zeros_like(scores)
    if is_causal:
        before = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device)
        added = added.masked_fill(~before.tril(), -math.inf)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        added = added.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        added = added + attn_mask
    weights = (scores + added).softmax(-1)
    return weights.nan_to_num(), added > _APART  # NaN: who sees nothing
