"""The fuzzer itself: a short run of it, and that it would notice what it looks for."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from archdsl.diagnostics import Diagnostic, Note
from archdsl.diagnostics.faults.arguments import NoFlow
from archdsl.ir.graph import Call, Graph
from archdsl.source import Source, Span
from tests.fuzz import judge as judges
from tests.fuzz import pool
from tests.fuzz.cases import SHARES, Case, case
from tests.fuzz.judge import Verdict, judge, kind
from tests.fuzz.report import table, unreached, written
from tests.fuzz.shrink import shrunk
from tests.tools import examples

MODEL = "model m {\n  input x: [B, C = 8, T]\n  relu\n  output y\n}\n"


def test_no_input_of_a_short_run_is_a_violation() -> None:
    tally = pool.run_batch(0, range(examples(300)))
    assert tally.violations == {}
    assert tally.outcomes["fine"] > 0.1 * tally.total
    assert {way for way, _ in tally.ways} == set(SHARES)
    assert len(tally.codes) > 30


def test_an_input_is_made_of_its_seed_and_number_alone() -> None:
    assert [case(3, i) for i in range(50)] == [case(3, i) for i in range(50)]
    assert case(3, 7).text != case(4, 7).text


# --- what is looked for is found ----------------------------------------------------


def test_another_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_graph: object) -> None:
        raise KeyError("relu")

    assert judge(Case("", MODEL)).outcome == "fine"
    monkeypatch.setattr(judges, "report", fails)
    assert kind(judge(Case("", MODEL)).violation).startswith("KeyError in")
    assert judge(Case("", "model m {")).violation == ""


def test_a_module_that_is_no_python_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "write", lambda *_: "x = (\n")
    assert "no Python" in judge(Case("", MODEL)).violation


@pytest.mark.parametrize(
    ("start", "end", "words"), [(3, 900, "x"), (-1, 2, "x"), (3, 2, "x"), (0, 1, " ")]
)
def test_places_and_messages_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, start: int, end: int, words: str
) -> None:
    source = Source("a", "relu\n")
    right = Diagnostic(NoFlow("x"), Span(source, 0, 1), (Note("said"),))
    monkeypatch.setattr(judges, "check", lambda _: (right,))
    assert judge(Case("", MODEL)).violation == ""
    note = Note(words, Span(source, start, end))
    wrong = Diagnostic(NoFlow("x"), right.span, (note,))
    monkeypatch.setattr(judges, "check", lambda _: (wrong,))
    assert judge(Case("", MODEL)).violation


def _loops(_graph: object) -> None:
    while True:
        pass


def _grows(found: Case) -> Verdict:
    """Judges all inputs but one, for which it takes all memory."""
    held = []
    while found == case(0, 5):
        held.append(bytearray(1 << 24))
    return judge(found)


def _grown(found: Case) -> Verdict:
    try:
        return _grows(found)
    except MemoryError:
        return Verdict("violation", violation="out of memory")


def _dies(found: Case) -> Verdict:
    """Judges all inputs but one, which ends its process."""
    if found == case(0, 20):
        os._exit(3)
    return judge(found)


def test_a_loop_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "report", _loops)
    start = time.process_time()
    assert judge(Case("", MODEL), seconds=0.2).violation == "more than 0.2 s"
    assert time.process_time() - start < 2


@pytest.mark.slow
def test_workers_survive_what_ends_them() -> None:
    tally = pool.Pool(0, range(40), 2, _dies).run(lambda _: None)
    assert tally.total == 40
    assert tally.violations == {20: "died with 3"}


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    tally = pool.Pool(0, range(10), 1, _grown).run(lambda _: None)
    assert tally.total == 10
    assert tally.violations == {5: "out of memory"}


# --- small and written --------------------------------------------------------------


def test_a_violation_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(graph: object) -> None:
        if "silu" in {node.payload.name for node in graph if node.inputs}:  # type: ignore[attr-defined]
            raise KeyError

    monkeypatch.setattr(judges, "report", fails)
    text = "# head\n" + MODEL.replace("relu", "relu -> silu -> gelu\n  tanh as t")
    text = text.replace("model m", "model m(n = 8)")
    found = Case("", text, {"n": "1"}, {"T": 3}, ("y",))
    small = shrunk(found, judge(found).violation)
    assert "silu" in small.text
    assert not {"gelu", "tanh", "relu", "head"} & set(small.text.split())
    assert (small.settings, small.sizes, small.outputs) == ({}, {}, ())


def test_two_files_are_judged_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(graph: Graph) -> None:
        if any(isinstance(node.payload, Call) for node in graph):
            raise KeyError

    monkeypatch.setattr(judges, "report", fails)
    lib = "block b { relu -> silu }\nblock other { gelu }\n"
    text = "use lib (b, other)\n" + MODEL.replace("relu", "b -> other")
    found = Case("", text, lib=lib)
    small = shrunk(found, judge(found).violation)
    assert small.lib == "block b{}\nblock other{}"  # named by the other file
    assert judge(replace(found, lib="")).outcome == "semantic"


def test_the_table_goes_into_a_page(tmp_path) -> None:
    tally = pool.run_batch(0, range(30))
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- written by tests/fuzz -->\nold\n<!-- end -->\nb\n")
    for _ in range(2):
        written(page, table(tally, 0, range(30)), unreached(tally))
    text = page.read_text()
    assert text.startswith("a\n<!--")
    assert text.endswith("end -->\nb\n")
    assert "old" not in text
    assert text.count("| all | ") == 1
    assert "Inputs 0 to 29 of seed 0" in text
