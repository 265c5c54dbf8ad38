"""`use` across folders: beside the file, from the root, then the shipped specs."""

from __future__ import annotations

import pathlib

import pytest

import archdsl

FILES = {
    "main.arch": """use parts/a (a)
use resnet (resnet, conv_bn)
model mine = resnet(depths = [1, 1, 1, 1], unit = a)
""",
    "parts/a.arch": """use b (b)
use deep/c (c)
use lib/resnet (conv_bn)
block a[x](width, stride = 1) { b(width) -> c(stride) -> conv_bn(width) }
""",
    "parts/b.arch": "block b[x](width) { conv(width, 3) }\n",
    "parts/deep/c.arch": """use parts/b (b)
use mine (never)
block c[x](stride) { max_pool(2, stride) -> b(x.C) -> never }
""",
    "parts/deep/mine.arch": "block never[x]() { relu }\n",
    "mine.arch": "block wrong[x]() { tanh }\n",
}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for name, text in FILES.items():
        place = tmp_path / "sub" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return tmp_path / "sub"


def test_a_file_is_looked_for_beside_the_one_that_uses_it_and_from_the_root(folder):
    report = archdsl.analyze(folder / "main.arch")
    assert report.model == "mine"
    names = {layer.block for layer in report.layers}
    assert {"b", "c", "never", "conv_bn"} <= names


def test_a_variant_of_an_imported_model_has_the_same_layers(folder):
    text = "use resnet (resnet)\nmodel my = resnet(depths = [3, 4, 6, 3])\n"
    assert archdsl.analyze(text).totals == archdsl.analyze("resnet50").totals


@pytest.mark.parametrize("path", ["../main", "parts/../main", "/etc/hosts", "parts.b"])
def test_nothing_above_or_outside_is_reached(folder, path):
    (folder / "main.arch").write_text(f"use {path} (a)\nmodel m {{ }}\n")
    codes = {d.code for d in archdsl.check(folder / "main.arch")}
    assert codes & {"E101", "E203", "E109", "E122"}


def test_a_link_that_leads_out_of_the_root_is_not_followed(folder):
    outside = folder.parent / "secret.arch"
    outside.write_text("block a[x]() { relu }\n")
    (folder / "leak.arch").symlink_to(outside)
    (folder / "main.arch").write_text("use leak (a)\n")
    assert "E203" in {d.code for d in archdsl.check(folder / "main.arch")}


def test_an_error_names_the_file_as_one_would_open_it(folder):
    (folder / "parts/b.arch").write_text("block b[x](width) { conv(wdth, 3) }\n")
    (error,) = [d for d in archdsl.check(folder / "main.arch") if d.code == "E201"]
    assert error.span.source.name == (folder / "parts/b.arch").as_posix()
