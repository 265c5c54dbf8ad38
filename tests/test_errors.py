"""What users read: every `.arch` of tests/errors with its errors in `.err`.

``ARCHDSL_UPDATE=1 pytest tests/test_errors.py`` rewrites the latter.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import pytest

from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.render import render
from archdsl.source import Source
from archdsl.syntax import parse

ERRORS = pathlib.Path(__file__).parent / "errors"
CASES = sorted(ERRORS.glob("E1*/*.arch"))


def diagnose(path: pathlib.Path) -> Sequence[Diagnostic]:
    """Everything that is wrong with a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return parse(Source(path.name, file.read()))[1]


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_errors(path: pathlib.Path) -> None:
    found = diagnose(path)
    text = render(found)
    kept = path.with_suffix(".err")
    if os.environ.get("ARCHDSL_UPDATE"):
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")
    assert path.parent.name in {diagnostic.code for diagnostic in found}
