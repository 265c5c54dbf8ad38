"""Models at an edge: no layers, no positions, huge ones; and words that fit nothing."""

import json

import pytest
from click.testing import CliRunner

from archdsl.cli import cli

SPEC = """model nothing {
  input x: [B, C = 4, H = 8, W = 8]
  x
  output y
}

model mlp(h = 16) {
  input x: [B, C = 8]
  linear(h) -> relu -> linear(4)
  output y
}

model dot {
  input x: [B, C = 3, T = 1]
  conv(4, kernel = 1)
  output y
}

model long {
  input x: [B, T = 8192, C = 4]
  attention(2) -> relu
  output y
}

model net(width = 8) {
  input x: [B, T = 4, C = 8]
  layer ff = linear(8)
  repeat(width // 8) { ff -> relu }
  output y
}
"""


@pytest.fixture(autouse=True)
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.arch").write_text(SPEC)


def run(*words: str, code: int = 0, given: str | None = None) -> str:
    done = CliRunner().invoke(cli, list(words), input=given)
    assert done.exit_code == code, done.output
    return done.stderr if code == 2 else done.stdout


def test_a_model_without_layers_has_every_section():
    sections = ("--receptive-field", "--paths", "--training", "--roofline", "--flops")
    found = run("analyze", "m.arch:nothing", *sections)
    assert "output y  x      H, W       8     1" in found
    assert "layer  mostly" not in found  # no head above no rows
    run("analyze", "m.arch:nothing", "--at", "H=1", code=2)


def test_without_positions_no_size_is_asked_for():
    found = run("analyze", "m.arch:mlp", "--paths", "--receptive-field")
    assert "no path lengths: no input has positions" in found
    assert "--size" not in found
    assert "offset" not in found
    assert "Layers until" not in run("analyze", "m.arch:dot", "--paths")
    assert "--size" in run("analyze", "m.arch:net", "--paths", "--size", "T")


def test_what_is_too_long_for_paths_is_a_valid_model_with_its_chain():
    words = ("--columns", "sequential,path_length", "--json")
    swept = json.loads(run("sweep", "m.arch:long", *words))
    assert [p["figures"] for p in swept["points"]] == [
        {"sequential": 2, "path_length": None}
    ]
    found = json.loads(run("compare", "m.arch:long", "m.arch:mlp", "--json"))
    figures = [model["figures"] for model in found["models"]]
    assert [f["sequential"] for f in figures] == [2, 3]
    assert figures[0]["path_length"] is None


def test_different_ops_are_shown_with_both_shapes_whole():
    found = run("diff", "m.arch:mlp", "gpt2", code=1)
    assert "[B, C = 16] -> [B, T = 1024, C = 768]" in " ".join(found.split())
    assert "+58,697,922.64 %" in found


def test_a_shared_layer_that_came_holds_its_own_once():
    found = run("diff", "m.arch:nothing", "m.arch:net(width = 24)", code=1)
    (line,) = [row for row in found.splitlines() if row.startswith("+ ff")]
    assert line.endswith(", 72 params")
    assert " x " not in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compare", "-", "-"), "standard input (-) can be read once only"),
        (("diff", "--", "-:mlp", "-(h=3)"), "standard input (-) can be read once only"),
        (("analyze", "swin_tt"), "did you mean `swin_t`?"),
        (("sweep", "m.arch:mlp", "--set", "h=1..1000000"), "more than 100,000 values"),
        (("sweep", "m.arch:mlp", "--set", "h=8..64:0"), "is no range"),
    ],
)
def test_what_is_wrong_is_said(words, said):
    assert said in " ".join(run(*words, code=2, given=SPEC).split())
