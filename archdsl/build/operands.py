"""Texts that name a model and what is set of it: ``swin_t(dim = 128, H = 384)``."""

from __future__ import annotations

import re
from typing import NamedTuple

from archdsl.build.settings import Extent

_NO_SIZES = {"none", "true", "false"}
_OPEN, _CLOSE = "([{", ")]}"


class Operand(NamedTuple):
    """A spec with settings of its own.

    Attributes:
        spec: ``FILE[:MODEL]``.
        settings: Hyperparameters, their values as written in a spec.
        sizes: Sizes of input axes, whose names are in uppercase.
    """

    spec: str
    settings: dict[str, str]
    sizes: dict[str, Extent]


def operand(text: str) -> Operand:
    """``FILE[:MODEL]``, with arguments in parentheses at its end if there are any.

    Raises:
        ValueError: The parentheses are not NAME = VALUE, AXIS = N, ….
    """
    text = text.strip()
    start = _arguments(text) if text.endswith(")") else -1
    if start <= 0:
        return Operand(text, {}, {})
    found = Operand(text[:start].strip(), {}, {})
    inside = text[start + 1 : -1].strip()
    for item in split(inside) if inside else ():
        name, equals, value = (part.strip() for part in item.partition("="))
        known = name in found.settings or name in found.sizes
        if not name or known:
            problem = f"{name} is given twice" if known else "an argument is missing"
            raise ValueError(f"{text!r}: {problem}")
        if name[0].isupper():
            found.sizes[name] = size_of(item)[1]
        elif equals and value:
            found.settings[name] = value
        else:
            raise ValueError(f"{text!r}: {item.strip()!r} is not NAME = VALUE")
    return found


def size_of(item: str) -> tuple[str, Extent]:
    """An axis and its size, from ``AXIS=N``, ``AXIS=32*n`` or ``AXIS``.

    Raises:
        ValueError: It is none of these.
    """
    match = re.fullmatch(r"\s*([A-Z]\w*)\s*(?:=(.*))?", item)
    text = (match[2] or "").strip() if match else ""
    formula = re.fullmatch(r"[\w\s()*+/-]*[A-Za-z][\w\s()*+/-]*", text)
    number = re.fullmatch(r"(?!0+$)[0-9]{1,12}", text)
    if match is None or not (number or formula or match[2] is None):
        hint = "write AXIS=N with N at least 1, AXIS=32*n, or AXIS to leave it open"
        raise ValueError(f"{item!r}: {hint}")
    if text in _NO_SIZES:
        problem = f"{item!r}: `{text}` is a word of the language, and no size"
        raise ValueError(problem)
    return match[1], int(text) if number else text or None


def split(text: str) -> list[str]:
    """The items between the commas that stand in no brackets and no quotes."""
    starts = [
        0,
        *(i + 1 for i, depth in _outside(text) if depth == 0 and text[i] == ","),
    ]
    ends = [*(start - 1 for start in starts[1:]), len(text)]
    return [text[a:b] for a, b in zip(starts, ends, strict=True)]


def _arguments(text: str) -> int:
    """Where the bracket opens that the last one closes; -1 if nowhere."""
    opened = -1
    for i, depth in _outside(text):
        if text[i] in _OPEN and depth == 1:
            opened = i
    return opened


def _outside(text: str) -> list[tuple[int, int]]:
    """The places of characters outside of quotes, each with its depth in brackets."""
    found, depth = [], 0
    for match in re.finditer(r'"(?:\\.|[^"\\])*"|.', text, re.DOTALL):
        if len(match[0]) > 1:
            continue
        depth += (match[0] in _OPEN) - (match[0] in _CLOSE)
        found.append((match.start(), depth))
    return found
