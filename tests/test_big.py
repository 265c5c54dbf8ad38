"""Large specs of ordinary layers: they pass, and the benchmark can rely on them."""

from __future__ import annotations

import re

import pytest

from archdsl.analysis.check import check
from archdsl.build import read
from archdsl.source import Source
from benchmarks import big


def errors(text: str) -> list[str]:
    found = check(read(Source("big.arch", text)))
    return [d.fault.message() for d in found if d.severity == "error"]


@pytest.mark.parametrize("seed", range(3))
def test_a_big_spec_is_right(seed: int) -> None:
    text = big.spec(40_000, seed)
    assert 36_000 < len(text) <= 40_000
    assert text == big.spec(40_000, seed)
    assert errors(text) == []


def test_no_two_blocks_of_a_big_spec_are_equal() -> None:
    bodies = re.findall(r"^(?:block|model) .*?^}", big.spec(200_000), re.M | re.S)
    assert len(bodies) > 300
    assert len(set(bodies)) == len(bodies)


def test_a_spec_of_so_many_lines() -> None:
    text = big.lines(500)
    assert 450 < text.count("\n") <= 500
    assert errors(text) == []


@pytest.mark.slow
def test_a_megabyte_of_ordinary_layers_passes() -> None:
    text = big.spec(1 << 20)
    assert len(text) > 1_000_000
    assert errors(text) == []
    assert errors(text.replace("attention(heads", "attention(7 * heads", 1))
