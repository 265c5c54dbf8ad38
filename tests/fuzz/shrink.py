"""Making a violation small: parts of the text are left out as long as it stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product

from tests.fuzz.cases import Case
from tests.fuzz.corpus import tokens
from tests.fuzz.judge import Verdict, judge, kind

_SECONDS = 30.0


def shrunk(
    case: Case, violation: str, judge: Callable[[Case], Verdict] = judge
) -> Case:
    """A smaller input with a violation of the same kind."""
    end = time.monotonic() + _SECONDS

    def stays(smaller: Case) -> bool:
        return time.monotonic() < end and kind(judge(smaller).violation) == kind(
            violation
        )

    for plain in ({"settings": {}}, {"sizes": {}}, {"outputs": ()}):
        if stays(smaller := replace(case, **plain)):  # type: ignore[arg-type]
            case = smaller
    for name, split in product(("lib", "text"), (_rows, tokens)):
        parts = _fewer(split(getattr(case, name)), _stays_as(case, name, stays))
        case = replace(case, **{name: "".join(parts)})
    return case


def _rows(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _stays_as(
    case: Case, name: str, stays: Callable[[Case], bool]
) -> Callable[[list[str]], bool]:
    return lambda parts: stays(replace(case, **{name: "".join(parts)}))


def _fewer(parts: list[str], stays: Callable[[list[str]], bool]) -> list[str]:
    """The parts without those that are not needed, halves first."""
    size = max(len(parts) // 2, 1)
    while parts:
        at = 0
        while at < len(parts):
            less = parts[:at] + parts[at + size :]
            if stays(less):
                parts = less
            else:
                at += size
        if size == 1:
            break
        size //= 2
    return parts
