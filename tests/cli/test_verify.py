"""`archdsl verify`: what it prints, and how it exits."""

import builtins
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from archdsl.cli import cli
from archdsl.ops.base import Cost
from archdsl.ops.registry import ops
from tests.tools import replaced

SPEC = """model tiny(width = 4) {
  input image: [B, C = 3, H = 8, W = 6]
  conv(width, 3) -> relu -> mean(H, W) -> linear(5)
  output logits
}
"""
PASSED = """\
check    of                       static  measured
runs     module                   runs    runs      ✓
shapes   output logits            [1, 5]  [1, 5]    ✓
shapes   layers as said           4       4         ✓
params   params                   137     137       ✓
params   trainable params         137     137       ✓
params   buffers                  0       0         ✓
params   bytes of params          548     548       ✓
params   bytes of buffers         0       0         ✓
params   layers as said           4       4         ✓
params   names in the state dict  4       4         ✓
flops    matmul FLOPs             10,408  10,408    ✓
flops    layers as said           4       4         ✓
forward  output logits            finite  finite    ✓
forward  output logits, op by op  same    same      ✓
spread   distinct ops as said     4       4         ✓

tiny: all 15 figures are as said
"""


@pytest.fixture
def spec(tmp_path) -> str:
    path = tmp_path / "tiny.arch"
    path.write_text(SPEC)
    return str(path)


def run(*words: str, code: int = 0):
    done = CliRunner().invoke(cli, ["verify", *words])
    assert done.exit_code == code, done.output
    return done


def test_what_is_true_is_a_table_and_exits_with_0(spec):
    done = run(spec, "--only", "shapes,params,flops,forward,spread")
    assert done.stdout == PASSED
    assert done.stderr == ""  # no progress where nobody watches


def test_fields_and_bytes_are_shown_as_they_are(spec):
    text = run(spec, "--only", "receptive-field,memory").stdout
    assert "conv[H = 4, W = 3]  image.H 3 to 5, image.W 2 to 4" in text
    assert "saved for backward  1,360 " in text
    assert text.count("✓") == 9


def test_a_lie_exits_with_1_and_names_the_layer(spec):
    with replaced(ops()["linear"], "cost", lambda op, ins, outs: Cost(7)):
        done = run(spec, "--only", "flops", code=1)
    assert (
        done.stdout
        == """\
check  of              static  measured
runs   module          runs    runs      ✓
flops  matmul FLOPs    10,382  10,408    ✗
flops  layers as said  4       3         ✗
flops  linear          14      40        ✗

tiny: 3 figures differ
"""
    )


def test_json_has_every_figure_and_the_same_exit_codes(spec):
    found = json.loads(run(spec, "--json", "--only", "params,flops").stdout)
    assert (found["schema_version"], found["model"], found["seed"]) == (1, "tiny", 0)
    assert {row["check"] for row in found["rows"]} == {"runs", "params", "flops"}
    (row,) = [row for row in found["rows"] if row["of"] == "params"]
    assert (row["static"], row["measured"], row["ok"]) == (137, 137, True)
    with replaced(ops()["linear"], "cost", lambda op, ins, outs: Cost(7)):
        found = json.loads(run(spec, "--json", code=1).stdout)
    wrong = [row["of"] for row in found["rows"] if row["ok"] is False]
    assert wrong == ["matmul FLOPs", "layers as said", "linear"]


def test_many_differences_are_cut_short_in_the_table_only(tmp_path):
    path = tmp_path / "deep.arch"
    path.write_text(SPEC.replace("-> linear(5)", "\n  repeat(30) { linear(4) }"))
    with replaced(ops()["linear"], "cost", lambda op, ins, outs: Cost(7)):
        text = run(str(path), "--only", "flops", code=1).stdout
        found = json.loads(run(str(path), "--only", "flops", "--json", code=1).stdout)
    assert "flops: and 12 more; --json has all" in text
    assert "deep: 32 figures differ" not in text
    assert "tiny: 32 figures differ" in text
    assert sum(row["ok"] is False for row in found["rows"]) == 32


def test_open_sizes_have_a_table_each(spec):
    text = run(spec, "--size", "H,W=4", "--only", "flops", "--draws", "2").stdout
    heads = [line for line in text.splitlines() if line.startswith("at H = ")]
    assert len(set(heads)) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nonsense"], "no check 'nonsense'; there are shapes, params"),
        (["--set", "width=D"], "D has no value: a module is made of numbers"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--set", "depth=3"], "error[E508]"),
    ],
)
def test_wrong_usage_exits_with_2(spec, words, message):
    assert message in run(spec, *words, code=2).stderr


def test_a_spec_with_errors_exits_with_1_as_everywhere(tmp_path):
    path = tmp_path / "bad.arch"
    path.write_text(SPEC.replace("linear(5)", "linear(0)"))
    assert "error[E" in run(str(path), code=1).stderr


def test_without_torch_it_says_what_to_install(spec, monkeypatch):
    honest = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "torch":
            raise ImportError(name)
        return honest(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    done = run(spec, code=2)
    assert "torch is not installed: pip install 'archdsl[torch]'" in done.stderr


def test_progress_leaves_nothing_on_a_terminal(spec):
    """On a terminal one line is overwritten; its end clears it."""
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    command = [sys.executable, "-m", "archdsl", "verify", spec, "--only", "forward"]
    done = subprocess.run(
        [sys.executable, "-c", script, *command], check=True, capture_output=True
    )
    text = done.stdout.decode()
    assert "\r\033[Krunning it op by op …" in text
    assert "\r\033[K" + "check" in text


def test_without_positions_there_is_no_field_to_try(tmp_path):
    file = tmp_path / "mlp.arch"
    file.write_text("model m {\n  input x: [B, C = 8]\n  linear(4)\n  output y\n}\n")
    found = run(str(file), "--only", "receptive-field,params").stdout
    assert "receptive-field" not in found
