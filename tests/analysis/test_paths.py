"""Paths: every number and formula against a search over all positions."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analysis.cost import Costs
from archdsl.analysis.forms.blocks import forms
from archdsl.analysis.paths.chain import chain
from archdsl.analysis.paths.find import find
from archdsl.analysis.paths.kinds import Kind, kinds
from archdsl.analysis.paths.masks import Budget
from archdsl.analysis.paths.meet import meetings
from archdsl.ir.dim import substitute
from archdsl.ir.formula import read
from archdsl.ir.graph import Graph
from archdsl.ops.base import Op
from archdsl.ops.paths import Paths
from archdsl.ops.registry import ops
from tests.analysis.brute import (
    Everything,
    everyone,
    model,
    recurrence,
    stacked,
    window,
    windows,
)
from tests.randoms.maker import specs
from tests.texts import text_of
from tests.tools import examples, replaced


def only(graph: Graph, name: str) -> Kind:
    (found,) = (kind for kind in kinds(graph) if kind.name == name)
    return found


def reach(kind: Kind) -> tuple[object, object]:
    return kind.maximum.value, kind.meet.value


def agrees(kind: Kind) -> None:
    """Every formula gives its number when the sizes are put in."""
    for figure in (kind.complexity, kind.maximum, kind.meet):
        assert figure.formula is not None
        assert substitute(figure.formula, kind.sizes) == figure.value
        text = str(figure.formula)
        assert substitute(read(text), kind.sizes) == figure.value, text


# --- the layers of table 1 --------------------------------------------------------

few = settings(max_examples=examples(40))


@few
@given(st.integers(2, 40), st.integers(1, 6), st.booleans())
def test_self_attention(n, d, causal):
    graph = model(
        f"  attention(1, causal = {str(causal).lower()})", f"[B, N = {n}, C = {d}]"
    )
    kind = only(graph, "attention")
    agrees(kind)
    assert reach(kind) == stacked([everyone(n, causal)]) == (1, 1)
    assert kind.complexity.value == n * n * d
    assert kind.sequential.sizes == (1,)
    macs = Costs().total(graph).macs
    assert macs == 4 * n * d * d + 2 * kind.complexity.value


@few
@given(
    st.sampled_from(["gru", "lstm", "rnn"]),
    st.integers(2, 20),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
)
def test_a_recurrence(op, n, layers, both, last):
    words = f"bidirectional = {str(both).lower()}, last = {str(last).lower()}"
    kind = only(model(f"  {op}(3, {layers}, {words})", f"[B, N = {n}, C = 5]"), op)
    agrees(kind)
    assert reach(kind) == recurrence(n, layers, both, last)
    assert kind.sequential.sizes == (n * layers,)


@few
@given(st.integers(2, 40), st.sampled_from([3, 5, 7]), st.integers(1, 3))
def test_a_convolution(n, k, d):
    d = min(d, n - 1)
    graph = model(f"  conv(4, {k}, dilation = {d})", f"[B, N = {n}, C = 4]")
    kind = only(graph, "conv")
    assert reach(kind) == stacked([window(n, k, d)])
    assert kind.complexity.value == k * n * 16
    if d == 1:
        agrees(kind)
        assert kind.maximum.value == -(-2 * (n - 1) // (k - 1))
        assert kind.meet.value == -(-(n - 1) // (k - 1))


CAUSAL = """block causal[x](k, d, n) {
  conv(x.C, k, dilation = d, padding = d * (k - 1)) -> slice(N, 0, n)
}
"""


@few
@given(st.integers(2, 40), st.integers(2, 5))
def test_a_causal_convolution(n, k):
    shape = f"[B, N = {n}, C = 2]"
    kind = only(model(f"  causal({k}, 1, {n})", shape, CAUSAL), "causal")
    assert reach(kind) == stacked([window(n, k, causal=True)])
    assert kind.maximum.value == -(-(n - 1) // (k - 1))  # as analyses.md has it


@pytest.mark.parametrize(
    ("n", "k"), [(2, 2), (8, 2), (16, 2), (27, 3), (20, 2), (64, 4)]
)
def test_dilated_convolutions_reach_as_the_logarithm(n, k):
    depth = next(i for i in range(9) if k**i >= n)
    body = f"  for i in range({depth}) {{ causal({k}, {k} ** i, {n}) }}"
    graph = model(body, f"[B, N = {n}, C = 2]", CAUSAL)
    kind = only(graph, "causal")
    layers = [window(n, k, k**i, causal=True) for i in range(depth)]
    assert reach(kind) == stacked(layers) == (depth, depth)


@few
@given(st.integers(1, 7), st.integers(2, 5), st.data())
def test_shifted_windows(count, m, data):
    n, shift = count * m, data.draw(st.integers(1, m - 1))
    body = f"  for s in [0, {shift}] {{ window_attention(1, {m}, s) }}"
    kind = only(model(body, f"[B, N = {n}, C = 2]"), "window_attention")
    agrees(kind)
    layers = [windows(n, m), windows(n, m, shift)] if count > 1 else [everyone(n)]
    assert reach(kind) == stacked(layers) == (2 * count - 1, count)
    assert kind.complexity.value == m * n * 2


@pytest.mark.parametrize("shifts", [[0, 0, 1], [0, 1, 0, 1, 0], [0, 2, 1, 3]])
def test_a_kind_stands_on_itself_in_the_order_of_the_model(shifts):
    body = f"  for s in {shifts} {{ window_attention(1, 4, s) }}"
    kind = only(model(body, "[B, N = 20, C = 2]"), "window_attention")
    assert kind.count == len(shifts)
    assert reach(kind) == stacked([windows(20, 4, s) for s in shifts])


def test_windows_that_never_move_keep_positions_apart():
    body = "  repeat(2) { window_attention(1, 2) }"
    assert reach(only(model(body), "window_attention")) == (None, None)
    dilated = "  repeat(2) { conv(4, 3, dilation = 2) }"
    assert reach(only(model(dilated), "conv")) == (None, None)
    assert stacked([window(8, 3, 2)]) == stacked([windows(8, 2)]) == (None, None)


@few
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 5]))
def test_on_a_map_the_longer_axis_counts(h, w, k):
    graph = model(f"  conv(2, {k})", f"[B, H = {h}, W = {w}, C = 2]")
    if h == w == 1:
        assert kinds(graph) == ()
        return
    kind = only(graph, "conv")
    alone = [stacked([window(n, k)]) for n in (h, w) if n > 1]
    assert reach(kind) == tuple(map(max, zip(*alone, strict=True)))
    agrees(kind)


def test_a_recurrence_that_is_written_out_takes_its_turns():
    cell = "(x -> linear(4)) + (h -> linear(4)) -> tanh"
    body = f"  scan(N) [x, h = zeros(C = 4)] {{ {cell} }}"
    kind = only(model(body), "scan")
    assert reach(kind) == (8, 8)
    assert kind.sequential.sizes == (8 * 3,)
    (row,) = meetings(model(body))
    assert set(row.first) == set(row.every) == {1}


def test_layers_that_do_not_keep_their_positions_do_not_stack():
    graph = model("  conv(4, 3, stride = 2) -> max_pool(2) -> mean(N)")
    assert [(k.name, k.keeps, *reach(k)) for k in kinds(graph)] == [
        ("conv", False, None, None),
        ("max_pool", False, None, None),
        ("mean", False, 1, 1),
    ]
    assert kinds(model("  conv(8, 1) -> linear(3) -> layer_norm")) == ()


def test_a_false_closed_form_is_not_shown():
    def lie(op: Op, ins, outs) -> Paths:
        size = ins["x"]["N"]
        return Paths(size, maximum=(size - 1,), meet=(size,))

    graph = model("  max_pool(3, stride = 1)")
    assert only(graph, "max_pool").maximum.formula is None
    with replaced(ops()["max_pool"], "paths", lie):
        kind = only(graph, "max_pool")
    assert (str(kind.maximum.formula), kind.maximum.value) == ("N - 1", 7)
    assert (kind.meet.formula, kind.meet.value) == (None, 4)


# --- whole models -----------------------------------------------------------------

NETS = ["conv", "attention", "window_attention", "concat", "slice", "merge", "split",
        "max_pool", "patch_merge", "lstm", "reorder"]  # fmt: skip
NETS = [name for name in NETS if name in ops()]


@pytest.mark.parametrize("name", NETS)
def test_positions_of_random_nets_meet_where_a_search_finds_it(name):
    seen = 0

    @seed(zlib.crc32(name.encode()))
    @settings(max_examples=examples(12), suppress_health_check=list(HealthCheck))
    @given(specs(name))
    def law(text: str) -> None:
        nonlocal seen
        note(text)
        graph = archdsl.parse(text)
        brute = Everything(graph)
        for row in meetings(graph):
            tensor = graph.inputs[row.input]
            at = tensor.positions.index(row.axis)
            expected = brute.meetings(row.input, at, row.size)
            assert (list(row.first), list(row.every)) == expected
            seen += row.size > 1 and None not in expected[1]

    law()
    assert seen >= 3


EXAMPLES = [
    pytest.param(text_of(example), id=f"{name}{i}")
    for name, op in ops().items()
    for i, example in enumerate(op.examples)
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_op_can_be_asked_for_paths_and_closed_forms(text):
    graph = archdsl.parse(text)
    brute = Everything(graph)
    for row in find(graph).inputs:
        at = graph.inputs[row.input].positions.index(row.axis)
        assert (list(row.first), list(row.every)) == brute.meetings(
            row.input, at, row.size
        )
    costs = Costs()
    named = {row.name for row in forms(graph)}
    for node in graph:
        # No formula says what 4 of 3 positions are, or a half of 7.
        uneven = "window_attention(1, [2, 4, 2]" in text or '"tf_same"' in text
        if costs.node(graph, node).macs and not uneven:
            assert node.payload.name in named


SCANS = """block cell[x, h] { (x -> linear(4)) + (h -> linear(4)) -> tanh }

model m {
  input x: [B, T = 5, N = 3, C = 4]
  input other: [B, N = 3, C = 4]

  x -> conv(4, 3, over = T) as y
  scan(T, reverse = true, states = true) [y, x, h = other] {
    let z = y -> attention(1, over = N)
    let new = z -> cell[h]
    return new + x, new
  } as all
  output z = all[0]
  output state = all[1]
}
"""


def test_positions_meet_in_turns():
    graph = archdsl.parse(SCANS)
    brute = Everything(graph)
    rows = meetings(graph)
    assert [(r.input, r.axis) for r in rows] == [("x", "T"), ("x", "N"), ("other", "N")]
    for row in rows:
        at = graph.inputs[row.input].positions.index(row.axis)
        found = list(row.first), list(row.every)
        assert found == brute.meetings(row.input, at, row.size)


def test_a_planted_fault_in_a_spread_is_found():
    graph = model("  conv(4, 3) -> conv(4, 3)")
    (honest,) = meetings(graph)
    with replaced(ops()["conv"], "spread", Op.spread):
        (lied,) = meetings(graph)
    assert honest != lied
    assert set(lied.every) == {None}


def test_what_is_too_much_work_is_refused_with_its_place():
    text = "model m {\n  input x: [B, N = 5000, C = 4]\n  conv(4, 3)\n  output y\n}\n"
    for ask in (meetings, kinds):
        with pytest.raises(archdsl.SpecError) as caught:
            ask(archdsl.parse(text))
        (found,) = caught.value.diagnostics
        assert (found.code, found.span.line) == ("E601", 2 if ask is meetings else 3)


def test_what_needs_no_walk_is_known_of_long_inputs_too():
    long, short = (
        find(archdsl.parse("gpt2", settings={"context": t})) for t in (8192, 64)
    )
    assert long.unknown.startswith("path lengths are followed through")
    assert (long.inputs, long.maximum, short.unknown) == ((), None, "")
    assert (long.sequential, long.depth) == (short.sequential, short.depth)
    (kind,) = (k for k in long.kinds if k.layer == "attention")
    assert kind.complexity == 8192**2 * 768
    assert kind.complexity_form == "T**2*C"


def test_a_search_takes_only_the_steps_that_it_may(monkeypatch):
    monkeypatch.setattr("archdsl.analysis.paths.meet.Budget", lambda: Budget(50))
    graph = model("  repeat(9) { conv(4, 3, dilation = 2) }")
    with pytest.raises(archdsl.SpecError, match="too many to follow"):
        meetings(graph)


# --- sequential steps -------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "depth"),
    [("alexnet", 8), ("vgg16", 16), ("resnet18", 18), ("resnet34", 34),
     ("resnet50", 50), ("resnet101", 101), ("resnet152", 152)],
)  # fmt: skip
def test_depth_is_what_the_name_says(spec, depth):
    assert chain(archdsl.parse(spec)).products.sizes == (depth,)


def longest(graph: Graph) -> int:
    """The longest chain, every block opened, by networkx."""
    import networkx as nx

    net, ends = nx.DiGraph(), {}

    def put(inner: Graph, entries: dict) -> list:
        values = {}
        for node in inner:
            name = type(node.payload).__name__
            ins = {port: values[ref] for port, ref in node.inputs}
            if name == "Enter":
                made = [entries[node.payload.name]]
            elif name == "Call":
                made = put(node.payload.graph, ins)
            else:
                here = len(net)
                net.add_node(here)
                steps = node.payload.steps(inner.ins(node))
                for before in ins.values():
                    net.add_edge(before, here, weight=steps)
                made = [here] * len(node.outputs)
            for i, value in enumerate(made):
                values[node.id, i] = value
        return [values[ref] for ref in inner.results]

    for enter, _ in graph.entries:
        ends[enter.name] = len(net)
        net.add_node(len(net))
    targets = put(graph, ends)
    keep = set(targets).union(*(nx.ancestors(net, t) for t in targets))
    return nx.dag_longest_path_length(net.subgraph(keep))


@pytest.mark.parametrize("name", ["conv", "lstm", "add", "concat", "attention"])
def test_the_longest_chain_of_random_nets_is_networkxs(name):
    @seed(zlib.crc32(name.encode()))
    @settings(max_examples=examples(10), suppress_health_check=list(HealthCheck))
    @given(specs(name))
    def law(text: str) -> None:
        note(text)
        graph = archdsl.parse(text)
        assert chain(graph).steps.sizes == (longest(graph),)

    law()


TWO = """model m {
  input a: [B, T, C = 4]
  input b: [B, N, C = 4]
  let x = a -> lstm(4, last = true)
  let y = b -> lstm(4, last = true) -> relu
  x + y -> linear(3)
  output z
}
"""


@pytest.mark.parametrize(
    ("body", "steps"),
    [
        ("residual { linear(4) -> relu }", 3),
        ("concat([x -> relu -> relu -> relu, x -> linear(4)])", 4),
        ("lstm(3, layers = 2, bidirectional = true)", 10),
        ("scan(T) [w, h = zeros(C = 4)] { w + h -> linear(4) -> tanh }", 15),
        ("repeat(3) { lstm(4) } -> linear(2)", 16),
    ],
)
def test_the_longest_chain_is_that_counted_by_hand(body, steps):
    graph = model(body, "[B, T = 5, C = 4]")
    assert chain(graph).steps.sizes == (steps,)


def test_open_sizes_make_formulas():
    assert str(chain(archdsl.parse(TWO)).steps) == "max(T + 2, N + 3)"
    for t, n in [(3, 9), (9, 3), (4, 3), (5, 4)]:
        found = chain(archdsl.parse(TWO, sizes={"T": t, "N": n})).steps.sizes
        assert found == (max(t + 2, n + 3),)
    assert str(chain(archdsl.parse("bilstm", sizes={"T": None})).steps) == "2*T + 2"
