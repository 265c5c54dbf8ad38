"""What `attention` is in PyTorch: a class for compiled files."""
# Its constructor says what the op says, one argument each; what the marks after ``#:``
# do is said in archdsl/backends/torch/lift.py.

from __future__ import annotations


def _runtime() -> None:  # noqa: C901 - a class, not branches
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn

    class Attention(nn.Module):
        """Multi-head attention (Vaswani et al. 2017).

        Each of the N positions of `x` takes a mean of the M of `value`, weighted by
        its likeness to those of `key`; without these two, `x` attends to itself.
        """

        def __init__(
            self,
            dim: int,
            heads: int,
            key_dim: int | None = None,
            value_dim: int | None = None,
            bias: bool = True,
            causal: bool = False,
            dropout: float = 0.0,
            width: int | None = None,
            scale: float | None = None,
            kv_heads: int | None = None,  #: kv_heads or fused
            fused: bool = False,  #: fused
            unbiased: tuple[str, ...] = (),  #: unbiased
            project: bool = True,  #: project
            cosine: bool = False,  #: cosine
            learned: bool = False,  #: learned
            before: bool = False,  #: before
            rotary: float | None = None,  #: rotary
            interleaved: bool = False,  #: interleaved
            scaling: tuple[float, float, float, float] | None = None,  #: scaling
        ) -> None:
            super().__init__()
            self.heads = heads
            self.causal = causal
            self.dropout = dropout
            self.scale = scale
            self.before = before  #: before
            self.fused = fused  #: fused
            self.cosine = cosine  #: cosine
            self.learned = learned  #: learned
            self.rotary = rotary  #: rotary
            self.interleaved = interleaved  #: interleaved
            self.scaling = scaling  #: scaling
            width = width or dim
            self.size = width // heads
            kept = width  #: fused
            self.kv_heads = kv_heads or heads  #: kv_heads or fused
            kept = self.size * self.kv_heads  #: kv_heads
            key_dim = key_dim or dim
            value_dim = value_dim or key_dim
            if fused:  #: fused
                self.qkv = nn.Linear(dim, width + 2 * kept, bias)
            else:
                self.q = nn.Linear(dim, width, bias)
                self.k = nn.Linear(key_dim, width, bias)  #: not kv_heads
                self.v = nn.Linear(value_dim, width, bias)  #: not kv_heads
                self.k = nn.Linear(key_dim, kept, bias)  #: kv_heads
                self.v = nn.Linear(value_dim, kept, bias)  #: kv_heads
            self.out = nn.Linear(width, dim, bias)
            if not project:  #: project
                self.add_module("out", nn.Identity())
            for name in unbiased:  #: unbiased
                getattr(self, name).bias = None
            if cosine:  #: cosine
                self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), 2.302585))
            if learned:  #: learned
                even = torch.full((heads, 1, 1), self.size**-0.5)
                self.head_scale = nn.Parameter(even)

        def forward(
            self,
            x: Tensor,
            key: Tensor | None = None,
            value: Tensor | None = None,
            mask: Tensor | None = None,  #: mask
            added: Tensor | None = None,  #: added
        ) -> Tensor:
            if self.fused:  #: fused
                parts = self.heads, self.kv_heads, self.kv_heads
                q, k, v = self._split(self.qkv(x)).split(parts, -3)
            else:
                key = x if key is None else key
                value = key if value is None else value
                q = self._split(self.q(x))  # (..., heads, N, width / heads)
                k = self._split(self.k(key))  # (..., heads, M, width / heads)
                v = self._split(self.v(value))
            if self.rotary is not None:  #: rotary
                q, k = self._turned(q, self.rotary), self._turned(k, self.rotary)
            if self.cosine:  #: cosine
                largest = 4.605170185988092  # log(100)
                scale = self.logit_scale.clamp(max=largest).exp()
                q, k = F.normalize(q, dim=-1) * scale, F.normalize(k, dim=-1)
            if self.learned:  #: learned
                q = q * self.head_scale
            seen = None  #: added and not mask
            seen = mask  #: mask
            if self.before:  #: before
                size = q.shape[-2], k.shape[-2]
                before = torch.ones(size, dtype=torch.bool, device=x.device).tril()
                seen = before if seen is None else seen & before
            if added is not None:  #: added
                seen = added if seen is None else added.where(seen, -torch.inf)
            y = F.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=seen,  #: mask or added
                dropout_p=self.dropout if self.training else 0.0,
                is_causal=self.causal,
                scale=self.scale,
                enable_gqa=self.kv_heads < self.heads,  #: kv_heads
            )
            return self.out(y.transpose(-3, -2).flatten(-2))  # (..., N, C)

        def _split(self, x: Tensor) -> Tensor:
            """(..., N, width) to (..., heads, N, width / heads)."""
            return x.unflatten(-1, (-1, self.size)).transpose(-3, -2)

        def _turned(self, x: Tensor, base: float) -> Tensor:  #: rotary
            """Each pair of features turned as far as it stands (Su et al. 2021)."""
            pair = torch.arange(0, self.size, 2, device=x.device).float()
            speed = 1.0 / base ** (pair / self.size)  # of each pair, in float32
            if self.scaling is not None:  #: scaling
                factor, low, high, context = self.scaling  # Llama 3.1
                turns = context / (2 * torch.pi / speed)
                fast = ((turns - low) / (high - low)).clamp(0, 1)
                speed = (1 - fast) * speed / factor + fast * speed
            place = torch.arange(x.shape[-2], device=x.device).float()
            angle = place[:, None] * speed  # (N, width / heads / 2)
            cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
            parts, dim = (2, -1), -2
            if self.interleaved:  #: interleaved
                parts, dim = (-1, 2), -1
            a, b = x.unflatten(-1, parts).unbind(dim)
            return torch.stack((a * cos - b * sin, b * cos + a * sin), dim).flatten(-2)
