"""`docs/accuracy.md`: archdsl equals the closed forms, and every sum there is right."""

import re

import pytest

from benchmarks import accuracy, closed

PAGE = accuracy.PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([^:]+): (.*?)(?=^##|\Z)", PAGE, flags=re.M | re.S))


@pytest.mark.parametrize("key", accuracy.MODELS)
def test_archdsl_says_what_the_closed_form_says(key):
    model = accuracy.MODELS[key]
    assert accuracy.ours(model) == closed.macs(model.amounts())


@pytest.mark.parametrize("key", accuracy.MODELS)
def test_the_page_has_the_exact_count_and_every_difference_adds_up(key):
    model = accuracy.MODELS[key]
    exact = closed.macs(model.amounts())
    section = SECTIONS[model.title]
    assert section.startswith(f"{exact:,} MACs")
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \| (.+?) \| (.+) \|$", section, re.M)
    assert rows
    for _, said, off, why in rows:
        count = exact
        for sign, share in re.findall(r"([−+]) [^()]*\(([\d,]+)\)", why):
            amount = int(share.replace(",", ""))
            count += amount if sign == "+" else -amount
        assert count == int(said.replace(",", ""))
        assert off == accuracy.percent(count, exact)
    assert accuracy.UNEXPLAINED not in section


def test_what_is_not_explained_is_said():
    amounts = {"convs": 10, "norms": 3}
    assert accuracy.explained(amounts, "+2norms", 6) == (
        "+ 2 × numbers that norms give (6)"
    )
    assert accuracy.explained(amounts, "-convs", -9) == (
        f"− convolutions (10) {accuracy.UNEXPLAINED} (+1)"
    )


def test_missing_counters_are_left_out_and_nothing_is_written(tmp_path, monkeypatch):
    counts = {
        key: {"fvcore": closed.macs(model.amounts()), "thop": "missing: thop"}
        for key, model in accuracy.MODELS.items()
    }
    found = accuracy.Counts({"torch": "2", "thop": None}, counts, {"vit_b16": {}})
    assert not accuracy.complete(found)
    text = accuracy.page(found)
    assert "| fvcore | exact | exact | exact | exact | exact | exact |" in text
    assert "| thop | missing | missing |" in text
