"""The grammar as a table: what a parser does in each state, and how words look.

Lark turns `grammars/arch.lark` into an LALR(1) table. That takes 0.2 s with the
import of Lark, ten times as long as a spec takes to parse, so the table lies beside
the grammar as `arch.json`, plain data and safe to read, with the grammar's digest.
Where the two do not fit, the table is made anew in memory. After a change of the
grammar run ``ARCHDSL_UPDATE=1 pytest tests/syntax``, which compares the two.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark
    from lark.grammar import Rule

END = "$END"


@dataclass(frozen=True)
class Table:
    """An LALR(1) table.

    `states` gives for each state and symbol where to go: a state for a terminal that
    is shifted and for a rule that was reduced, ``~rule`` for a reduction.
    """

    digest: str
    patterns: dict[str, str]  # regular expressions of words, in order of trial
    symbols: dict[str, str]  # the text of a sign or keyword -> its terminal
    ignored: list[str]
    rules: list[tuple[str, str, int]]  # origin, action ("" passes the value on), size
    states: list[dict[str, int]]


def grammar() -> Traversable:
    """The folder of the grammar and its table."""
    return files("archdsl.grammars")


@cache
def table() -> Table:
    """The table of the grammar, read once."""
    text = (grammar() / "arch.lark").read_text(encoding="utf-8")
    try:
        known = Table(**json.loads((grammar() / "arch.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return compile_grammar(text)
    return known if known.digest == _digest(text) else compile_grammar(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def compile_grammar(text: str) -> Table:
    """The table of a grammar, made by Lark; equal grammars give equal tables."""
    from lark import Lark  # 70 ms

    lark = Lark(text, parser="lalr", lexer="basic", start="file", keep_all_tokens=True)
    patterns, symbols = {}, {}
    for terminal in lark.terminals:
        if terminal.pattern.type == "re":
            patterns[terminal.name] = terminal.pattern.to_regexp()
        else:
            symbols[terminal.pattern.value] = terminal.name
    rules, states = _states(lark)
    return Table(
        _digest(text), patterns, symbols, sorted(lark.ignore_tokens), rules, states
    )


def _states(lark: Lark) -> tuple[list[tuple[str, str, int]], list[dict[str, int]]]:
    """Rules and states, the latter numbered as they are reached from the first."""
    conf = lark.parse_interactive("").parser_state.parse_conf
    number = {rule: index for index, rule in enumerate(lark.rules)}
    found = {conf.start_state: 0}
    queue = [conf.start_state]
    states: list[dict[str, int]] = []
    for state in queue:
        row: dict[str, int] = {}
        for symbol, (_, to) in sorted(conf.states[state].items()):
            if to in number:
                row[symbol] = ~number[to]
                continue
            if to not in found:
                found[to] = len(queue)
                queue.append(to)
            row[symbol] = found[to]
        states.append(row)
    end = found[conf.end_state]
    states[end][END] = end  # shifting the end is accepting
    return [_rule(rule) for rule in lark.rules], states


def _rule(rule: Rule) -> tuple[str, str, int]:
    """A rule of one symbol whose name begins with ``?`` passes its value on."""
    size = len(rule.expansion)
    plain = rule.options.expand1 and size == 1 and not rule.alias
    return str(rule.origin.name), "" if plain else _action(rule), size


def _action(rule: Rule) -> str:
    return str(rule.alias or rule.origin.name)


def _lines(made: Table) -> Iterator[str]:
    """JSON with a line for a rule and a state, so that versions can be compared."""
    yield "{"
    fields = list(asdict(made).items())
    for index, (name, value) in enumerate(fields):
        comma = "," if index + 1 < len(fields) else ""
        if name in ("rules", "states"):
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            yield f'"{name}": [\n{rows}\n]{comma}'
        else:
            yield f'"{name}": {json.dumps(value)}{comma}'
    yield "}\n"


def text_of(made: Table) -> str:
    """The table as it lies in `arch.json`."""
    return "\n".join(_lines(made))
