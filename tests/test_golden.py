"""Kept texts: the graph and the compiled source of a few specs, as people see them.

``ARCHDSL_UPDATE=1 pytest tests/test_golden.py`` rewrites them; read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import archdsl
from archdsl.ir.text import text

GOLDEN = Path(__file__).parent / "golden"
SPECS = ["alexnet", "bilstm", "gpt2", "resnet18", "swin_t", "textcnn", "vit_b16"]


def agree(made: str, kept: Path) -> None:
    if os.environ.get("ARCHDSL_UPDATE"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(made, encoding="utf-8")
    assert made == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("spec", SPECS)
def test_the_graph_as_text(spec):
    agree(text(archdsl.parse(spec)), GOLDEN / spec / "graph.txt")


@pytest.mark.parametrize("spec", SPECS)
def test_the_compiled_source(spec):
    agree(archdsl.compile(spec), GOLDEN / spec / "module.py.txt")


def test_a_compiled_source_does_not_depend_on_where_the_spec_lies(tmp_path):
    root = Path(__file__).parents[1]
    copy = tmp_path / "textcnn.arch"
    copy.write_bytes((root / "specs" / "textcnn.arch").read_bytes())
    assert archdsl.compile(copy) == archdsl.compile("textcnn")
