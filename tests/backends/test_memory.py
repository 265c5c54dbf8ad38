"""Memory as told without running equals what PyTorch holds when it runs."""

import re
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, seed, settings

import archdsl
from archdsl.backends.torch.load import load
from archdsl.backends.torch.measure.memory import peak_bytes, saved_bytes
from archdsl.backends.torch.shadow import functions
from archdsl.backends.torch.shadow.run import usage
from archdsl.backends.torch.shadow.storage import MOST, Unknown
from archdsl.ir.graph import Graph
from archdsl.ops.registry import ops, public_ops
from tests.randoms.maker import specs
from tests.texts import text_of
from tests.tools import examples, forgotten, inputs_for, replaced, shipped

EXAMPLES = [
    pytest.param(example, id=f"{name}{i}")
    for name, op in ops().items()
    for i, example in enumerate(op.examples)
]
ROOT = Path(__file__).parents[2]
LARGE = {"llama"}  # 27 GB of weights, which a run would have to hold
SPECS = sorted(
    {path.stem for path in (ROOT / "specs").glob("*.arch")} - {"resnet"} - LARGE
)
QUICK = {
    "alexnet", "bilstm", "lstm_scan", "recurrent", "resnet18", "seq2seq", "textcnn",
}  # fmt: skip


def run(graph: Graph, *, learned_inputs: bool = False) -> tuple[int | None, int]:
    """What autograd holds after a forward pass, and the peak without it.

    None for what cannot be run in training: a batch norm of one number.
    """
    with forgotten():
        module = load(graph)
    tensors = graph.inputs.values()
    inputs = inputs_for(graph, next((t["B"] for t in tensors if "B" in t), 1))
    for x in inputs:
        x.requires_grad_(learned_inputs and x.is_floating_point())
    try:
        saved = saved_bytes(module.train(), inputs)
    except (ValueError, RuntimeError):
        saved = None
    return saved, peak_bytes(module.eval(), [x.detach() for x in inputs])


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize(("batch", "learned"), [(1, False), (2, True)])
def test_each_op_holds_what_autograd_does(example, batch, learned):
    graph = archdsl.parse(text_of(example), sizes={"B": batch})
    found = usage(graph, learned_inputs=learned)
    saved, peak = run(graph, learned_inputs=learned)
    assert found.peak == peak
    assert saved is None or found.saved == saved
    assert sum(found.places.values()) == found.saved


@pytest.mark.parametrize(
    "spec",
    [s if s in QUICK else pytest.param(s, marks=pytest.mark.slow) for s in SPECS],
)
def test_each_spec_holds_what_autograd_does(spec):
    graph = shipped(spec)
    found = usage(graph)
    assert (found.saved, found.peak) == run(graph)


def test_a_narrow_llama_holds_what_autograd_does():
    narrow = {"dim": 64, "depth": 2, "heads": 4, "kv_heads": 2, "vocab": 50}
    graph = archdsl.parse("llama", settings=narrow, sizes={"T": 9})
    found = usage(graph)
    assert (found.saved, found.peak) == run(graph)


@pytest.mark.parametrize("batch", [2, 3])
def test_a_batch_is_held_whole(batch):
    graph = archdsl.parse("textcnn", sizes={"B": batch})
    found = usage(graph)
    assert (found.saved, found.peak) == run(graph)


def random_specs(name: str, count: int):
    """Runs a test on some specs that use an op, the same ones in every run."""

    def decorate(test):
        chosen = settings(max_examples=count, suppress_health_check=list(HealthCheck))
        return seed(zlib.crc32(name.encode()) + 1)(chosen(given(specs(name))(test)))

    return decorate


@pytest.mark.parametrize("name", list(public_ops()))
def test_random_nets_hold_what_autograd_does(name):
    @random_specs(name, examples(1))
    def law(text: str) -> None:
        note(text)
        graph = archdsl.parse(text)
        found = usage(graph)
        saved, peak = run(graph)
        assert saved is None or found.saved == saved
        assert found.peak == peak

    law()


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("act", ["", "sigmoid -> "])
def test_what_an_lstm_leaves_lies_as_it_does_in_torch(act, steps):
    """Along one position a view has other strides, which decides later copies.

    `unflatten` views the whole anew, and element-wise functions know maps with their
    channels last; so a convolution of it, and a copy for the next lstm, differ.
    """
    lstm = "lstm(3, bidirectional = true, bias = false, over = W)"
    graph = archdsl.parse(
        f"model m {{\n  input x: [B = 1, W = {steps}, H = 8, C = 4]\n"
        f"  {lstm} -> {act}conv(4, kernel = 1) -> {lstm}\n  output y\n}}\n"
    )
    found = usage(graph)
    assert (found.saved, found.peak) == run(graph)


@pytest.mark.parametrize("more", ["", ", kv_heads = 1", ", causal = true"])
def test_a_pair_that_rotary_turns_lies_as_it_does_in_torch(more):
    """With one pair in a head, `stack` puts features apart: no kernel takes them."""
    graph = archdsl.parse(
        "model m {\n  input x: [B = 1, T = 6, C = 4]\n"
        f"  attention(2, rotary = 100{more})\n  output y\n}}\n"
    )
    found = usage(graph)
    assert (found.saved, found.peak) == run(graph)


def test_an_open_size_is_filled_in():
    text = "model m {\n  input x: [B, T, C = 4]\n  attention(2)\n  output y\n}\n"
    graph = archdsl.parse(text)
    for size in (3, 7):
        there = archdsl.parse(text, sizes={"T": size})
        assert usage(graph, {"T": size}) == usage(there)


@pytest.mark.parametrize(
    "shape", ["[H = 4, C = 8, B, W = 5]", "[B, H = 4, W = 5, C = 8]"]
)
def test_where_nothing_is_put_around_an_open_size_it_is_a_clone(shape):
    """One lies as the input does, whose copy afterwards counts."""
    text = (
        f"model m {{\n  input x: {shape}\n"
        '  patch_merge(8, pad = true, norm = "after", over = H)\n  output y\n}\n'
    )
    graph = archdsl.parse(text, sizes={"H": None, "W": None})
    module = load(graph).eval()
    for sizes in ({"H": 14, "W": 12}, {"H": 13, "W": 12}):
        inputs = inputs_for(archdsl.parse(text, sizes=sizes), 1)
        assert usage(graph, sizes).peak == peak_bytes(module, inputs)


def test_what_leads_to_no_result_is_given_back():
    text = "model m {{\n  input x: [B, C = 4]\n  linear(4){}\n  output y\n}}\n"
    plain = archdsl.parse(text.format(""))
    beside = archdsl.parse(text.format(" as y\n  let z = y -> linear(6) -> tanh"))
    assert usage(plain).saved == usage(beside).saved == run(beside)[0]


def test_a_planted_lie_is_found():
    graph = archdsl.parse("alexnet")

    def lie(x):
        return functions.made("relu", functions.Shadow(x.shape), (x,), (x,))

    honest = usage(graph).saved
    with replaced(functions, "relu", lie):
        assert usage(graph).saved != honest


def test_a_plugin_that_uses_what_nobody_knows_is_said_so():
    graph = archdsl.parse("alexnet")
    lie = replaced(ops()["relu"], "function", "torch.special.unheard_of")
    with lie, pytest.raises(Unknown, match="special"):
        usage(graph)


def test_a_run_without_end_is_not_begun():
    text = (
        f"model m {{\n  input x: [B, T = {MOST + 1}, C = 4]\n"
        "  scan(T) [x, h = zeros(C = 4)] {\n    x + h\n  }\n  output y\n}\n"
    )
    with pytest.raises(Unknown, match="turns"):
        usage(archdsl.parse(text))


def test_the_documented_figures_are_those_that_are_told():
    text = (ROOT / "docs" / "memory.md").read_text("utf-8")
    rows = re.findall(
        r"^\| `(\w+)`[^|]*\| ([\d,]+) \| ([\d,]+) \|$", text, re.MULTILINE
    )
    assert len(rows) == 6
    for spec, saved, peak in rows:
        found = usage(archdsl.parse(spec))
        assert (f"{found.saved:,}", f"{found.peak:,}") == (saved, peak)
