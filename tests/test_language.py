"""`docs/language.md` is exact, and the examples that the language began with hold.

``ARCHDSL_UPDATE=1 pytest -n 0 tests/test_language.py`` writes what the page shows anew.
"""

import re
from pathlib import Path

import pytest
import torch

import archdsl
from archdsl.analysis.cost import layers
from archdsl.build import build, functions, read, session, specialise
from archdsl.build import files as build_files
from archdsl.diagnostics.render import render
from archdsl.source import Source
from archdsl.syntax import layout, machine
from archdsl.syntax.parse import LARGEST
from archdsl.syntax.table import table
from tests.pages import LANGUAGE, ROOT, blocks, keep, shown, specs
from tests.tools import forgotten, inputs_for, outputs_of

DESIGN = sorted((ROOT / "tests" / "language").glob("*.arch"))
PAGE = LANGUAGE.read_text(encoding="utf-8")


# --- the page -----------------------------------------------------------------------


def test_the_page_has_examples_of_every_kind():
    assert len(blocks(LANGUAGE, "arch prelude")) == 1
    counts = [len(blocks(LANGUAGE, f"arch{i}")) for i in ("", " body", " wrong")]
    assert all(n >= least for n, least in zip(counts, (8, 8, 3), strict=True))


@pytest.mark.parametrize("number", range(len(shown(LANGUAGE, "arch wrong"))))
def test_a_wrong_example_has_the_error_that_is_shown(number):
    text, below = shown(LANGUAGE, "arch wrong")[number]
    assert below.info == ""
    model = re.search(r"^model (\w+)", text, re.M)
    errors = archdsl.check(text)
    said = render(errors).replace("<text>", f"{model[1]}.arch")
    keep(LANGUAGE, below, said)
    assert shown(LANGUAGE, "arch wrong")[number][1].code == said != ""


@pytest.mark.parametrize("number", range(len(shown(LANGUAGE, "arch names"))))
def test_layers_are_called_as_is_shown(number):
    text, below = shown(LANGUAGE, "arch names")[number]
    graph = build(read(Source("net.arch", text)))
    paths = [".".join(n.path) for n in layers(graph) if n.node.payload.name != "concat"]
    keys = {key.rpartition(".")[0] for key in archdsl.load(text).state_dict()}
    names = "".join(f"{path}\n" for path in paths if path in keys)
    keep(LANGUAGE, below, names)
    assert shown(LANGUAGE, "arch names")[number][1].code == names
    assert len(names.split()) == len(keys)


def row(words: str) -> int:
    """The figure beside some words in the table of limits."""
    (found,) = re.findall(rf"^\| {re.escape(words)} \| ([\d,]+) \|$", PAGE, re.M)
    return int(found.replace(",", ""))


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ("bytes of a file", LARGEST),
        ("characters of all files that are used", build_files.MOST_TEXT),
        ("brackets in brackets", layout.DEEPEST),
        ("operations in operations", machine.DEEPEST),
        ("files that use files", build_files.DEEPEST_USE),
        ("blocks that call blocks", session.DEEPEST_CALL),
        ("items of a list, turns of a loop", functions.LONGEST_LIST),
        ("lists in lists", session.DEEPEST_LIST),
        ("bits of a whole number", functions._BITS),
        ("axes of a tensor", session.MOST_AXES),
        ("layers, equal calls of a block counted once", session.MOST_NODES),
        ("steps of evaluation", session.MOST_WORK),
        ("errors that are reported", session.MOST_ERRORS),
    ],
)
def test_a_limit_is_as_the_page_says(words, limit):
    assert row(words) == limit


def test_the_words_of_the_language_are_those_on_the_page():
    reserved = {s for s in table().symbols if s.isalpha()}
    section = PAGE.partition("These words are reserved:")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", section)) == reserved


def test_the_functions_are_those_on_the_page():
    section = PAGE.partition("### Functions")[2].partition("\n## ")[0]
    first = re.findall(r"^\| (`.*?) \|", section, re.M)
    named = {name for cell in first for name in re.findall(r"`(\w+)", cell)}
    assert named == set(functions.FUNCTIONS)


def test_the_types_of_hyperparameters_are_those_on_the_page():
    section = PAGE.partition("A **type** is checked:")[2].partition("\n- ")[0]
    assert set(re.findall(r"`(\w+)`", section)) == set(specialise._TYPES)


def test_every_word_of_the_language_is_in_an_example():
    code = "\n".join(specs(LANGUAGE))
    for word in sorted(s for s in table().symbols if s.isalpha()):
        assert re.search(rf"\b{word}\b", code) or word == "none", word


def test_headings_that_are_linked_exist():
    heads = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", PAGE, flags=re.S), re.M)
    anchors = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}
    assert len(anchors) == len(heads)
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


# --- what the page says without an example ------------------------------------------

BODY = blocks(LANGUAGE, "arch prelude")[0]
RULES = [
    ("if true { let n = 4 }\nlinear(n)", "E201"),  # a name in braces stays there
    ("if true { linear(4) as y }\ny -> relu", ""),  # a label does not
    ("let n = 4\nlet n = 5", "E202"),
    ("linear(4) as y\nlinear(4) as y", "E202"),
    ("let n = 4\nresidual { let n = 32\nlinear(n) }", ""),  # hidden, not given anew
    ("for i in [1] { linear(8) }\nlinear(i)", "E201"),
    ("repeat(2) { relu as y\ny -> relu }\ny[1] -> relu", ""),
    ("let y = linear(4)\nx -> y", "E408"),  # it is run, not named
    ("let act = relu\nx -> act -> act", ""),
    ('let act = gelu("tanh")\nx -> act', "E408"),
    ("x -> x", "E408"),
    ("let relu = 4\nrelu -> linear(relu)", ""),  # a step is needed, then a number
    ("repeat(2) { repeat(3) { relu as y } }\ny[1][2] -> relu", ""),
    ("linear(2 * C) -> linear(C // 2)", ""),
    ("linear(2 * B)", "E413"),
    ("linear(C)", "E403"),  # the axis itself
    ("linear(768.0) -> linear(7.5)", "E403"),
    ("1 / x", "E408"),
    ("x ** 2", "E408"),
    ("2 - x -> relu", ""),
    ("let n = [1, 2] + [3]\nlinear(n[3])", "E409"),
    ("let a, b = [1, 2, 3]", "E411"),
    ("for i in range(3) { output y }", "E506"),
    ("require false or 0", "E509"),
    ("require true and not none", ""),
    ("layer f = linear(4)\nf -> f", "E311"),
    ("layer f = linear(4)\nf.transposed", "E410"),
    ("layer f = conv(32, 1)\nf -> f.transposed", "E410"),
    ("layer f = linear(32)\nwords -> scan(T) [w, h = zeros(C = 32)] { f + h }", "E406"),
    ("words -> scan(T, last = true) [w, h = zeros(C = 32)] { w + h }: [B, C = 32]", ""),
    ("conv(4, 3): [B, W, H, C]", ""),
    ("conv(4, 3): [B, H, W]", "E305"),
    ("relu\nconcat", "E402"),
]
FILES = [
    ("block f(n) { linear(m) }", "f(4)", "E201"),  # the caller's m is not seen
    ("block f[x](n = x.C) { linear(n) }", "f", "E201"),
    ("block f(n, k = 2 * n) { linear(k) }", "f(4)", ""),
    ("block f(n: int) { linear(n) }", "f(4.0)", "E403"),
    ("block f(s: step) { s -> s }", "f(conv(4, 1)) -> f(relu)", ""),
    ("block f(s: step) { s }", "f(4)", "E403"),
    ("block f(a: axis) { mean(a) }", "f(H) -> f(W)", ""),
    ("block f(a: axis) { mean(a) }", "f([H, W])", "E403"),
    ("block f { return x, x -> relu }", "let a, b = f", "E411"),
    ("block f { return x, x -> relu }", "let a, b = f()\na * b", ""),
    ("block f { relu\nreturn x\ngelu }", "f: [B, C = 32, H = 16, W = 16]", ""),
    ("block f { output y }", "f", "E506"),
    ("block f[x, y] { x * y }", "f", "E412"),
    ("block f[x, y] { x * y }", "f[x] -> f[y = x]\nf[x, x]\nf[y = x, x = x]", ""),
    ("block f[x, y] { x * y }", "relu -> f[x, x]", "E415"),  # relu is lost
    ("block f[]() { parameter(C = 32) }", "let y = f()\nx * y", ""),
    ("block f(g) { g }", "layer w = linear(4)\nf(w)", "E403"),
    ("block f(g) { g }", "f(add(x))", "E403"),
    ("block f { f }", "f", "E206"),
    ("block relu { linear(4) }", "relu: [B, C = 4, H, W]", ""),
    ("use resnet (conv_bn)", "conv_bn(4)", ""),  # which it imports itself
    ("use resnet", "conv_bn(4)", "E201"),
    ("use nowhere", "relu", "E203"),
    ("use lib/resnet (conv)", "relu", "E204"),
]


def check(items: str, lines: str, code: str) -> None:
    body = BODY.replace("  …\n", f"{lines}\n")
    found = [d.code for d in archdsl.check(f"{items}\n{body}") if d.code[0] == "E"]
    assert found[:1] == ([code] if code else [])


@pytest.mark.parametrize(("lines", "code"), RULES)
def test_a_rule_for_bodies_holds(lines, code):
    check("", lines, code)


@pytest.mark.parametrize(("items", "lines", "code"), FILES)
def test_a_rule_for_files_holds(items, lines, code):
    check(items, f"let m = 4\n{lines}", code)


# --- what the language was designed by ----------------------------------------------


@pytest.mark.parametrize("path", DESIGN, ids=lambda p: p.stem)
def test_an_example_of_the_design_compiles_and_runs(path: Path):
    program = read(Source(path.name, path.read_text("utf-8")), path.parent)
    assert [d for d in archdsl.check(path) if d.severity == "error"] == []
    assert program.models
    for name in program.models:
        sizes = {"T": 8} if name == "open" else {}
        graph = build(program, name, sizes=sizes)
        with forgotten(), torch.no_grad():
            model = archdsl.load(f"{path}:{name}", sizes=sizes).eval()
            outputs_of(graph, model(*inputs_for(graph, batch=1)))
