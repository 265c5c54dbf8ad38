"""Pictures: what is folded, what is opened, and that files are whole."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

import archdsl
from archdsl.backends.graphviz import DrawingError, draw, render, to_dot
from archdsl.backends.graphviz.numbers import amount, formula, human
from archdsl.backends.graphviz.text import escape, shape
from archdsl.ir.dim import symbol
from archdsl.ir.tensor import Tensor

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").glob("*.arch"))
STARTS = {".svg": b"<?xml", ".png": b"\x89PNG\r\n\x1a\n", ".dot": b"digraph {"}

LAYER = """
block layer_of[x](heads, drop_path = 0.0) {
  residual(drop_path) { layer_norm -> attention(heads) }
  residual(drop_path) { layer_norm -> linear(4 * x.C) -> gelu -> linear(x.C) }
}
"""


def dot(body, *, blocks="", x="[B, T = 16, C = 64]"):
    text = f"{blocks}\nmodel m() {{\n  input x: {x}\n{body}\n  output y\n}}\n"
    return to_dot(archdsl.parse(text))


def words(text):
    """The labels of a picture, as one text without markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^<>]*>", " ", text)))


def times(text):
    return re.findall(r"<B>([^<]*&#215;\d+[^<]*|&#215;\d+)</B>", text)


def drawn(path):
    graph = archdsl.parse(path)
    return to_dot(graph)


# --- every spec ----------------------------------------------------------------------


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_every_spec_draws(path, tmp_path):
    graph = archdsl.parse(path)
    assert to_dot(graph) == to_dot(archdsl.parse(path))
    assert to_dot(graph).isascii()
    draw(graph, tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_bytes()
    assert svg.startswith(STARTS[".svg"])
    assert f">{graph.name}<".encode() in svg


@pytest.mark.parametrize("ending", STARTS)
def test_the_ending_decides(ending, tmp_path):
    place = tmp_path / f"model{ending}"
    draw(archdsl.parse(ROOT / "specs/textcnn.arch"), place)
    assert place.read_bytes().startswith(STARTS[ending])
    assert [p.name for p in tmp_path.iterdir()] == [place.name]


def test_the_same_bytes_whatever_the_hash_seed():
    code = (
        "import sys, archdsl; from archdsl.backends.graphviz import to_dot;"
        "sys.stdout.write(to_dot(archdsl.parse('specs/resnet50.arch')));"
        "assert 'torch' not in sys.modules and 'graphviz' not in sys.modules"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {drawn(ROOT / "specs/resnet50.arch").encode()}


def test_drawing_needs_no_torch(tmp_path):
    code = (
        "import sys, archdsl; from pathlib import Path;"
        "from archdsl.backends.graphviz import draw;"
        f"draw(archdsl.parse('specs/vit_b16.arch'), Path({str(tmp_path / 'a.svg')!r}));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# --- folding -------------------------------------------------------------------------


def test_swin_has_two_blocks_and_pairs():
    text = drawn(ROOT / "specs/swin_t.arch")
    assert times(text) == ["&#215;3"]
    said = words(text)
    assert "stage 0" in said and "stage 3" in said
    assert "(a) swin_block" in said and "(b) swin_block" in said
    assert "(c)" not in said
    assert said.count("window attention 7") == 2
    assert "28.3 M params · 4.5 G MACs" in said


def test_resnet_folds_the_equal_blocks_of_a_stage():
    text = drawn(ROOT / "specs/resnet50.arch")
    assert [int(t.rpartition(";")[2]) for t in times(text)] == [2, 3, 5, 2]


GROWING = "block dense[x](growth) { concat([x, x -> linear(growth) -> relu]) }"


def test_turns_that_only_take_larger_sizes_are_told_by_the_first():
    said = words(dot("  repeat(9) { dense(8) }", blocks=GROWING))
    assert "dense ×9 growth 8 520 params · 8.2 K MACs in the first" in said
    assert said.count("concat") == 1
    assert "T 16 · C 136" in said  # what comes out of the last


def test_a_stage_of_densenet_is_one_box():
    text = drawn(ROOT / "specs/densenet121.arch")
    said = words(text)
    for count in (6, 12, 24, 16):
        assert f"(a) dense_layer ×{count} growth 32" in said
    for shape_after in ("56×56×256", "28×28×512"):
        assert f">&#160;{shape_after.replace('×', '&#215;')}>" in text.replace("<", ">")


@pytest.mark.parametrize(
    "body",
    [
        "dense(8) -> dense(8)",  # few
        "dense(8) -> dense(9) -> dense(10)",  # not the same
        "dense(8) -> dense(8) as a -> dense(8) -> dense(8)\n  add(a -> linear(96))",
    ],
)
def test_calls_that_differ_in_more_are_drawn_one_by_one(body):
    assert times(dot(f"  {body}", blocks=GROWING)) == []


def test_a_hyperparameter_that_is_off_is_not_shown():
    blocks = "block b[x](n, wings = [], sizes = [none, none]) { linear(n) -> relu6 }"
    said = words(dot("  b(7) -> max(T) -> linear(64)", blocks=blocks))
    assert "wings" not in said and "sizes" not in said


def test_a_repeat_of_a_block_is_opened_once_in_place():
    text = dot("  repeat(12) { layer_of(4) }", blocks=LAYER)
    assert times(text) == ["&#215;12"]
    assert words(text).count("layer norm") == 2
    assert "(a)" not in words(text)


def test_a_repeat_of_steps_is_framed_once():
    body = "  repeat(12) { residual { layer_norm -> attention(4) } }"
    text = dot(body)
    assert times(text) == ["&#215;12"]
    assert words(text).count("layer norm") == 1


def test_rates_of_stochastic_depth_do_not_keep_layers_apart():
    body = "  for i in range(12) { layer_of(4, drop_path = 0.1 + 0.01 * i) }"
    text = dot(body, blocks=LAYER)
    assert times(text) == ["&#215;12"]
    assert "drop path" in words(text)
    assert "drop path 0" not in words(text) and "drop_path" not in words(text)


def test_shared_weights_are_said_to_be_shared():
    text = dot("  layer f = layer_of(4)\n  repeat(6) { f }", blocks=LAYER)
    assert "×6, shared weights" in words(text)


def test_turns_that_something_else_reads_are_not_folded():
    body = """  for i in range(3) { layer_of(4) as outs }
  concat([outs[0], outs[1], outs[2]])"""
    assert times(dot(body, blocks=LAYER)) == []


def test_branches_are_not_a_chain():
    assert times(dot("  concat([x -> linear(8) -> relu for i in range(3)])")) == []


def test_memory_may_go_to_every_turn():
    blocks = "block cross[x, memory]() { residual { attention(4, key = memory) } }"
    text = dot(
        "  let m = x -> linear(64)\n  x\n  repeat(4) { cross[m]() }", blocks=blocks
    )
    assert times(text) == ["&#215;4"]


# --- what is shown -------------------------------------------------------------------


def test_arithmetic_of_tensors_is_a_circle():
    said = dot("  let a = x -> linear(64)\n  x -> multiply(a) -> add(x) -> multiply(2)")
    assert said.count('shape="circle"') == 2
    assert "label=<&#215;>" in said and "label=<+>" in said


OFF = """
block part[x](width, causal = false, over = [], stops = [none], shift = 0) {
  residual { layer_norm -> attention(4, causal = causal) -> linear(x.C) }
}
"""


def test_settings_that_are_off_are_not_shown():
    body = "  part(8)\n  part(8, causal = true, over = [2], stops = [1], shift = 3)"
    said = words(dot(body, blocks=OFF))
    assert "causal true" in said and "over [2]" in said and "stops [1]" in said
    assert not re.search(r"causal false|over \[\]|\[none", said)
    assert "shift 0" in said and "shift 3" in said  # where the others shift, it tells


def test_attention_by_cosine_says_so():
    said = words(drawn(ROOT / "specs/swinv2_t.arch"))
    assert said.count("cosine window attention") == said.count("window attention") > 0
    assert "cosine" not in words(drawn(ROOT / "specs/swin_t.arch"))
    assert "cosine attention" in words(dot('  attention(4, scale = "cosine")'))


def test_open_sizes_are_formulas():
    text = dot("  conv(8, 4, stride = 4)", x="[B, C = 3, H, W]")
    assert "H//4 × W//4 × 8" in words(text)
    assert "≈ 24·H·W MACs" in words(text)


def test_tied_weights_say_whose_they_are():
    assert "weights of wte" in words(drawn(ROOT / "specs/gpt2.arch"))


def test_a_block_that_is_the_input_itself_is_not_drawn():
    said = words(dot("  nothing -> linear(4)", blocks="block nothing[x]() { x }"))
    assert "nothing" not in said


def test_arrows_join_boxes_that_are_there():
    for path in SPECS:
        text = drawn(path)
        boxes = set(re.findall(r"^ *(n\d+) \[", text, re.MULTILINE))
        arrows = re.findall(r"^ *(n\d+) -> (n\d+) ", text, re.MULTILINE)
        assert {end for arrow in arrows for end in arrow} == boxes
        assert text.count("{") == text.count("}")


@pytest.mark.parametrize("depth", [150, 3000])
def test_a_model_of_any_size_draws(depth, tmp_path):
    body = "\n".join(f"  linear({8 + i % 97}) -> layer_norm" for i in range(depth))
    text = dot(body)
    boxes = len(re.findall(r"^ *n\d+ \[", text, re.MULTILINE))
    assert boxes <= 410
    assert ("for lack of room" in words(text)) == (depth > 400)
    assert render.render(text, "svg").startswith(b"<?xml")


def test_many_blocks_stay_closed():
    blocks = "\n".join(
        f"block k{i}[x](w) {{ residual {{ layer_norm -> linear(w) -> conv({i + 1}, 3)"
        " -> softmax(C) -> linear(x.C) }\n residual { tanh -> linear(x.C) } }"
        for i in range(90)
    )
    body = "\n".join(f"  k{i}(4)\n  k{i}(5)" for i in range(90))
    assert "blocks are not opened, for lack of room" in words(dot(body, blocks=blocks))


# --- words ---------------------------------------------------------------------------


def test_numbers_are_short():
    found = [human(n) for n in (0, 999, 1000, 1550, 28_288_354, 999_600, 146 * 10**9)]
    short = [n.replace("\u00a0", " ") for n in found]
    assert short == ["0", "999", "1 K", "1.6 K", "28.3 M", "1 M", "146 G"]


def test_shapes_are_short():
    H, T = symbol("H"), symbol("T")
    assert shape(Tensor((("B", 1), ("C", 96), ("H", 56), ("W", 56)))) == "56×56×96"
    assert shape(Tensor((("B", 1), ("T", 64), ("C", 300)))) == "T 64 · C 300"
    assert shape(Tensor((("B", 1), ("T", T)), "int")) == "int T"
    assert shape(Tensor((("B", 1),))) == "1"
    assert shape(Tensor((("H", H // 2), ("W", 3)))) == "H//2 × 3"
    assert formula(H * H - 2 * T) == "H² \u2212 2·T"
    assert formula((H - 1) // 4 + 1) == "ceil(H/4)"
    rounded = Tensor((("H", H + 1), ("W", H // 2 + 1)))
    assert shape(rounded) == "(H + 1) × (H//2 + 1)"


def test_open_costs_are_short():
    H, T = symbol("H"), symbol("T")
    found = [
        amount(15000 * H),
        amount(128 * T * T + 5000 * T + 7),
        amount(((H - 1) // 2 + 1) * ((T - 1) // 2 + 1) * 8000),
        amount(((H * T) // 3) * 90),
    ]
    short = [n.replace("\u00a0", " ") for n in found]
    assert short[:2] == ["15 K·H", "128·T² + 5 K·T + 7"]
    assert short[2] == "≈ 2 K·H·T"
    assert "H*T" in short[3] or "H·T" in short[3]


@pytest.mark.parametrize(
    "text",
    [
        '"><script>&',
        "</FONT>",
        "\\N\\l\\",
        "a\nb\x00\x1b",
        "模型 é ×",
        "\ud800\ufffe",
        "]]>",
    ],
)
def test_any_text_is_safe(text):
    label = escape(text)
    assert label.isascii() and label.isprintable()
    assert not set(label) & set("<>\"'\\")
    svg = render.render(f"digraph {{ a [label=<<B>{label}x</B>>] }}", "svg")
    assert b"<script>" not in svg


def test_a_long_text_is_cut():
    assert escape("a" * 100, 10) == "aaaaaaaaa&#8230;"


# --- files ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.svg.txt", ".png"])
def test_another_ending_is_refused(name, tmp_path):
    graph = archdsl.parse(ROOT / "specs/textcnn.arch")
    with pytest.raises(ValueError, match=r"\.dot, \.gv, \.svg, \.png or \.pdf"):
        draw(graph, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    place = tmp_path / "a.svg"
    place.write_text("old")
    monkeypatch.setattr(render, "to_dot", lambda *_: "digraph { a ->")
    with pytest.raises(DrawingError, match="could not draw"):
        draw(archdsl.parse(ROOT / "specs/textcnn.arch"), place)
    assert place.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    place = tmp_path / "a.dot"
    place.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        draw(archdsl.parse(ROOT / "specs/textcnn.arch"), place)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_a_pdf_without_dot_says_what_helps(tmp_path, monkeypatch):
    monkeypatch.setattr(render.shutil, "which", lambda _: None)
    with pytest.raises(DrawingError, match="install graphviz, or draw SVG"):
        draw(archdsl.parse(ROOT / "specs/textcnn.arch"), tmp_path / "a.pdf")
    assert not list(tmp_path.iterdir())


def test_without_any_graphviz_dot_still_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(render.shutil, "which", lambda _: None)
    monkeypatch.setattr(render, "_installed", lambda: None)
    graph = archdsl.parse(ROOT / "specs/textcnn.arch")
    with pytest.raises(DrawingError, match="pip install graphviz-pure"):
        draw(graph, tmp_path / "a.svg")
    draw(graph, tmp_path / "a.gv")
    assert (tmp_path / "a.gv").read_text() == to_dot(graph)


FOUND = {
    "a value of a folded turn": """
model net {
  input s: [B, C = 4, W = 4]
  repeat(1) {
    repeat(3) { add(ones(C = 4, W = 4)) -> conv(4, kernel = 3) }
    residual { relu }
  }
  output out
}
""",
    "a number that no float holds": """
model net {
  input x: [B, C = 4, H = 8, W = 9]
  conv(6, kernel = 1e308)
  output out
}
""",
}


@pytest.mark.parametrize("name", FOUND)
def test_what_fuzzing_found_is_drawn(name):
    assert to_dot(archdsl.parse(FOUND[name])).startswith("digraph")
