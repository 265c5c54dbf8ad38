"""Plots: fit for a page, the same each time, whole or not at all."""

import itertools
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import archdsl
from archdsl.backends.plot.rows import MOST, fewer
from archdsl.backends.plot.style import DASHES, HATCHES, MARKERS, PALETTE
from archdsl.cli import cli


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["analyze", *words])
    assert done.exit_code == code, done.output
    return done.output


def luminance(colour: str) -> float:
    """How light it is in greyscale, from 0 to 1 (ITU-R BT.601)."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_the_first_colours_stay_apart_without_colour():
    shades = [luminance(colour) for colour in PALETTE[:4]]
    assert all(b - a > 0.1 for a, b in itertools.pairwise(shades))
    assert len(PALETTE) == len(MARKERS) == len(DASHES) == len(HATCHES)


def test_a_picture_is_as_wide_as_a_page_and_the_same_each_time(tmp_path):
    before = dict(mpl.rcParams)
    for name in ("a.png", "b.png", "a.svg", "b.svg"):
        assert run("resnet18", "--plot", str(tmp_path / name)).strip().endswith(name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert dict(mpl.rcParams) == before  # a caller's own plots keep their style
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == round(6.9 * 300)
    assert ET.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    "words",
    ["--memory", "--paths", "--roofline", "--device a100 --precision bf16", "--flops"],
)
@pytest.mark.parametrize("spec", ["swin_t", "bilstm"])
def test_each_section_has_its_plot(words, spec, tmp_path):
    target = tmp_path / "a.svg"
    run(spec, *words.split(), "--plot", str(target))
    base = tmp_path / "b.svg"
    run(spec, "--params", "--plot", str(base))
    assert ET.parse(target).getroot().tag.endswith("svg")
    assert (target.read_bytes() == base.read_bytes()) == (words == "--flops")


@pytest.mark.parametrize("words", ["--memory", "--paths"])
def test_a_plot_of_open_sizes_asks_for_them(words, tmp_path):
    target = tmp_path / "a.svg"
    said = run("gpt2", words, "--size", "T", "--plot", str(target), code=2)
    assert "give sizes for T" in said
    assert not target.exists()


@given(st.lists(st.integers(0, 9), max_size=90))
def test_rows_that_are_too_many_are_put_together(sizes):
    found = fewer(sizes, weight=float, together=sum)
    assert len(found) == min(len(sizes), MOST)
    assert sum(found) == sum(sizes)
    if len(sizes) > MOST:
        assert sorted(found[:-1]) == sorted(sizes)[-(MOST - 1) :]


def test_only_pictures_and_numbers_are_drawn(tmp_path):
    assert "ends in .svg or .png" in run("resnet18", "--plot", "a.pdf", code=2)
    target = tmp_path / "a.svg"
    said = run("resnet18", "--size", "H,W", "--plot", str(target), code=2)
    assert "give sizes for H, W" in said
    assert not target.exists()
    said = run("resnet18", "--plot", str(tmp_path / "no" / "a.svg"), code=2)
    assert "cannot write" in said


def test_without_matplotlib_a_plot_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = run("resnet18", "--plot", str(tmp_path / "a.svg"), code=2)
    assert "archdsl[plot]" in said
    assert archdsl.analyze("resnet18").totals.params == 11_689_512
