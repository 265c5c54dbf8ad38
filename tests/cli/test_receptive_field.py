"""`archdsl analyze --receptive-field`: tables, one place, open sizes, a plot."""

import csv
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

import archdsl
from archdsl.analysis import receptive_field
from archdsl.cli import cli
from tests.pages import ROOT, blocks, shown

PAGE = ROOT / "docs" / "receptive-fields.md"
ZOO = str(ROOT / "tests" / "analysis" / "fields" / "zoo.arch")
TWO = """model two {
  input image: [B, C = 3, H = 32, W = 24]
  input text: [B, T = 9, C = 4]

  image -> conv(4, kernel = 3) -> max_pool(2) -> mean(H, W) as seen
  text -> lstm(4) -> linear(4)
  add(seen)
  output y
  output z = seen
}
"""


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["analyze", *words])
    assert done.exit_code == code, done.output
    return done.stderr if code else done.stdout


def field(*words: str) -> dict:
    return json.loads(run(*words, "--receptive-field", "--json"))["receptive_field"]


@pytest.fixture
def two(tmp_path) -> str:
    path = tmp_path / "two.arch"
    path.write_text(TWO)
    return str(path)


@pytest.mark.parametrize(("command", "below"), shown(PAGE, "sh"))
def test_the_page_shows_what_is_printed(command, below):
    assert command.startswith("archdsl analyze ")
    assert below.code in run(*command.split()[2:])


def test_the_python_of_the_page_says_what_is_so():
    (code,) = blocks(PAGE, "python")
    names = {}
    exec(code, names)
    said = re.findall(r"^(found.*?)  # (\S+?):? ?", code, re.M)
    assert len(said) == 2
    for expression, value in re.findall(r"^(found\.\S+)  # (\w+|\"\w+\")", code, re.M):
        assert eval(expression, names) == eval(value)


def test_every_input_has_a_table_and_every_output_a_row(two):
    found = run(two, "--receptive-field")
    assert "Receptive field in image by layer" in found
    assert "Receptive field in text by layer" in found
    rows = {(o["output"], o["field"]["input"]) for o in field(two)["outputs"]}
    assert rows == {("y", "image"), ("y", "text"), ("z", "image")}


def test_an_input_that_is_added_is_no_gate(two):
    assert not field(two)["has_gates"]
    assert field(f"{ZOO}:efficientnet_b0")["has_gates"]


def test_gates_are_counted_and_not():
    outputs = field(f"{ZOO}:efficientnet_b0", "--size", "H=512,W=1024")["outputs"]
    assert [o["everything_from"] for o in outputs] == ["width.0.inverted.0.mean"] * 2
    without = [o["everything_from_ungated"] for o in outputs]
    assert without == ["mean", "mean"]
    inside = [o["map_field"] for o in outputs]
    assert [f["size"] for f in inside] == [512, 1024]
    assert [f["ungated"] for f in inside] == [512, 851]
    graph = archdsl.parse(
        f"{ZOO}:efficientnet_b0", outputs=["width.6"], sizes={"W": 2048}
    )
    found = receptive_field.find(graph)
    assert (found.size("W"), found.size("W", gates=False)) == (2048, 851)
    assert found.size("Q") == 0


def test_one_place_sees_an_interval():
    found = field("swin_t", "--at", "H=3,W=55")
    at = {
        layer["path"]: [f["at"] for f in layer["fields"]] for layer in found["layers"]
    }
    assert at["conv"] == [[12, 15], [220, 223]]
    assert at["stage.0.swin_block.1.window_attention"] == [[0, 55], [196, 223]]
    assert at["mean"] == [None, None]
    assert "12-15" in run("swin_t", "--at", "H=3,W=55")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("Q=1", "no layer has positions along Q"),
        ("H=56", "the largest H has indices 0 to 55"),
        ("H", "write AXIS=I"),
        ("H=-1", "write AXIS=I"),
        ("H=1,H=2", "each axis once"),
    ],
)
def test_a_place_that_is_not_there_is_refused(place, words):
    assert words in run("swin_t", "--at", place, code=2)


def test_axes_that_are_nowhere_together_are_refused(two):
    assert "no layer has all of these axes" in run(two, "--at", "H=1,T=1", code=2)


def test_open_sizes_leave_the_closed_figures():
    found = field("resnet50", "--size", "H,W")
    assert found["open"] == ["H", "W"]
    (first, _) = found["outputs"]
    assert first["map_field"]["unbounded"] == 427
    assert first["map_field"]["size"] is None
    shown_ = run("resnet50", "--size", "H,W", "--receptive-field")
    assert "all else needs numbers for H and W: --size, or --set" in shown_
    graph = archdsl.parse("resnet50", sizes={"H": None})
    assert receptive_field.find(graph).size("W") is None


def test_what_hangs_on_an_open_size_has_no_closed_figure(tmp_path):
    text = "model m {\n  input x: [B, H, C = 4]\n  STEP\n  output y\n}\n"
    for step in ("slice(H, -3)", "adaptive_avg_pool(4)", "slice(H, 0, -2)"):
        path = tmp_path / "m.arch"
        path.write_text(text.replace("STEP", step))
        (output,) = field(str(path))["outputs"]
        expected = 1 if step == "slice(H, 0, -2)" else None
        assert output["field"]["unbounded"] == expected


def test_an_open_batch_leaves_all_figures():
    (first, _) = field("resnet50", "--size", "B")["outputs"]
    assert (first["field"]["size"], first["map_field"]["least"]) == (224, 214)


def test_programs_get_the_same_figures():
    rows = list(csv.DictReader(run("vgg16", "--receptive-field", "--csv").splitlines()))
    assert rows[1]["of"] == "adaptive_avg_pool"
    assert (rows[1]["unbounded"], rows[1]["stride"], rows[1]["padding"]) == (
        "212", "32", "90",
    )  # fmt: skip
    assert "| r |" in run("vgg16", "--receptive-field", "--markdown")


def test_too_many_positions_are_refused_where_they_are(tmp_path):
    path = tmp_path / "m.arch"
    path.write_text(
        "model m {\n  input x: [B, T = 2000000, C = 4]\n  relu\n  output y\n}\n"
    )
    said = run(str(path), "--receptive-field", code=1)
    assert "error[E601]: the receptive field has too many positions" in said
    assert "m.arch:2:3" in said


def test_a_model_without_positions_has_none(tmp_path):
    path = tmp_path / "m.arch"
    path.write_text("model m {\n  input x: [B, C = 4]\n  relu\n  output y\n}\n")
    assert "no output depends on a position" in run(str(path), "--receptive-field")
    said = run(
        str(path), "--receptive-field", "--plot", str(tmp_path / "a.svg"), code=2
    )
    assert "no layer depends on a position" in said


def test_the_growth_is_drawn(tmp_path, two):
    for name, words in {"a": ["resnet18"], "b": ["resnet18"], "two": [two]}.items():
        target = str(tmp_path / f"{name}.svg")
        run(*words, "--receptive-field", "--plot", target)
        text = Path(target).read_text()
        assert ET.fromstring(text).tag.endswith("svg")
    assert (tmp_path / "a.svg").read_text() == (tmp_path / "b.svg").read_text()
    said = run("resnet152", "--receptive-field", "--depth", "0", "--plot",
               str(tmp_path / "c.svg"), code=2)  # fmt: skip
    assert "--depth" in said
