"""Random specs: what is said without running equals what the compiled module does."""

import math
import subprocess
import sys
import zlib

import pytest
import torch
from hypothesis import HealthCheck, given, note, seed, settings

import archdsl
from archdsl.backends.torch.load import load
from archdsl.ir.graph import Graph, reachable
from archdsl.ops.base import Op
from archdsl.ops.registry import ops
from tests.random_specs import specs
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

PUBLIC = [name for name, op in ops().items() if op.public]
EACH = examples(15)  # times the number of ops, some 37


def check(text: str) -> Graph:
    """The laws that hold of every right spec."""
    note(text)
    graph = archdsl.parse(text)
    assert measured(graph) == static(graph)
    return graph


def random_specs(name: str, count: int):
    """Runs a test on some specs that use an op, the same in every run."""

    def decorate(test):
        chosen = settings(
            settings.get_profile(settings._current_profile),
            max_examples=count,
            suppress_health_check=list(HealthCheck),
        )
        return seed(zlib.crc32(name.encode()))(chosen(given(specs(name))(test)))

    return decorate


@pytest.mark.parametrize("name", PUBLIC)
def test_what_a_spec_says_is_what_its_module_does(name, tmp_path):
    seen, compared = 0, 0

    @random_specs(name, EACH)
    def law(text: str) -> None:
        nonlocal seen, compared
        graph = check(text)
        assert name in used(graph)
        source = archdsl.compile(text)
        assert source == archdsl.compile(text)
        (tmp_path / f"{zlib.crc32(source.encode())}.py").write_text(source)
        compared += layouts_do_not_matter(graph)
        seen += 1

    law()
    assert seen >= EACH * 0.8  # or Hypothesis had nothing to try
    assert compared >= seen // 3
    is_formatted(tmp_path)


def used(graph: Graph) -> set[str]:
    payloads = [node.payload for inner in reachable(graph) for node in inner]
    return {p.name for p in payloads if isinstance(p, Op)}


def is_formatted(folder) -> None:
    """What is emitted is what `ruff format` would write, and ruff finds no fault."""
    for words in (
        ["format", "--check", "--diff"],
        ["check", "--select=E,F,I,W", "--line-length=100"],
    ):
        ruff = [sys.executable, "-m", "ruff", *words, "--isolated", "--no-cache"]
        ran = subprocess.run([*ruff, folder], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr


# --- layouts ------------------------------------------------------------------------


def layouts_do_not_matter(graph: Graph) -> bool:
    """Declares the inputs in another order and compares all numbers.

    False where they cannot be compared: where the order of positions, which lists of
    numbers and tables follow, hangs on the place of C, or where numbers overflow.
    """
    sizes = {name: tensor.names for name, tensor in graph.inputs.items()}
    orders = {name: turned(names) for name, names in sizes.items()}
    other = archdsl.parse(redeclared(graph, orders))
    if [x.positions for x in types(graph)] != [x.positions for x in types(other)]:
        return False
    torch.manual_seed(0)
    inputs = inputs_for(graph, 2, torch.float64)
    moved = [
        x.permute([sizes[n].index(a) for a in orders[n]])
        for x, n in zip(inputs, sizes, strict=True)
    ]
    with forgotten(), torch.no_grad():
        one, two = jittered(load(graph)), jittered(load(other))
        two.load_state_dict(one.state_dict())
        expected, found = one(*inputs), two(*moved)
    expected, found = outputs_of(graph, expected), outputs_of(other, found)
    for i, name in enumerate(expected):
        here, there = graph.result_orders[i], other.result_orders[i]
        back = found[name].permute([there.index(a) for a in here])
        assert back.shape == expected[name].shape
        largest = expected[name].abs().max().item()
        if not largest < 1e9:
            return False
        atol = 1e-7 * max(1.0, largest)
        torch.testing.assert_close(back, expected[name], rtol=1e-6, atol=atol)
    return True


def turned(names: tuple[str, ...]) -> tuple[str, ...]:
    """Another order of axes in which B and C move, and positions stay in theirs."""
    positions = [n for n in names if n not in ("B", "C")]
    others = [n for n in reversed(names) if n in ("B", "C")]
    return (*others[:1], *positions, *others[1:])


def redeclared(graph: Graph, orders: dict[str, tuple[str, ...]]) -> str:
    """The text of a graph's spec, with the axes of its inputs in other orders."""
    text = graph.span.source.text
    for name, tensor in graph.inputs.items():
        before = f"input {name}: {tensor}\n"
        assert before in text
        text = text.replace(before, f"input {name}: {tensor.ordered(orders[name])}\n")
    return text


def types(graph: Graph) -> list:
    return [
        tensor for inner in reachable(graph) for node in inner for tensor in node.outputs
    ]


# --- the tests themselves -----------------------------------------------------------


def lying_cost(op, ins, outs):
    return Op.cost(op, ins, outs)


def lying_weights(op, ins):
    return Op.weights(op, ins)


def lying_layout(op, site):
    honest = type(op).__mro__[1].emit(op, site)
    return honest


@pytest.mark.parametrize(
    ("name", "method", "lie"),
    [
        ("conv", "cost", lying_cost),
        ("linear", "weights", lying_weights),
        ("attention", "cost", lying_cost),
        ("lstm", "weights", lying_weights),
    ],
)
def test_a_planted_fault_is_found(name, method, lie):
    found = 0

    @random_specs(name, 5)
    def law(text: str) -> None:
        nonlocal found
        with replaced(ops()[name], method, lie):
            graph = archdsl.parse(text)
            found += measured(graph) != static(graph)

    law()
    assert found >= 4


def test_a_planted_fault_of_the_layout_pass_is_found():
    """A reduction that takes C for the first axis, wherever it lies."""
    text = "model m {\n  input x: [B, C = 4, T = 4]\n  softmax(T)\n  output y\n}\n"
    graph = archdsl.parse(text)
    assert layouts_do_not_matter(graph)
    honest = ops()["softmax"].emit

    def lie(op, site):
        emit = honest(op, site)
        return type(emit)(emit.forward.replace("dim=2", "dim=1"), emit.layouts)

    with replaced(ops()["softmax"], "emit", lie), pytest.raises(AssertionError):
        layouts_do_not_matter(graph)


def test_the_check_of_the_format_fails_on_what_is_not_formatted(tmp_path):
    (tmp_path / "a.py").write_text("x = {  'a':1 }\n")
    with pytest.raises(AssertionError):
        is_formatted(tmp_path)
    assert math.isfinite(EACH)
