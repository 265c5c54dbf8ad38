"""What users read: every `.arch` of tests/errors with its errors in `.err`.

``ARCHDSL_UPDATE=1 pytest tests/diagnostics/test_errors.py`` rewrites the latter.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import pytest

from archdsl.analysis.check import check
from archdsl.build import read
from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.catalogue import classes
from archdsl.diagnostics.render import render
from archdsl.source import Source

ERRORS = pathlib.Path(__file__).parents[1] / "errors"
CASES = [p for p in sorted(ERRORS.glob("*/*.arch")) if p.name != "other.arch"]
# What only a command line or an installation can get wrong, see tests/cli, test_plugin,
# test_catalogue; a whole MiB or a hundred errors, see tests/syntax.
ELSEWHERE = {"E118", "E124", "E207", "E208", "E310", "E502", "E503", "E508"}


def diagnose(path: pathlib.Path) -> Sequence[Diagnostic]:
    """Everything that is wrong with a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return check(read(Source(path.name, file.read()), path.parent))


def golden(path: pathlib.Path, text: str) -> str:
    """What is kept beside a spec; the text itself where that is to be rewritten."""
    kept = path.with_suffix(".err")
    if os.environ.get("ARCHDSL_UPDATE"):
        kept.write_text(text, encoding="utf-8")
    return kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_errors(path: pathlib.Path) -> None:
    found = diagnose(path)
    text = render(found)
    assert text == golden(path, text)
    codes = [diagnostic.code for diagnostic in found]
    assert path.parent.name in codes or path.parent.name == "several"


@pytest.mark.parametrize("name", ["five_mistakes", "five_places", "five_models"])
def test_independent_mistakes_are_all_reported(name: str) -> None:
    found = diagnose(ERRORS / "several" / f"{name}.arch")
    assert len(found) == 5
    assert len({d.code for d in found}) >= 4


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("one_and_four", 5), ("assign", 4), ("bracket", 3), ("else", 2), ("header", 3),
        ("loop", 2), ("missing_use", 3), ("no_closer", 3), ("no_opener", 2),
        ("no_opener_model", 3), ("number", 2), ("operator", 2), ("python", 3),
        ("ret", 1), ("stray", 1), ("stray_margin", 2), ("stray_mid", 3), ("string", 2),
        ("typing", 2), ("typing2", 2), ("typing3", 2), ("typing_name", 3),
        ("use_all", 2), ("variant", 2),
    ],
)  # fmt: skip
def test_after_a_syntax_error_one_mistake_is_one_error(name: str, count: int) -> None:
    assert len(diagnose(ERRORS / "several" / f"{name}.arch")) == count


def test_a_used_file_is_called_as_the_user_would_open_it(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.arch").write_text("use lib/b (b)\n\nblock a { b }\n")
    (tmp_path / "lib" / "b.arch").write_text("block b { attention(heads = 2) }\n")
    text = (
        "use lib/a (a)\n\nmodel m {\n  input x: [B, T = 4, C = 3]\n  a\n  output y\n}\n"
    )
    (found,) = check(read(Source("specs/m.arch", text), tmp_path))
    assert str(found.span) == "specs/lib/b.arch:1:21"
    places = [str(note.span) for note in found.notes]
    assert places == ["specs/m.arch:4:3", "specs/lib/a.arch:3:11", "specs/m.arch:5:3"]


def test_what_cannot_be_imported_is_one_error_and_hides_no_other() -> None:
    text = (
        "use lib/resnet (conv_bn, nothing)\nuse no_such_file\n\n"
        "model m {\n  input x: [B, T = 4, C = 3]\n"
        "  nothing(3) -> unheard_of -> linaer(3)\n  conv(8, 3, strid = 2)\n"
        "  x -> attention(2) -> conv_bn(8)\n  output y\n}\n"
    )
    codes = [d.code for d in check(read(Source("m.arch", text)))]
    assert codes == ["E204", "E203", "E401", "E304"]


def test_every_code_of_the_catalogue_has_a_case() -> None:
    codes = {c for c in classes() if c[0] == "E" or c == "W100"}  # else: test_lints
    assert codes - ELSEWHERE == {p.parent.name for p in CASES} - {"several"}
    assert len(CASES) >= 120


def test_a_file_of_more_than_a_mebibyte_is_not_read() -> None:
    for text, codes in (("#" * 2**20, ["E501"]), ("#" + "é" * 2**19, ["E118"])):
        assert [d.code for d in check(read(Source("a.arch", text)))] == codes
