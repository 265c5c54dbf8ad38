"""`archdsl analyze`: the report that others script against."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import archdsl
from archdsl.analysis.report import Report, as_json
from archdsl.analysis.sections import SECTIONS, Options
from archdsl.cli import cli
from docs.generate import schema

SPEC = """block pair[x](width) {
  conv(width, 3) -> relu
}

model tiny(width = 4) {
  input task: int[B]
  input image: [B, C = 3, H = 8, W = 6]
  image -> pair(width) -> mean(H, W) as pooled
  linear(5)
  output logits
  output features: [B, C] = pooled
}

model wide = tiny(width = 6)
"""
TOTALS = {
    "params", "buffers", "macs", "matmul_flops", "flops", "activation_bytes",
    "weight_bytes",
}  # fmt: skip
LAYER = {
    "path", "op", "block", "output", "params", "macs", "flops", "line", "column",
}  # fmt: skip


@pytest.fixture
def spec(tmp_path) -> str:
    path = tmp_path / "tiny.arch"
    path.write_text(SPEC)
    return str(path)


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["analyze", *words])
    assert done.exit_code == code, done.stderr
    assert bool(done.stderr) == bool(code)
    return done.stderr if code else done.stdout


def report(*words: str) -> dict:
    return json.loads(run(*words, "--json"))


# --- json ---------------------------------------------------------------------------


def test_json_has_the_promised_keys_and_no_number_is_a_guess(spec):
    found = report(spec)
    assert found.keys() >= {"model", "inputs", "outputs", "totals", "layers"}
    assert found["schema_version"] == 1
    assert found["model"] == "tiny"
    assert found["inputs"] == {
        "image": {
            "axes": [["B", 1], ["C", 3], ["H", 8], ["W", 6]],
            "dtype": "float",
        },
        "task": {"axes": [["B", 1]], "dtype": "int"},
    }
    assert found["outputs"] == {
        "logits": {"axes": [["B", 1], ["C", 5]], "dtype": "float"},
        "features": {"axes": [["B", 1], ["C", 4]], "dtype": "float"},
    }
    assert found["totals"].keys() >= TOTALS
    assert all(type(found["totals"][name]) is int for name in TOTALS)
    conv, linear = 4 * 3 * 9 * 48, 4 * 5
    params = 4 * (3 * 9 + 1) + 5 * (4 + 1)
    totals = found["totals"]
    assert totals["params"] == params
    assert totals["weight_bytes"] == 4 * params
    assert totals["buffers"] == 0
    assert totals["macs"] == conv + linear
    assert totals["matmul_flops"] == 2 * totals["macs"]
    more = sum(totals["elementwise"].values())
    assert totals["flops"] == totals["matmul_flops"] + more
    assert more == 3 * 4 * 48 + 5  # bias, relu and mean; the linear's bias
    assert totals["activation_bytes"] == 4 * (2 * 4 * 48 + 4 + 5)


def test_json_lists_every_layer_with_its_place(spec):
    layers = report(spec)["layers"]
    assert all(set(layer) == LAYER for layer in layers)
    assert [(n["path"], n["op"], n["block"]) for n in layers] == [
        ("pair.conv", "conv", "pair"),
        ("pair.relu", "relu", "pair"),
        ("pooled", "mean", "tiny"),
        ("linear", "linear", "tiny"),
    ]
    assert [(n["line"], n["column"]) for n in layers] == [
        (2, 3), (2, 21), (8, 27), (9, 3),
    ]  # fmt: skip
    first = layers[0]
    assert first["output"]["dtype"] == "float"
    assert dict(first["output"]["axes"]) == {"B": 1, "C": 4, "H": 8, "W": 6}
    assert first["params"] == 4 * (3 * 9 + 1)
    assert first["macs"] == 4 * 3 * 9 * 48
    assert first["flops"] == 2 * first["macs"] + 4 * 48


def test_json_sums_to_its_totals():
    found = report("swin_t")
    assert found["totals"]["params"] == 28_288_354
    for name in ("params", "macs", "flops"):
        assert sum(layer[name] for layer in found["layers"]) == found["totals"][name]


def test_the_published_schema_is_that_of_the_report(spec):
    kept = Path(__file__).parents[2] / "docs" / "schemas" / "report.json"
    assert kept.read_text("utf-8") == schema()
    text = run(spec, "--json")
    assert as_json(Report.model_validate_json(text)) == text.strip()


def test_tables_come_for_pages_and_for_programs(spec):
    page = run(spec, "--markdown")
    assert page.startswith("## tiny\n\n- `input task int[B]`\n- `input image [B, C")
    assert "| pair.conv | [B, C = 4, H = 8, W = 6] | 112 | 5.184 k |" in page
    values = run(spec, "--csv", "--flops")
    assert values.startswith("layer,output,macs,flops\n")
    assert "params" not in values
    assert "\nMACs,5204," in values
    assert run(spec, "--csv", "--depth", "1") != run(spec, "--csv", "--depth", "0")


def test_json_is_the_same_every_time(spec):
    assert run(spec, "--json") == run(spec, "--json")


# --- models, settings, sizes --------------------------------------------------------


def test_a_model_is_named_after_a_colon(spec):
    assert report(f"{spec}:wide")["model"] == "wide"
    assert dict(report(f"{spec}:wide")["outputs"]["features"]["axes"])["C"] == 6


def test_set_overrides_a_hyperparameter_of_a_variant_too(spec):
    for name in (spec, f"{spec}:wide"):
        found = report(name, "--set", "width=2 + 3 * 2")
        assert dict(found["outputs"]["features"]["axes"])["C"] == 8


def test_size_overrides_axes_and_a_batch_of_one_is_what_costs_are_for(spec):
    one, eight = report(spec), report(spec, "--size", "B=8")
    assert eight["inputs"]["image"]["axes"][0] == ["B", 8]
    assert eight["totals"]["params"] == one["totals"]["params"]
    for name in ("macs", "flops", "activation_bytes"):
        assert eight["totals"][name] == 8 * one["totals"][name]
    both = report(spec, "--size", "H=4,W=3", "--size", "B=2")
    assert dict(both["inputs"]["image"]["axes"]) == {"B": 2, "C": 3, "H": 4, "W": 3}


def test_open_axes_make_formulas(spec):
    found = report(spec, "--size", "H,W")
    assert found["inputs"]["image"]["axes"][2:] == [["H", "H"], ["W", "W"]]
    assert found["totals"]["macs"] == "108*H*W + 20"
    assert found["totals"]["params"] == 137
    mixed = report(spec, "--size", "H,W=2,B=3")
    assert mixed["totals"]["macs"] == "648*H + 60"


def test_a_lone_axis_leaves_the_batch_open(spec):
    assert report(spec, "--size", "B")["totals"]["macs"] == "5204*B"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "H=0"], "at least 1"),
        (["--size", "H=-4"], "AXIS=N"),
        (["--size", "H=4=5"], "AXIS=N"),
        (["--size", "height=4"], "AXIS=N"),
        (["--size", "H=4,"], "AXIS=N"),
        (["--size", "T=4"], "no input has this axis"),
        (["--set", "width"], "NAME=VALUE"),
        (["--set", "=4"], "NAME=VALUE"),
        (["--set", "widht=4"], "did you mean `width`?"),
        (["--set", "width=4)"], "not a value"),
        (["--set", "width=4\nmodel evil = tiny()"], "not a value"),
        (["--depth", "-1"], "--depth"),
        (["--jsn"], "--json"),
    ],
)
def test_wrong_options_are_wrong_usage(spec, words, message):
    assert message in run(spec, *words, code=2)


def test_a_setting_that_does_not_work_is_an_error_of_the_spec(spec):
    text = run(spec, "--set", "width=0", code=1)
    assert "error[E403]" in text
    assert f"{spec}:2:8" in text


def test_an_unknown_model_is_named_with_those_there_are(spec):
    text = run(f"{spec}:wid", code=2)
    assert "no model `wid`" in text
    assert "its models: tiny, wide" in text
    assert "did you mean `wide`?" in text


def test_a_file_with_several_models_asks_which(tmp_path):
    path = tmp_path / "several.arch"
    path.write_text(SPEC)
    assert "tiny, wide" in run(str(path), code=2)


# --- the table ----------------------------------------------------------------------


def test_the_table_shows_all_three_parts_by_default(spec):
    text = run(spec)
    for word in ("tiny", "input image", "pair.conv", "params", "MACs", "weight bytes"):
        assert word in text
    assert "for a batch of 1" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("option", "there", "missing"),
    [
        ("--params", "params", ("MACs", "bytes")),
        ("--flops", "MACs", ("params", "weight bytes")),
        ("--memory", "saved for backward", ("params", "MACs", "weight bytes")),
    ],
)
def test_an_option_shows_its_part_alone(spec, option, there, missing):
    text = run(spec, option)
    assert there in text
    assert not any(word in text for word in missing)


def test_depth_says_how_far_blocks_are_opened(spec):
    assert "\npair " in run(spec, "--depth", "1")
    assert "pair.conv" not in run(spec, "--depth", "1")
    assert "pair.conv " in run(spec, "--depth", "0")


def test_long_formulas_do_not_widen_the_table():
    lines = run("resnet50", "--size", "H,W").splitlines()
    rows = lines[lines.index(next(r for r in lines if r.startswith("layer"))) :]
    assert max(map(len, rows[: rows.index("")])) < 160


def test_ir_is_the_graph_as_text(spec):
    text = run(spec, "--ir")
    assert text.endswith("\n")
    assert "conv" in text
    assert text == run(spec, "--ir")


def test_a_shipped_spec_goes_by_its_name():
    assert report("resnet50")["totals"]["macs"] == 4_089_184_256
    assert "did you mean `resnet50` or" in run("resnet50x", code=2)


def test_memory_training_and_time_are_sections(spec):
    words = ("--memory", "--training", "--device", "a100", "--precision", "bf16")
    found = json.loads(run(spec, "--json", *words))
    assert found["memory"]["optimizer_state"] == 12 * found["totals"]["params"]
    assert found["training"]["forward_macs"] == found["totals"]["macs"]
    assert found["roofline"]["device"].startswith("NVIDIA A100")
    text = run(spec, *words)
    for words in ("saved for backward", "A step of training", "assumed: 312 TFLOP/s"):
        assert words in text
    csv = run(spec, "--csv", "--memory")
    assert "what,bytes,meaning" in csv and "layer,bytes,share" in csv
    plain = json.loads(run(spec, "--json"))
    assert not {"memory", "training", "roofline"} & plain.keys()


def test_an_optimizer_is_named(spec):
    sgd = json.loads(run(spec, "--json", "--memory", "--optimizer", "sgd"))["memory"]
    adam = json.loads(run(spec, "--json", "--memory"))["memory"]
    assert sgd["optimizer_state"] == 0
    assert adam["optimizer_state"] == 2 * adam["weights"]
    assert adam["training"] - sgd["training"] == adam["optimizer_state"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--optimizer sgd", "--optimizer has no effect without --memory"),
        ("--precision bf16 --paths", "has no effect without --memory or --device"),
        ("--fused --memory", "--fused has no effect without --device"),
        ("--json --plot a.svg", "--plot and --json are two forms"),
        ("--memory --paths --plot a.svg", "one of --memory, --paths: ask for one"),
        ("--flops --memory --plot a.svg", "one of --flops, --memory: ask for one"),
    ],
)
def test_what_would_have_no_effect_is_refused(spec, words, said):
    told = run(spec, *words.split(), code=2)
    assert (
        said in told or said.replace("--memory, --flops", "--flops, --memory") in told
    )


def test_what_has_an_effect_is_not_refused(spec):
    run(spec, "--memory", "--optimizer", "sgd", "--precision", "bf16")
    run(spec, "--device", "cpu", "--fused", "--precision", "fp32")


# --- from Python --------------------------------------------------------------------


def test_sections_are_found_from_python_too():
    options = Options(at={"T": 3}, device="a100", optimizer="sgd")
    keys = [section.key for section in SECTIONS]
    found = archdsl.analyze("bilstm", sections=keys, options=options)
    assert all(getattr(found, key) is not None for key in keys)
    assert found.memory is not None and found.memory.optimizer == "sgd"
    assert found.roofline is not None and "A100" in found.roofline.device
    assert archdsl.analyze("bilstm").memory is None
    with pytest.raises(ValueError, match="no section 'receptive'; there are"):
        archdsl.analyze("bilstm", sections=["receptive"])
