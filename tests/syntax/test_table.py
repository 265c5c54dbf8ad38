"""The grammar and the table made of it."""

from __future__ import annotations

import logging
import os
import pathlib

import lark
import pytest

from archdsl.syntax.actions import LISTS, NODES
from archdsl.syntax.table import compile_grammar, grammar, table, text_of

LARK = pathlib.Path(str(grammar() / "arch.lark"))


def test_the_table_is_of_the_grammar() -> None:
    made = text_of(compile_grammar(LARK.read_text(encoding="utf-8")))
    kept = LARK.with_suffix(".json")
    if os.environ.get("ARCHDSL_UPDATE"):
        kept.write_text(made, encoding="utf-8")
    assert kept.read_text(encoding="utf-8") == made


def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    """Lark resolves a conflict silently, unless it is asked to say so."""

    def conflicts(text: str) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
            lark.Lark(text, parser="lalr", start="file", debug=True)
        return [r.message for r in caplog.records if "conflict" in r.message.lower()]

    assert conflicts('file: a\na: "x" | a "+" a')  # this test can fail
    assert not conflicts(LARK.read_text(encoding="utf-8"))


def test_every_rule_makes_something() -> None:
    actions = {action for _, action, _ in table().rules if action}
    assert actions == NODES.keys() | LISTS.keys()
    assert not NODES.keys() & LISTS.keys()
