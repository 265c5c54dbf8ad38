"""The canonical form: laws on every spec there is, and what it looks like."""

from __future__ import annotations

import dataclasses
import pathlib
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archdsl.diagnostics import SpecError
from archdsl.ops.registry import public_ops
from archdsl.source import Source, Span
from archdsl.syntax import layout, parse, tree, words
from archdsl.syntax.format import format_source
from archdsl.syntax.printer import WIDTH
from tests.randoms.maker import specs
from tests.tools import examples

ROOT = pathlib.Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.arch"))
FILES = [*SPECS, *sorted((ROOT / "tests").rglob("*.arch"))]


def formatted(text: str) -> str:
    return format_source(Source("test.arch", text))


def bare(part: object) -> object:
    """A tree without places; numbers and texts with their types."""
    match part:
        case tree.Node():
            fields = dataclasses.fields(part)[1:]
            return type(part), [bare(getattr(part, f.name)) for f in fields]
        case tuple():
            assert not isinstance(part, Span)
            return [bare(item) for item in part]
        case _:
            return type(part), part


def read(text: str) -> object | None:
    """The bare tree of a text; None if it has errors."""
    file, diagnostics = parse(Source("test.arch", text))
    return None if diagnostics else bare(file)


def comments(text: str) -> list[str]:
    found = words.pattern().finditer(text)
    return [m[0].rstrip(" \t\r") for m in found if m.lastgroup == "COMMENT"]


def obeys(text: str) -> str:
    """The formatted text, the laws checked."""
    out = formatted(text)
    assert read(out) == read(text), f"{text}\n---\n{out}"
    assert comments(out) == comments(text), f"{text}\n---\n{out}"
    assert formatted(out) == out, f"{text}\n---\n{out}\n---\n{formatted(out)}"
    assert not any(line != line.rstrip(" ") for line in out.split("\n"))
    assert "\n\n\n" not in out and not out.startswith("\n")
    return out


def mixed(text: str, chance: random.Random) -> str:
    """The text with blanks, line breaks and comments where they mean nothing."""
    found = words.read(Source("test.arch", text)).words
    meant = {id(word) for word in layout.significant(found)}
    out, depth = [], list[str]()
    for before, word in zip([None, *found], found, strict=False):
        free = bool(depth) and depth[-1] != "LBRACE"
        if word.kind in ("LPAR", "LSQB", "LBRACE"):
            depth.append(word.kind)
        elif word.kind in ("RPAR", "RSQB", "RBRACE"):
            depth.pop()
        if word.kind == "NEWLINE" and id(word) not in meant:
            continue
        near = {word.kind, before.kind if before else "NEWLINE"}
        free = free or bool(near & {"NEWLINE", "ARROW"}) or word.kind == "RBRACE"
        free = free or word.kind == "ELSE" or (before and before.kind == "LBRACE")
        out += [gap(chance, free=free), word.text]
    return "".join(out) + gap(chance, free=True)


def gap(chance: random.Random, *, free: bool) -> str:
    """Blanks, and line breaks and comments where they are free to stand."""
    kinds = [" ", " ", " ", "  ", "\t", "\r"]
    if free:
        kinds += ["\n", "\n", "\n\n\n", "\r\n", "# c\n", " #d \n  ", "\n#\n\n # e\n"]
    return " " + "".join(chance.choice(kinds) for _ in range(chance.randrange(3)))


# --- laws -------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_what_is_written_is_what_was_meant(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    if read(text) is None:
        with pytest.raises(SpecError):
            formatted(text)
        return
    obeys(text)
    chance = random.Random(path.name)
    for _ in range(examples(3)):
        changed = mixed(text, chance)
        assert read(changed) is not None, changed
        obeys(changed)


@given(st.data())
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_random_specs(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(public_ops())))
    text = data.draw(specs(name))
    obeys(text)
    obeys(mixed(text, random.Random(data.draw(st.integers(0, 2**32)))))


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_specs_that_ship_are_formatted(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text
    assert max(map(len, text.split("\n"))) <= WIDTH


# --- what it looks like -------------------------------------------------------------

LOOKS = {
    "blanks": (
        "use lib / a(b,c ,)\nblock f [ x,m ]( p:int=3 ){x . C*-1 ->g[m](p)}\n",
        "use lib/a (b, c)\n\nblock f[x, m](p: int = 3) { x.C * -1 -> g[m](p) }\n",
    ),
    "numbers keep their points": ("model m=f(1 .C,- -2)", "model m = f(1 .C, --2)\n"),
    "variants with promises on lines stand apart": (
        "model a=m(1){expect params==3}\nmodel bb=m(2){ expect 1<macs<2 }\n"
        "model c=m(3){\nexpect params==3#why\n}\nmodel dd=m(4)\nmodel e=m(5)\n",
        "model a  = m(1) { expect params == 3 }\n"
        "model bb = m(2) { expect 1 < macs < 2 }\n\n"
        "model c = m(3) {\n  expect params == 3  #why\n}\n\n"
        "model dd = m(4)\nmodel e  = m(5)\n",
    ),
    "variants are aligned": (
        "model a = f(1)\nmodel long = f(2)\n\n\n\nmodel b = f(3)",
        "model a    = f(1)\nmodel long = f(2)\n\nmodel b = f(3)\n",
    ),
    "comments in a row are aligned": (
        "model m {# head\n a # one\n  long # two\n# own\n\n b->c #three\n}",
        "model m {  # head\n  a        # one\n  long     # two\n  # own\n\n"
        "  b -> c  #three\n}\n",
    ),
    "a body stays on its line": (
        "model m {\nfor i in a { b }\nfor i in a {\n b }\nresidual {}\n}",
        "model m {\n  for i in a { b }\n"
        "  for i in a {\n    b\n  }\n  residual { }\n}\n",
    ),
    "else stands behind the brace": (
        "model m {\nif a { b }\n\nelse if c {\n d }\n else { e }\n}",
        "model m {\n  if a {\n    b\n  } else if c {\n    d\n"
        "  } else {\n    e\n  }\n}\n",
    ),
    "comments before an else stay": (
        "model m {\nif a { b }\n# one\n# two\n else { c } }",
        "model m {\n  if a {\n    b\n  }\n  # one\n  # two\n  else {\n    c\n  }\n}\n",
    ),
    "arrows stay where they broke": (
        "model m {\na -> # why\n b -> c\n  # own\n -> d }",
        "model m {\n  a  # why\n    -> b -> c\n    # own\n    -> d\n}\n",
    ),
    "brackets stay open": (
        "model m = f(\n[1,2],[\n1,2,\n3],a,\n  (1,),)",
        "model m = f(\n  [1, 2], [\n    1, 2,\n    3,\n  ], a,\n  (1,),\n)\n",
    ),
    "scan": (
        "model m {\nscan(T)[x,h=zeros(C=8),]{\n return h,(h),\n}\n}",
        "model m {\n  scan(T) [x, h = zeros(C = 8)] {\n    return h, (h),\n  }\n}\n",
    ),
    "items are parted": (
        "use a\nuse b\nmodel a {}\n# of b\nmodel b {\n}\nblock c {\nd\n}\nmodel e = b",
        "use a\nuse b\n\nmodel a { }\n\n# of b\nmodel b { }\n\nblock c {\n  d\n}\n\n"
        "model e = b\n",
    ),
    "nothing": (" \n\n", ""),
    "only comments": ("\n\n  # a\n\n\n\n#b\n", "# a\n\n#b\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKS)
def test_looks(name: str) -> None:
    text, expected = LOOKS[name]
    assert formatted(text) == expected
    assert read(text) is not None


NAMES = [f"argument_{i}" for i in range(12)]
LONG = {
    "arguments": (
        f"model m = f({', '.join(NAMES)}, [1])",
        "model m = f(\n" + "".join(f"  {n},\n" for n in NAMES) + "  [1],\n)\n",
    ),
    "plain items fill lines": (
        f"model m = f([{', '.join(map(str, range(100, 130)))}])",
        f"model m = f([\n  {', '.join(map(str, range(100, 119)))},\n"
        f"  {', '.join(map(str, range(119, 130)))},\n])\n",
    ),
    "a chain breaks at its arrows": (
        "model m {\n" + " -> ".join(NAMES[:8]) + "\n}",
        "model m {\n  " + "\n    -> ".join(NAMES[:8]) + "\n}\n",
    ),
    "a body opens": (
        "model m {\nresidual { " + " -> ".join(NAMES[2:9]) + " }\n}",
        "model m {\n  residual {\n    " + " -> ".join(NAMES[2:9]) + "\n  }\n}\n",
    ),
    "a comprehension breaks at its loop": (
        f"model m = f([{' -> '.join(NAMES[:5])} for i, (j, k) in argument_10 if i])",
        f"model m = f([\n  {' -> '.join(NAMES[:5])}\n  for i, (j, k) in argument_10\n"
        "  if i\n])\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_what_is_too_long_is_broken(name: str) -> None:
    text, expected = LONG[name]
    assert obeys(text) == expected


def test_it_is_quick_enough_for_every_save() -> None:
    body = (ROOT / "specs" / "swin_t.arch").read_text(encoding="utf-8")
    text = "\n".join(body.replace("swin", f"swin{i}") for i in range(21))
    formatted(text)
    best = min(timed(text) for _ in range(3))
    assert text.count("\n") > 400
    assert best < 0.5, f"{best:.3f} s"


def timed(text: str) -> float:
    start = time.process_time()
    formatted(text)
    return time.process_time() - start
