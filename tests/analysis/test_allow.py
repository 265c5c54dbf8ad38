"""Warnings that comments and options allow."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import archdsl
from archdsl.analysis.lints import allow
from archdsl.analysis.lints.allow import allowed, selected
from archdsl.cli import cli
from archdsl.diagnostics import Diagnostic, Lint
from archdsl.diagnostics.faults.names import UnknownName
from archdsl.source import Source, Span
from archdsl.syntax.comments import comments

GOOD = "model net {\n  input x: [B, C = 3]\n  linear(2)\n  output y\n}\n"


class First(Lint):
    """The first rule."""

    code = "W181"
    title = "first"


class Second(Lint):
    """The second rule."""

    code = "W282"
    title = "second"


@pytest.fixture(autouse=True)
def rules(monkeypatch) -> None:
    monkeypatch.setattr(allow, "warnings", lambda: ["W100", "W181", "W282"])


def left(text: str, *patterns: str, rules: tuple[type[Lint], ...] = (First, Second)):
    """Code and line of what is left of a warning of each rule on each ``!``."""
    source = Source("a.arch", text)
    places = [i for i, character in enumerate(text) if character == "!"]
    found = [
        Diagnostic(rule(), Span(source, i, i + 1)) for i in places for rule in rules
    ]
    kept = allowed(found, source, patterns)
    return [f"{d.code}:{d.span.line}" for d in kept]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("!\n", ["W181:1", "W282:1"]),
        ("! # allow W181\n", ["W282:1"]),
        ("! # allow W181, W282\n", []),
        ("! # allow W181 W282: both are meant\n", []),
        ("! # allow W181,W282\n", []),
        ("! # why not # allow W181\n", ["W282:1"]),
        ("! #allow   W181 # more\n", ["W282:1"]),
        ("!\n# allow W181\n!\n", ["W181:1", "W282:1", "W282:3"]),
        ("# allow W181\n\n  # words\n# allow W282: so\n\n!\n!\n", ["W181:7", "W282:7"]),
        ("a # allow W181\n!\n", ["W181:2", "W282:2", "W100:1"]),
        ("! # allow w181\n", ["W282:1"]),
        ("! # Allow W181\n", ["W282:1"]),
        ("! # allow the model to grow\n", ["W181:1", "W282:1"]),
        ("! # disallow W181\n", ["W181:1", "W282:1"]),
        ('! "# allow W181"\n', ["W181:1", "W282:1"]),
        ('! "a" # allow W181, W282\n', []),
        ('! "never closed # allow W181\n', ["W181:1", "W282:1"]),
        ("(\n!,  # allow W181, W282\n)\n", []),
        ("\ufeff# allow W181\n!", ["W282:2"]),
        ("!\r\n# allow W181\r\n!\r\n", ["W181:1", "W282:1", "W282:3"]),
    ],
)
def test_a_comment_allows_what_it_names_where_it_stands(text, kept):
    assert left(text) == kept


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a # allow W181\n", ["no W181 on the line it is about"]),
        ("a # allow W181 W282\n", ["no W181", "no W282"]),
        ("a\n# allow W181\n", ["no W181 below it"]),
        ("a # allow W999\n", ["no warning has the code `W999`"]),
        ("a # allow W181 because of that\n", ["no W181", "the code `because`"]),
        ("a # allow E301\n", ["E301 is an error"]),
        ("a # allow W181, W100: kept\n", []),
    ],
)
def test_a_comment_that_allows_nothing_is_odd(text, words):
    source = Source("a.arch", text)
    found = allowed([], source)
    assert [d.code for d in found] == ["W100"] * len(words)
    assert all(w in d.fault.message() for w, d in zip(words, found, strict=True))
    assert all(d.span.text.isalnum() for d in found)
    assert allowed([], source, ["W100"]) == ()


def test_errors_are_never_allowed_and_make_no_comment_odd():
    source = Source("a.arch", "! # allow E201, W181\n")
    error = Diagnostic(UnknownName("a"), Span(source, 0, 1))
    assert allowed([error], source, ["all"]) == (error,)


def test_a_file_that_is_used_has_its_own_comments():
    other = Source("b.arch", "! # allow W181\n! # allow W282\n")
    found = [Diagnostic(First(), Span(other, i, i + 1)) for i in (0, 15)]
    # The idle comment is told where that file is checked.
    assert allowed(found, Source("a.arch", "")) == (found[1],)


@pytest.mark.parametrize(
    ("patterns", "codes"),
    [
        ((), set()),
        (("W181",), {"W181"}),
        (("w181",), {"W181"}),
        (("W1",), {"W100", "W181"}),
        (("W181,W282",), {"W181", "W282"}),
        (("W181", "W2 W1"), {"W100", "W181", "W282"}),
        (("all",), {"W100", "W181", "W282"}),
    ],
)
def test_patterns_stand_for_codes(patterns, codes):
    assert selected(patterns) == codes
    expected = [f"{c}:1" for c in ("W181", "W282") if c not in codes]
    assert left("!\n", *patterns) == expected


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [("E301", "E301 is an error"), ("W9", "no warning"), ("W1811", "did you mean")],
)
def test_a_pattern_of_no_warning_is_refused(pattern, problem):
    with pytest.raises(ValueError, match=problem):
        archdsl.check(GOOD, allow=[pattern])


def test_comments_are_found_with_the_line_they_are_about():
    text = 'a # one\n# two\n"# no" b # three\n\n# four\n'
    found = [(c.span.text, c.line) for c in comments(Source("a", text))]
    assert found == [("# one", 1), ("# two", 3), ("# three", 3), ("# four", 0)]


# --- commands -----------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    text = GOOD.replace("(2)", "(2)  # allow W282")
    (tmp_path / "a.arch").write_text(text)
    return text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 0, True),
        (["--strict"], 1, True),
        (["--allow", "W100"], 0, False),
        (["--allow", "W1", "--strict"], 0, False),
        (["--allow", "W282,all", "--strict"], 0, False),
        (["--allow", "W2", "--strict"], 1, True),
    ],
)
def test_options_allow_warnings_or_let_them_fail(spec, words, code, said):
    done = CliRunner().invoke(cli, ["check", "a.arch", *words])
    assert done.exit_code == code
    assert ("warning[W100]" in done.stderr) == said
    assert (done.stdout == "a.arch: fine (net)\n") == (code == 0)
    assert [d.code for d in archdsl.check(spec)] == ["W100"]
    assert archdsl.check(spec, allow=["W100"]) == ()


@pytest.mark.parametrize("word", ["E301", "W9", "nothing"])
def test_an_option_for_no_warning_is_wrong_usage(spec, word):
    done = CliRunner().invoke(cli, ["check", "a.arch", "--allow", word])
    assert done.exit_code == 2
    assert "--allow" in done.stderr
    assert done.stdout == ""


def test_warnings_and_errors_are_counted(tmp_path):
    text = GOOD.replace("linear(2)", "linear(2) # allow W282, W181")
    (tmp_path / "a.arch").write_text(text)
    done = CliRunner().invoke(cli, ["check", str(tmp_path / "a.arch")])
    assert done.stderr.endswith("\n2 warnings\n")
