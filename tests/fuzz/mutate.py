"""Small changes of a spec: of its characters, tokens, lines and tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from tests.fuzz.corpus import (
    AXES,
    EXTREMES,
    ODD,
    Base,
    base,
    bases,
    by_class,
    names,
    tokens,
)

_NUMBER = re.compile(r"[0-9]")
_NAME = re.compile(r"[a-z_]")
_AXIS = re.compile(r"[A-Z]")
_SIGNS = [
    "+", "-", "*", "/", "//", "%", "**", "=", "==", "!=", "<", "<=", "->", ",", ":",
    ".", "(", ")", "[", "]", "{", "}", "\n", "as", "if", "else", "in",
]  # fmt: skip
_LONGEST = 20_000  # characters: what grows beyond is cut


def mutated(random: Random, start: Base, count: int) -> str:
    """A base after some changes."""
    here = start
    for i in range(count):
        text = random.choice(_WEIGHTED)(random, here)[:_LONGEST]
        if i + 1 == count:
            return text
        here = Base(text, tuple(tokens(text)), ())
    return here.text


def other(random: Random) -> Base:
    """Another base."""
    return random.choice(bases())


# --- characters ---------------------------------------------------------------------


def _character(random: Random, b: Base) -> str:
    at = random.randrange(len(b.text) + 1)
    new = (
        random.choice(ODD) if random.random() < 0.5 else chr(random.randrange(32, 127))
    )
    return b.text[:at] + new + b.text[at + random.randrange(3) :]


def _cut(random: Random, b: Base) -> str:
    at = random.randrange(len(b.text) + 1)
    return b.text[:at] if random.random() < 0.3 else _without(b.text, at, random)


def _without(text: str, at: int, random: Random) -> str:
    return text[:at] + text[at + random.randrange(1, 20) :]


# --- tokens -------------------------------------------------------------------------


def _among(
    random: Random, b: Base, fits: Callable[[str], object], new: Callable[[], str]
) -> str:
    """The text with one token of a kind replaced."""
    found = [i for i, token in enumerate(b.tokens) if fits(token)]
    if not found:
        return _delete(random, b)
    at = random.choice(found)
    return "".join((*b.tokens[:at], new(), *b.tokens[at + 1 :]))


def _delete(random: Random, b: Base) -> str:
    at = random.randrange(len(b.tokens) + 1)
    return "".join((*b.tokens[:at], *b.tokens[at + random.choice([1, 1, 2, 3]) :]))


def _duplicate(random: Random, b: Base) -> str:
    at = random.randrange(len(b.tokens) + 1)
    piece = b.tokens[at : at + random.randrange(1, 12)]
    return "".join((*b.tokens[:at], *piece, *piece, *b.tokens[at + len(piece) :]))


def _swap(random: Random, b: Base) -> str:
    found = [i for i, token in enumerate(b.tokens) if not token.isspace()]
    if len(found) < 2:
        return _duplicate(random, b)
    left, right = sorted(random.sample(found, 2))
    changed = list(b.tokens)
    changed[left], changed[right] = changed[right], changed[left]
    return "".join(changed)


def _foreign(random: Random, b: Base) -> str:
    taken = random.choice(other(random).tokens or (" ",))
    return _among(random, b, lambda t: not t.isspace(), lambda: taken)


def _number(random: Random, b: Base) -> str:
    return _among(random, b, _NUMBER.match, lambda: random.choice(EXTREMES))


def _name(random: Random, b: Base) -> str:
    used = [t for t in b.tokens if _NAME.match(t)]
    pool = used if used and random.random() < 0.5 else names()
    return _among(random, b, _NAME.match, lambda: random.choice(pool))


def _axis(random: Random, b: Base) -> str:
    return _among(random, b, _AXIS.match, lambda: random.choice(AXES))


def _sign(random: Random, b: Base) -> str:
    return _among(random, b, lambda t: t in _SIGNS, lambda: random.choice(_SIGNS))


def _argument(random: Random, b: Base) -> str:
    """An argument more, or a call where there was none."""
    given = f"{random.choice(names())} = {random.choice(EXTREMES)}"
    if random.random() < 0.3:
        given = random.choice([random.choice(EXTREMES), random.choice(AXES)])
    if "(" in b.tokens and random.random() < 0.7:
        return _among(random, b, lambda t: t == "(", lambda: f"({given}, ")
    return _among(random, b, _NAME.match, lambda: f"{random.choice(names())}({given})")


def _text(random: Random, b: Base) -> str:
    """A string made another: a key of a checkpoint with other braces."""
    return _among(random, b, lambda t: t[0] == '"', lambda: f'"{_key(random)}"')


def _key(random: Random) -> str:
    return "".join(random.choice(_IN_KEYS) for _ in range(random.randrange(1, 6)))


# --- lines --------------------------------------------------------------------------


def _lines(random: Random, b: Base) -> str:
    rows = b.text.split("\n")
    at, to = random.randrange(len(rows)), random.randrange(len(rows) + 1)
    how = random.randrange(4)
    if how == 0:
        rows.pop(at)
    elif how == 1:
        rows.insert(to, rows[at])
    elif how == 2:
        row = rows.pop(at)
        rows.insert(to, row)
    else:
        rows.insert(to, random.choice(other(random).text.split("\n")))
    return "\n".join(rows)


def _splice(random: Random, b: Base) -> str:
    rows, more = b.text.split("\n"), other(random).text.split("\n")
    at, start = random.randrange(len(rows) + 1), random.randrange(len(more) + 1)
    return "\n".join([*rows[:at], *more[start:], *rows[at:][: random.randrange(30)]])


def _join(random: Random, b: Base) -> str:
    """Two specs one after the other."""
    return b.text + "\n" + other(random).text


def _allow(random: Random, b: Base) -> str:
    codes = [
        f"W{random.randrange(90, 140)}",
        "W101",
        "W",
        "E301",
        "",
        "all",
        "W101, W2",
    ]
    comment = f"# allow {random.choice(codes)}"
    rows = b.text.split("\n")
    at = random.randrange(len(rows))
    if random.random() < 0.5:
        rows.insert(at, comment)
    else:
        rows[at] += f"  {comment}"
    return "\n".join(rows)


# --- the tree -----------------------------------------------------------------------


def _node(random: Random, b: Base) -> tuple[str, int, int] | None:
    nodes = b.nodes or base(b.text).nodes
    return random.choice(nodes) if nodes else None


def _replace_node(random: Random, b: Base) -> str:
    """A node in the place of one of its class, or of any."""
    found = _node(random, b)
    if found is None:
        return _lines(random, b)
    kind, start, end = found
    known = by_class()
    if kind not in known or random.random() < 0.08:
        kind = random.choice(list(known))
    return b.text[:start] + random.choice(known[kind]) + b.text[end:]


def _delete_node(random: Random, b: Base) -> str:
    found = _node(random, b)
    return b.text if found is None else b.text[: found[1]] + b.text[found[2] :]


def _wrap(random: Random, b: Base) -> str:
    """Something around a node, once or so often that it is too deep."""
    found = _node(random, b)
    if found is None:
        return b.text
    _, start, end = found
    opening, closing = random.choice(_AROUND)
    times = random.choice([1, 1, 1, 1, 2, 5, 30, 45, 150, 250])
    if times > 5 and "(2) {" in opening and random.random() < 0.97:
        times = 3  # 2 ** 30 turns meet the limit of work, which takes seconds
    inside = opening * times + b.text[start:end] + closing * times
    return b.text[:start] + inside + b.text[end:]


_AROUND = [
    ("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("residual { ", " }"),
    ("repeat(2) { ", " }"), ("for i in range(2) { ", " }"), ("if true { ", " }"),
    ("[", " for f in range(3)]"), ("sum(", ")"), ("x -> ", ""), ("", " -> relu"),
    ("", " if true else 1"), ("", " as y"), ("", "[0]"), ("", ".C"), ("let z = ", ""),
    ("layer l = ", ""), ("return ", ""), ("{ ", " }"), ("range(", ")"), ("1 + ", ""),
    ("scan(T) [x, h = zeros(C = 8)] { ", " }"), ("concat([", "])"), ("x + ", ""),
]  # fmt: skip

_IN_KEYS = [
    "a", "layers", ".", "*", "{", "}", "{i}", "{j}", "{i + 1}", "{i // 0}", "{9 ** 99}",
    "{a,b}", "{,_2}", "{q,k,v}", "{1,2,3,4,5,6,7,8}" * 9, "{a,{b,c}}",
    "{x if i else 2}", "{sum([k for k in range(i)])}", "{H}", "{}", "\\", " ",
]  # fmt: skip

_WEIGHTED = [
    *[_number] * 5, *[_name] * 5, *[_axis] * 3, *[_replace_node] * 6, *[_argument] * 3,
    *[_lines] * 3, _text, _character, _cut, _delete, _duplicate, _swap, _foreign, _sign,
    _splice, _join, _allow, _delete_node, *[_wrap] * 3,
]  # fmt: skip
