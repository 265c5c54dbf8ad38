"""Training, optimizer states, caches and the roofline, each against something else."""

import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, note, seed, settings
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.cost import Costs
from archdsl.analysis.memory.devices import DEVICES
from archdsl.analysis.memory.find import roofline, training
from archdsl.analysis.memory.gradients import Training
from archdsl.analysis.memory.names import OPTIMIZERS, PRECISIONS
from archdsl.analysis.memory.roofline import traffic
from archdsl.analysis.memory.states import caches, states
from archdsl.backends.torch.load import load
from archdsl.backends.torch.memory import memory
from archdsl.diagnostics import SpecError
from archdsl.ir.dim import substitute
from archdsl.ir.graph import Graph, reachable
from archdsl.ops.base import Example
from archdsl.ops.registry import ops, public_ops
from tests.randoms.maker import specs
from tests.texts import text_of
from tests.tools import (
    examples,
    forgotten,
    inputs_for,
    outputs_of,
    replaced,
    shipped,
)

MATRICES = {
    "attention", "conv", "gru", "linear", "lstm", "patch_merge", "rnn",
    "window_attention",
}  # fmt: skip
EXAMPLES = [
    pytest.param(example, id=f"{name}{i}")
    for name, op in ops().items()
    if name in MATRICES
    for i, example in enumerate(op.examples)
]
ROOT = Path(__file__).parents[2]
SPECS = sorted({path.stem for path in (ROOT / "specs").glob("*.arch")} - {"resnet"})
QUICK = {
    "alexnet", "bilstm", "gpt2", "lstm_scan", "recurrent", "resnet18", "seq2seq",
    "swin_t", "textcnn",
}  # fmt: skip


def counted(graph: Graph) -> int:
    """The FLOPs of matrix products in the backward pass, as PyTorch counts them.

    On the meta device, as everything there is a product of matrices or nothing.
    """
    tensors = graph.inputs.values()
    with torch.device("meta"), forgotten():
        module = load(graph).train()
        inputs = inputs_for(graph, next((t["B"] for t in tensors if "B" in t), 1))
    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.eval()  # in training it refuses a batch of one number
    with FlopCounterMode(display=False) as counter:
        results = outputs_of(graph, module(*inputs)).values()
        ahead = counter.get_total_flops()
        ends = [y for y in results if y.requires_grad]
        if ends:
            torch.autograd.backward(ends, [torch.ones_like(y) for y in ends])
        return counter.get_total_flops() - ahead


def told(graph: Graph) -> int:
    """The same, told without running; op by op it is the same in all."""
    gradients = Training()
    macs = gradients.backward(graph).macs
    assert sum(layer.cost.macs for layer in gradients.layers(graph)) == macs
    return 2 * macs


def adds_up(graph: Graph) -> bool:
    """Whether the layers of a report together do what it says of the whole."""
    part = training(graph)
    forward = sum(part.forward.values()), sum(part.backward.values())
    layers = zip(*((row.forward, row.backward) for row in part.layers), strict=True)
    return forward == tuple(map(sum, layers)) or not part.layers


def is_grouped(text: str) -> bool:
    """Whether PyTorch's counter takes the gradient of a grouped weight for a full one.

    It counts `groups` times what the product has.
    """
    return "groups" in text


# --- gradients ----------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_gradients_of_each_op_cost_what_pytorch_counts(example):
    graph = archdsl.parse(text_of(example), sizes={"B": 2})
    if not is_grouped(example.code):
        assert told(graph) == counted(graph)


@pytest.mark.parametrize("example", EXAMPLES)
def test_gradients_of_an_input_cost_what_pytorch_counts(example):
    """With something learned before the op, its input needs a gradient too."""
    shape = next(iter(example.inputs.values()))
    learned = f"multiply(parameter({', '.join(_sized(shape))})) -> {example.code}"
    text = text_of(Example(learned, example.inputs))
    graph = archdsl.parse(text, sizes={"B": 2})
    if not is_grouped(text):
        assert told(graph) == counted(graph)


def _sized(shape: str) -> list[str]:
    """The axes of a shape that have a size, as written."""
    return [axis for axis in shape.strip("[]").split(", ") if "=" in axis]


@pytest.mark.parametrize(
    "spec",
    [pytest.param(s, marks=[pytest.mark.slow] * (s not in QUICK)) for s in SPECS],
)
def test_a_step_of_each_spec_costs_what_pytorch_counts(spec):
    graph = shipped(spec)
    nodes = (node for each in reachable(graph) for node in each)
    if all(getattr(node.payload, "groups", 1) == 1 for node in nodes):
        assert told(graph) == counted(graph)


@pytest.mark.parametrize("name", list(public_ops()))
def test_a_step_of_random_nets_costs_what_pytorch_counts(name):
    @seed(zlib.crc32(name.encode()) + 2)
    @settings(max_examples=examples(1), suppress_health_check=list(HealthCheck))
    @given(specs(name))
    def law(text: str) -> None:
        note(text)
        graph = archdsl.parse(text)
        if not is_grouped(text):
            assert told(graph) == counted(graph)

        assert adds_up(graph)

    law()


SCAN = """\
block inner[x] {{
  linear(4, bias = false) -> tanh
}}

model m {{
  input x: [B, T = {steps}, C = 3]
  x
  scan(T{how}) [x, h = {given}, g = zeros(C = 4)] {{
    x -> linear(4) as a
    h -> linear(4, bias = false) as b
    a + b -> tanh as new
    new + g -> inner as other
    return new, (new, other)
  }} as {end}
  output y
}}
"""


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("how", ["", ", last = true", ", states = true"])
@pytest.mark.parametrize("given", ["zeros(C = 4)", "parameter(C = 4)"])
def test_turns_of_a_scan_cost_what_pytorch_counts(steps, how, given):
    """The first states need no gradient, and the last lead nowhere."""
    end = "all\n  all[1]" if "states" in how else "all"
    graph = archdsl.parse(SCAN.format(steps=steps, how=how, given=given, end=end))
    assert told(graph) == counted(graph)
    assert adds_up(graph)


def test_open_sizes_give_the_same_by_formula():
    graph = archdsl.parse("gpt2", sizes={"T": None, "B": None})
    there = archdsl.parse("gpt2", sizes={"T": 128, "B": 2})
    macs = Training().backward(graph).macs
    assert substitute(macs, {"T": 128, "B": 2}) == Training().backward(there).macs
    open_part, part = training(graph), training(there)
    assert open_part.backward.keys() == part.backward.keys()
    assert [row.path for row in open_part.layers] == [row.path for row in part.layers]


def test_a_planted_lie_is_found():
    graph = archdsl.parse("alexnet")
    with replaced(ops()["linear"], "backward", _free):
        assert told(graph) != counted(graph)


def _free(self, ins, outs, needs):
    return self.cost(ins, outs)


# --- states -------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_states_are_those_of_pytorch(name):
    graph = archdsl.parse("textcnn")
    model = load(graph)
    made = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        "adam": torch.optim.Adam,
    }[name](model.parameters())
    model(*inputs_for(graph)).sum().backward()
    made.step()
    found = states(Costs().total(graph), name, "fp32")
    tensors = [v for s in made.state.values() for k, v in s.items() if k != "step"]
    held = sum(t.untyped_storage().nbytes() for t in tensors if t is not None)
    assert found.optimizer == held
    learned = list(model.parameters())
    assert found.weights == sum(p.untyped_storage().nbytes() for p in learned)
    assert found.gradients == sum(p.grad.untyped_storage().nbytes() for p in learned)


def test_mixed_precision_takes_sixteen_bytes_a_parameter_with_adam():
    totals = Costs().total(archdsl.parse("textcnn"))
    for precision in ("bf16", "fp16"):
        found = states(totals, "adam", precision)
        whole = found.weights + found.gradients + found.optimizer
        assert whole == 16 * totals.params


def test_a_decoder_caches_keys_and_values_of_each_layer():
    found = caches(archdsl.parse("gpt2"), "fp16")
    assert len(found) == 12
    assert sum(one.each for one in found) == 2 * 12 * 768 * 2
    assert sum(one.nbytes for one in found) == 2 * 12 * 768 * 2 * 1024
    assert caches(archdsl.parse("vit_b16")) == ()


def test_a_cross_attention_caches_what_does_not_grow():
    text = (
        "model m {\n  input x: [B, T, C = 8]\n  input m: [B, H = 3, W = 2, C = 6]\n"
        "  x -> attention(2, causal = true)\n  attention(2, key = m)\n  output y\n}\n"
    )
    own, cross = caches(archdsl.parse(text))
    assert (own.cross, own.each, str(own.positions)) == (False, 2 * 8 * 4, "T")
    assert (cross.cross, cross.nbytes) == (True, 2 * 8 * 4 * 6)


# --- the roofline -------------------------------------------------------------------

TINY = """\
model tiny {
  input x: [B, C = 64]
  linear(32, bias = false) -> relu -> linear(8, bias = false)
  output y
}
"""


def test_traffic_is_inputs_weights_and_outputs():
    rows = list(traffic(archdsl.parse(TINY)))
    assert [r.nbytes for r in rows] == [
        4 * (64 + 64 * 32 + 32), 4 * (32 + 32), 4 * (32 + 32 * 8 + 8)
    ]  # fmt: skip
    assert [r.flops for r in rows] == [2 * 64 * 32, 32, 2 * 32 * 8]
    fused = list(traffic(archdsl.parse(TINY), fused=True))
    assert [r.nbytes for r in fused] == [rows[0].nbytes, 0, rows[2].nbytes]


MOVED = [  # what moves, in numbers: eagerly, and fused
    ("linear(8, bias = false) as a", 30 + 48 + 40, 30 + 48 + 40),
    ("relu as r", 40 + 40, 40 + 40),  # what the sum below reads, too
    ("mean(T) as g", 40 + 8, 40 + 8),
    ("r * g as s", 40 + 8 + 40, 40 + 8 + 40),  # g is no value for each number
    ("s * s as q", 40 + 40, 0),  # one tensor is read once
    (
        "batch_norm",
        40 + 4 * 8 + 2 + 40,
        40 + 4 * 8 + 2 + 40,
    ),  # its count of batches has 8 bytes
    ("tanh as n", 40 + 40, 0),
    ("n + a", 40 + 40 + 40, 40 + 40 + 40),  # n is an output, and so it is written
    ("softmax(over = T)", 40 + 40, 40 + 40),
]


def test_traffic_of_each_op_is_that_reckoned_by_hand():
    lines = "".join(f"  {line}\n" for line, *_ in MOVED)
    text = f"model m {{\n  input x: [B, T = 5, C = 6]\n{lines}  output y\n"
    graph = archdsl.parse(f"{text}  output also = n\n}}\n")
    for fused in (False, True):
        rows = list(traffic(graph, fused=fused))
        for row, (line, *moved) in zip(rows, MOVED, strict=True):
            if moved[fused] is not None:
                assert (line, row.nbytes) == (line, 4 * moved[fused])


def test_an_id_reads_one_row_and_dropout_nothing():
    rows = {r.path[-1]: r for r in traffic(archdsl.parse("textcnn"))}
    assert rows["words"].nbytes == 64 * 8 + 2 * 64 * 300 * 4
    assert rows["dropout"].nbytes == 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_layer_takes_the_longer_of_work_and_traffic(device, precision):
    for spec in (TINY, "alexnet"):
        part = roofline(archdsl.parse(spec), device, precision, fused=False)
        for row in part.layers:
            assert row.seconds >= row.bytes / part.bandwidth
            fastest = max(part.matmul_peak, part.vector_peak)
            assert row.seconds >= row.flops / fastest * (1 - 1e-12)
            if row.bound == "memory":
                assert row.seconds == row.bytes / part.bandwidth
        assert part.seconds == sum(row.seconds for row in part.layers)
    fused = roofline(archdsl.parse("alexnet"), device, precision, fused=True)
    assert fused.seconds < part.seconds


def test_a_time_needs_numbers():
    graph = archdsl.parse("gpt2", sizes={"T": None})
    with pytest.raises(SpecError, match="E310"):
        roofline(graph, "h100", "fp32", fused=False)


# --- formulas -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "opened", "at"),
    [
        ("resnet18", ("H", "W"), {"H": 96, "W": 160}),
        ("gpt2", ("B", "T"), {"B": 3, "T": 70}),
        ("bilstm", ("T",), {"T": 33}),
    ],
)
def test_bytes_of_open_sizes_are_formulas(spec, opened, at):
    from archdsl.ir.formula import read

    found = memory(archdsl.parse(spec, sizes=dict.fromkeys(opened)), "adam", "fp32")
    there = memory(archdsl.parse(spec, sizes=at), "adam", "fp32")
    assert all(size % found.multiples == 0 for a, size in at.items() if a != "B")
    for key in ("saved", "peak", "training", "inference"):
        assert substitute(read(getattr(found, key)), at) == getattr(there, key)


def test_what_has_no_formula_says_so():
    text = "model m {{\n  input x: [B, T, C = 3]\n  {}\n  output y\n}}\n"
    found = memory(archdsl.parse(text.format("conv(4, 3, 17) -> relu")), "adam", "fp32")
    assert found.saved is None and "formula" in found.unknown
    assert (
        memory(
            archdsl.parse(text.format("conv(4, 3, 8) -> relu")), "adam", "fp32"
        ).multiples
        == 8
    )


@pytest.mark.parametrize("length", [8, 64])
def test_a_token_costs_its_maps_and_its_scores_over_all_before_it(length):
    """The figure of a report is that of a step of generation, its keys cached."""
    from archdsl.analysis.present import as_text

    narrow = {"dim": 64, "depth": 2, "heads": 4, "kv_heads": 2, "vocab": 50}
    narrow |= {"width": 96}
    report = archdsl.analyze(
        "llama", settings=narrow, sizes={"T": length}, sections=["memory"]
    )
    maps = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96) + 50 * 64
    macs = maps + 2 * 2 * length * 64
    assert report.totals.macs == length * macs
    lines = as_text(report, ["flops"], 1).splitlines()
    line = next(row for row in lines if "a token" in row)
    assert int(line.split()[3].replace(",", "")) == report.totals.flops // length
    each = [row.position_bytes for row in report.memory.caches]
    assert each == [2 * 32 * 4] * 2
