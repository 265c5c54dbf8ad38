"""Words: found in a text from left to right, and all at once."""

from __future__ import annotations

import pathlib
import random

import pytest

from archdsl.source import Source
from archdsl.syntax import words
from archdsl.syntax.table import table
from tests.tools import examples

ROOT = pathlib.Path(__file__).parents[2]
SIGNS = "aBeE1_09..+-*/%=<>!&|\"\"''\\\\#\n\t \r()[]{},:;^@é×→\x00\u00a0\u200b\ufeff"
PARTS = [*SIGNS, *table().symbols, "1e5", "1.5", "True", '"a', '"b"', "#c", "9" * 20]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Files with some signs changed, and signs without any sense."""
    chance = random.Random(5)
    found = []
    for path in sorted(ROOT.glob("tests/**/*.arch")):
        signs = list(path.read_text("utf-8", "replace"))
        for _ in range(chance.choice([0, 0, 1, 2])):
            at = chance.randrange(len(signs) + 1)
            signs[at : at + 1] = chance.choice(PARTS)
        found.append("".join(signs))
    for _ in range(examples(2000)):
        found.append("".join(chance.choices(PARTS, k=chance.randrange(30))))
    return found


def test_a_word_is_the_same_wherever_it_stands(texts: list[str]) -> None:
    for text in texts:
        for match in words.pattern().finditer(text):
            alone = words.pattern().fullmatch(match[0])
            assert alone is not None, text
            assert alone.lastgroup == match.lastgroup, text


def test_the_words_of_a_text_are_found_at_once_if_all_are_right(
    texts: list[str],
) -> None:
    fine = 0
    for text in texts:
        source = Source("t", text)
        read, found = words.read(source), words.right(source)
        if found is None:
            assert read.diagnostics, text
            continue
        fine += 1
        assert not read.diagnostics, text
        assert found == read.words, text
        matches = words.pattern().finditer(text, text.startswith("\ufeff"))
        one_by_one = [m for m in matches if m.lastgroup not in table().ignored]
        assert [m.span() for m in one_by_one] == [word[2:] for word in found], text
        assert [m[0] for m in one_by_one] == [word[1] for word in found], text
    assert 300 < fine < len(texts) - 300
