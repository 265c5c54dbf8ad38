"""The type of a tensor: named axes with sizes, and what its elements are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from archdsl.ir.dim import Size, product
from archdsl.lazy import lazy
from archdsl.record import record

BATCH, FEATURES = "B", "C"
DTYPES: Mapping[str, int] = {"float": 4, "int": 8, "bool": 1}  # bytes an element
Layout: TypeAlias = tuple[str, ...]  # the physical order of a tensor's axes


@record(slots=False)
class Tensor:
    """Named axes, in the order in which they are displayed, and a dtype.

    ``B`` is the batch, ``C`` the features; every other axis is a position.
    """

    axes: tuple[tuple[str, Size], ...]
    dtype: str = "float"

    @lazy
    def sizes(self) -> dict[str, Size]:
        """Size by axis."""
        return dict(self.axes)

    @lazy
    def names(self) -> Layout:
        """The axes, in display order."""
        return tuple(self.sizes)

    @lazy
    def positions(self) -> tuple[str, ...]:
        """The axes that are positions, in display order."""
        return tuple(n for n in self.sizes if n not in (BATCH, FEATURES))

    @lazy
    def numel(self) -> Size:
        """The number of elements."""
        return product([size for _, size in self.axes])

    @property
    def nbytes(self) -> Size:
        """The size in bytes."""
        return self.numel * DTYPES[self.dtype]

    @lazy
    def _hash(self) -> int:
        return hash((self.axes, self.dtype))

    def __hash__(self) -> int:
        """Of what makes it equal; asked for often, as layers are looked up by it."""
        return self._hash

    def __contains__(self, axis: object) -> bool:
        return axis in self.sizes

    def __getitem__(self, axis: str) -> Size:
        return self.sizes[axis]

    def extent(self, axes: Iterable[str]) -> Size:
        """The product of some axes' sizes."""
        return product(self.sizes[a] for a in axes)

    def resized(self, sizes: Mapping[str, Size]) -> Tensor:
        """The same axes, some with another size; new ones come last."""
        every = {**self.sizes, **sizes}
        made = Tensor(tuple(every.items()), self.dtype)
        made.sizes = every
        return made

    def without(self, axes: Iterable[str]) -> Tensor:
        """The tensor with some axes gone."""
        gone = set(axes)
        return Tensor(tuple(a for a in self.axes if a[0] not in gone), self.dtype)

    def ordered(self, layout: Layout) -> Tensor:
        """The same tensor, displayed in another order."""
        return Tensor(tuple((n, self.sizes[n]) for n in layout), self.dtype)

    def cast(self, dtype: str) -> Tensor:
        """The same axes with another kind of elements."""
        return Tensor(self.axes, dtype)

    def __str__(self) -> str:
        return as_written(self.axes, self.dtype)


def as_written(axes: Iterable[tuple[str, object]], dtype: str) -> str:
    """A type as a spec writes it: ``int[B, T = 64]``."""
    inside = ", ".join(
        name
        if (name == BATCH and size == 1) or name == str(size)
        else f"{name} = {size}"
        for name, size in axes
    )
    return f"{'' if dtype == 'float' else dtype}[{inside}]"
