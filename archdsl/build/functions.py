"""The arithmetic of hyperparameters and sizes, bounded."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from archdsl.build.values import TensorValue, Value, kind
from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import BadArithmetic
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.ir.dim import Poly, Size
from archdsl.ops.fields import AxisName

LONGEST_LIST = 100_000
_BITS = 256  # no size of a network needs more
_OPERATORS: dict[str, Callable[[Any, Any], object]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _refuse(problem: str, detail: str = "", mend: str = "") -> Refused:
    return Refused(BadArithmetic(problem, detail, mend))


def is_number(value: object) -> bool:
    """Whether arithmetic takes it: an int, a float or an open size, no truth value."""
    return isinstance(value, (int, float, Poly)) and not isinstance(value, bool)


def arithmetic(sign: str, left: Value, right: Value) -> Value:
    """``left sign right`` on numbers, sizes and lists.

    Raises:
        Refused: The operands do not go together, or the result would be huge.
    """
    if isinstance(left, (tuple, str)):
        return _joined(sign, left, right)
    if not (is_number(left) and is_number(right)):
        detail = f"{kind(left)} and {kind(right)}"
        raise _refuse(f"`{sign}` does not go with {detail}", "not two numbers")
    if right == 0 and sign in ("/", "//", "%"):
        raise _refuse("division by zero", "the divisor is 0")
    if isinstance(left, Poly) or isinstance(right, Poly):
        return _symbolic(sign, left, right)
    if sign == "**":
        _check_power(left, right)
    try:
        result = _OPERATORS[sign](left, right)
    except (OverflowError, ZeroDivisionError, ValueError):
        raise _refuse("the result is not a finite number", "too large") from None
    return _finite(result)


def _joined(sign: str, left: tuple[Value, ...] | str, right: Value) -> Value:
    """Lists and texts: ``+`` joins two of a kind, ``*`` repeats a list."""
    if sign == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        _check_length(len(left) + len(right))
        return (*left, *right)
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        _check_length(len(left) + len(right), "text", "characters")
        return left + right
    if sign == "*" and isinstance(left, tuple) and type(right) is int:
        _check_length(len(left) * max(right, 0))
        return left * right
    detail = f"{kind(left)} and {kind(right)}"
    raise _refuse(f"`{sign}` does not go with {detail}", "not two numbers")


def _symbolic(sign: str, left: Value, right: Value) -> Value:
    if isinstance(left, float) or isinstance(right, float):
        whole = [
            int(v) if isinstance(v, float) and v.is_integer() else v
            for v in (left, right)
        ]
        if any(isinstance(v, float) for v in whole):
            raise _refuse(
                "an open size goes with whole numbers only", f"{left} {sign} {right}"
            )
        left, right = whole
    if sign == "/":
        raise _refuse("`/` on an open size", "the size is a formula", "use `//`")
    if sign == "**" and (not isinstance(right, int) or not 0 <= right <= 16):
        raise _refuse("a power of an open size", "only whole powers up to 16")
    return _OPERATORS[sign](left, right)  # type: ignore[return-value]


def _check_power(left: object, right: object) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if abs(left) > 1 and right * abs(left).bit_length() > _BITS:
            raise Refused(TooMuchWork("this number is too large", f"{_BITS} bits"))
    elif isinstance(left, float | int) and left < 0:
        raise _refuse("a broken power of a negative number", "no real result")


def _finite(result: object) -> Value:
    if isinstance(result, complex) or (
        isinstance(result, float) and not math.isfinite(result)
    ):
        raise _refuse("the result is not a finite number", "too large")
    if isinstance(result, int) and result.bit_length() > _BITS:
        raise Refused(TooMuchWork("this number is too large", f"{_BITS} bits"))
    return result  # type: ignore[return-value]


def _check_length(length: int, what: str = "list", items: str = "items") -> None:
    if length > LONGEST_LIST:
        problem = f"this {what} would have {length:,} {items}"
        raise Refused(TooMuchWork(problem, f"{LONGEST_LIST:,} {items}"))


def compare(sign: str, left: Value, right: Value) -> bool:
    """``left sign right``.

    Raises:
        Refused: The values have no order, or it depends on an open size.
    """
    if isinstance(left, TensorValue) or isinstance(right, TensorValue):
        raise _refuse("a condition cannot look into tensors", "a tensor here")
    if sign in ("==", "!="):
        if (isinstance(left, Poly) or isinstance(right, Poly)) and left != right:
            return _undecided(sign, left, right)
        return (left == right) == (sign == "==")
    if is_number(left) and is_number(right):
        if isinstance(left, Poly) or isinstance(right, Poly):
            return _undecided(sign, left, right)
        return _COMPARISONS[sign](left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _COMPARISONS[sign](left, right)
    detail = f"{kind(left)} and {kind(right)}"
    raise _refuse(f"`{sign}` does not compare {detail}", "no order between these")


def _undecided(sign: str, left: Value, right: Value) -> bool:
    if isinstance(left, int | Poly) and isinstance(right, int | Poly):
        from archdsl.ir.ranges import at_least

        gap: Size = left - right
        if isinstance(gap, int):
            return _OTHER[sign](gap)
        if at_least(gap, 1):
            return sign in (">", ">=", "!=")
        if at_least(-gap, 1):
            return sign in ("<", "<=", "!=")
        if sign in (">=", "<") and at_least(gap, 0):
            return sign == ">="
        if sign in ("<=", ">") and at_least(-gap, 0):
            return sign == "<="
    raise _refuse(
        f"whether {left} {sign} {right} depends on an open size",
        "cannot be decided",
        "give the input axis a size",
    )


_OTHER: dict[str, Callable[[int], bool]] = {
    "==": lambda gap: gap == 0,
    "!=": lambda gap: gap != 0,
    "<": lambda gap: gap < 0,
    "<=": lambda gap: gap <= 0,
    ">": lambda gap: gap > 0,
    ">=": lambda gap: gap >= 0,
}


# --- functions ----------------------------------------------------------------------


def _range(*numbers: Value) -> Value:
    if not 1 <= len(numbers) <= 3 or not all(type(n) is int for n in numbers):
        found = " and ".join(map(kind, numbers))
        mend = "`//` divides to whole numbers" if float in map(type, numbers) else ""
        raise _refuse("range takes one to three whole numbers", f"given {found}", mend)
    if len(numbers) == 3 and numbers[2] == 0:
        raise _refuse("range cannot step by 0", "the step is 0")
    values = range(*numbers)  # type: ignore[arg-type]
    _check_length(len(values))
    return tuple(values)


def _items(value: Value, what: str) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise _refuse(f"{what} takes a list", f"this is {kind(value)}")
    return value


def _enumerate(items: Value, start: Value = 0) -> Value:
    if type(start) is not int:
        raise _refuse("enumerate starts at a whole number", f"this is {kind(start)}")
    return tuple(enumerate(_items(items, "enumerate"), start))


def _zip(*lists: Value) -> Value:
    rows = [_items(v, "zip") for v in lists]
    if len({len(r) for r in rows}) > 1:
        lengths = ", ".join(str(len(r)) for r in rows)
        raise _refuse(f"zip takes lists of one length, and these have {lengths}")
    return tuple(zip(*rows, strict=True))


def _numbers(values: tuple[Value, ...], what: str) -> list[int | float]:
    found = (
        _items(values[0], what)
        if len(values) == 1 and isinstance(values[0], tuple)
        else values
    )
    wrong = [v for v in found if not is_number(v) or isinstance(v, Poly)]
    if wrong or not found:
        detail = f"this is {kind(wrong[0])}" if wrong else "there are none"
        problem = f"{what} takes numbers or a list of them"
        raise _refuse(problem, detail, _axes(what, found))
    return list(found)  # type: ignore[arg-type]


def _axes(what: str, items: Sequence[Value]) -> str:
    """What is meant by a list of axes: the op of that name."""
    named = items and all(isinstance(item, AxisName) for item in items)
    return f"axes go by name: `{what}({', '.join(map(str, items))})`" if named else ""


def _sum(items: Value) -> Value:
    total: Value = 0
    found = _items(items, "sum")
    if mend := _axes("sum", found):
        raise _refuse("sum takes a list of numbers", f"this is {kind(found)}", mend)
    for item in found:
        total = arithmetic("+", total, item)
    return total


def _linspace(start: Value, stop: Value, count: Value) -> Value:
    if type(count) is not int or count < 1:
        raise _refuse("linspace takes a start, a stop and a count of at least 1")
    first, last = _numbers((start, stop), "linspace")
    _check_length(count)
    gaps = max(count - 1, 1)
    return tuple(first + (last - first) * i / gaps for i in range(count))


def _int(value: Value) -> Value:
    return value if isinstance(value, Poly) else int(_numbers((value,), "int")[0])


def _of_one(
    name: str, function: Callable[[float], int | float]
) -> Callable[..., Value]:
    def apply(value: Value) -> Value:
        try:
            return function(_numbers((value,), name)[0])
        except (ValueError, OverflowError):
            raise _refuse(f"{name} of {value} is not a number") from None

    return apply


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "range": _range,
    "len": lambda items: len(_items(items, "len")),
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": lambda items: _items(items, "reversed")[::-1],
    "sum": _sum,
    "min": lambda *values: min(_numbers(values, "min")),
    "max": lambda *values: max(_numbers(values, "max")),
    "linspace": _linspace,
    "int": _int,
    "round": _of_one("round", round),
    "abs": _of_one("abs", abs),
    "floor": _of_one("floor", math.floor),
    "ceil": _of_one("ceil", math.ceil),
    "sqrt": _of_one("sqrt", math.sqrt),
    "log2": _of_one("log2", math.log2),
}


def call(name: str, values: list[Value]) -> Value:
    """A built-in function at work.

    Raises:
        Refused: The arguments do not fit.
    """
    try:
        return FUNCTIONS[name](*values)
    except TypeError:
        raise _refuse(f"{name} does not take {len(values)} arguments") from None
    except (OverflowError, ValueError):  # range(2 ** 63), int of what is infinite
        raise _refuse(f"{name} takes smaller numbers", "too large here") from None
