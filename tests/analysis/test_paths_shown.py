"""Paths and closed forms as people and programs see them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

import archdsl
from archdsl.analysis.forms.blocks import forms
from archdsl.analysis.paths.find import find
from archdsl.analysis.paths.show import tables
from archdsl.analysis.tables import text
from archdsl.cli import cli
from archdsl.ir.dim import substitute
from archdsl.ir.formula import read
from tests.analysis.brute import (
    model,
)
from tests.pages import ROOT, keep, shown


def by_name(spec: str) -> dict[str, str]:
    return {row.name: str(row.form.macs) for row in forms(archdsl.parse(spec))}


PAGE = ROOT / "docs" / "paths.md"


def test_the_page_shows_table_1_as_it_is_printed():
    ((code, below), *_) = shown(PAGE, "arch")
    (table,) = [
        t for t in tables(find(archdsl.parse(code)), 2) if t.key == "path_kinds"
    ]
    made = text(replace(table, title="", notes=())) + "\n"
    keep(PAGE, below, made)
    assert below.code == made


def test_the_page_names_swins_formulas():
    page = PAGE.read_text("utf-8")
    (whole,) = forms(model("  attention(2)", "[B, H = 6, W = 4, C = 8]"))
    assert f"\nattention         {whole.form.macs}\n" in page
    found = by_name("swin_t")
    assert f"\nwindow_attention  {found['window_attention']}\n" in page
    assert f"`{found['swin_block']}`" in page


def run(*words: str) -> str:
    done = CliRunner().invoke(cli, ["analyze", *words])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_paths_are_a_section_of_the_report():
    found = json.loads(run("swin_t", "--paths", "--json"))
    assert "closed_forms" not in found
    part = found["paths"]
    assert (part["sequential"], part["depth"], part["maximum"]) == (104, 41, 5)
    (h, w) = part["inputs"]
    assert h | {"axis": "W"} == w
    assert len(h["first"]) == len(h["every"]) == h["size"] - 1 == 223
    stages = [k for k in part["kinds"] if k["layer"] == "window_attention"]
    assert [(k["count"], k["maximum"], k["meet"]) for k in stages] == [
        (2, 15, 8), (2, 7, 4), (6, 3, 2), (2, 1, 1),
    ]  # fmt: skip


def test_flops_come_with_closed_forms():
    found = json.loads(run("vit_b16", "--flops", "--json"))
    assert "paths" not in found
    rows = {row["layer"]: row for row in found["closed_forms"]["layers"]}
    assert rows["transformer_layer"]["count"] == 12
    sizes = {"ratio": 4, "N": 197, "C": 768}
    block = sum(
        layer["macs"] for layer in found["layers"] if layer["path"].startswith("trans")
    )
    one = substitute(read(rows["transformer_layer"]["macs"]), sizes)
    assert block == 12 * one
    assert "Closed forms" in run("vit_b16", "--flops")
    assert "Closed forms" not in run("vit_b16", "--params")


def test_every_distance_makes_a_row_where_all_is_asked_for():
    def distances(depth: int) -> list[int]:
        made = run("textcnn", "--paths", "--csv", "--depth", str(depth))
        last = re.split(r"\n\n", made.strip())[-1]
        return [int(row["distance"]) for row in csv.DictReader(io.StringIO(last))]

    assert distances(0) == list(range(1, 64))
    assert distances(2) == [1, 2, 4, 8, 16, 32, 63]


def test_open_sizes_have_no_path_lengths_and_say_so():
    printed = run("gpt2", "--paths", "--size", "T")
    assert "path lengths need sizes" in printed
    assert "T**2*C" in printed
    assert "until two positions" not in printed
    assert (
        json.loads(run("gpt2", "--paths", "--size", "T", "--json"))["paths"]["maximum"]
        is None
    )


@pytest.mark.parametrize(
    "words",
    [("swin_t", "--set", "window=M"), ("swin_t", "--size", "H=32*h,W=32*w"),
     ("bilstm", "--size", "T"), ("vit_b16", "--set", "dim=D")],
)  # fmt: skip
def test_whatever_is_open_is_answered(words):
    found = json.loads(run(*words, "--paths", "--flops", "--json"))
    assert found["paths"]["inputs"] == []
    assert found["paths"]["kinds"] and found["closed_forms"]["layers"]


def test_an_open_batch_is_no_open_position():
    found = [
        json.loads(run("swin_t", "--paths", "--json", *b))
        for b in [(), ("--size", "B")]
    ]
    assert found[0]["paths"]["inputs"] == found[1]["paths"]["inputs"] != []


def test_positions_that_never_meet_are_said_to():
    found = find(model("  linear(3)"))
    assert (found.maximum, found.inputs[0].layers) == (None, None)
    never = find(model("  repeat(2) { window_attention(1, 2) }"))
    (kinds_, distances) = tables(never, 2)[1:]
    assert [row[5] for row in kinds_.rows] == ["never"]
    assert [row[3:] for row in distances.rows] == [
        (1, "never"), ("never", "never"), ("never", "never"), ("never", "never"),
    ]  # fmt: skip
