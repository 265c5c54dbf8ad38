"""`ops`: the manual of the ops, for a terminal."""

import re

import pytest
from click.testing import CliRunner

from archdsl.backends.manual import chapters, page
from archdsl.cli import cli
from archdsl.ops.base import Op
from archdsl.ops.registry import ops, public_ops

PUBLIC = list(public_ops())


@pytest.fixture(autouse=True)
def plain(monkeypatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def run(*words: str, code: int = 0):
    done = CliRunner().invoke(cli, ["ops", *words])
    assert done.exit_code == code, done.stderr
    return done


def words(text: str) -> str:
    return " ".join(text.split())


def test_all_ops_stand_in_the_chapter_of_their_group():
    text = run().stdout
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.match(r"\w", line):
            found[line] = members = []
        elif row := re.match(r"  (\w+) +\S", line):
            members.append(row[1])
    groups = {g.capitalize(): [op.name for op in ops] for g, ops in chapters().items()}
    assert found == groups
    assert sorted(name for names in found.values() for name in names) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_page_says_what_the_manual_says(name):
    op, said = page(ops()[name]), words(run(name).stdout)
    assert said.startswith(words(op.usage))
    for text in (op.summary, op.about, op.shape, op.cost, op.paper):
        assert words(text) in said
    for argument in op.arguments:
        assert f"{argument.name}: {argument.takes}" in said
        assert words(argument.words) in said
        assert f"default {argument.default}" in said or not argument.default
    for example in op.examples:
        assert words(example.text) in said
        assert f"gives {example.gives}" in said
        assert all(f"with {other}" in said for other in example.others)


def test_no_line_is_longer_than_a_terminal_is_wide():
    lines = [*run().stdout.splitlines(), *run(*PUBLIC).stdout.splitlines()]
    assert len(lines) > 800
    assert [line for line in lines if len(line) > 80] == []


def test_every_op_says_what_it_costs_gives_and_takes():
    for name in PUBLIC:
        op = page(ops()[name])
        assert op.cost and op.shape and op.summary, name
        assert all(a.takes != "a value" and a.words for a in op.arguments), name
        assert all(example.gives for example in op.examples), name


def test_a_shape_that_changes_is_said_to():
    """Of an op without words on it, every example gives the shape that goes in."""
    for name in PUBLIC:
        op = page(ops()[name])
        if op.shape.startswith("The one that goes in"):
            for example in op.examples:
                assert example.text.startswith(f"{example.gives} -> "), name


def test_what_an_op_says_is_not_what_all_ops_say():
    class Silent(Op):
        name = "silent"

    assert page(Silent).cost == ""
    assert page(Silent).examples == ()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("covn", "did you mean `conv`?"),
        ("nn.Conv2d", "here it is `conv`"),
        ("MultiheadAttention", "here it is `attention`"),
        ("permute", "axes have names here"),
        ("zzz", "`archdsl ops` prints them all"),
        ("transposed", "did you mean `conv_transpose`?"),  # no spec can name it
    ],
)
def test_an_unknown_name_is_answered_with_the_right_one(name, hint):
    done = run("relu", name, code=2)
    assert f"no op is called '{name}'" in done.stderr
    assert hint in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "variables", "colored"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
@pytest.mark.parametrize("names", [[], ["conv"]])
def test_it_is_coloured_as_is_asked(monkeypatch, names, options, variables, colored):
    plain = run(*names).stdout
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    text = run(*names, *options).stdout
    assert ("\x1b[" in text) == colored
    assert re.sub(r"\x1b\[[\d;]*m", "", text) == plain
