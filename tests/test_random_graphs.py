"""Random specs: what is said without running equals what the compiled module does."""

import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, note, seed, settings

import archdsl
from archdsl.backends.torch.load import load
from archdsl.ir.graph import Graph, reachable
from archdsl.ir.tensor import Layout
from archdsl.ops.base import Op
from archdsl.ops.registry import ops, public_ops
from tests.randoms.maker import specs
from tests.tools import (
    examples,
    forgotten,
    inputs_for,
    jittered,
    measured,
    outputs_of,
    replaced,
    static,
)

PUBLIC = list(public_ops())
EACH = examples(15)  # times the number of ops, some 37


def random_specs(name: str, count: int):
    """Runs a test on some specs that use an op, the same ones in every run."""

    def decorate(test):
        chosen = settings(max_examples=count, suppress_health_check=list(HealthCheck))
        return seed(zlib.crc32(name.encode()))(chosen(given(specs(name))(test)))

    return decorate


@pytest.mark.parametrize("name", PUBLIC)
def test_what_a_spec_says_is_what_its_module_does(name, tmp_path):
    seen, compared = 0, 0

    @random_specs(name, EACH)
    def law(text: str) -> None:
        nonlocal seen, compared
        note(text)
        graph = archdsl.parse(text)
        assert name in used(graph)
        assert measured(graph) == static(graph)
        source = archdsl.compile(text)
        (tmp_path / f"{zlib.crc32(source.encode())}.py").write_text(source)
        compared += layouts_do_not_matter(graph)
        seen += 1

    law()
    # Hypothesis tries fewer where it had to throw some away.
    assert seen >= EACH * 0.8
    assert compared >= seen * 0.5
    is_formatted(tmp_path)


CONSTRUCTS = {
    "block with hyperparameters": r"^block \w+\[x\]\(p",
    "block of two tensors": r"^block \w+\[x, y\]",
    "call with another hyperparameter": r"b\d+\(p\d+ = \d+\)",
    "several returns": r"^  let v\d+, v\d+ = ",
    "let": r"^ +let v\d+ = ",
    "label": r" as v\d+$",
    "list of a loop": r"v\d+\[\d\]",
    "residual": r"^ +residual \{",
    "residual with drop_path": r"^ +residual\(",
    "repeat": r"^ +repeat\([2-4]\)",
    "for": r"^ +for i\d+ in \[\d, \d",
    "if": r"^ +if p\d+ >= ",
    "else": r"^ +\} else \{",
    "comprehension": r"concat\(\[.* for k\d+ in",
    "shared layer": r"^ +layer l\d+ = [^~]*-> l\d+\b",
    "tied projection": r"-> l\d+\.transposed",
    "pipeline as an argument": r"key = \w+ -> ",
    "tensor arithmetic": r"\w+ [-+*] (\w|\.)+ -> ",
    "axial": r"over = \[?[A-Z]",
    "multiple of a hyperparameter": r"\(features = 2 \* p\d+|\(2 \* p\d+",
    "size of what flows": r"2 \* C",
    "several inputs": r"^  input \w+: [^~]*^  input",
    "several outputs": r"^  output \w+[^~]*^  output",
    "list as an output": r"^  output all = \[",
    "order of an output": r"^  output out: \[C = ",
    "no batch": r"^  input \w+: \[([AC-Z] = \d+(, )?)+\]",
}


def test_random_specs_use_all_of_the_language():
    texts = []

    def keep(text: str) -> None:
        texts.append(text)

    for name in PUBLIC:
        random_specs(name, 12)(keep)()
    missing = [
        what
        for what, pattern in CONSTRUCTS.items()
        if not any(re.search(pattern, text, flags=re.MULTILINE) for text in texts)
    ]
    assert not missing


def used(graph: Graph) -> set[str]:
    payloads = [node.payload for inner in reachable(graph) for node in inner]
    return {p.name for p in payloads if isinstance(p, Op)}


def is_formatted(folder: Path) -> None:
    """What is emitted is what `ruff format` would write, and ruff finds no fault.

    But a value that the spec itself does not use (F841).
    """
    for words in (
        ["format", "--check", "--diff"],
        ["check", "--select=E,F,I,W", "--ignore=F841", "--line-length=100"],
    ):
        ruff = [sys.executable, "-m", "ruff", *words, "--isolated", "--no-cache"]
        ran = subprocess.run(
            [*ruff, folder], check=False, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


# --- layouts ------------------------------------------------------------------------


def layouts_do_not_matter(graph: Graph) -> bool:
    """Declares the inputs in another order and compares all numbers.

    False where they cannot be compared: where the order of positions, which lists of
    numbers and tables follow, hangs on the place of C, or where numbers explode.
    """
    orders = {name: turned(tensor.names) for name, tensor in graph.inputs.items()}
    text = redeclared(graph, orders)
    try:
        other = archdsl.parse(text)
    except archdsl.SpecError:  # a list was of other positions, once C had moved
        assert re.search(r"split\(C|into = |merge\(", text), text
        return False
    if positions(graph) != positions(other):
        return False
    torch.manual_seed(0)
    inputs = inputs_for(graph, 2, torch.float64)
    moved = [
        x.permute([tensor.names.index(axis) for axis in orders[name]])
        for x, (name, tensor) in zip(inputs, graph.inputs.items(), strict=True)
    ]
    with forgotten(), torch.no_grad():
        one, two = jittered(load(graph)), jittered(load(other))
        two.load_state_dict(one.state_dict())
        expected = outputs_of(graph, one(*inputs))
        found = outputs_of(other, two(*moved))
    for name, here, there in zip(
        expected, graph.result_orders, other.result_orders, strict=True
    ):
        back = found[name].permute([there.index(axis) for axis in here]).double()
        wanted = expected[name].double()  # ids and truth values, too
        largest = wanted.abs().max().item()
        if not largest < 1e9:
            return False
        atol = 1e-7 * max(1.0, largest)
        torch.testing.assert_close(back, wanted, rtol=1e-6, atol=atol)
    return True


def turned(names: Layout) -> Layout:
    """Another order of axes in which B and C move, and positions stay in theirs."""
    others = [n for n in reversed(names) if n in ("B", "C")]
    return (*others[:1], *(n for n in names if n not in others), *others[1:])


def redeclared(graph: Graph, orders: dict[str, Layout]) -> str:
    """The text of a graph's spec, with the axes of its inputs in other orders."""
    text = graph.span.source.text
    for name, tensor in graph.inputs.items():
        before = f"input {name}: {tensor}\n"
        assert before in text
        text = text.replace(before, f"input {name}: {tensor.ordered(orders[name])}\n")
    return text


def positions(graph: Graph) -> list[Layout]:
    """The positions of every tensor, in order."""
    nodes = [node for inner in reachable(graph) for node in inner]
    return [tensor.positions for node in nodes for tensor in node.outputs]


# --- the tests themselves -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "method", "lie"),
    [
        ("conv", "cost", Op.cost),
        ("linear", "weights", lambda op, ins: ()),
        ("attention", "cost", Op.cost),
        ("lstm", "weights", lambda op, ins: ()),
    ],
)
def test_a_planted_fault_is_found(name, method, lie):
    found = 0

    @random_specs(name, 6)
    def law(text: str) -> None:
        nonlocal found
        honest = static(archdsl.parse(text))
        with replaced(ops()[name], method, lie):
            try:
                graph = archdsl.parse(text)
            except archdsl.SpecError:  # a wrong shape is refused further on
                return
            lied = static(graph)
            found += lied != honest and measured(graph) != lied

    law()
    assert found >= 2


def test_a_planted_fault_of_the_layout_is_found():
    text = "model m {\n  input x: [B, C = 4, T = 4]\n  softmax(T)\n  output y\n}\n"
    graph = archdsl.parse(text)
    assert layouts_do_not_matter(graph)
    honest = ops()["softmax"].emit

    def lie(op, site):
        emit = honest(op, site)
        return type(emit)(emit.forward.replace("dim=2", "dim=1"), emit.layouts)

    with replaced(ops()["softmax"], "emit", lie), pytest.raises(AssertionError):
        layouts_do_not_matter(graph)


@pytest.mark.parametrize("bad", ["x = {  'a':1 }\n", "x = undefined\n"])
def test_the_check_of_the_source_can_fail(bad, tmp_path):
    (tmp_path / "a.py").write_text(bad)
    with pytest.raises(AssertionError):
        is_formatted(tmp_path)
