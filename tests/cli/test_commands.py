"""`check`, `list`, help, versions, colours, and how processes end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import archdsl
from archdsl.cli import cli

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "analyze",
    "check",
    "compare",
    "compile",
    "diff",
    "draw",
    "explain",
    "fmt",
    "list",
    "measure",
    "new",
    "ops",
    "profile",
    "sweep",
    "verify",
    "weights",
]
GOOD = "model net {\n  input x: [B, C = 3]\n  linear(2)\n  output y\n}\n"
WRONG = GOOD.replace("linear(2)", "linaer(2)\n  rellu")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "good.arch").write_text(GOOD)
    (tmp_path / "wrong.arch").write_text(WRONG)
    return tmp_path


def run(*words: str, code: int = 0):
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == code, done.stderr
    return done


def process(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# --- check --------------------------------------------------------------------------


def test_check_names_the_models_of_a_spec_that_is_fine():
    assert run("check", "good.arch").stdout == "good.arch: fine (net)\n"


def test_check_reports_every_error_of_every_file_and_goes_on():
    done = run("check", "wrong.arch", "good.arch", "wrong.arch", code=1)
    assert done.stdout == "good.arch: fine (net)\n"
    assert done.stderr.count("error[E201]") == 4
    assert done.stderr.count("\n2 errors\n") == 2


def test_check_looks_into_every_model(folder):
    text = WRONG + WRONG.replace("net", "other").replace("linaer", "rellu")
    (folder / "two.arch").write_text(text)
    places = re.findall(r"--> (\S+)", run("check", "two.arch", code=1).stderr)
    assert places == [f"two.arch:{place}" for place in ("3:3", "4:3", "9:3", "10:3")]


def test_check_needs_a_file():
    assert "FILE" in run("check", code=2).stderr


def test_every_spec_that_ships_is_fine():
    names = [line.split()[0] for line in run("list").stdout.splitlines()]
    assert len(run("check", *names).stdout.splitlines()) == len(names)


# --- list, help, version ------------------------------------------------------------


def test_list_prints_the_specs_with_their_models():
    lines = run("list").stdout.splitlines()
    names = [line.split()[0] for line in lines]
    assert names == sorted(names)
    shipped = {path.stem for path in (ROOT / "specs").glob("*.arch")}
    assert set(names) == shipped
    assert any(re.fullmatch(r"resnet50 +resnet50", line) for line in lines)


def test_version():
    assert run("--version").stdout == f"archdsl, version {archdsl.__version__}\n"
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{archdsl.__version__}"\n' in text


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_says_how_each_command_is_used(command, option):
    text = run(*filter(None, [command, option])).stdout
    assert text.startswith(" ".join(filter(None, ["Usage: cli", command])))
    assert "--help" in text
    if command is None:
        assert re.findall(r"^  ([a-z]+)  ", text, flags=re.MULTILINE) == COMMANDS


def test_without_a_command_help_is_printed():
    assert "analyze" in run(code=2).stderr


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("chek", "did you mean `check`?"),
        ("analyse", "did you mean `analyze`?"),
        ("complie", "did you mean `compile`?"),
        ("xyz", "try"),
    ],
)
def test_a_command_that_is_nearly_right_is_suggested(word, hint):
    said = run(word, "good.arch", code=2).stderr
    assert f"no command '{word}'" in said
    assert hint in said


# --- colours ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "variables", "colored"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        (["--color", "auto"], {"FORCE_COLOR": "1"}, True),
    ],
)
@pytest.mark.parametrize("command", ["check", "analyze", "compile", "draw"])
def test_errors_are_coloured_as_is_asked(
    monkeypatch, command, words, variables, colored
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = run(command, "wrong.arch", *words, code=1).stderr
    assert ("\x1b[" in said) == colored
    plain = re.sub(r"\x1b\[[\d;]*m", "", said)
    assert plain.startswith("error[E201]: nothing is called `linaer`\n")


def test_colour_must_be_one_of_three():
    assert "'always'" in run("check", "good.arch", "--color", "yes", code=2).stderr


def test_results_are_never_coloured(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    for words in (["analyze", "good.arch"], ["compile", "good.arch", "-o", "-"]):
        assert "\x1b" not in run(*words).stdout


# --- processes ----------------------------------------------------------------------


@pytest.mark.parametrize("start", [["-m", "archdsl"], [str(ROOT / "cli.py")]])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["check", "good.arch"], 0),
        (["check", "wrong.arch"], 1),
        (["analyze", "wrong.arch"], 1),
        (["check", "missing.arch"], 2),
        (["analyze", "good.arch:other"], 2),
        (["chekc"], 2),
    ],
)
def test_a_process_ends_with_0_1_or_2(start, words, code):
    done = process(*start, *words)
    assert done.returncode == code
    assert bool(done.stderr) == (code > 0)
    assert bool(done.stdout) == (code == 0)
    assert "Traceback" not in done.stderr


def test_help_of_a_process_is_of_archdsl():
    assert process("-m", "archdsl", "--help").stdout.startswith("Usage: archdsl ")


@pytest.mark.parametrize(
    "words", ["ops", "analyze swin_b --depth 0", "compile swin_t -o -"]
)
def test_nothing_is_said_when_nobody_reads_on(words):
    command = f"{sys.executable} {ROOT / 'cli.py'} {words} | true"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_a_name_with_letters_that_the_terminal_has_not_is_printed(folder):
    (folder / "net.arch").write_text("# \xe9\n" + GOOD.replace("2)", "2) \u2192 relu"))
    done = process(
        str(ROOT / "cli.py"), "check", "net.arch", PYTHONIOENCODING="ascii", LC_ALL="C"
    )
    assert done.returncode == 1
    assert "error[" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_goes_on_after_a_file_that_is_not_there(tmp_path):
    good, wrong = tmp_path / "good.arch", tmp_path / "wrong.arch"
    good.write_text("block f { relu }\n")
    wrong.write_text("block f { relu\n")
    missing = str(tmp_path / "missing.arch")
    done = run("check", str(wrong), missing, str(good), code=2)
    assert "E106" in done.stderr and "missing.arch" in done.stderr
    assert "good.arch: fine" in done.stdout


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("H=3,H=4", "H is given twice"),
        ("H=none", "`none` is a word of the language"),
        ("H=0", "with N at least 1"),
    ],
)
def test_a_size_is_given_once_and_is_a_size(size, words):
    assert words in run("analyze", "resnet18", "--size", size, code=2).stderr
