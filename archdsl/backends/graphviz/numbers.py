"""Numbers in three digits, and formulas as short as they can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from archdsl.ir.dim import Atom, Floor, Monomial, Poly, Size
from archdsl.ir.formula import terms

MINUS = "\u2212"
NBSP = "\u00a0"  # where a line must not break
_UNITS = (("P", 10**15), ("T", 10**12), ("G", 10**9), ("M", 10**6), ("K", 10**3))
_MOST_TERMS = 3
_POWERS = {1: "", 2: "²", 3: "³"}

Powers = tuple[tuple[str, int], ...]


_HUGE = 10**24  # more than any network has


def human(number: int | Fraction) -> str:
    """A number in three digits or fewer and a unit: ``28.3 M``."""
    if number >= _HUGE:
        return f"1e{len(str(int(number))) - 1}"
    for unit, size in _UNITS:
        if number >= size * 0.9995:
            value = number / size
            digits = f"{float(value):.{1 if value < 99.95 else 0}f}"
            return f"{digits.removesuffix('.0')}{NBSP}{unit}"
    return str(number) if isinstance(number, int) else f"{float(number):.3g}"


# --- formulas ------------------------------------------------------------------------


def formula(size: Size) -> str:
    """A size, exactly: ``H//4``, ``ceil(H/2)``."""
    if isinstance(size, int):
        return str(size)
    if any(map(_has_floor, size.terms)) and all(len(m) <= 1 for m, _ in size.terms):
        return str(size).replace("*", "·").replace(" - ", f" {MINUS} ")
    words = _sum([(_atoms(m), c, str(abs(c))) for m, c in size.terms])
    lone = len(size.terms) == 1 and words.find(")") == len(words) - 1
    return words[1:-1] if lone and words[:1] == "(" else words


def factor(size: Size) -> str:
    """A size as a part of a product."""
    words = formula(size)
    several = " + " in words or MINUS in words
    rounded = words.startswith("ceil(") and len(terms(words)) == 1
    return f"({words})" if several and not rounded else words


def _atoms(monomial: Monomial) -> Powers:
    return tuple((str(atom), power) for atom, power in monomial)


def _sum(terms: Sequence[tuple[Powers, int | Fraction, str]]) -> str:
    words = ""
    for powers, coefficient, digits in terms:
        one = abs(coefficient) == 1 and powers
        names = [f"{name}{_POWERS.get(p, f'^{p}')}" for name, p in powers]
        sign = (f" {MINUS} " if coefficient < 0 else " + ") if words else ""
        first = MINUS if coefficient < 0 and not words else ""
        words += sign + first + "·".join(names if one else [digits, *names])
    return words


# --- counts --------------------------------------------------------------------------


def amount(size: Size) -> str:
    """A count; a formula where it is open, about right if it would be long.

    ``≈ 82.4 K·H·W`` leaves out what rounds sizes up or down, and terms in which not
    every open size stands.
    """
    if isinstance(size, int):
        return human(size)
    parts = [(_atoms(m), c, human(abs(c))) for m, c in size.terms]
    if len(parts) <= _MOST_TERMS and not any(map(_has_floor, size.terms)):
        return _sum(parts)
    about = _about(size)
    if about is None:
        return _sum(parts[:_MOST_TERMS]) + " + …"
    symbols = max(len(powers) for powers in about)
    kept = sorted(
        ((p, c) for p, c in about.items() if len(p) == symbols),
        key=lambda term: (-sum(n for _, n in term[0]), term[0]),
    )
    return "≈ " + _sum([(p, c, human(abs(c))) for p, c in kept[:_MOST_TERMS]])


def _has_floor(term: tuple[Monomial, int]) -> bool:
    return any(isinstance(atom, Floor) for atom, _ in term[0])


def _about(size: Poly) -> Mapping[Powers, Fraction] | None:
    """The terms, floors as plain quotients; None if one is not of a symbol."""
    found: dict[Powers, Fraction] = {}
    for monomial, coefficient in size.terms:
        powers: dict[str, int] = {}
        value = Fraction(coefficient)
        for atom, power in monomial:
            lead = _lead(atom)
            if lead is None:
                return None
            name, quotient = lead
            powers[name] = powers.get(name, 0) + power
            value *= quotient**power
        key = tuple(sorted(powers.items()))
        found[key] = found.get(key, Fraction(0)) + value
    return {key: value for key, value in found.items() if value} or None


def _lead(atom: Atom) -> tuple[str, Fraction] | None:
    """The symbol that an atom grows with, and how fast."""
    if isinstance(atom, str):
        return atom, Fraction(1)
    monomial, coefficient = atom.numerator.terms[0]
    several = len(monomial) != 1 or any(len(m) > 0 for m, _ in atom.numerator.terms[1:])
    if several or not isinstance(atom.divisor, int):
        return None
    inner, power = monomial[0]
    lead = _lead(inner) if power == 1 else None
    return None if lead is None else (lead[0], lead[1] * coefficient / atom.divisor)
