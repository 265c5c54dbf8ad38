"""`archdsl explain`."""

import pytest
from click.testing import CliRunner

from archdsl.cli import cli
from archdsl.diagnostics.catalogue import classes, title


def run(*words: str, code: int = 0):
    done = CliRunner().invoke(cli, ["explain", *words])
    assert done.exit_code == code, done.stderr
    return done


def test_without_a_code_all_are_listed():
    lines = run().stdout.splitlines()
    assert [line[:4] for line in lines] == list(classes())
    assert lines[0].split(maxsplit=2)[1:] == ["error", title("E101")]
    assert any(line.startswith("W100  warning") for line in lines)


@pytest.mark.parametrize("code", ["E301", "e301"])
def test_a_code_is_explained_with_a_wrong_and_a_right_example(code):
    text = run(code).stdout
    assert text.startswith(f"E301: {title('E301')}\n\n")
    wrong, right = text.index("Wrong:\n\n    model"), text.index("Right:\n\n    model")
    assert 0 < wrong < text.index("window = 7") < right < text.index("window = 5")
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "```" not in text


@pytest.mark.parametrize("code", list(classes()))
def test_every_code_is_explained(code):
    assert run(code).stdout.startswith(f"{code}: ")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("E399", "did you mean `E309`?"),
        ("E60", "these begin so: E601, E602"),
        ("window", "`archdsl explain` lists them"),
        ("", "these begin so: E101"),
        ("E" * 5000, "lists them"),
    ],
)
def test_an_unknown_code_is_wrong_usage(code, hint):
    done = run(code, code=2)
    assert hint in done.stderr
    assert done.stdout == ""
