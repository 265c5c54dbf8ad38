"""Formulas as people write them, and read back.

One rule: a product is written number, batch, hyperparameters, positions, features;
positions of one power share it, ``(H*W)**2``; the highest power of C comes first and
then the highest degree; what all terms share with the batch stands before brackets;
products of sums, ``(H - 2)*(W - 2)``, are kept together; a floor that rounds up is
``ceil(H/2)``. All of it is Python, given ``ceil``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from archdsl.ir.dim import (
    Atom,
    Floor,
    Monomial,
    Poly,
    Setting,
    Size,
    ceil_div,
    product,
    symbol,
    total,
)

_BATCH, _FEATURES = "B", "C"
_LONGEST = 20_000  # characters that are read
_DEEPEST = 100  # brackets in brackets
Terms = Mapping[Monomial, int]


class _Piece(NamedTuple):
    """A part of a sum: what it is sorted by, its sign and its text."""

    order: tuple[object, ...]
    negative: bool
    text: str


@lru_cache(maxsize=4096)  # of a deep model, most formulas are those of other layers
def written(size: Poly) -> str:
    """A size as a sum."""
    lone = _shifted(size)
    if lone is not None and (lone[1] <= 0 or _is_ceil(*lone)):
        return _division(*lone)
    return _joined(_pieces(dict(size.terms)))


def terms(text: str) -> list[str]:
    """The terms of a written formula, each with its sign."""
    found, depth, start = [], 0, 0
    for match in re.finditer(r"[()]| (?=[-+] )", text):
        depth += (match[0] == "(") - (match[0] == ")")
        if match[0] == " " and not depth:
            found.append(text[start : match.start()])
            start = match.end()
    return [*found, text[start:]]


def short(text: str, width: int) -> str:
    """A written formula, cut after a term where it does not fit."""
    if len(text) <= width:
        return text
    kept = ""
    for term in terms(text):
        if len(f"{kept} {term} + …") > width:
            break
        kept = f"{kept} {term}".strip()
    return f"{kept} + …" if kept else "…"


# --- sums ---------------------------------------------------------------------------


def _joined(pieces: list[_Piece]) -> str:
    first, *others = sorted(pieces)
    text = f"-{first.text}" if first.negative else first.text
    return text + "".join(f" {'-' if p.negative else '+'} {p.text}" for p in others)


def _pieces(terms: dict[Monomial, int]) -> list[_Piece]:
    if len(terms) > 1 and all(dict(m).get(_BATCH) == 1 for m in terms):
        inner = {tuple(f for f in m if f[0] != _BATCH): c for m, c in terms.items()}
        return [_Piece((), False, f"{_BATCH}*({_joined(_pieces(inner))})")]
    constant = terms.pop((), 0)
    pieces: list[_Piece] = []
    for part in _connected(terms):
        made = _product_of_sums(part) if len(part) > 1 else None
        if made is None:
            pieces += [_term(m, c) for m, c in part.items()]
        else:
            pieces.append(made[0])
            constant -= made[1]
    return pieces + ([_term((), constant)] if constant or not pieces else [])


def _connected(terms: Terms) -> list[dict[Monomial, int]]:
    """The terms, those that share a symbol or floor together."""
    groups: list[tuple[set[Atom], dict[Monomial, int]]] = []
    for monomial, coefficient in terms.items():
        atoms = {atom for atom, _ in monomial}
        mine = {monomial: coefficient}
        apart = []
        for group in groups:
            if group[0] & atoms:
                atoms |= group[0]
                mine = {**group[1], **mine}
            else:
                apart.append(group)
        groups = [*apart, (atoms, mine)]
    return [terms for _, terms in groups]


def _product_of_sums(terms: Terms) -> tuple[_Piece, int] | None:
    """``c*m*(x + a)*(y + b)``, and the constant that it has beside the terms."""
    shared = _shared(terms)
    rest = {_without(m, shared): c for m, c in terms.items()}
    lead = max(rest, key=lambda m: (sum(p for _, p in m), abs(rest[m])))
    powers, coefficient = dict(lead), rest[lead]
    if set(powers.values()) != {1} or powers.keys() & dict(shared).keys():
        return None
    shifts: dict[Atom, int] = {}
    for atom in powers:
        beside = rest.get(_without(lead, ((atom, 1),)), 0)
        if beside % coefficient or (beside and atom == _FEATURES):
            return None
        shifts[atom] = beside // coefficient
    sums = {
        a: Poly((((((a, 1),)), 1), *([((), s)] if s else [])))
        for a, s in shifts.items()
    }
    gap = coefficient * product(sums.values()) - Poly.of(rest)
    if not isinstance(gap, int) or (gap and shared) or not any(shifts.values()):
        return None
    texts = {a: _factor_of(p) for a, p in sums.items()}
    return _term(shared + lead, coefficient, texts), gap


def _shared(terms: Terms) -> Monomial:
    """The powers that all terms have."""
    first, *others = (dict(m) for m in terms)
    least = {a: min([p, *(o.get(a, 0) for o in others)]) for a, p in first.items()}
    return tuple((a, p) for a, p in least.items() if p > 0)


def _without(monomial: Monomial, factor: Monomial) -> Monomial:
    powers = dict(monomial)
    for atom, power in factor:
        powers[atom] = powers.get(atom, 0) - power
    return tuple((a, p) for a, p in powers.items() if p)


# --- products -----------------------------------------------------------------------


def _term(
    monomial: Monomial, coefficient: int, texts: Mapping[Atom, str] | None = None
) -> _Piece:
    texts = texts or {}
    above = sorted(((a, p) for a, p in monomial if p > 0), key=_place)
    below = sorted(((a, -p) for a, p in monomial if p < 0), key=_place)
    words = [str(abs(coefficient))] if abs(coefficient) != 1 or not above else []
    for (rank, power), group in groupby(above, lambda f: (_rank(f[0]), f[1])):
        words += _power([texts.get(a) or atom(a) for a, _ in group], power, rank)
    text = "*".join(words)
    lone = monomial[0][0] if len(monomial) == 1 and len(words) == 1 else ""
    if isinstance(lone, Floor) and monomial[0][1] == coefficient == 1 and not texts:
        text = _division(lone)
    if below:
        low = "*".join(_power([atom(a) for a, _ in below], 1, 0))
        if any(p > 1 for _, p in below) or len(below) > 1:
            low = "*".join(w for a, p in below for w in _power([atom(a)], p, 0))
            low = f"({low})" if len(below) > 1 else low
        text += f"//{low}"
    degree = sum(p for _, p in monomial)
    first = -dict(monomial).get(_FEATURES, 0), -degree, not monomial
    order = (*first, *(_natural(f) for f in above))
    return _Piece((order, text), coefficient < 0, text)


def _power(names: list[str], power: int, rank: int) -> list[str]:
    if power == 1:
        return names
    if rank == 2 and len(names) > 1:
        return [f"({'*'.join(names)})**{power}"]
    return [f"{name}**{power}" for name in names]


def _rank(atom: Atom) -> int:
    """Batch, hyperparameters, positions, features."""
    symbols = {atom} if isinstance(atom, str) else atom.symbols
    if symbols == {_BATCH}:
        return 0
    if all(isinstance(name, Setting) for name in symbols):
        return 1
    return 3 if symbols == {_FEATURES} else 2


def _place(factor: tuple[Atom, int]) -> tuple[object, ...]:
    atom, power = factor
    return _rank(atom), -power, _natural(factor)


def _natural(factor: tuple[Atom, int]) -> tuple[object, ...]:
    """Names before floors, smaller divisors first."""
    atom = factor[0]
    if isinstance(atom, str):
        return 0, 0, atom
    by = atom.divisor if isinstance(atom.divisor, int) else 0
    return 1, by, atom.key


def atom(atom: Atom) -> str:
    """A symbol or floor as a part of a product."""
    if isinstance(atom, str):
        return atom
    text = _division(atom)
    return text if text.startswith("ceil(") else f"({text})"


# --- divisions ----------------------------------------------------------------------


def _shifted(size: Poly) -> tuple[Floor, int] | None:
    """A floor and a number that is added to it, if the size is that."""
    floors = [m for m, c in size.terms if m and c == 1]
    if len(floors) != 1 or len(size.terms) != 1 + bool(size.constant):
        return None
    ((atom, power), *others) = floors[0]
    lone = isinstance(atom, Floor) and power == 1 and not others
    return (atom, size.constant) if lone and isinstance(atom, Floor) else None


def _factor_of(size: Poly) -> str:
    text = written(size)
    lone = _shifted(size)
    bare = size.is_symbol or (lone is not None and _is_ceil(*lone))
    return text if bare else f"({text})"


def _division(floor: Floor, shift: int = 0) -> str:
    """``a // n + shift`` as one division."""
    by = floor.divisor
    low = str(by) if isinstance(by, int) or by.is_symbol else f"({by})"
    top = floor.numerator + shift * by
    if _is_ceil(floor, shift):
        return f"ceil({_top(top - by + 1)}/{low})"
    return f"{_top(top)}//{low}"


def _is_ceil(floor: Floor, shift: int) -> bool:
    by = floor.divisor
    up = floor.numerator + (shift - 1) * by + 1
    if not isinstance(up, Poly):
        return False
    apart = isinstance(by, Poly) and not up.symbols & by.symbols
    return apart or not up.constant


def _top(size: Size) -> str:
    bare = isinstance(size, int) or not size.symbols or size.is_symbol
    return str(size) if bare else f"({size})"


# --- reading ------------------------------------------------------------------------


def read(text: str) -> Size:
    """The size that a formula says.

    Raises:
        ValueError: It has more than names, whole numbers, ``+ - * // **`` and brackets.
    """
    depth = most = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        most = max(most, depth)
    if len(text) > _LONGEST or most > _DEEPEST:
        raise ValueError("is too long")
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("is not a formula") from None


def _value(node: ast.expr) -> Size:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name) and node.id.isascii():
        return symbol(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp):
        return _operation(node)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "ceil":
        (inside,) = node.args
        if isinstance(inside, ast.BinOp) and isinstance(inside.op, ast.Div):
            return ceil_div(_value(inside.left), _value(inside.right))
    raise ValueError("is not made of names, whole numbers, + - * // ** and brackets")


def _operation(node: ast.BinOp) -> Size:
    terms: list[Size] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add | ast.Sub):
        right = _value(left.right)  # a long sum leans to the left
        terms.append(right if isinstance(left.op, ast.Add) else -right)
        left = left.left
    if terms or not isinstance(left, ast.BinOp):
        return total([_value(left), *terms])
    first, second = _value(left.left), _value(left.right)
    if isinstance(left.op, ast.Mult):
        return first * second
    if isinstance(left.op, ast.FloorDiv) and second != 0:
        return first // second
    if isinstance(left.op, ast.Pow) and isinstance(second, int) and 0 <= second <= 16:
        return first**second
    raise ValueError("is not made of names, whole numbers, + - * // ** and brackets")
