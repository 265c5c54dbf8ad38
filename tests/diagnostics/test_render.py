"""How errors look: marks on lines that are long, wide, tabbed or several."""

from __future__ import annotations

import re

import pytest

from archdsl.diagnostics import Diagnostic, Note
from archdsl.diagnostics.faults.arguments import BadArithmetic
from archdsl.diagnostics.lints import UselessAllow
from archdsl.diagnostics.render import counted, render
from archdsl.diagnostics.snippet import columns
from archdsl.source import Source, Span


def at(text: str, start: int, end: int, notes=(), label="here", mend="") -> Diagnostic:
    source = Source("a.arch", text)
    made = tuple(Note(words, Span(source, s, e)) for words, s, e in notes)
    return Diagnostic(
        BadArithmetic("wrong", label, mend), Span(source, start, end), made
    )


def shown(found: Diagnostic, width: int = 60) -> list[str]:
    """The lines below the place."""
    return render([found], width=width).splitlines()[2:]


def under(rows: list[str], sign: str = "^") -> str:
    """The characters of the line above the first row of marks that stand over them."""
    number = next(i for i, row in enumerate(rows) if sign in row.partition("|")[2])
    start = rows[number].index(sign, rows[number].index("|"))
    size = len(re.match(re.escape(sign) + "+", rows[number][start:])[0])
    above = next(r for r in reversed(rows[:number]) if not r.startswith(" "))
    found, column = "", 0
    for character in above:
        if start <= column < start + size and (found or columns(character)):
            found += character
        column += columns(character)
    return found


def test_one_line():
    assert shown(at("abc def\n", 4, 7)) == ["  |", "1 | abc def", "  |     ^^^ here"]


def test_an_empty_place_has_one_caret():
    assert shown(at("ab\ncd\n", 2, 2))[-1] == "  |   ^ here"
    assert shown(at("", 0, 0)) == ["  |", "1 |", "  | ^ here"]


def test_several_lines_show_the_first_and_the_last():
    text = "f([\n  a,\n  b,\n  c,\n])\n"
    assert shown(at(text, 1, len(text) - 1)) == [
        "  |", "1 | f([", "  |  ^^", "...", "5 | ])", "  | ^^ here"
    ]  # fmt: skip


def test_a_line_between_two_that_are_shown_is_shown_too():
    text = "f(\n  a\n)\n"
    assert shown(at(text, 0, len(text) - 1)) == [
        "  |", "1 | f(", "  | ^^", "2 |   a", "3 | )", "  | ^ here"
    ]  # fmt: skip


def test_the_line_break_at_the_end_of_a_place_adds_no_line():
    assert shown(at("ab\ncd\n", 0, 3)) == ["  |", "1 | ab", "  | ^^ here"]


def test_a_second_place_is_shown_with_its_line():
    text = "".join(f"line{i}\n" for i in range(1, 13))
    found = at(text, text.index("line10"), text.index("line10") + 6, [("there", 0, 4)])
    assert shown(found) == [
        "   |",
        " 1 | line1",
        "   | ---- there",
        "...",
        "10 | line10",
        "   | ^^^^^^ here",
    ]


def test_a_second_place_on_the_same_line_stands_below_the_first():
    found = at("abc def\n", 4, 7, [("there", 0, 3)])
    assert shown(found) == [
        "  |", "1 | abc def", "  |     ^^^ here", "  | --- there"
    ]  # fmt: skip


def test_a_place_of_another_file_or_of_a_call_is_told_in_words():
    other = Span(Source("b.arch", "x\ny\n"), 2, 3)
    found = at("abc\n", 0, 3)
    notes = (Note("there", other), Note("called", found.span._replace(end=1), False))
    rows = shown(Diagnostic(found.fault, found.span, (*notes, Note("so"))))
    assert rows[3:] == [
        "  |",
        "  note: there at b.arch:2:1",
        "  note: called at a.arch:1:1",
        "  note: so",
    ]


@pytest.mark.parametrize(
    "before", ["\t\t", "ab\t", "漢字", "e\u0301", "\u200b", "가 \t漢"]
)
@pytest.mark.parametrize("word", ["def", "漢字", "a\tb"])
def test_marks_stand_under_what_they_mark(before, word):
    text = f"{before}{word} x\n"
    rows = shown(at(text, len(before), len(before) + len(word)))
    assert under(rows) == word.replace("\t", "    ")


@pytest.mark.parametrize("fill", ["x", "漢", "\t", "é ", "\u0301"])
@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize(("left", "right"), [(0, 500), (30, 500), (500, 0), (500, 500)])
def test_a_long_line_is_cut_around_the_mark(fill, width, left, right):
    text = fill * left + "WORD" + fill * right + "\n"
    start = text.index("WORD")
    rows = shown(at(text, start, start + 4), width)
    assert under(rows) == "WORD"
    assert all(columns(row) <= width for row in rows)
    shown_text = rows[1].partition("| ")[2]
    if left != 30:
        assert shown_text.startswith("…") == (left > 0)
        assert shown_text.endswith("…") == (right > 0)


def test_marks_far_apart_on_a_long_line_have_each_their_part():
    text = "LEFT" + "x" * 500 + "RIGHT\n"
    rows = shown(at(text, 504, 509, [("there", 0, 4)]))
    assert under(rows) == "RIGHT"
    assert under(rows, "-") == "LEFT"
    assert [row[0] for row in rows] == list(" 1  1 ")


def test_a_label_that_does_not_fit_stands_below():
    label = "many words " * 4 + "end"
    rows = shown(at("x" * 50 + " here\n", 51, 55, label=label))
    assert rows[2].endswith("^^^^")
    assert rows[3].partition("|")[2].strip() == label
    assert all(len(row) <= 60 for row in rows)


def test_helps_and_labels_are_filled():
    rows = shown(at("abc\n", 0, 3, label="word " * 30, mend="do this " * 20), 60)
    assert all(len(row) <= 60 for row in rows)
    start = rows.index(next(r for r in rows if r.startswith("  help: ")))
    rest = rows[start + 1 :]
    assert rest and all(row.startswith(("        do", "        this")) for row in rest)


def test_plain_text_has_no_colours_and_colours_change_nothing_else():
    found = at("a\n\tbc\nd\n", 3, 5, [("there", 0, 1)], mend="so")
    plain, colored = render([found]), render([found], color=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == plain


def test_what_a_terminal_would_obey_is_never_printed():
    found = at("a\x1b[31m\x07\n", 0, 1, [("\x1b]8;;x\x07", 1, 2)], "\x1b", "\x9b")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", render([found]))


def test_errors_and_warnings_are_counted_each():
    error = at("x\n", 0, 1)
    warning = Diagnostic(UselessAllow("W101", "no"), error.span)
    assert counted([error]) == "1 error"
    assert counted([error, error, at("x\n", 0, 1), warning]) == "2 errors, 1 warning"
    assert counted([warning, Diagnostic(UselessAllow("W102", "no"), error.span)]) == (
        "2 warnings"
    )
