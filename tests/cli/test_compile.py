"""`archdsl compile`: the file that it writes, and those that it does not."""

import ast
import re
import stat
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import archdsl
from archdsl.backends import files
from archdsl.cli import cli

SPEC = """model two_layer_net(width = 4) {
  input x: [B, C = 3]
  linear(width) -> relu -> linear(2)
  output y
}

model big = two_layer_net(width = 40)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two_layer_net.arch").write_text(SPEC)
    return tmp_path


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["compile", *words])
    assert done.exit_code == code, done.stderr
    assert bool(done.stderr) == bool(code)
    return done.stderr if code else done.stdout


def model(path: Path, name: str) -> torch.nn.Module:
    scope: dict[str, object] = {"__name__": "made"}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    return scope[name]()


def test_the_file_is_named_as_the_model_and_the_class_in_camel_case(folder):
    said = run("two_layer_net.arch")
    assert said.startswith("two_layer_net.py: TwoLayerNet, ")
    made = model(folder / "two_layer_net.py", "TwoLayerNet")
    assert made(torch.zeros(7, 3)).shape == (7, 2)
    assert said.split()[-2] == str(
        len(Path("two_layer_net.py").read_text().split("\n")) - 1
    )


def test_a_variant_is_named_after_a_colon(folder):
    run("two_layer_net.arch:big")
    assert model(folder / "big.py", "Big").linear.out_features == 40


def test_a_shipped_spec_goes_by_its_name(folder):
    run("swin_t")
    classes = [
        node.name
        for node in ast.parse((folder / "swin_t.py").read_text()).body
        if isinstance(node, ast.ClassDef)
    ]
    assert classes[-1] == "SwinT"


@pytest.mark.parametrize("option", ["-o", "--output"])
def test_another_place_can_be_named(folder, option):
    (folder / "sub").mkdir()
    run("two_layer_net.arch", option, "sub/net.py")
    assert (folder / "sub" / "net.py").is_file()
    assert not (folder / "two_layer_net.py").exists()


def test_a_hyphen_is_standard_output(folder):
    text = run("two_layer_net.arch", "-o", "-")
    run("two_layer_net.arch")
    assert text == (folder / "two_layer_net.py").read_text()
    assert sorted(p.name for p in folder.iterdir()) == [
        "two_layer_net.arch", "two_layer_net.py",
    ]  # fmt: skip


def test_set_and_size_change_what_is_compiled(folder):
    run("two_layer_net.arch", "--set", "width=9", "--size", "C=5")
    made = model(folder / "two_layer_net.py", "TwoLayerNet")
    assert made.linear.weight.shape == (9, 5)


def test_what_archdsl_wrote_is_replaced(folder):
    run("two_layer_net.arch")
    run("two_layer_net.arch", "--set", "width=9")
    made = model(folder / "two_layer_net.py", "TwoLayerNet")
    assert made.linear.out_features == 9


@pytest.mark.parametrize("text", ["import os\n", "", "\x00\xff"])
def test_what_another_wrote_is_not_replaced_unless_forced(folder, text):
    path = folder / "two_layer_net.py"
    path.write_text(text)
    said = run("two_layer_net.arch", code=2)
    assert "two_layer_net.py exists and is not archdsl's; --force replaces it" in said
    assert path.read_text() == text
    run("two_layer_net.arch", "--force")
    assert model(path, "TwoLayerNet")


def test_a_file_is_written_whole_or_not_at_all(folder, monkeypatch):
    run("two_layer_net.arch")
    before = (folder / "two_layer_net.py").read_text()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Path, "write_bytes", full)
    said = run("two_layer_net.arch", "--set", "width=9", code=2)
    assert "cannot write two_layer_net.py: No space left on device" in said
    assert (folder / "two_layer_net.py").read_text() == before
    assert len(list(folder.iterdir())) == 2


def test_the_file_may_be_read_as_any_other_new_file(folder):
    run("two_layer_net.arch")
    (folder / "plain").touch()
    modes = [(folder / n).stat().st_mode for n in ("two_layer_net.py", "plain")]
    assert stat.filemode(modes[0]) == stat.filemode(modes[1])


def test_errors_leave_no_file(folder):
    (folder / "wrong.arch").write_text(SPEC.replace("linear", "linaer"))
    assert "did you mean `linear`" in run("wrong.arch:two_layer_net", code=1)
    assert sorted(p.suffix for p in folder.iterdir()) == [".arch", ".arch"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("missing/net.py", "cannot write missing/net.py: No such file or directory"),
        (".", "is a folder; name a file, such as two_layer_net.py"),
        ("two_layer_net.arch/net.py", "cannot write"),
        ("a" * 300 + ".py", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_wrong_usage(place, message):
    assert message in run("two_layer_net.arch", "-o", place, code=2)


def test_a_folder_that_cannot_be_written_is_wrong_usage(monkeypatch):
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkstemp", closed)
    said = run("two_layer_net.arch", "-o", "net.py", code=2)
    assert "cannot write net.py: Permission denied" in said


def test_a_model_with_a_name_too_long_for_a_file_says_so(folder):
    name = "n" * 300
    (folder / "long.arch").write_text(SPEC.replace("two_layer_net", name))
    assert "File name too long" in run(f"long.arch:{name}", code=2)
    assert f"class N{name[1:]}(" in run(f"long.arch:{name}", "-o", "-")


def test_the_same_spec_is_the_same_file_from_anywhere(folder, monkeypatch):
    here = run("two_layer_net.arch", "-o", "-")
    there = run(str(folder / "two_layer_net.arch"), "-o", "-")
    assert here == there
    assert str(folder) not in there


def test_an_axis_that_gets_another_name_is_no_statement():
    spec = """
model net {
  input x: [B, N = 4, C = 3]
  linear(8)
    -> merge(N, into = M)
    -> merge(C, into = N)
    -> merge(M, into = C)
    -> linear(5)
    -> merge(N, into = M)
  output y
}
"""
    text = archdsl.compile(spec)
    assert not re.search(r"^ *(\w+) = \1\b *(#.*)?$", text, flags=re.MULTILINE)
    assert archdsl.load(spec)(torch.zeros(2, 4, 3)).shape == (2, 5, 8)


def test_the_head_is_that_of_the_file_with_the_variant(folder):
    """What it varies may be of another file, which says something else."""
    spec = "model net {\n  input x: [B, C]\n  relu\n  output y\n}\n"
    (folder / "net.arch").write_text(f"# The one that it varies.\n\n{spec}")
    (folder / "mine.arch").write_text(
        "# Mine.\n\nuse net (net)\n\nmodel mine = net()\n"
    )
    (folder / "mute.arch").write_text("use net (net)\n\nmodel mute = net()\n")
    assert archdsl.compile("mine.arch").splitlines()[2] == "Mine."
    assert archdsl.compile("mute.arch").splitlines()[2] == "The one that it varies."


def test_a_statement_on_several_lines_has_its_shape_too():
    wide = ", ".join(f"words -> embedding(10, {n})" for n in range(3, 12))
    spec = f"""
model net {{
  input words: int[B, T = 7]
  let all = concat([{wide}], over = C)
  output y = all -> linear(2) -> relu
}}
"""
    assert re.search(r"^        \)  # \[B, T=7, C=63\]$", archdsl.compile(spec), re.M)


@pytest.mark.parametrize(
    ("widths", "written"),
    [
        ("range(4, 24, 4)", "range(4, 24, 4)"),
        ("[3, 4, 5, 6, 7]", "range(3, 8)"),
        ("[9, 7, 5, 3, 1]", "range(9, -1, -2)"),
        ("[4, 8, 12, 16, 21]", "(4, 8, 12, 16, 21)"),
        ("[3, 4, 5]", "(3, 4, 5)"),
    ],
)
def test_numbers_in_equal_steps_are_a_range(widths, written):
    spec = f"""
block unit[x](width) {{
  linear(width) -> relu -> linear(x.C)
}}

model net {{
  input x: [B, C = 2]
  for n in {widths} {{ unit(n) }}
  output y
}}
"""
    text = archdsl.compile(spec)
    assert f"[Unit(width=width) for width in {written}]" in text
    widths = [layer.linear.out_features for layer in archdsl.load(spec).unit]
    assert widths == list(eval(written))


def test_a_class_that_no_line_uses_is_left_out():
    spec = (
        "model net {\n  input x: [B, C = 2]\n  linear(2) as y\n  STEPS\n  output z\n}\n"
    )
    alone = 'gelu("quick") -> add(y)'
    assert "QuickGELU" not in archdsl.compile(spec.replace("STEPS", alone))
    chain = 'repeat(3) { linear(2) -> gelu("quick") }\n  add(y)'
    assert "class QuickGELU" in archdsl.compile(spec.replace("STEPS", chain))
