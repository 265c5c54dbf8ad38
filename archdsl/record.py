"""Records: values with named parts that never change, made quickly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def record(kind: type[T]) -> type[T]: ...


@overload
def record(*, slots: bool) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(
    kind: type[T] | None = None, *, slots: bool = True
) -> type[T] | Callable[[type[T]], type[T]]:
    """A dataclass that the type checker keeps frozen.

    One that Python itself freezes takes four times as long to make, and reading and
    elaborating a spec is mostly making trees and values.

    Args:
        kind: The class.
        slots: Whether there is room for the parts alone, and none for a `lazy` value.
    """

    def make(kind: type[T]) -> type[T]:
        own = "__hash__" in vars(kind)
        return dataclass(slots=slots, unsafe_hash=not own)(kind)

    return make if kind is None else make(kind)
