"""Every code is explained: its examples say what they promise, its page is fresh."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from pkgutil import iter_modules

import pytest

from archdsl.diagnostics import catalogue, faults, lints
from archdsl.diagnostics.catalogue import Example, classes, page, title
from docs.catalogue import CHAPTERS, diagnosed, pages, ran

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "archdsl" / "diagnostics" / "pages"
# What no example shows: a file of a MiB, a hundred errors, packages that are installed.
NO_EXAMPLE = {"E118", "E124", "E207", "E208"}
EXAMPLES = [
    pytest.param(code, number, id=f"{code}-{number}-{example.kind.replace(' ', '-')}")
    for code in classes()
    for number, example in enumerate(page(code).examples)
]


def test_every_class_has_a_page_and_every_page_a_class():
    assert {path.stem for path in PAGES.iterdir()} == set(classes())
    assert len(classes()) > 70


def test_a_code_stands_for_one_class():
    files = {f"{faults.__name__}.{m.name}" for m in iter_modules(faults.__path__)}
    assert {m.__name__ for m in catalogue.MODULES} == files | {lints.__name__}
    found = [c.code for module in catalogue.MODULES for c in catalogue._of(module)]
    assert len(found) == len(set(found))
    assert all(code.startswith(tuple(CHAPTERS)) for code in found)


@pytest.mark.parametrize("code", list(classes()))
def test_a_page_explains_and_shows_wrong_and_right(code):
    found = page(code)
    assert len(found.prose.split()) > 15
    assert "```" not in found.prose  # every fence was understood
    assert 5 < len(title(code)) < 90
    kinds = [example.kind for example in found.examples]
    if code not in NO_EXAMPLE:
        assert kinds in (["arch wrong", "arch right"], ["arch", "sh wrong", "sh right"])


@pytest.mark.parametrize(("code", "number"), EXAMPLES)
def test_a_wrong_example_has_that_code_only_and_a_right_one_none(code, number):
    example = page(code).examples[number]
    if example.kind.startswith("sh"):
        _run(code, example)
        return
    wrong = example.kind == "arch wrong"
    found = {d.code for d in diagnosed(example.text)}
    if wrong and code.startswith("E"):  # what is odd beside is another matter
        found = {c for c in found if c.startswith("E")}
    assert found == ({code} if wrong else set())


def _run(code: str, example: Example) -> None:
    done = ran(page(code).examples[0].text, example.text)
    assert shlex.split(example.text)[0] == "archdsl"
    assert set(re.findall(r"error\[(\w+)\]", done.stderr)) == (
        {code} if example.kind == "sh wrong" else set()
    )
    assert (done.exit_code == 0) == (example.kind == "sh right")


def test_the_pages_of_the_documentation_are_fresh():
    folder = ROOT / "docs" / "errors"
    made = pages()
    assert {path.name for path in folder.iterdir()} == set(made)
    for name, text in made.items():
        assert (folder / name).read_text("utf-8") == text, "run `make docs`"
