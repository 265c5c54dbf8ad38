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


# --- equal layers --------------------------------------------------------------------


def _layered(*rows: tuple[str, int]) -> list[str]:
    columns = (Column("layer", "layer"), Column("params", "params", "exact"))
    lines = text(Table("layers", "", columns, rows)).split("\n")[1:]
    return [" ".join(line.split()) for line in lines]


def test_equal_layers_in_running_order_are_one_row() -> None:
    rows = [
        ("stem", 1),
        *((f"stage.0.layer.{i}", 7) for i in range(3, 15)),
        ("head", 2),
    ]
    assert _layered(*rows) == [
        "stem 1",
        "stage.0.layer.3 to 14, each 7",
        "head 2",
    ]


def test_layers_of_several_rows_are_folded_together() -> None:
    rows = [row for i in range(4) for row in ((f"x.{i}.norm_2", 5), (f"x.{i}.mlp", 7))]
    assert _layered(*rows) == [
        "x.(0 to 3).norm_2, each 5",
        "x.(0 to 3).mlp, each 7",
    ]


def test_what_differs_or_does_not_run_stays() -> None:
    few = [(f"x.{i}", 7) for i in range(3)]
    gap = [(f"x.{i}", 7) for i in (0, 1, 3, 4)]
    names = [(f"x{i}", 7) for i in range(9)]  # no number of their own
    figures = [(f"x.{i}", i % 2) for i in range(9)]
    outer = [(f"x.{i}.y.0", 7) for i in range(9)]  # another y.0 in each
    for rows in (few, gap, names, figures, outer):
        assert len(_layered(*rows)) == len(rows)


def test_programs_get_every_row() -> None:
    columns = (Column("layer", "layer"), Column("params", "params", "exact"))
    table = Table("layers", "", columns, tuple((f"x.{i}", 7) for i in range(20)))
    assert len(as_csv([table]).splitlines()) == 21
    assert "x.0 to 19, each" in markdown([table])


def test_a_column_of_formulas_stands_to_the_left() -> None:
    columns = (Column("name", "name"), Column("macs", "MACs", "short"))
    rows = (("a", "D*T*C"), ("b", "2*T"), ("c", None))
    assert text(Table("t", "", columns, rows)).split("\n") == [
        "name  MACs",
        "a     D*T*C",
        "b     2*T",
        "c     -",
    ]
