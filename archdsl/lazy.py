"""Values of an object that are worked out when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - used as a decorator
    """A property that is worked out once: `functools.cached_property` without its lock.

    Up to Python 3.11 that one takes a lock at each first question, which is most of the
    time where the answer is short, as it is of a tensor.
    """

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object, owner: type) -> T | lazy[T]:
        if instance is None:
            return self
        # Where it lies, an instance finds it before it asks here.
        value = instance.__dict__[self._name] = self._work_out(instance)
        return value
