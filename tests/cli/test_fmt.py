"""`archdsl fmt`: what it writes, prints and leaves alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import archdsl
from archdsl.cli import cli

UGLY = "model m {\n input x:[B,C=3]  # in\r\n\n\n\n  linear( 4 )->relu\noutput y }\n"
FINE = """model m {
  input x: [B, C = 3]  # in

  linear(4) -> relu
  output y
}
"""
WRONG = "model m {\n  linear(4\n}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ugly.arch").write_text(UGLY, newline="")
    (tmp_path / "fine.arch").write_text(FINE)
    return tmp_path


def run(*words: str, code: int = 0, given: str | bytes = ""):
    result = CliRunner().invoke(cli, ["fmt", *words], input=given)
    assert result.exit_code == code, result.output
    return result


def test_files_are_written_where_something_changes(folder):
    before = (folder / "fine.arch").stat().st_mtime_ns
    time.sleep(0.01)
    assert run("ugly.arch", "fine.arch").stdout == "ugly.arch: formatted\n"
    assert (folder / "ugly.arch").read_bytes() == FINE.encode()
    assert (folder / "fine.arch").stat().st_mtime_ns == before
    assert archdsl.format(UGLY) == FINE


def test_standard_input_goes_to_standard_output():
    assert run("-", given=UGLY).stdout == FINE
    assert run("-", "--check", code=1, given=UGLY).stdout.startswith("<stdin>: would")
    assert (
        "e.arch:2" in run("-", "--stdin-filename", "e.arch", code=1, given=WRONG).stderr
    )


def test_check_and_diff_write_nothing(folder):
    said = run("ugly.arch", "fine.arch", "--check", code=1)
    assert said.stdout == "ugly.arch: would be formatted\n"
    shown = run("ugly.arch", "fine.arch", "--diff").stdout
    assert shown.startswith("--- ugly.arch\n+++ ugly.arch (formatted)\n")
    assert "+  linear(4) -> relu\n" in shown and "fine" not in shown
    assert run("ugly.arch", "--diff", "--check", code=1).stdout == shown
    assert (folder / "ugly.arch").read_bytes() == UGLY.encode()


def test_a_folder_is_all_its_specs(folder):
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for path in (inner / "one.arch", inner / "two.txt", folder / ".hidden" / "x.arch"):
        path.write_text(UGLY)
    said = run(".").stdout
    assert said == "ugly.arch: formatted\na/b/one.arch: formatted\n"


def test_a_file_with_errors_stays_as_it_is(folder):
    (folder / "wrong.arch").write_text(WRONG)
    said = run("wrong.arch", "ugly.arch", code=1)
    assert "error[E106]" in said.stderr and said.stdout == "ugly.arch: formatted\n"
    assert (folder / "wrong.arch").read_text() == WRONG


def test_what_is_no_text_is_not_touched(folder):
    data = b"# caf\xe9\n" + FINE.encode()
    (folder / "latin.arch").write_bytes(data)
    assert "latin.arch: not UTF-8 text" in run("latin.arch", code=2).stderr
    assert (folder / "latin.arch").read_bytes() == data
    assert "none.arch: No such file" in run("none.arch", code=2).stderr


def test_the_end_of_a_file_without_a_line_break_is_shown(folder):
    (folder / "end.arch").write_text(FINE.rstrip("\n"))
    assert "\\ No newline at end of file\n+}\n" in run("end.arch", "--diff").stdout
