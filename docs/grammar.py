"""The page of the grammar, made from the grammar itself."""

from __future__ import annotations

import re

from archdsl.syntax.table import grammar, table

_HEAD = """\
# The grammar

Generated from `grammars/arch.lark` by `make docs`. `{ … }` is any number of what is in
it, `[ … ]` one or none, `|` a choice; what stands in quotes is written as it is, and
`ε` is nothing.

Blanks and comments, from `#` to the end of a line, may stand between any two words. A
line break (NEWLINE) ends a statement. Inside ( ) and [ ] it counts as a blank, and
inside { } it counts again; `->` swallows the breaks around it, `else` those before it.
"""
_RULE = re.compile(r"^\??(\w+): ?(.*(?:\n[ \t]+.*)*)", re.M)


def grammar_page() -> str:
    """The rules by section, the words, and which of them are reserved."""
    text = (grammar() / "arch.lark").read_text(encoding="utf-8")
    parts = [_HEAD]
    sections = re.split(r"^// --- ([^-]+) -+$", text, flags=re.M)
    for title, body in zip(sections[1::2], sections[2::2], strict=True):
        rules = [_shown(name, lines) for name, lines in _RULE.findall(_bare(body))]
        parts.append(f"## {title.strip().capitalize()}\n")
        parts.append("\n".join(["```ebnf", "\n\n".join(rules), "```\n"]))
    words = sorted({s for s in table().symbols if s.isalpha()})
    parts.append("## Reserved words\n")
    parts.append(", ".join(f"`{word}`" for word in words) + ".\n")
    return "\n".join(parts)


def _bare(body: str) -> str:
    """Rules without comments, and without what only makes trees and mends errors."""
    body = re.sub(r"^%.*|(^|[ ]{2,})// .*", "", body, flags=re.M)
    body = re.sub(r" +-> \w+$", "", body, flags=re.M)
    return body.replace(" | MISSING", "")


def _shown(name: str, lines: str) -> str:
    """A rule with its alternatives one below the other."""
    choices = [" ".join(c.split()) for c in re.split(r"\n\s*\| |(?<=\w) \| ", lines)]
    below = "\n" + " " * (len(name) + 1) + "| "
    return f"{name} = " + below.join(_alternatives(name, choices))


def _alternatives(name: str, choices: list[str]) -> list[str]:
    """What a rule may be; one that begins with the rule itself is a repetition."""
    begin = f"{name} "
    again = [c.removeprefix(begin) for c in choices if c.startswith(begin)]
    first = _merged([c for c in choices if not c.startswith(begin)])
    if not again:
        return first
    start = first[0] if len(first) == 1 else f"( {' | '.join(first)} )"
    return [f"{start} {{ {' | '.join(again)} }}"]


def _merged(choices: list[str]) -> list[str]:
    """Two choices that differ by a comma are one, with the comma in brackets."""
    shown = {choice: choice or "ε" for choice in choices}
    for choice in choices:
        for comma in re.finditer(' ","', choice):
            before, after = choice[: comma.start()], choice[comma.end() :]
            if before + after in shown:
                shown[before + after] = f'{before} [ "," ]{after}'
                del shown[choice]
    return list(shown.values())
