"""Conditions on figures, ``params <= 30e6 and dim % 32 == 0``, in the spec language."""

from __future__ import annotations

import re
from collections.abc import Mapping

from archdsl.build.body import Body
from archdsl.build.scope import Scope
from archdsl.build.session import Exhausted, Session
from archdsl.build.values import Definition, Value
from archdsl.ir.graph import Graph
from archdsl.ops.fields import AxisName
from archdsl.source import Source, Span
from archdsl.syntax import parse, tree


class Condition:
    """An expression of the language that is true or false of some named values.

    Args:
        text: The expression.
        home: Whose file the other names of the expression are looked up in.

    Raises:
        ValueError: The text is not an expression.
    """

    def __init__(self, text: str, home: Definition) -> None:
        file, problems = parse(Source("--where", f"model m = m(where = {text}\n)"))
        item = file.items[0] if len(file.items) == 1 and not problems else None
        call = item.value if isinstance(item, tree.Variant) else None
        if not isinstance(call, tree.Call) or len(call.arguments) != 1:
            raise ValueError(f"{text!r} is not a condition, such as params <= 30e6")
        self.text = text
        self.words = frozenset(re.findall(r"\w+", text))
        self._value = call.arguments[0].value
        self._home = home

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether it is true of these values; names of axes are in uppercase.

        Raises:
            ValueError: A name is unknown, or the result is neither true nor false.
        """
        session = Session()
        body = _Named(session, self._home, Graph("", self._value.span), None)
        body.known = values
        body.scope = Scope(body.scope, dict(values))
        try:
            value = body.number(self._value)
        except (Exhausted, RecursionError):
            raise ValueError(f"{self.text[:60]!r} takes too much work") from None
        if session.diagnostics:
            problem = session.diagnostics[0].fault.message()
            raise ValueError(f"{self.text!r}: {problem}")
        if not isinstance(value, bool):
            raise ValueError(f"{self.text!r} is neither true nor false")
        return value


class _Named(Body):
    """An expression in which an axis stands for its size."""

    known: Mapping[str, Value]

    def sized(self, value: Value, span: Span) -> Value:
        """The size of an axis; any other value as it is."""
        if isinstance(value, AxisName) and str(value) in self.known:
            return self.known[str(value)]
        return super().sized(value, span)
