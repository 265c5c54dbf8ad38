"""Scopes: the names of values, in braces in braces."""

from __future__ import annotations

from dataclasses import dataclass, field

from archdsl.build.values import Value
from archdsl.source import Span


@dataclass
class Scope:
    """Names and their values; a name that is not here is looked up in `parent`."""

    parent: Scope | None = None
    values: dict[str, Value] = field(default_factory=dict)
    labels: dict[str, Value] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)

    def find(self, name: str) -> tuple[Value] | None:
        """The value in a 1-tuple, or None."""
        scope = self
        while name not in scope.values:
            if scope.parent is None:
                return None
            scope = scope.parent
            if type(scope) is not Scope:  # it has a way of its own
                return scope.find(name)
        return (scope.values[name],)

    def names(self) -> list[str]:
        """Every name in reach."""
        return [*self.values, *(self.parent.names() if self.parent else ())]
