"""What is assumed of open sizes, and of what needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from archdsl.diagnostics import Refused
from archdsl.ir.dim import Poly, Size, substitute
from archdsl.source import Span, nowhere

NOWHERE = nowhere()
Relation: TypeAlias = Literal["divides", "at least", "at most", "equals"]


@dataclass(frozen=True)
class Assumption:
    """A relation between sizes, and what needs it.

    Attributes:
        relation: ``right`` divides ``left``; or ``left`` is at least, at most, or
            equal to ``right``.
        left: A size.
        right: A size.
        costs: Whether only costs need it, and every size runs.
        cause: The op or statement that needs it.
        span: Where that stands in the spec.
    """

    relation: Relation
    left: Size
    right: Size
    costs: bool = False
    cause: str = ""
    span: Span = NOWHERE

    def __str__(self) -> str:
        if self.relation == "divides":
            return f"{self.right} divides {self.left}"
        return f"{self.left} {_SIGNS[self.relation]} {self.right}"

    @property
    def condition(self) -> str:
        """As Python writes it: ``H % 32 == 0``."""
        if self.relation == "divides":
            return f"{_operand(self.left)} % {_operand(self.right)} == 0"
        return str(self)

    @property
    def symbols(self) -> frozenset[str]:
        """The names that it is about."""
        sizes = (self.left, self.right)
        return frozenset().union(*(s.symbols for s in sizes if isinstance(s, Poly)))

    def with_values(self, values: Mapping[str, Size]) -> Assumption:
        """The same with some symbols replaced."""
        left, right = (substitute(s, values) for s in (self.left, self.right))
        return replace(self, left=left, right=right)

    def holds(self, values: Mapping[str, Size]) -> bool | None:
        """Whether it is true at some sizes; None where it is about others, too.

        Where it divides by zero it is not true.
        """
        try:
            now = self.with_values(values)
        except Refused:
            return False
        left, right = now.left, now.right
        if not isinstance(left, int) or not isinstance(right, int):
            return None
        if self.relation == "divides":
            return right != 0 and left % right == 0
        signs = {"at least": left >= right, "at most": left <= right}
        return signs.get(self.relation, left == right)


_SIGNS: dict[str, str] = {"at least": ">=", "at most": "<=", "equals": "=="}


def _operand(size: Size) -> str:
    text = str(size)
    return text if text.isidentifier() or isinstance(size, int) else f"({text})"
