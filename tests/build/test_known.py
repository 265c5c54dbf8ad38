"""What is known of an op from one layer is right for the others that use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings

import archdsl
from archdsl.build import check, known, read
from archdsl.ir.text import text as ir_text
from archdsl.ops.registry import public_ops
from archdsl.source import Source
from benchmarks import big
from tests.randoms.maker import specs

PACKAGE = Path(archdsl.__file__).parent
SPECS = Path(__file__).resolve().parents[2] / "specs"
FILES = [*sorted(SPECS.glob("*.arch")), *sorted((PACKAGE / "starters").glob("*.arch"))]
FEW = tuple(public_ops())[::4]  # of which random specs are made


def made(text: str) -> list[str]:
    """The graphs of all models of a text that has no errors, and what they assume."""
    checked = check(read(Source("<text>", text), SPECS))
    errors = [str(d) for d in checked.diagnostics if d.severity == "error"]
    assert not errors, errors
    return [ir_text(graph) for graph in checked.graphs]


def alike(text: str) -> None:
    """Graphs are the same where nothing is known and each op is bound anew."""
    quick = made(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known, "as_call", lambda op, given: None)
        assert made(text) == quick
    assert quick


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_spec_is_the_same_without_what_is_known(path: Path) -> None:
    alike(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("number", range(2))
def test_a_large_spec_is_the_same_without_what_is_known(number: int) -> None:
    alike(big.spec(20_000, number))


@pytest.mark.parametrize("name", FEW)
def test_random_specs_are_the_same_without_what_is_known(name: str) -> None:
    chosen = settings(max_examples=8, suppress_health_check=list(HealthCheck))
    chosen(seed(7)(given(specs(name))(alike)))()


# What stands for one argument: equal to Python, or as good as, but not to a spec.
ARGUMENTS = ("1", "1.0", "true", "0", "0.0", "0.0 * -1", "false", '"C"', "C", "none")


CALLS = ("dropout({})", "linear(4, bias = {})", "conv(4, {})", "softmax({})", "add({})",
         "multiply({})", "layer_norm(eps = {})")  # fmt: skip


def said(calls: list[str]) -> list[tuple[str, ...]]:
    """The layer that each call makes, or its errors; each in a model, all in a file."""
    text = "\n".join(
        f"model m{i} {{ input x: [B, C = 4, T = 4]\n  {call}\n  output y }}"
        for i, call in enumerate(calls)
    )
    checked = check(read(Source("<text>", text)))
    wrong = [(d.span.line, d.fault.message()) for d in checked.diagnostics]
    layers = [(graph[1].span.line, repr(graph[1].payload)) for graph in checked.graphs]
    lines = range(2, 3 * len(calls), 3)
    return [tuple(w for at, w in wrong + layers if at == line) for line in lines]


@pytest.mark.parametrize("call", CALLS)
def test_arguments_that_python_calls_equal_are_not_mixed_up(call: str) -> None:
    """Each call says what it says alone, whatever was called before it in the file."""
    calls = [call.format(argument) for argument in ARGUMENTS]
    alone = [said([one])[0] for one in calls]
    assert all(alone)
    assert len(set(alone)) > 1
    assert said(calls * 2) == alone * 2
    assert said(calls[::-1]) == alone[::-1]


def test_arguments_that_python_calls_equal_make_blocks_of_their_own() -> None:
    """A block for 1 is another than one for 1.0 and for true, on the same tensor."""
    text = "\n".join([
        "block half[x](rate) { dropout(rate) }",
        "model m { input x: [B, C = 4]",
        "  half(0) -> half(0.0) -> half(false)",
        "  output y }",
    ])  # fmt: skip
    found = check(read(Source("<text>", text)))
    assert [d.fault.message() for d in found.diagnostics] == [
        "dropout: rate must be a number from 0 to 1"
    ]
