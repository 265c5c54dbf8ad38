"""What is known of an op from one layer is right for the others that use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings

import archdsl
from archdsl.analysis.check import check as everything
from archdsl.build import check, known, read
from archdsl.diagnostics.render import render
from archdsl.ir.text import text as ir_text
from archdsl.ops.registry import public_ops
from archdsl.source import Source
from benchmarks import big
from tests.randoms.maker import specs

TESTS = Path(__file__).resolve().parents[1]
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
    known.KNOWN.forget()
    quick = made(text)
    assert made(text) == quick  # now that all is known
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
    alone = []
    for one in calls:
        known.KNOWN.forget()
        alone.append(said([one])[0])
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


def test_a_second_check_says_what_the_first_said() -> None:
    """Whatever was checked in between: what is known holds no places of a spec."""
    paths = sorted([*TESTS.glob("errors/*/*.arch"), *TESTS.glob("lints/*/*.arch")])
    assert len(paths) > 200

    def told(path: Path) -> str:
        text = path.read_text("utf-8", errors="replace")
        return render(everything(read(Source(path.name, text), path.parent)))

    first = {}
    for path in paths:
        known.KNOWN.forget()
        first[path] = told(path)
    for path in reversed(paths):
        told(path)
    assert {path: told(path) for path in paths} == first


@pytest.mark.parametrize(
    ("layer", "most"),
    [
        ("linear({})", 50),
        ("conv({}, kernel = 1)", 50),
        ("concat([x, x -> linear({})])", 50),
        ('gelu("tanh{}' + "h" * 6400 + '")', 0),  # each is an error, and none is kept
    ],
)
def test_what_is_known_has_an_end(
    layer: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known.KNOWN, "_most", 50)
    known.KNOWN.forget()
    largest = 0
    for number in range(1, 120):
        step = layer.format(number)
        text = f"model m {{ input x: [B, C = 4, H, W]\n  {step}\n  output y }}"
        check(read(Source("<text>", text)))
        calls = known.KNOWN._calls.values()
        held = len(calls) + sum(len(one.layers) for one in calls if one)
        assert held <= most
        largest = max(largest, held)
    assert largest >= most // 4


def test_long_formulas_are_soon_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula of many factors counts as so many layers."""
    monkeypatch.setattr(known.KNOWN, "_most", 50)
    held = []
    for size in ("", " = 7"):
        known.KNOWN.forget()
        shape = ", ".join(f"{axis}{size}" for axis in ("H", "W", "D"))
        text = f"model m {{ input x: [B, C = 4, {shape}]\n  relu -> silu\n  output y }}"
        check(read(Source("<text>", text)))
        held.append(known.KNOWN._size)
    assert held[0] > held[1] > 0
