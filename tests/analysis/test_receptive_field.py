"""Receptive fields: figures that were published, closed forms, and trial runs."""

from __future__ import annotations

import json
import random
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings

import archdsl
from archdsl.analysis.receptive_field import find, intervals
from archdsl.analysis.receptive_field.result import AxisField, ReceptiveField
from archdsl.backends.torch.load import load
from archdsl.backends.torch.measure.field import Way, drawn, felt, replaced
from archdsl.ir.graph import Graph
from archdsl.ops.registry import public_ops
from archdsl.ops.spread import Sown, Taps, Tiles, Upto
from tests import tools
from tests.randoms.fields import Net
from tests.randoms.maker import specs
from tests.tools import examples, forgotten, jittered

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE.parent / "golden" / "fields.json").read_text())
NETWORKS = [pytest.param(row, id=row["network"]) for row in GOLDEN["networks"]]
PUBLISHED = [
    pytest.param(row, id=row["network"]) for row in GOLDEN["published"]["rows"]
]


def parse(spec: str, **how) -> Graph:
    """A spec that ships, or a model of a file beside this one."""
    file, _, model = spec.partition(":")
    path = HERE / "fields" / f"{file}.arch"
    return archdsl.parse(f"{path}:{model}" if model else spec, **how)


def maps(found: ReceptiveField) -> list[AxisField]:
    """What the last map before a global pool sees, along H and W."""
    return [output.map_field for output in found.outputs]


# --- figures of others --------------------------------------------------------------


@pytest.mark.parametrize("row", [r for r in NETWORKS if "per_stage" not in r.values[0]])
def test_figures_equal_those_of_others(row):
    found = find(parse(row["spec"]))
    assert found.has_gates == row["se_gates_ignored"]
    assert [field.axis for field in maps(found)] == ["H", "W"]
    for field in maps(found):
        expected = row["size"], row["stride"], row["padding"]
        assert (field.unbounded, field.stride, field.padding) == expected
        assert field.offset == (row["size"] - 1) / 2 - row["padding"]


@pytest.mark.parametrize("row", PUBLISHED)
@pytest.mark.parametrize("sizes", [{}, {"H": None, "W": None}])
def test_figures_equal_those_of_araujo(row, sizes):
    for field in maps(find(parse(row["spec"], sizes=sizes))):
        assert (field.unbounded, field.stride) == (row["size"], row["stride"])


@pytest.mark.parametrize("row", [r for r in NETWORKS if "per_stage" in r.values[0]])
def test_stages_of_swin_equal_those_found_by_search(row):
    stages = [f"stage.{i}" for i in range(4)]
    sizes = {"H": 7 * 32 * 32, "W": 7 * 32}
    found = find(parse(row["spec"], sizes=sizes, outputs=stages))
    assert [found.size("H", output=name.replace(".", "_")) for name in stages] == row[
        "per_stage"
    ]


# --- closed forms -------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["swin_t", "swin_s", "swin_b"])
@pytest.mark.parametrize("window", [7, 8, 12, 16])
def test_the_inside_of_swin_follows_its_closed_form(spec, window):
    graph = archdsl.parse(spec)
    depths = graph.hyper["depths"]
    sizes = {"H": window * 32 * 16, "W": window * 32}
    for stage in range(4):
        named = [f"stage.{stage}"]
        settings = {"window": window}
        made = archdsl.parse(spec, settings=settings, sizes=sizes, outputs=named)
        width = 0
        for depth in reversed(depths[: stage + 1]):
            width = 2 * width + depth * window
        # Every stage but the first is merged from the one before.
        inside = sum(d * window * 2**i for i, d in enumerate(depths[: stage + 1]))
        found = find(made)
        assert found.size("H") == 4 * inside
        (field,) = (o.field for o in found.outputs if o.field.axis == "H")
        assert field.centre == 4 * inside


def test_borders_of_swin_t():
    stages = [f"stage.{i}" for i in range(4)]
    found = find(archdsl.parse("swin_t", outputs=stages))
    ends = {o.output: (o.field.least, o.field.size) for o in found.outputs}
    assert ends == {
        "stage_0": (28, 56),
        "stage_1": (84, 168),
        "stage_2": (224, 224),
        "stage_3": (224, 224),
    }


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_dilated_convolutions_grow_as_they_should(kernel):
    dilations = [kernel**i for i in range(5)]
    lines = [f"conv(4, kernel = {kernel}, dilation = {d})" for d in dilations]
    found = one_axis(" -> ".join(lines), "T = 4000")
    assert found.unbounded == found.size == 1 + sum(d * (kernel - 1) for d in dilations)


def one_axis(code: str, axes: str = "T = 12", name: str = "T") -> AxisField:
    text = f"model m {{\n  input x: [B, {axes}, C = 4]\n  {code}\n  output y\n}}\n"
    found = find(archdsl.parse(text))
    (field,) = (o.field for o in found.outputs if o.field.axis == name)
    return field


@pytest.mark.parametrize(
    ("code", "sees", "size", "least"),
    [
        ("attention(2, causal = true)", "prefix", 12, 1),
        ("lstm(4)", "prefix", 12, 1),
        ("lstm(2, bidirectional = true)", "all", 12, 12),
        ("lstm(4, last = true)", "all", 12, 12),
        ("gru(4)", "prefix", 12, 1),
        ("rnn(2, bidirectional = true)", "all", 12, 12),
        ("attention(2)", "all", 12, 12),
        ("scan(T) [x, h = zeros(C = 4)] { x + h }", "prefix", 12, 1),
        ("scan(T, reverse = true) [x, h = zeros(C = 4)] { x + h }", "suffix", 12, 1),
        ("scan(T, last = true) [x, h = zeros(C = 4)] { x + h }", "all", 12, 12),
        ("scan(T) [x, h = zeros(C = 4)] {\n x\n return x, h\n}", "window", 1, 1),
        ("relu", "window", 1, 1),
        ("class_token -> attention(2)", "all", 12, 12),
        # Some positions see nothing at all, so not every one sees everything.
        ("class_token", "window", 1, 1),
        ("attention(2) -> class_token", "window", 12, 12),
        (
            "lstm(4) -> slice(T, 0, 6) -> conv(4, kernel = 1, padding = 3)",
            "window",
            6,
            1,
        ),
    ],
)
def test_what_is_seen_has_a_name(code, sees, size, least):
    found = one_axis(code)
    assert (found.sees, found.size, found.least) == (sees, size, least)


GATED = """model m {
  input x: [B, H = 30, W = 20, C = 4]
  conv(4, kernel = 5) -> conv(4, kernel = 3, stride = 2, padding = 0) as v
  GATE
  conv(4, kernel = 3)
  output y
}
"""


@pytest.mark.parametrize(
    ("gate", "is_gate"),
    [
        ("v * (v -> mean(H, W) -> linear(4) -> sigmoid)", True),
        ("(v -> mean(H, W)) * v", True),
        ("v * (v -> mean(H))", True),
        ("v * (v -> conv(4, kernel = 9) -> sigmoid)", False),
        ("v + (v -> mean(H, W))", False),
        ("v * (v -> softmax(H))", False),
        ("v", False),
    ],
)
def test_a_gate_is_a_factor_without_positions(gate, is_gate):
    found = find(archdsl.parse(GATED.replace("GATE", gate)))
    without = find(archdsl.parse(GATED.replace("GATE", "v")))
    assert found.has_gates == is_gate
    if is_gate:
        assert found.size("H") == 30
        for axis in "HW":
            assert found.size(axis, gates=False) == without.size(axis)
        closed = [o.field.unbounded for o in found.outputs]
        assert closed == [o.field.unbounded for o in without.outputs] == [11, 11]


def test_a_factor_from_another_input_is_no_gate():
    text = """model m {
  input x: [B, T = 9, C = 4]
  input y: [B, T = 9, C = 4]
  x * (y -> mean(T))
  output z
}
"""
    found = find(archdsl.parse(text))
    assert not found.has_gates
    assert (found.size("T", input="x"), found.size("T", input="y")) == (1, 9)
    assert found.size("T", output="z") == 9


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_transposed_convolution_of_stride_one_is_a_convolution(kernel, dilation):
    """It has Araujo's figures; with a larger one, no window follows another evenly."""
    reach = dilation * (kernel - 1)
    before = "conv(4, 5, stride = 2) -> "
    code = f"kernel = {kernel}, dilation = {dilation}, padding = "
    there = one_axis(f"{before}conv_transpose(4, {code}{reach // 2})", "T = 40")
    here = one_axis(f"{before}conv(4, {code}{reach - reach // 2})", "T = 40")
    assert there == here
    assert there.unbounded == 5 + 2 * reach


@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_transposed_convolution_sees_the_positions_that_reach_it(stride, times):
    """``kernel / stride`` of them where the stride divides, as Araujo et al. say."""
    code = f"conv_transpose(4, {times * stride}, stride = {stride})"
    found = one_axis(code, "T = 12")
    assert (found.size, found.unbounded) == (times, None)


def test_branches_whose_strides_differ_have_no_closed_figures():
    code = "concat([x -> conv(4, kernel = 3), x -> slice(T, 0, 12, 1)])"
    assert one_axis(code).unbounded == 3
    code = "concat([x -> conv(4, kernel = 3, stride = 2), x -> slice(T, 3, 9)])"
    assert one_axis(code).unbounded is None


def test_everything_is_seen_from_a_layer_on():
    global_ = "x -> mean(T) -> expand(x, over = T) -> slice(T, 0, 1)"
    text = f"""model m {{
  input x: [B, T = 12, C = 4]
  let summary = {global_}
  concat([summary, x], over = T) as both
  both -> conv(4, kernel = 3) as local
  both -> attention(2) as all
  output some = local
  output everything = all
}}
"""
    found = {o.output: o for o in find(archdsl.parse(text)).outputs}
    assert found["some"].field.sees == "window"
    assert (found["some"].field.least, found["some"].field.size) == (2, 12)
    assert found["some"].everything_from is None
    assert found["everything"].everything_from == "all"


def test_one_position_that_is_joined_is_seen_by_one():
    """An axis of length 1 has no table of its own: who sees it stands elsewhere."""
    text = """model m {
  input x: [B, T = 4, C = 4]
  input z: [B, T = 1, C = 4]
  concat([x, z], over = T)
  output y
}
"""
    graph = archdsl.parse(text)
    for t in range(5):
        fields = {o.field.input: o.field for o in find(graph, {"T": t}).outputs}
        assert fields["x"].at == ((t, t) if t < 4 else None)
        assert fields["z"].at == ((0, 0) if t == 4 else None)
        assert fields["z"].sees == "window"
        assert fields["z"].centre is None
    assert not any(output.everything_from for output in find(graph).outputs)


def test_what_one_position_sees_is_its_own_interval():
    """`find` for a position says what `intervals` says of all of them."""
    dice, blind = random.Random(1), 0
    for number in range(20):
        graph = Net(number).graph
        claimed = claims(graph)
        for output, tensor in zip(graph.result_names, graph.outputs, strict=True):
            at = {a: dice.randrange(tensor[a]) for a in tensor.positions}
            found = {
                Way(o.output, o.field.input, o.field.axis): o.field.at
                for o in find(graph, at).outputs
            }
            for way, ends in claimed.items():
                lo, hi = (int(end[tuple(at.values())]) for end in ends)
                if at and way.output == output:
                    assert found.get(way) == ((lo, hi) if hi >= 0 else None)
                    blind += hi < 0
    assert blind


def test_parts_of_one_axis_that_were_joined_see_their_own_part():
    code = "concat([x -> slice(T, 6), x -> slice(T, 0, 6)], over = T)"
    text = (
        f"model m {{\n  input x: [B, T = 12, S = 3, C = 4]\n  {code}\n  output y\n}}\n"
    )
    tables = intervals(archdsl.parse(text))
    assert tables["y", "x", "T"].lo == (*range(6, 12), *range(6))
    assert tables["y", "x", "S"].axes == ("S",)  # both parts alike


# --- trial runs ---------------------------------------------------------------------


def agrees(graph: Graph, batch: int = 8, trials: int = 5) -> bool:
    """Whether what is felt is what is claimed, in at most some trials.

    Nothing may be felt that is not claimed, in any trial; what is claimed may take
    several to be felt, where a relu or a maximum hides it.
    """
    claimed = claims(graph)
    total: dict[Way, torch.Tensor] = {}
    for trial in range(trials):
        with forgotten():
            module = jittered(load(graph), trial)
        inputs = drawn(graph, batch, trial)
        found = felt(graph, module, inputs, replaced(inputs, 100 + trial))
        total = {way: total.get(way, False) | here for way, here in found.items()}
        ends = {way: hull(here) for way, here in total.items()}
        for way, (lo, hi) in ends.items():
            assert (lo >= claimed[way][0]).all(), (way, graph)
            assert (hi <= claimed[way][1]).all(), (way, graph)
        if all(
            torch.equal(a, b)
            for way in ends
            for a, b in zip(ends[way], claimed[way], strict=True)
        ):
            return True
    return False


def hull(here: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The first and the last position that is felt."""
    each = torch.arange(len(here)).reshape(-1, *[1] * (here.ndim - 1))
    return (
        torch.where(here, each, len(here)).amin(0),
        torch.where(here, each, -1).amax(0),
    )


def claims(graph: Graph) -> dict[Way, tuple[torch.Tensor, torch.Tensor]]:
    """The static intervals, an output position each."""
    found = {}
    tables = intervals(graph)
    for output, tensor in zip(graph.result_names, graph.outputs, strict=True):
        sizes = {a: tensor[a] for a in tensor.positions}
        for name, source in graph.inputs.items():
            for axis in source.positions:
                n = source[axis]
                lo = torch.full(tuple(sizes.values()), n)
                hi = torch.full(tuple(sizes.values()), -1)
                if (output, name, axis) in tables:
                    table = tables[output, name, axis].spread_out(sizes)
                    order = [table.axes.index(a) for a in tensor.positions]
                    shape = [sizes[a] for a in table.axes]
                    lo = torch.tensor(table.lo).clamp(max=n).reshape(shape)
                    hi = torch.tensor(table.hi).reshape(shape)
                    lo, hi = lo.permute(order), hi.permute(order)
                found[Way(output, name, axis)] = lo, hi
    return found


SMALL = {
    "alexnet": {"sizes": {"H": 71, "W": 63}, "outputs": ["max_pool", "max_pool_2"]},
    "bilstm": {"settings": {"vocab": 50, "dim": 8, "hidden": 6}},
    "gpt2": {
        "settings": {"dim": 8, "heads": 2, "depth": 2, "vocab": 11, "context": 12}
    },
    "resnet18": {"sizes": {"H": 33, "W": 26}, "outputs": ["max_pool", "stage.0"]},
    "swin_t": {
        "settings": {"dim": 4, "heads": [1, 2], "window": 3, "depths": [2, 3]},
        "sizes": {"H": 48, "W": 72},
        "outputs": ["stage.0", "stage.1"],
    },
    "textcnn": {"settings": {"vocab": 50, "dim": 4, "filters": 4}},
    "vgg16": {"sizes": {"H": 32, "W": 32}, "outputs": ["layers.0"]},
    "vit_b16": {
        "settings": {"dim": 8, "heads": 2, "depth": 1},
        "sizes": {"H": 32, "W": 48},
    },
}
LARGE = {
    "vgg16": {"sizes": {"H": 32, "W": 48}, "outputs": ["layers.2", "layers.3"]},
    "resnet50": {
        "sizes": {"H": 96, "W": 64},
        "outputs": [f"stage.{i}" for i in range(4)],
    },
    "swin_t": {
        "settings": {"dim": 4, "heads": [1, 1, 1, 1], "window": 3},
        "sizes": {"H": 96, "W": 192},
        "outputs": [f"stage.{i}" for i in range(4)],
    },
    "swin_s": {
        "settings": {"dim": 4, "heads": [1, 1, 1, 1], "window": 2},
        "sizes": {"H": 128, "W": 64},
        "outputs": [f"stage.{i}" for i in range(4)],
    },
}


@pytest.mark.parametrize("spec", SMALL)
def test_shipped_specs_see_what_is_claimed(spec):
    assert agrees(archdsl.parse(spec, **SMALL[spec]), batch=4)


@pytest.mark.slow
@pytest.mark.parametrize("spec", LARGE)
def test_large_specs_see_what_is_claimed(spec):
    assert agrees(archdsl.parse(spec, **LARGE[spec]), batch=2)


EACH = examples(60)  # ten times as many in `make test-all`


def test_rows_of_padding_are_seen_by_nobody():
    """They see nothing along H, and so nothing along W, once both are one axis."""
    text = """model m {
  input x: [B, H = 9, W = 5, C = 4]
  conv(4, kernel = 2, padding = 3, over = H) -> layer_norm
  max_pool(3, stride = 2, over = W) -> merge(H, W, into = N)
  conv(4, kernel = 7, over = N)
  output y
}
"""
    assert agrees(archdsl.parse(text))


def test_random_nets_see_what_is_claimed():
    used = ""
    for number in range(EACH):
        net = Net(number)
        assert agrees(net.graph), net.text
        used += net.text
    for words in ("shift = 1", "dilation = 2", "stride = 3", "reverse", "causal",
                  "concat", "split", "merge", "class_token", "bidirectional",
                  "patch_merge", "adaptive", "conv_transpose", "input y",
                  "sigmoid", "group_norm"):  # fmt: skip
        assert words in used, words


FEW = examples(1)  # times the number of ops


def test_random_specs_feel_nothing_that_is_not_claimed():
    """Any spec at all: what is felt may be less, as of a softmax that is saturated."""
    seen = equal = 0

    def law(text: str) -> None:
        nonlocal seen, equal
        graph = archdsl.parse(text)
        find(graph)
        try:
            equal += agrees(graph, trials=1)
        except AssertionError:
            raise AssertionError(text) from None
        seen += 1

    for name in public_ops():
        chosen = settings(max_examples=FEW, suppress_health_check=list(HealthCheck))
        seed(zlib.crc32(name.encode()))(chosen(given(specs(name))(law)))()
    assert equal >= 0.7 * seen


@pytest.mark.parametrize(
    ("reach", "lie"),
    [
        (Tiles, lambda self, at: range(max(0, at[self.axis] - 1), self.size)),
        (Taps, lambda self, at: [min(at[self.axis] * self.stride, self.size - 1)]),
        (Upto, lambda self, at: range(at[self.axis] + 2)),
        (Sown, lambda self, at: [min(at[self.axis] // self.stride, self.size - 1)]),
    ],
)
def test_a_planted_lie_is_found(reach, lie):
    code = {
        Tiles: "window_attention(2, 3, shift = 1)",
        Taps: "conv(4, kernel = 3)",
        Upto: "attention(2, causal = true)",
        Sown: "conv_transpose(4, 4, stride = 2)",
    }[reach]
    text = f"model m {{\n  input x: [B, T = 9, C = 4]\n  {code}\n  output y\n}}\n"
    graph = archdsl.parse(text)
    assert agrees(graph)
    with tools.replaced(reach, "sources", lie):
        try:
            found = agrees(graph)
        except (AssertionError, IndexError):
            found = False
        assert not found


# --- promises -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        ("resnet50", 427),
        ("vgg16", 212),
        ("zoo:efficientnet_b0", 851),
        ("swin_t", 224),
        ("textcnn", 5),
        ("gpt2", 1024),
    ],
)
def test_a_promise_is_of_the_field_that_papers_print(spec, size):
    found = find(parse(spec))
    axis = found.outputs[0].field.axis
    assert found.published(axis) == found.published(axis, "image") or axis == "T"
    assert found.published(axis) == size


@pytest.mark.parametrize("size", ["", " = 32"])
@pytest.mark.parametrize(("claim", "kept"), [("5", True), ("T", False)])
def test_promises_of_fields_are_kept_or_broken(size, claim, kept):
    text = f"""model m {{
  input x: [B, T{size}, C = 4]
  expect receptive_field(T) == {claim}
  repeat(2) {{ conv(4, kernel = 3) }}
  output y
}}
"""
    assert (archdsl.check(text) == ()) == kept


def test_a_place_is_one_of_the_map_that_it_stands_on():
    """What sees everything is alike on maps of all sizes; 7 is no place on the last."""
    found = find(archdsl.parse("swin_s"), at={"H": 7, "W": 7})
    spots = {n.path: [f.at for f in n.fields] for n in found.layers}
    assert spots["stage.2.swin_block.10.layer_norm_2"] == [(0, 223)] * 2
    assert spots["stage.3.swin_block.1.layer_norm_2"] == [None] * 2
