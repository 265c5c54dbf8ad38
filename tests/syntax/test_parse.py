"""Text to tree: structure, precedence, spans, recovery and hostile input."""

from __future__ import annotations

import dataclasses
import gc
import importlib
import pathlib
import random
import re
import time
from collections.abc import Iterator

import pytest

from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.render import render
from archdsl.source import Source, Span
from archdsl.syntax import parse, tree
from archdsl.syntax.table import table

EXAMPLES = pathlib.Path(__file__).parent / "examples"


def read(text: str) -> tree.File:
    file, diagnostics = parse(Source("test.arch", text))
    assert not diagnostics, render(diagnostics)
    return file


def faults(text: str) -> list[tuple[str, int]]:
    _, diagnostics = parse(Source("test.arch", text))
    return [(d.code, d.span.line) for d in diagnostics]


def statements(text: str) -> tuple[tree.Statement, ...]:
    (model,) = read(f"model m {{\n{text}\n}}").items
    assert isinstance(model, tree.Model)
    return model.body.statements


def value(text: str) -> tree.Expr:
    (statement,) = statements(text)
    assert isinstance(statement, tree.Flow)
    return statement.value


def show(part: object) -> str:
    """A tree in a line: (Class field …), names and numbers as they are."""
    match part:
        case tree.Name(id=name) | tree.Axis(id=name):
            return name
        case tree.Literal(value=held):
            return repr(held)
        case tree.Binary(operator=sign, left=left, right=right):
            return f"({show(left)} {sign} {show(right)})"
        case tree.AxisSize(id=name, size=held):
            return f"{name}:{show(held)}"
        case tree.Argument(name=name, value=held):
            return (f"{name}=" if name else "") + show(held)
        case tuple():
            return "[" + " ".join(map(show, part)) + "]"
        case tree.Node():
            fields = dataclasses.fields(part)[1:]
            held = " ".join(show(getattr(part, f.name)) for f in fields)
            return f"({type(part).__name__} {held})"
        case _:
            return str(part)


def nodes(part: object) -> Iterator[tree.Node]:
    if isinstance(part, tree.Node):
        yield part
        for field in dataclasses.fields(part):
            yield from nodes(getattr(part, field.name))
    elif isinstance(part, tuple) and not isinstance(part, Span):
        for item in part:
            yield from nodes(item)


# --- expressions -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("a // b % c", "((a // b) % c)"),
        ("-2 ** 2", "(Unary - (2 ** 2))"),
        ("2 ** -3 ** 2", "(2 ** (Unary - (3 ** 2)))"),
        ("a ** b ** c", "(a ** (b ** c))"),
        ("-a * +b", "((Unary - a) * (Unary + b))"),
        ("not a == b", "(Unary not (Compare [a b] [==]))"),
        ("a or b and not c", "(a or (b and (Unary not c)))"),
        ("a < b <= c + 1", "(Compare [a b (c + 1)] [< <=])"),
        ("(a < b) < c", "(Compare [(Compare [a b] [<]) c] [<])"),
        ("x + y -> relu", "(Pipeline [(x + y) relu])"),
        ("a -> b -> c", "(Pipeline [a b c])"),
        ("(a -> b) -> c", "(Pipeline [(Pipeline [a b]) c])"),
        (
            "x -> a if c else x -> b",
            "(Conditional (Pipeline [x a]) c (Pipeline [x b]))",
        ),
        ("a if b else c if d else e", "(Conditional a b (Conditional c d e))"),
        ("f(a, k = v, H = 2,)", "(Call f [a k=v H=2])"),
        ("f()[0].C.size", "(Attribute (Attribute (Brackets (Call f []) [0]) C) size)"),
        ("b[m, key = n](8)", "(Call (Brackets b [m key=n]) [8])"),
        ("f(a if c else b)", "(Call f [(Conditional a c b)])"),
        ("[]", "(ListOf [])"),
        ("[1, 2,]", "(ListOf [1 2])"),
        ("(1, 2)", "(TupleOf [1 2])"),
        ("(1,)", "(TupleOf [1])"),
        ("((1))", "1"),
        (
            "[a -> b for a in c]",
            "(Comprehension (Pipeline [a b]) (Target a) c None)",
        ),
        (
            "[a for i, (a, b) in c if i > 0]",
            "(Comprehension a (Target [(Target i) (Target [(Target a) (Target b)])])"
            " c (Compare [i 0] [>]))",
        ),
        ("true", "True"),
        ("none", "None"),
        ("1_000", "1000"),
        ("4.6e9", "4600000000.0"),
        ("1e-5", "1e-05"),
        (".5", "0.5"),
        (r'"a \"b\" \\ \n#"', repr('a "b" \\ \n#')),
    ],
)
def test_expressions(text: str, expected: str) -> None:
    assert show(value(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a as b", "(Step a None b)"),
        ("a : [B, C = 10]", "(Step a (Shape  [B:None C:10]) None)"),
        ("a : int[T] as b", "(Step a (Shape int [T:None]) b)"),
        ("a as b -> c", "(Pipeline [(Step a None b) c])"),
        ("residual { }", "(Residual [] (Body []))"),
        ("residual(0.1) { a }", "(Residual [0.1] (Body [(Flow a)]))"),
        ("repeat(6) { b } as c", "(Step (Repeat [6] (Body [(Flow b)])) None c)"),
        ("a -> repeat(6) { b }", "(Pipeline [a (Repeat [6] (Body [(Flow b)]))])"),
        ("for i in n { a }", "(For (Target i) n (Body [(Flow a)]))"),
        ("if a { b }", "(If a (Body [(Flow b)]) None)"),
        ("if a { b } else { c }", "(If a (Body [(Flow b)]) (Body [(Flow c)]))"),
        (
            "if a { } else if b { } else { }",
            "(If a (Body []) (Body [(Flow (If b (Body []) (Body [])))]))",
        ),
        ("x if c else if d { e }", "(Conditional x c (If d (Body [(Flow e)]) None))"),
    ],
)
def test_steps(text: str, expected: str) -> None:
    assert show(value(text)) == expected


# --- statements, items, line breaks -------------------------------------------------


def test_statements() -> None:
    found = statements(
        """
        input x: [B, C = 3]
        output y
        output y: [B]
        output y = a -> b if c else d
        output y: [B] = a
        let a, b = c
        layer w = embedding(3, 4)
        return a, b
        require a == 1
        require a == 1, "message"
        """
    )
    assert [show(s) for s in found] == [
        "(Input x (Shape  [B:None C:3]))",
        "(Output y None None)",
        "(Output y (Shape  [B:None]) None)",
        "(Output y None (Conditional (Pipeline [a b]) c d))",
        "(Output y (Shape  [B:None]) a)",
        "(Let [a b] c)",
        "(Layer w (Call embedding [3 4]))",
        "(Return [a b])",
        "(Require (Compare [a 1] [==]) None)",
        "(Require (Compare [a 1] [==]) 'message')",
    ]


def test_items() -> None:
    file = read(
        """
        use swin
        use lib/resnet (bottleneck, conv_bn)
        block a { }
        block b[](){ }
        block c[x, y](p, q: int = 3, r: float, s = [1],) { x }
        model m { }
        model n(p = 1) { }
        model o = n(p = 2)
        model q = o { expect params == 3 }
        """
    )
    assert [show(item) for item in file.items] == [
        "(Use swin [])",
        "(Use lib/resnet [bottleneck conv_bn])",
        "(Block a None [] (Body []))",
        "(Block b [] [] (Body []))",
        "(Block c [x y] [(Parameter p  None) (Parameter q int 3)"
        " (Parameter r float None) (Parameter s  (ListOf [1]))] (Body [(Flow x)]))",
        "(Model m [] (Body []))",
        "(Model n [(Parameter p  1)] (Body []))",
        "(Variant o (Call n [p=2]) None)",
        "(Variant q o (Body [(Expect (Compare [params 3] [==]))]))",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a\n-> b -> c",
        "a # why\n# because\n\n  -> b\n  ->\n\n c",
        "(a\n -> b\n) -> c",
        "a -> b -> c",
    ],
)
def test_an_arrow_swallows_line_breaks(text: str) -> None:
    assert show(value(text)) in (
        "(Pipeline [a b c])",
        "(Pipeline [(Pipeline [a b]) c])",
    )


def test_line_breaks_count_again_in_braces_within_brackets() -> None:
    found = value("concat([\n  residual {\n a\n b\n },\n c\n])")
    inner = "(Residual [] (Body [(Flow a) (Flow b)]))"
    assert show(found) == f"(Call concat [(ListOf [{inner} c])])"


@pytest.mark.parametrize("text", ["{\n  ([]{\n})", "{(\n[{\n}]\n)", "([{\n)]}\n{(\n}"])
def test_brackets_that_close_across_others_are_errors(text: str) -> None:
    assert faults(text)  # found by fuzzing: seed 11, input 11889


def test_a_line_that_begins_in_brackets_opens_no_body() -> None:
    found = value("concat([a\n for b in c])\n   -> d")
    assert isinstance(found, tree.Pipeline)
    assert len(statements("concat([a\n for b in c])\n   d")) == 2


def test_else_swallows_line_breaks() -> None:
    assert isinstance(value("if a {\n b\n}\n\nelse {\n c\n}"), tree.If)
    assert isinstance(value("a if b\n else c"), tree.Conditional)


def test_the_comment_at_the_head_is_the_doc() -> None:
    file = read("\n#  Residual network\n# of depth 50\n#\n# more\n\n# no\nuse a")
    assert file.doc == " Residual network\nof depth 50\n\nmore"
    assert read("use a # no").doc == ""


def test_nothing_is_a_file() -> None:
    for text in ("", "\n\n", "# only a comment", "\ufeff", "\r\n\t"):
        assert read(text).items == ()


def test_windows_line_ends() -> None:
    assert len(read("use a\r\nuse b\r\n").items) == 2


# --- spans -----------------------------------------------------------------------


def test_spans_are_exact() -> None:
    text = (
        "use lib/a (b)  # c\n\n"
        "block f[x](p: int = 3) {\n  (x) + 1 -> g( p ) as y  # d\n}  \n"
        "model m = f( 1 ) \n\n"
    )
    found = {(type(n).__name__, n.span.text) for n in nodes(read(text))}
    assert found >= {
        ("File", text[: text.index(" \n\n")]),
        ("Use", "use lib/a (b)"),
        ("Block", "block f[x](p: int = 3) {\n  (x) + 1 -> g( p ) as y  # d\n}"),
        ("Parameter", "p: int = 3"),
        ("Body", "{\n  (x) + 1 -> g( p ) as y  # d\n}"),
        ("Flow", "(x) + 1 -> g( p ) as y"),
        ("Pipeline", "(x) + 1 -> g( p ) as y"),
        ("Binary", "(x) + 1"),
        ("Step", "g( p ) as y"),
        ("Call", "g( p )"),
        ("Argument", "p"),
        ("Variant", "model m = f( 1 )"),
    }


def test_every_span_lies_within_its_parents() -> None:
    for path in EXAMPLES.glob("*.arch"):
        for node in nodes(read(path.read_text())):
            for child in list(nodes(node))[1:]:
                assert node.span.start <= child.span.start
                assert child.span.end <= node.span.end


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.arch")), ids=lambda p: p.stem)
def test_examples_of_the_design(path: pathlib.Path) -> None:
    assert read(path.read_text()).items


# --- recovery --------------------------------------------------------------------


def test_every_error_is_found_and_the_rest_is_kept() -> None:
    text = """use lib/a (b

block f[x](width kernel = 3) {
  conv(64,,)
  relu
  residual { layer_norm -> }
}

modle m(dim = 96) {
  input image [B, C = 3]
  conv(64) relu
  for i on range(3) {
    let = 3
    gelu
  }
  if dim = 3 { relu }
  linear(10)
}

model n = m(dim = 3
"""
    file, diagnostics = parse(Source("test.arch", text))
    assert [(d.code, d.span.line) for d in diagnostics] == [
        ("E106", 1), ("E109", 3), ("E101", 4), ("E122", 6), ("E113", 9), ("E101", 10),
        ("E110", 11), ("E101", 12), ("E101", 13), ("E111", 16), ("E106", 20),
    ]  # fmt: skip
    assert [type(item).__name__ for item in file.items] == [
        "Use", "Block", "Model", "Variant",
    ]  # fmt: skip
    bodies = [i.body for i in file.items if isinstance(i, tree.Block | tree.Model)]
    assert [len(body.statements) for body in bodies] == [3, 5]


def test_reserved_words_are_not_names() -> None:
    words = {word for word in table().symbols if word.isalpha()}
    assert len(words) == 25
    for word in sorted(words):
        assert faults(f"model m {{\n  let {word} = 3\n}}"), word
        assert faults(f"model m {{\n  x.{word}\n}}"), word


def test_an_error_count_has_an_end() -> None:
    _, found = parse(Source("t", "model m {\n" + "a b\n" * 5000 + "}"))
    assert 100 < len(found) < 110
    assert found[-1].code == "E124"


def test_garbage_collection_is_as_before() -> None:
    assert gc.isenabled()
    read("use a")
    assert gc.isenabled()


# --- the quick way -----------------------------------------------------------------

ROOT = pathlib.Path(__file__).parents[2]
BREAKS = ["\n", " ", "\n  ", " else ", "->", *"{}()", " if x ", " for i in a "]


def shaken(text: str, choose: random.Random) -> str:
    """A text with some blanks, breaks and brackets elsewhere."""
    for _ in range(choose.choice([0, 1, 1, 2, 3])):
        places = [m.span() for m in re.finditer(r"\s+|->|[{}()\[\]]|else|if|for", text)]
        start, end = choose.choice(places or [(0, 0)])
        new = choose.choice([*BREAKS, "", text[start:end] * 2])
        text = text[:start] + new + text[end:]
    return text


def test_texts_are_read_alike_with_and_without_care(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is read without pairing brackets would not have been mended by that."""
    careful = importlib.import_module("archdsl.syntax.parse")
    choose, quick = random.Random(3), 0
    paths = sorted(ROOT.rglob("tests/**/*.arch"))
    texts = [path.read_text("utf-8", "replace") for path in paths]
    texts = [text for text in texts if len(text) < 600]
    assert len(texts) > 200
    for text in texts * 4:
        source = Source("t", shaken(text, choose))
        found = parse(source)
        with monkeypatch.context() as patch:
            patch.setattr(careful, "_whole", lambda source: None)
            assert parse(source) == found, source.text
        quick += not found[1]
    assert quick > 200


# --- hostile input -----------------------------------------------------------------

MEGABYTE = 1 << 20
HOSTILE = {
    "brackets": "model m { let a = " + "[" * 100_000,
    "closed brackets": "model m { let a = " + "[" * 100_000 + "]" * 100_000 + " }",
    "braces": "model m " + "{" * 100_000,
    "idle closers": "{)" * (MEGABYTE // 2),
    "mixed": "({)" * (MEGABYTE // 3),
    "empty bodies": "{}" * (MEGABYTE // 2),
    "sum": "model m { let a = " + "1+" * 100_000 + "1 }",
    "minus": "model m { let a = " + "-" * 1_000_000 + "1 }",
    "power": "model m { let a = " + "1**" * 100_000 + "1 }",
    "conditional": "model m { let a = " + "a if b else " * 80_000 + "1 }",
    "else if": "model m { " + "if a {} else " * 70_000 + "{} }",
    "comments": "model m { x\n" + "# c\n" * 200_000 + "-> y }",
    "blanks": "model m { x" + " " * 1_000_000 + "-> y }",
    "line breaks": "model m { x" + "\n" * 1_000_000 + "-> y }",
    "arrows": "model m { " + "a -> " * 180_000 + "b }",
    "calls": "model m { a" + "()" * 400_000 + " }",
    "quotes": '"\n' * (MEGABYTE // 2),
    "backslashes": 'model m { let a = "' + "\\q" * 400_000 + '" }',
    "digits": "model m { f(" + "1" * 900_000 + ".5) }",
    "grouped digits": "model m { f(" + "1_" * 400_000 + "x) }",
    "name": "a" * MEGABYTE,
    "prose": "a b\n" * (MEGABYTE // 4),
    "list without commas": "model m { f(" + "a b " * (MEGABYTE // 4 - 10) + ") }",
    "nul": "\0a" * (MEGABYTE // 2),
    "unclosed": "let a = (\n" * (MEGABYTE // 10),
    "imports in a body": " " * 500_000 + "{\n" + "  use a\n" * 60_000,
    "surrogate": "model m { \ud800 }",
    "too large": "x" * (MEGABYTE + 1),
}


def bounded(text: str) -> list[Diagnostic]:
    start = time.process_time()
    _, diagnostics = parse(Source("hostile.arch", text))
    assert time.process_time() - start < 10
    for diagnostic in diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert diagnostic.fault.message()
    return diagnostics


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends(name: str) -> None:
    fine = {"comments", "blanks", "line breaks", "arrows"}
    assert bool(bounded(HOSTILE[name])) == (name not in fine)


def test_random_bytes_end() -> None:
    chance = random.Random(0)
    for _ in range(200):
        noise = bytes(chance.randrange(256) for _ in range(chance.randrange(400)))
        bounded(noise.decode("latin-1"))
        bounded(noise.decode("utf-8", "replace"))


def test_random_changes_end() -> None:
    """Words of good examples dropped, doubled, swapped."""
    chance = random.Random(1)
    for path in sorted(EXAMPLES.glob("*.arch")):
        parts = re.findall(r"\w+|\s+|[^\w\s]", path.read_text())
        for _ in range(150):
            some = list(parts)
            for _ in range(chance.randrange(1, 6)):
                at, other = chance.randrange(len(some)), chance.randrange(len(some))
                some[at] = chance.choice(["", some[other], some[at] * 2])
            bounded("".join(some))


def test_the_quick_way_and_the_careful_one_make_one_tree(monkeypatch) -> None:
    root = pathlib.Path(__file__).parents[2]
    paths = [*root.glob("specs/**/*.arch"), *root.glob("tests/**/*.arch")]
    texts = [path.read_text(encoding="utf-8") for path in sorted(paths)]
    texts += [cut for text in texts[::7] for cut in (text[:-9], text[9:], text * 2)]
    sources = [Source("net.arch", text) for text in texts]
    quick = [parse(source) for source in sources]
    assert 30 < sum(not found for _, found in quick) < len(quick) - 30
    module = importlib.import_module("archdsl.syntax.parse")
    monkeypatch.setattr(module, "made_whole", lambda *_: None)
    assert [parse(source) for source in sources] == quick
