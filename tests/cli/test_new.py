"""`new`: starters that are written, never over something, and that all work."""

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import archdsl
from archdsl.cli import cli
from tests.tools import inputs_for, outputs_of

STARTERS = Path(archdsl.__file__).parent / "starters"
KINDS = sorted(path.stem for path in STARTERS.glob("*.arch"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*words: str, code: int = 0):
    done = CliRunner().invoke(cli, ["new", *words])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.stderr
    return done


def test_alone_it_lists_the_kinds():
    rows = [line.split(maxsplit=1) for line in new().stdout.splitlines()]
    assert [row[0] for row in rows if len(row) == 2 and row[0] != "`archdsl"] == KINDS
    assert len(KINDS) >= 11
    assert all(len(line) <= 80 for line in new().stdout.splitlines())


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_checks_without_a_warning_compiles_and_runs(kind, folder):
    new(kind)
    path = folder / f"{kind}.arch"
    assert archdsl.check(path) == ()
    graph = archdsl.parse(path)
    assert graph.name == kind
    model = archdsl.load(path).eval()
    with torch.no_grad():
        results = outputs_of(graph, model(*inputs_for(graph)))
    assert [t.shape[0] for t in results.values()] == [2] * len(graph.results)


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_is_short_and_says_why(kind):
    lines = (STARTERS / f"{kind}.arch").read_text("utf-8").splitlines()
    assert 10 <= len(lines) <= 36
    assert all(len(line) <= 100 for line in lines)
    assert re.fullmatch(r"# [A-Z].*\.", lines[0])
    assert len([line for line in lines if re.match(r" *# ", line)]) >= 3


@pytest.mark.parametrize(
    ("path", "file", "model"),
    [
        ("mine", "mine.arch", "mine"),
        ("mine.arch", "mine.arch", "mine"),
        ("mine.txt", "mine.txt", "cnn"),
        ("Mine.arch", "Mine.arch", "cnn"),
        ("my net.arch", "my net.arch", "cnn"),
        ("stage.arch", "stage.arch", "cnn"),  # the name of its block
        ("conv.arch", "conv.arch", "cnn"),  # an op that it uses
        ("model.arch", "model.arch", "cnn"),  # a word of the language
    ],
)
def test_the_model_is_called_as_the_file_where_that_is_a_name(path, file, model):
    assert new("cnn", path).stdout.startswith(f"{file}: model {model}, ")
    assert archdsl.parse(file).name == model


def test_a_file_is_not_written_over(folder):
    (folder / "cnn.arch").write_text("mine")
    (folder / "link.arch").symlink_to(folder / "nowhere.arch")
    assert "cnn.arch exists" in new("cnn", code=2).stderr
    assert "link.arch exists" in new("cnn", "link", code=2).stderr
    assert (folder / "cnn.arch").read_text() == "mine"
    new("cnn", "--force")
    assert (folder / "cnn.arch").read_text("utf-8").startswith("# Convolutional")
    assert sorted(p.name for p in folder.iterdir()) == ["cnn.arch", "link.arch"]


def test_standard_output():
    text = new("text-cnn", "-").stdout
    assert text == (STARTERS / "text_cnn.arch").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resnets"], "did you mean `resnet`?"),
        (["zzz"], "there are blank, cnn, "),
        (["cnn", "."], "is a folder"),
        (["cnn", "nowhere/net"], "cannot write"),
        (["cnn", "n" * 300], "cannot write"),
    ],
)
def test_what_cannot_be_written_is_refused(words, said, folder):
    assert said in new(*words, code=2).stderr
    assert list(folder.iterdir()) == []


def test_the_next_command_can_be_pasted(folder):
    assert "`archdsl analyze 'my net.arch'`" in new("cnn", "my net.arch").stdout
