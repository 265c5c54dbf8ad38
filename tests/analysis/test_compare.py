"""`archdsl compare`: models side by side, stage by stage."""

import csv
import json

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analysis.cost import Costs
from archdsl.analysis.stages import stages
from archdsl.cli import cli
from archdsl.ops.registry import public_ops
from tests.randoms.maker import specs
from tests.tools import examples

ANY = st.sampled_from(sorted(public_ops())).flatmap(specs)
# By model: each stage with what it consists of and puts out.
STAGES = {
    "resnet50": """
        stem | conv_bn | 56x56x64
        /4 | 3 bottleneck | 56x56x256
        /8 | 4 bottleneck | 28x28x512
        /16 | 6 bottleneck | 14x14x1024
        /32 | 3 bottleneck | 7x7x2048
        head | linear | 1000""",
    "swin_t": """
        stem | conv | 56x56x96
        /4 | 2 swin_block | 56x56x96
        /8 | patch_merge, 2 swin_block | 28x28x192
        /16 | patch_merge, 6 swin_block | 14x14x384
        /32 | patch_merge, 2 swin_block | 7x7x768
        head | linear | 1000""",
    "vit_b16": """
        stem | conv | 197x768
        /16 | 12 transformer_layer | 197x768
        head | linear | 1000""",
    "vgg16": """
        /1 | 2 conv_relu | 224x224x64
        /2 | 2 conv_relu | 112x112x128
        /4 | 3 conv_relu | 56x56x256
        /8 | 3 conv_relu | 28x28x512
        /16 | 3 conv_relu | 14x14x512
        head | 3 linear | 1000""",
    "alexnet": """
        stem | conv | 27x27x64
        /8 | conv | 27x27x192
        /16 | 3 conv | 13x13x256
        head | 3 linear | 1000""",
    "gpt2": """
        stem | embedding, position_embedding | 1024x768
        /1 | 12 transformer_layer | 1024x768
        head | transposed | 1024x50257""",
    "tests/lints/nets/unet.arch": """
        /1 | double_conv | 256x256x64
        /2 | double_conv | 128x128x128
        /4 | double_conv | 64x64x256
        /8 | double_conv | 32x32x512
        /16 | double_conv | 16x16x1024
        up /8 | up | 32x32x512
        up /4 | up | 64x64x256
        up /2 | up | 128x128x128
        up /1 | up | 256x256x64
        head | conv | 256x256x2""",
    "tests/lints/nets/mobilenet.arch": """
        stem | unit | 112x112x32
        /2 | inverted | 112x112x16
        /4 | 2 inverted | 56x56x24
        /8 | 3 inverted | 28x28x32
        /16 | 7 inverted | 14x14x96
        /32 | 4 inverted, unit | 7x7x1280
        head | linear | 1000""",
    "bilstm": """
        stem | embedding | 20x128
        head | lstm, linear | 5""",
}


def report(*words: str) -> dict:
    return json.loads(run(*words, "--json"))


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["compare", *words])
    assert done.exit_code == code, done.output
    return done.stderr if code else done.stdout


@pytest.mark.parametrize("name", STAGES)
def test_stages(name):
    rows = csv.DictReader(run(name, "alexnet", "--csv").splitlines())
    found = [r for r in rows if r["stage"] != "all" and r["model"] != "alexnet"]
    if name == "alexnet":
        rows = csv.DictReader(run(name, "swin_t", "--csv").splitlines())
        found = [r for r in rows if r["stage"] != "all" and r["model"] == "alexnet"]
    lines = [f"{r['stage']} | {r['layers']} | {r['output']}" for r in found]
    assert lines == [line.strip() for line in STAGES[name].strip().split("\n")]


def test_stages_of_several_models_are_aligned():
    found = report("vit_b16", "resnet50", "swin_t", "tests/lints/nets/unet.arch")
    rows = {row["stage"]: set(row["models"]) for row in found["stages"]}
    both, every = {"resnet50", "swin_t"}, {"vit_b16", "resnet50", "swin_t"}
    assert rows == {
        "stem": every,
        "/1": {"unet"},
        "/2": {"unet"},
        "/4": {*both, "unet"},
        "/8": {*both, "unet"},
        "/16": {*every, "unet"},
        "/32": both,
        "up /8": {"unet"},
        "up /4": {"unet"},
        "up /2": {"unet"},
        "up /1": {"unet"},
        "head": {*every, "unet"},
    }
    assert list(rows) == ["stem", "/1", "/2", "/4", "/8", "/16", "/32",
                          "up /8", "up /4", "up /2", "up /1", "head"]  # fmt: skip


def test_figures_are_those_of_analyze():
    found = report("swin_t(H = 448, W = 448)", "resnet50", "--columns", "params,flops",
                   "--stages", "flops,activation_bytes")  # fmt: skip
    names = [m["name"] for m in found["models"]]
    assert names == ["swin_t(H = 448, W = 448)", "resnet50"]
    sizes = {"H": 448, "W": 448}
    for model, single in zip(
        found["models"],
        (archdsl.analyze("swin_t", sizes=sizes), archdsl.analyze("resnet50")),
        strict=True,
    ):
        totals = single.totals.model_dump()
        assert model["figures"] == {k: totals[k] for k in ("params", "flops")}
        parts = [r["models"][model["name"]]["figures"] for r in found["stages"]]
        for key in ("flops", "activation_bytes"):
            assert sum(p[key] for p in parts) == totals[key]


@settings(max_examples=examples(60))
@given(ANY)
def test_all_stages_together_are_the_model(text):
    graph = archdsl.parse(text)
    parts = stages(graph)
    whole = Costs().total(graph)
    for key in ("params", "buffers", "macs", "flops", "weight_bytes",
                "activation_bytes"):  # fmt: skip
        assert sum(getattr(p.totals, key) for p in parts) == getattr(whole, key)
    assert len({p.label for p in parts}) == len(parts)


OPENED = """block trunk[x] {
  conv(8, 3, stride = 2) -> relu
  conv(8, 3)
  conv(16, 3, stride = 2) -> conv(16, 3)
}

block rest[x] { mean(H, W) -> linear(4) }

model net {
  input x: [B, C = 3, H = 32, W = 64]
  trunk -> rest
  output y
}
"""


def labels(text: str, **sizes: int | str | None) -> list[str]:
    return [p.label for p in stages(archdsl.parse(text, sizes=sizes))]


def test_a_block_with_several_stages_is_opened():
    assert labels(OPENED) == ["stem", "/2", "/4", "head"]


SHARED = """model net {
  input x: [B, T = 16, C = 8]

  layer one = linear(8)
  one -> relu -> repeat(2) { linear(8) } -> one -> mean(T)
  output y
}
"""
SCAN = """model net {
  input x: [B, T = 4, C = 3, H = 32]

  scan(T) [frame] {
    conv(4, 3, stride = 2) -> conv(4, 3, stride = 2)
  }
  conv(5, 3, over = H) -> mean(T, H)
  output y
}
"""


@pytest.mark.parametrize("text", [SHARED, SCAN])
def test_shared_and_scanned_layers_count_as_in_the_model(text):
    graph = archdsl.parse(text)
    parts, whole = stages(graph), Costs().total(graph)
    assert sum(p.totals.params for p in parts) == whole.params
    assert sum(p.totals.macs for p in parts) == whole.macs


def test_axes_may_go_apart():
    conv = "conv(16, 3, stride = 2) -> conv"
    apart = OPENED.replace(conv, "max_pool(4, over = W) -> conv(16, 3) -> conv")
    assert labels(apart) == ["stem", "/2", "/2x8", "head"]


@pytest.mark.parametrize("size", [None, "32*n", 512, 211])
def test_open_and_odd_sizes_have_the_same_stages(size):
    assert labels(OPENED, H=size, W=size) == ["stem", "/2", "/4", "head"]


def test_finer_than_the_input():
    finer = "split(C, U = 2, V = 2, C = 2) -> merge(H, U, into = H)"
    text = (
        f"conv(8, 3) -> {finer} -> merge(W, V, into = W) -> repeat(2) {{ linear(4) }}"
    )
    assert labels(OPENED.replace("trunk -> rest", text)) == ["/1", "up x2"]


def test_settings_for_all_go_to_those_that_have_them():
    found = report("swin_t", "resnet50", "swin_t(dim = 48)", "--set", "dim=192",
                   "--size", "H=448,W=448")  # fmt: skip
    assert [m["settings"] for m in found["models"]] == [
        {"dim": "192", "H": "448", "W": "448"},
        {"H": "448", "W": "448"},
        {"dim": "48", "H": "448", "W": "448"},
    ]


def test_models_of_one_name_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / f"{name}.arch").write_text(OPENED)
    found = report("one.arch", "two.arch", "two.arch", "one.arch(H = 64)")
    assert [m["name"] for m in found["models"]] == [
        "one.arch:net", "two.arch:net #1", "two.arch:net #2", "net(H = 64)",
    ]  # fmt: skip


def test_formulas_and_other_shapes():
    found = report("swin_t(H, W)", "vit_b16(H = 16*n, W = 16*n, max_tokens = none)")
    single = archdsl.analyze("swin_t", sizes={"H": None, "W": None})
    assert found["models"][0]["figures"]["macs"] == single.totals.macs
    assert "| /16 " in run("swin_t", "resnet50", "--markdown")
    text = run("swin_t", "resnet50", "--stages", "")
    assert "resnet50" in text
    assert "/16" not in text


@pytest.mark.parametrize(
    "words",
    [
        ("swin_t",),
        ("swin_t", "nothing"),
        ("swin_t", "resnet50", "--set", "windw=3"),
        ("swin_t", "resnet50", "--size", "D=3"),
        ("swin_t", "resnet50(dim = 3)"),
        ("swin_t", "resnet50(3)"),
        ("swin_t", "resnet50", "--columns", "parms"),
        ("swin_t", "resnet50", "--stages", "layers"),
    ],
)
def test_wrong_usage_is_told(words):
    assert "rror" in run(*words, code=2)
