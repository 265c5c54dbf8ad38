"""PyTorch's modules without numbers: what emitted constructors make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from archdsl.backends.torch.shadow import functions as F
from archdsl.backends.torch.shadow.storage import ledger
from archdsl.backends.torch.shadow.tensor import Shadow


class Parameter(Shadow):
    """A learned tensor."""

    __slots__ = ()

    def __init__(self, tensor: Shadow) -> None:
        super().__init__(tensor.shape, tensor.dtype, tensor.stride, tensor.storage)
        self.needs = True


class Module:
    """What stands for ``nn.Module``."""

    training = True
    at = ""  # its path in the model

    def children(self) -> Iterator[tuple[str, Module]]:
        """The modules that it holds, by the last name of their path."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def train(self, mode: bool) -> None:
        """Sets it, and all that it holds, to training or to inference."""
        self.training = mode
        for _, child in self.children():
            child.train(mode)

    def place(self, path: str) -> None:
        """Tells it, and all that it holds, where in the model they are."""
        self.at = path
        for name, child in self.children():
            child.place(f"{path}.{name}" if path else name)

    def add_module(self, name: str, module: Module) -> None:
        """Holds a module under a name."""
        setattr(self, name, module)

    def requires_grad_(self, needs: bool) -> Module:
        """Sets whether what it holds itself needs gradients."""
        for value in vars(self).values():
            if isinstance(value, Parameter):
                value.needs = needs
        return self

    def register_buffer(
        self, name: str, tensor: Shadow | None, persistent: bool = True
    ) -> None:
        """Holds a tensor that is not learned."""
        setattr(self, name, tensor)

    def __call__(self, *args: object, **kwargs: object) -> Shadow:
        """Runs it, and says meanwhile where the run is."""
        path = ledger().path
        path.append(self.at)
        result = self.forward(*args, **kwargs)
        path.pop()
        return result

    def forward(self, *args: object, **kwargs: object) -> Shadow:
        """What a call does; emitted classes have their own."""
        return self._run(*args, **kwargs)

    def _run(self, *args: object, **kwargs: object) -> Shadow:
        raise NotImplementedError


class Sequential(Module):
    """One module after another."""

    def __init__(self, *parts: Module | Mapping[str, Module]) -> None:
        first = parts[0] if parts else {}
        if isinstance(first, Mapping):
            self.parts = dict(first)
        else:
            rows = enumerate(parts)
            self.parts = {str(i): p for i, p in rows if isinstance(p, Module)}

    def children(self) -> Iterator[tuple[str, Module]]:
        """Its parts."""
        yield from self.parts.items()

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        for part in self.parts.values():
            x = part(x)
        return x

    def __getitem__(self, key: int | str) -> Module:
        return self.parts[str(key)]

    def __iter__(self) -> Iterator[Module]:
        return iter(self.parts.values())


class ModuleList(Sequential):
    """Modules by number."""

    def __init__(self, parts: Sequence[Module]) -> None:
        super().__init__(*parts)


class ModuleDict(Sequential):
    """Modules by name."""


class Linear(Module):
    """Weight (out, in)."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.weight = Parameter(Shadow((out_features, in_features)))
        self.bias = Parameter(Shadow((out_features,))) if bias else None

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return F.linear(x, self.weight, self.bias)


class Embedding(Module):
    """Weight (ids, features)."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        self.weight = Parameter(Shadow((num_embeddings, embedding_dim)))

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return F.embedding(x, self.weight)


class _Conv(Module):
    count: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        args = (kernel_size, stride, padding, dilation)
        self.window = tuple(F.each(a, self.count) for a in args)
        shape = (out_channels, in_channels // groups, *self.window[0])
        self.weight = Parameter(Shadow(shape))
        self.bias = Parameter(Shadow((out_channels,))) if bias else None

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return self._conv_forward(x, self.weight, self.bias)

    def _conv_forward(self, x: Shadow, weight: Shadow, bias: Shadow | None) -> Shadow:
        if x.ndim == self.count + 1:  # one example
            return self._conv_forward(x.unsqueeze(0), weight, bias).squeeze(0)
        kernel, stride, padding, dilation = self.window
        size = F.slid(x.shape[2:], kernel, stride, padding, dilation)
        shape = (x.shape[0], weight.shape[0], *size)
        return F.convolution(x, weight, shape, bias)


class Conv1d(_Conv):
    """Over one axis."""

    count = 1


class Conv2d(_Conv):
    """Over two axes."""

    count = 2


class Conv3d(_Conv):
    """Over three axes."""

    count = 3


class _ConvTranspose(_Conv):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        groups: int = 1,
        bias: bool = True,
        **others: int | Sequence[int],
    ) -> None:
        usual = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
        args = (kernel_size, *(usual | others).values())
        self.window = tuple(F.each(a, self.count) for a in args)
        shape = (in_channels, out_channels // groups, *self.window[0])
        self.weight = Parameter(Shadow(shape))
        self.bias = Parameter(Shadow((out_channels,))) if bias else None
        self.features = out_channels

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        if x.ndim == self.count + 1:  # one example
            return self._run(x.unsqueeze(0)).squeeze(0)
        rows = zip(x.shape[2:], *self.window, strict=True)
        size = ((n - 1) * s + d * (k - 1) + 1 - 2 * p + e for n, k, s, p, d, e in rows)
        shape = (x.shape[0], self.features, *size)
        return F.convolution(x, self.weight, shape, self.bias)


class ConvTranspose1d(_ConvTranspose):
    """Along one axis."""

    count = 1


class ConvTranspose2d(_ConvTranspose):
    """Along two axes."""

    count = 2


class ConvTranspose3d(_ConvTranspose):
    """Along three axes."""

    count = 3


def _of_each(features: int) -> Parameter:
    """A learned number for each feature: the scale or the shift of a norm."""
    return Parameter(Shadow((features,)))


class LayerNorm(Module):
    """Over the last dimension."""

    def __init__(
        self,
        normalized_shape: int,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        shifted = elementwise_affine and bias
        self.weight = _of_each(normalized_shape) if elementwise_affine else None
        self.bias = _of_each(normalized_shape) if shifted else None

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return F.layer_norm(x, 1, self.weight, self.bias)


class RMSNorm(Module):
    """Over the last dimension."""

    def __init__(
        self, normalized_shape: int, eps: float, elementwise_affine: bool = True
    ) -> None:
        self.weight = _of_each(normalized_shape) if elementwise_affine else None

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return F.rms_norm(x, self.weight)


class GroupNorm(Module):
    """Over groups of dimension 1, and all after it."""

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        self.groups = num_groups
        self.weight = _of_each(num_channels) if affine else None
        self.bias = _of_each(num_channels) if affine else None

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return F.group_norm(x, self.groups, self.weight, self.bias)


class _InstanceNorm(Module):
    count: int

    def __init__(
        self, num_features: int, eps: float = 1e-5, affine: bool = False
    ) -> None:
        self.weight = _of_each(num_features) if affine else None
        self.bias = _of_each(num_features) if affine else None

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        if x.ndim == self.count + 1:  # one example
            return self._run(x.unsqueeze(0)).squeeze(0)
        return F.instance_norm(x, self.weight, self.bias)


class InstanceNorm1d(_InstanceNorm):
    """Over one axis."""

    count = 1


class InstanceNorm2d(_InstanceNorm):
    """Over maps."""

    count = 2


class InstanceNorm3d(_InstanceNorm):
    """Over volumes."""

    count = 3


class BatchNorm1d(Module):
    """Over all but dimension 1."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ) -> None:
        self.weight = _of_each(num_features) if affine else None
        self.bias = _of_each(num_features) if affine else None

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return F.batch_norm(x, self.weight, self.bias, self.training)


class BatchNorm2d(BatchNorm1d):
    """Over maps."""


class BatchNorm3d(BatchNorm1d):
    """Over volumes."""


class Dropout(Module):
    """Leaves numbers out in training."""

    def __init__(self, p: float) -> None:
        self.p = p

    def _run(self, x: Shadow) -> Shadow:  # type: ignore[override]
        return F.dropout(x, self.p, self.training)
