"""What a broken promise was probably meant to say: MACs for FLOPs, a round figure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from archdsl.analysis.settle import Value, settle
from archdsl.ir.dim import Poly
from archdsl.ir.promise import Number, Promise, Term, figures

if TYPE_CHECKING:
    from archdsl.analysis.promises import Model

_LONGEST = 160  # characters of a formula in a message
_ALIKE = (("macs", "matmul_flops", "flops"), ("params", "weight_bytes"))
_WORDS = {
    "macs": "the MACs are {}: many papers print MACs as FLOPs",
    "matmul_flops": "the matmul_flops are {}: two a MAC",
    "flops": "the flops are {}: two a MAC, and all that is element-wise",
    "params": "the params are {}: elements, not bytes",
    "weight_bytes": "the weight_bytes are {}: four an element",
}


def shown(value: Value) -> str:
    """A figure in a message: ``25,557,032``, or a formula."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, Poly):
        from archdsl.ir.formula import short

        return short(str(value), _LONGEST)
    return f"{value:,}"


def plain(term: Term) -> str:
    """A term as the spec writes it, on one line."""
    text = " ".join(term.span.text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def mends(model: Model, promise: Promise) -> tuple[str, ...]:
    """What a promise was probably meant to say; none where nothing fits."""
    asked = {f.name for term in promise.terms for f in figures(term)}
    if len(asked) != 1:
        return ()
    (name,) = asked
    family = next((f for f in _ALIKE if name in f), ())
    # A bound from one side tells little, but what MACs keep and FLOPs break does.
    others = dict.fromkeys((name, *family) if _pins(promise) else family[:1])
    for other in others:
        values = [model.value(term, {name: other}) for term in promise.terms]
        if any(isinstance(value, Poly) for value in values):
            return ()
        if _kept(promise, values):
            right = _with(promise, promise.terms, other)
        else:
            right = _around(promise, values, other)
        if right and other == name:
            return (f"the figure is rounded: write `expect {right}`",)
        if right:
            words = _WORDS[other].format(shown(_figure(promise, values)))
            return (f"{words}; write `expect {right}`",)
    return ()


def _pins(promise: Promise) -> bool:
    """Whether a promise says nearly what a figure is: by ``==``, or from both sides."""
    return promise.signs == ("==",) or len(promise.signs) == 2


def _kept(promise: Promise, values: list[Value]) -> bool:
    rows = zip(promise.signs, values, values[1:], strict=False)
    return all(settle(sign, left, right, ()).holds for sign, left, right in rows)


def _with(whole: Promise | Term, terms: Sequence[Term], other: str) -> str:
    """What the spec writes, with another figure in place of those in some terms."""
    text, start = whole.span.text, whole.span.start
    for figure in reversed([f for term in terms for f in figures(term)]):
        at = figure.span.start - start
        text = text[:at] + other + text[at + len(figure.name) :]
    return " ".join(text.split())


def _figure(promise: Promise, values: list[Value]) -> Value:
    """The worth of the side that has a figure."""
    sides = zip(promise.terms, values, strict=True)
    return next(value for term, value in sides if any(figures(term)))


def _around(promise: Promise, values: list[Value], other: str) -> str:
    """The bounds that a rounded figure stands for, or "" where it is none."""
    numbers = [t for t in promise.terms if isinstance(t, Number)]
    if promise.signs != ("==",) or len(numbers) != 1:
        return ""
    written, value = numbers[0].value, _figure(promise, values)
    if not isinstance(written, int | float) or not isinstance(value, int | float):
        return ""
    number = Decimal(repr(written)).normalize()
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    half = Decimal(5).scaleb(exponent - 1)
    if not (exponent and number) or abs(Decimal(value) - number) > half:
        return ""
    side = next(t for t in promise.terms if not isinstance(t, Number))
    low, high = (_written(n) for n in (number - half, number + half))
    return f"{low} <= {_with(side, (side,), other)} <= {high}"


def _written(number: Decimal) -> str:
    """A number as a spec writes it: ``4.05e9``."""
    power = number.adjusted() // 3 * 3
    if power < 6:
        return format(number.normalize(), "f")
    return f"{format(number.scaleb(-power).normalize(), 'f')}e{power}"
