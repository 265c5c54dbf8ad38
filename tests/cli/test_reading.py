"""Where commands read specs from, and what they make of odd files."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import archdsl
from archdsl.cli import cli

SPEC = "model net {\n  input x: [B, C = 3]\n  linear(2)\n  output y\n}\n"
WRONG = SPEC.replace("linear", "linaer")
SECOND = SPEC.replace("net", "other")
FULL = Path("/dev/full")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.arch").write_text(SPEC)
    return tmp_path


def run(*words: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, list(words), input=given)


def places(done: Result) -> list[str]:
    assert done.exit_code == 1
    assert done.stdout == ""
    return re.findall(r"^ *--> (.*)$", done.stderr, flags=re.MULTILINE)


# --- standard input -----------------------------------------------------------------


def test_a_hyphen_is_standard_input():
    assert run("check", "-", given=SPEC).stdout == "-: fine (net)\n"
    done = run("analyze", "-", "--json", given=SPEC)
    assert json.loads(done.stdout)["model"] == "net"
    assert "class Net(" in run("compile", "-", "-o", "-", given=SPEC).stdout


def test_a_model_of_standard_input_is_named_after_a_colon():
    for command in (["analyze"], ["compile", "-o", "-"]):
        done = run(*command, "-:other", given=SPEC + SECOND)
        assert done.exit_code == 0
        assert "other" in done.stdout
    assert run("analyze", "-:nothing", given=SPEC).exit_code == 2


def test_messages_name_standard_input_as_is_asked():
    assert places(run("check", "-", given=WRONG)) == ["<stdin>:3:3"]
    done = run("check", "-", "--stdin-filename", "a/b.arch", given=WRONG)
    assert places(done) == ["a/b.arch:3:3"]


def test_standard_input_uses_files_of_the_working_folder(folder):
    (folder / "mine.arch").write_text("block twice[x] { linear(2) -> linear(2) }\n")
    text = "use mine (twice)\n" + SPEC.replace("linear(2)", "twice")
    assert run("check", "-", given=text).exit_code == 0


def test_nothing_on_standard_input_is_an_empty_spec():
    done = run("check", "-", given="")
    assert "there is no model in <stdin>" in done.stderr
    assert done.exit_code == 1


# --- paths --------------------------------------------------------------------------


def test_paths_are_relative_or_absolute_and_are_printed_as_given(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "wrong.arch").write_text(WRONG)
    for path in (
        "sub/wrong.arch",
        "./sub/../sub/wrong.arch",
        f"{folder}/sub/wrong.arch",
    ):
        assert places(run("check", path)) == [f"{path}:3:3"]


def test_a_spec_needs_no_ending_and_may_have_a_colon_in_its_folder(folder):
    (folder / "a:b").mkdir()
    for path in ("plain", "a:b/net.arch"):
        (folder / path).write_text(SPEC)
        assert run("check", path).exit_code == 0
        assert run("analyze", f"{path}:net").exit_code == 0


def test_a_file_here_goes_before_a_spec_that_ships(folder):
    (folder / "swin_t").write_text(SPEC)
    assert run("check", "swin_t").stdout == "swin_t: fine (net)\n"
    assert "swin_t" in run("analyze", "swin_t.arch").stderr  # no such file here


def test_a_shipped_spec_goes_by_its_name_with_a_model():
    assert run("check", "swin_t").exit_code == 0
    done = run("analyze", "vgg16:vgg11", "--json")
    assert json.loads(done.stdout)["totals"]["params"] == 132_863_336


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.arch", "no spec missing.arch: neither a file nor a spec that ships"),
        ("net.arch/below", "neither a file nor a spec that ships"),
        ("", "neither a file nor a spec that ships"),
        (":", "neither a file nor a spec that ships"),
        (".", "is a folder, not a spec"),
        ("../..", "is a folder, not a spec"),
        ("a\0b", "no spec"),
        ("lib/resnet", "no spec lib/resnet"),
        ("n" * 5000, "File name too long"),
        ("model m {\n", "neither a file nor a spec that ships"),
    ],
)
@pytest.mark.parametrize("command", ["check", "analyze", "compile", "draw"])
def test_what_is_no_file_is_wrong_usage(command, path, message):
    done = run(command, path)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_file_that_cannot_be_read_is_wrong_usage(monkeypatch):
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    done = run("check", "net.arch")
    assert done.exit_code == 2
    assert "net.arch: Permission denied" in done.stderr


def test_a_pipe_is_read_as_a_file(folder):
    """As shells pass ``<(command)``."""
    read, write = os.pipe()
    os.write(write, SPEC.encode())
    os.close(write)
    assert run("analyze", f"/dev/fd/{read}").exit_code == 0
    os.close(read)


# --- what stands in files -----------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "analyze", "compile"])
@pytest.mark.parametrize("text", [b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_model(folder, command, text):
    (folder / "empty.arch").write_bytes(text)
    assert places(run(command, "empty.arch")) == ["empty.arch:1:1"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 40, "odd.arch:1:1"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "odd.arch:1:1"),
        (SPEC.encode("utf-16"), "odd.arch:1:1"),
        (SPEC.replace("linear", "l\xefn").encode("latin-1"), "odd.arch:3:4"),
        (b"\x00" * 100_000, "odd.arch:1:1"),
    ],
    ids=["elf", "png", "utf-16", "latin-1", "nul"],
)
def test_bytes_that_are_no_text_are_located(folder, text, place):
    (folder / "odd.arch").write_bytes(text)
    done = run("check", "odd.arch")
    assert places(done)[0] == place
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stderr)


def test_a_comment_may_have_any_text(folder):
    text = "# \u4e2d\u6587 \U0001f600 na\xefve\n" + SPEC
    (folder / "words.arch").write_text(text, encoding="utf-8")
    assert run("check", "words.arch").exit_code == 0


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("first", "place"), [("", "3:3"), ("  oops\n", "1:3"), ("# a comment\n", "4:3")]
)
def test_marks_at_the_start_and_ends_of_lines_move_no_column(
    folder, mark, end, first, place
):
    text = mark + (first + WRONG).replace("\n", end)
    (folder / "wrong.arch").write_bytes(text.encode())
    assert places(run("check", "wrong.arch"))[0] == f"wrong.arch:{place}"
    assert places(run("check", "-", given=text.encode()))[0] == f"<stdin>:{place}"
    good = mark + SPEC.replace("\n", end)
    (folder / "good.arch").write_bytes(good.encode())
    plain = run("analyze", "net.arch", "--json").stdout
    assert run("analyze", "good.arch", "--json").stdout == plain
    source = run("compile", "good.arch", "-o", "-").stdout
    assert source == run("compile", "net.arch", "-o", "-").stdout.replace(
        "of net.arch", "of good.arch"
    )


def test_no_line_break_is_needed_at_the_end(folder):
    (folder / "net.arch").write_text(SPEC.rstrip("\n"))
    assert run("check", "net.arch").exit_code == 0


# --- a model that is named ----------------------------------------------------------


def test_check_says_that_the_model_it_is_asked_for_is_not_there():
    assert run("check", "net.arch:net").stdout == "net.arch:net: fine (net)\n"
    done = run("check", "net.arch:nothing")
    assert places(done) == ["net.arch:1:1"]
    assert "net.arch has no model `nothing`" in done.stderr
    assert archdsl.check("net.arch:nothing")[0].code == "E502"


# --- output that cannot be written --------------------------------------------------


@pytest.mark.skipif(not FULL.exists(), reason="needs a full device")
@pytest.mark.parametrize(
    "words",
    [
        ["explain", "E304"],
        ["analyze", "net.arch"],
        ["check", "--format", "json", "net.arch"],
        ["compile", "net.arch", "-o", "/dev/full"],
    ],
)
def test_a_full_device_is_no_traceback(words):
    command = [sys.executable, "-m", "archdsl", *words]
    with FULL.open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: cannot write ")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


# --- sizes --------------------------------------------------------------------------


def test_an_axis_that_no_input_has_is_shown_as_it_was_typed():
    assert "1 | T\n" in run("analyze", "net.arch", "--size", "T").stderr
    assert "1 | T=4\n" in run("analyze", "net.arch", "--size", "T=4").stderr
