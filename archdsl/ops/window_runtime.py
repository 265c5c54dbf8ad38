"""What `window_attention` is in PyTorch: classes for compiled files."""
# A module's constructor says what the op says, one argument each; what the marks after
# ``#:`` do is said in archdsl/backends/torch/lift.py.

from __future__ import annotations


def _runtime() -> None:  # noqa: C901 - classes, not branches
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn

    class WindowAttention(nn.Module):
        """Multi-head attention inside windows of a map (Liu et al. 2021).

        A map is (B, *size, C), of any number of axes; n is the positions of a window.
        Windows that are shifted out at one end come in at the other, where a mask
        keeps apart what does not belong together. A window that covers an axis takes
        all of it, unshifted.
        """

        relative_bias: nn.Parameter | None  #: relative_bias
        index: Tensor  #: relative_bias or continuous
        mask: Tensor | None  #: size

        def __init__(
            self,
            dim: int,
            heads: int,
            window: tuple[int, ...],
            size: tuple[int, ...],  #: size
            shift: tuple[int, ...],
            declared: tuple[int, ...] = (),  #: declared
            *,
            relative_bias: bool = False,  #: relative_bias
            continuous: bool = False,  #: continuous
            measure: tuple[int, ...] = (),  #: measure
            bias: bool = True,
            unbiased: tuple[str, ...] = (),  #: unbiased
            dropout: float = 0.0,
            scale: float | None = None,  #: scale
            cosine: bool = False,  #: cosine
            learned: bool = False,  #: learned
            pad: bool = False,  #: pad
        ) -> None:
            super().__init__()
            self.heads = heads
            self.ways = tuple(2 * w - 1 for w in window)  #: relative_bias or continuous
            # A table may be of longer windows than an axis has room for.  #: declared
            self.ways = tuple(2 * w - 1 for w in declared or window)  #: declared
            self.window = window  #: not size
            self.shift = shift  #: not size
            self.size = size  #: size
            self.window = tuple(map(min, window, size))  #: size
            moved = zip(shift, window, size, strict=True)  #: size
            self.shift = tuple(s if w < n else 0 for s, w, n in moved)  #: size
            self.pad = pad  #: pad
            self.dropout = dropout
            self.scale = scale  #: scale
            self.cosine = cosine  #: cosine
            self.learned = learned  #: learned
            self.continuous = continuous  #: continuous
            self.q = nn.Linear(dim, dim, bias)
            self.k = nn.Linear(dim, dim, bias)
            self.v = nn.Linear(dim, dim, bias)
            self.out = nn.Linear(dim, dim, bias)
            for name in unbiased:  #: unbiased
                getattr(self, name).bias = None
            if cosine:  #: cosine
                self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), 2.302585))
            if learned:  #: learned
                even = torch.full((heads, 1, 1), (dim // heads) ** -0.5)
                self.head_scale = nn.Parameter(even)
            if continuous:  #: continuous
                by_distance = ContinuousBias(heads, window)  #: not measure
                by_distance = ContinuousBias(heads, window, measure)  #: measure
                self.continuous_bias = by_distance
            entries = torch.Size(self.ways).numel()  #: relative_bias
            table = nn.Parameter(torch.empty(entries, heads))  #: relative_bias
            nn.init.trunc_normal_(table, std=0.02)  #: relative_bias
            self.relative_bias = table if relative_bias else None  #: relative_bias
            self.reset_buffers()  #: size or relative_bias or continuous

        def reset_buffers(self) -> None:  #: size or relative_bias or continuous
            """Makes the tables that follow from the sizes alone."""
            if self.relative_bias is not None:  #: relative_bias
                self.register_buffer("index", self._index(), persistent=False)
            if self.continuous:  #: continuous
                self.register_buffer("index", self._index(), persistent=False)
            moved = any(self.shift)  #: size
            mask = self._mask(self.size, self.shift) if moved else None  #: size
            self.register_buffer("mask", mask, persistent=False)  #: size

        def forward(self, x: Tensor) -> Tensor:
            x = self._partition(self._roll(x, self.shift, -1))  # (B, windows, n, C)
            y = self._merge(self._attended(x, self.mask), self.size)
            return self._roll(y, self.shift, 1)  # (B, *size, C)

        def _attended(self, x: Tensor, mask: Tensor | None) -> Tensor:
            """What each position takes of its window."""
            q = self._split(self.q(x))  # (B, windows * heads, n, C / heads)
            k = self._split(self.k(x))
            v = self._split(self.v(x))
            if self.cosine:  #: cosine
                largest = 4.605170185988092  # log(100)
                scale = self.logit_scale.clamp(max=largest).exp()
                q = F.normalize(q, dim=-1) * self._alike(scale, x)
                k = F.normalize(k, dim=-1)
            if self.learned:  #: learned
                q = q * self._alike(self.head_scale, x)
            y = F.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=self._added(mask, x.shape[1]),
                dropout_p=self.dropout if self.training else 0.0,
                scale=self.scale,  #: scale
            )
            y = y.unflatten(1, (-1, self.heads))  # (B, windows, heads, n, C / heads)
            return self.out(y.transpose(2, 3).flatten(3))  # (B, windows, n, C)

        def _roll(self, x: Tensor, shift: tuple[int, ...], sign: int) -> Tensor:
            """The map, each axis moved by `sign` times its shift."""
            if not any(shift):
                return x
            axes = tuple(range(1, 1 + len(shift)))
            return torch.roll(x, tuple(sign * s for s in shift), axes)

        def _partition(self, x: Tensor) -> Tensor:
            """(B, *size, C) to (B, windows, n, C)."""
            for axis, window in enumerate(self.window, 1):
                x = x.unflatten(axis, (-1, window)).movedim(axis + 1, -2)
            x = x.flatten(1, len(self.window))  # (B, windows, *window, C)
            return x.flatten(2, -2)

        def _merge(self, x: Tensor, size: tuple[int, ...]) -> Tensor:
            """(B, windows, n, C) to (B, *size, C)."""
            grid = [n // w for n, w in zip(size, self.window, strict=True)]
            x = x.unflatten(2, self.window).unflatten(1, grid)
            for axis in range(1, 1 + len(grid)):
                x = x.movedim(len(grid) + 1, axis + 1).flatten(axis, axis + 1)
            return x

        def _split(self, x: Tensor) -> Tensor:
            """(B, windows, n, C) to (B, windows * heads, n, C / heads)."""
            return x.unflatten(-1, (self.heads, -1)).transpose(2, 3).flatten(1, 2)

        def _alike(self, scale: Tensor, x: Tensor) -> Tensor:  #: cosine or learned
            """(heads, 1, 1), the same in all windows of x: (windows * heads, 1, 1)."""
            return scale.expand(x.shape[1], -1, -1, -1).flatten(0, 1)

        def _added(self, mask: Tensor | None, windows: int) -> Tensor | None:
            """What is added to the scores, if anything: (1, windows * heads, n, n)."""
            added = None if mask is None else mask[:, None]
            if self.relative_bias is not None:  #: relative_bias
                bias = self.relative_bias[self.index].permute(2, 0, 1)  # (heads, n, n)
                added = bias if added is None else added + bias
            if self.continuous:  #: continuous
                bias = self.continuous_bias()[self.index].permute(2, 0, 1)
                added = bias if added is None else added + bias
            if added is None:
                return None
            return added.expand(windows, self.heads, -1, -1).flatten(0, 1)[None]

        def _index(self) -> Tensor:  #: relative_bias or continuous
            """The entry of the table for each query and key of a window: (n, n)."""
            places = torch.meshgrid(*map(torch.arange, self.window), indexing="ij")
            place = torch.stack(places, -1).flatten(0, -2)  # (n, axes)
            apart = place[:, None] - place  # (n, n, axes)
            index = torch.zeros_like(apart[..., 0])
            for axis, width in enumerate(self.ways):
                index = index * width + apart[..., axis] + width // 2
            return index

        def _mask(self, size: tuple[int, ...], shift: tuple[int, ...]) -> Tensor:
            """-100 between positions that only the shift brought together."""
            ends = zip(size, shift, strict=True)
            device = self.q.weight.device
            moved = [torch.arange(n, device=device) >= n - s for n, s in ends]
            region = torch.stack(torch.meshgrid(*moved, indexing="ij"), -1)
            region = self._partition(region[None])[0]  # (windows, n, axes)
            apart = (region[:, :, None] != region[:, None]).any(-1)
            return torch.where(apart, -100.0, 0.0)  # (windows, n, n)

    class OpenWindowAttention(WindowAttention):
        """Multi-head attention inside windows of a map of any size (Liu et al. 2021).

        A map is (B, *size, C); n is the positions of a window. Windows that are shifted
        out at one end come in at the other, where a mask keeps apart what does not
        belong together. An axis that is one window is not shifted.
        """

        def forward(self, x: Tensor) -> Tensor:
            given = x.shape[1:-1]  #: pad
            if self.pad:  #: pad
                x = self._padded(x)
            size = x.shape[1:-1]
            sides = zip(self.shift, self.window, size, strict=True)
            shift = tuple(s if w < n else 0 for s, w, n in sides)
            mask = None
            if any(shift):
                mask = self._mask(size, shift).to(x.dtype)
            x = self._partition(self._roll(x, shift, -1))  # (B, windows, n, C)
            y = self._merge(self._attended(x, mask), size)
            y = self._roll(y, shift, 1)  # (B, *size, C)
            if self.pad:  #: pad
                for axis, n in enumerate(given, 1):
                    y = y.narrow(axis, 0, n)
            return y

        def _padded(self, x: Tensor) -> Tensor:  #: pad
            """The map with zeros behind each axis, up to a multiple of the window."""
            padding = [0, 0]
            for axis in range(len(self.window), 0, -1):
                padding += [0, -x.shape[axis] % self.window[axis - 1]]
            return F.pad(x, padding)

    class ContinuousBias(nn.Module):
        """What each head adds to a score, by the distance of its two positions.

        A function of the logarithms of distances, so that it holds for windows of any
        size (Liu et al. 2022). They are measured by a window, the largest in it as 8.
        """

        distances: Tensor

        def __init__(
            self, heads: int, window: tuple[int, ...], measure: tuple[int, ...] = ()
        ) -> None:
            super().__init__()
            self.sides = tuple(zip(window, measure or window, strict=True))
            self.hidden = nn.Linear(len(window), 512)
            self.out = nn.Linear(512, heads, bias=False)
            self.reset_buffers()

        def reset_buffers(self) -> None:
            """Makes the logarithms of distances in a window: (entries, axes)."""
            steps = [torch.arange(1 - w, w) / max(m - 1, 1) * 8 for w, m in self.sides]
            apart = torch.stack(torch.meshgrid(*steps, indexing="ij"), -1)
            apart = apart.flatten(0, -2)
            found = apart.sign() * (apart.abs() + 1).log2() / 3
            self.register_buffer("distances", found, persistent=False)

        def forward(self) -> Tensor:
            y = F.relu(self.hidden(self.distances))  # (entries, 512)
            return 16 * torch.sigmoid(self.out(y))  # (entries, heads)
