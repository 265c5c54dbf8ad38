"""Tables in each of their forms."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.analysis.tables import Column, Table, collapsed, markdown, shown, text
from archdsl.analysis.tables import csv as as_csv

TABLE = Table(
    "costs",
    "Costs",
    (
        Column("layer", "layer"),
        Column("params", "params", "exact"),
        Column("macs", "MACs", "short"),
        Column("saved_bytes", "saved", "bytes"),
        Column("seconds", "time", "seconds"),
    ),
    (
        ("a.conv", 1234, 4_490_566_656, 107, 0.00123),
        ("b|c", 7, "H*W", None, 2.5),
    ),
    ("for a batch of 1",),
)


def test_text_is_aligned_and_says_what_is_missing():
    assert text(TABLE) == (
        "Costs\n"
        "layer   params     MACs  saved     time\n"
        "a.conv   1,234  4.491 G  107 B  1.23 ms\n"
        "b|c          7      H*W      -    2.5 s\n"
        "\n"
        "for a batch of 1"
    )


def test_markdown_escapes_what_would_part_cells():
    assert markdown([TABLE]).splitlines() == [
        "### Costs",
        "",
        "| layer | params | MACs | saved | time |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| a.conv | 1,234 | 4.491 G | 107 B | 1.23 ms |",
        "| b\\|c | 7 | H\\*W | - | 2.5 s |",
        "",
        "for a batch of 1",
    ]


def test_values_for_programs_are_whole_and_named_by_keys():
    first, second = csv.DictReader(io.StringIO(as_csv([TABLE])))
    assert first == {
        "layer": "a.conv", "params": "1234", "macs": "4490566656",
        "saved_bytes": "107", "seconds": "0.00123",
    }  # fmt: skip
    assert second["saved_bytes"] == ""
    assert as_csv([TABLE, TABLE]) == as_csv([TABLE]) + "\n" + as_csv([TABLE])


@pytest.mark.parametrize(
    ("cell", "form", "words"),
    [
        (0, "short", "0"),
        (999, "short", "999"),
        (28_288_354, "bytes", "28.29 MB"),
        (113, "bytes", "113 B"),
        (0.12345, "ratio", "0.123"),
        (12, "ratio", "12"),
        (0.000_000_5, "seconds", "500 ns"),
        (0.0, "seconds", "0"),
        (None, "exact", "-"),
        (1234.5678, "short", "1.235 k"),
        (3, "text", "3"),
    ],
)
def test_a_cell_is_shown_as_its_column_says(cell, form, words):
    assert shown(cell, form) == words


def test_a_long_formula_is_cut_and_the_table_says_where_it_is_whole():
    long = " + ".join(f"{n}*H*W**{n}" for n in range(2, 30))
    table = Table("t", "", (Column("macs", "MACs", "short"),), ((long,),))
    assert max(map(len, text(table).splitlines()[:2])) <= 36
    assert text(table).endswith("--json prints all of it")
    assert long in as_csv([table])
    assert long.replace("*", "\\*") in markdown([table])


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_any_words_come_back_from_comma_separated_values(rows):
    # A lone carriage return counts as a line break to every reader of such files.
    rows = [tuple(w.replace("\r", "") for w in row) for row in rows]
    table = Table("t", "", (Column("a", "a"), Column("b", "b")), tuple(rows))
    found = list(csv.reader(io.StringIO(as_csv([table]), newline="")))
    assert [tuple(row) for row in found[1:]] == rows


def test_paths_collapse_to_their_first_names():
    assert collapsed("stage.2.block.norm", 2) == "stage.2"
    assert collapsed("stage.2.block.norm", 0) == "stage.2.block.norm"
    assert collapsed("linear", 2) == "linear"


def test_a_large_ratio_is_written_out():
    assert shown(687_496.4, "ratio") == "687,496"
    assert shown(0.12345, "ratio") == "0.123"
    assert shown(999.6, "ratio") == "1,000"


def test_a_table_without_rows_is_its_notes():
    assert text(replace(TABLE, rows=())) == "Costs\n\nfor a batch of 1"
