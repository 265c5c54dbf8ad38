"""Places: a position lies amid what it is made of, a learned one nowhere."""

import pytest

import archdsl
from archdsl.analysis.effective_field import estimate, moments
from archdsl.analysis.places import sites
from archdsl.ir.graph import Ref


def last(body, shape):
    """The graph, and the place of what goes into the last op."""
    text = f"model m {{\n  input x: {shape}\n  {body}\n  output y\n}}\n"
    graph = archdsl.parse(text)
    site = list(sites(graph))[-1]
    return graph, site, site.places["x"]


@pytest.mark.parametrize(
    "body",
    [
        "conv(1, 7, stride = 2) -> max_pool(3, stride = 2)",
        "conv(1, 3, padding = 0) -> conv(1, 3, dilation = 3)",
        "conv(1, 4, stride = 4) -> avg_pool(2) -> conv(1, 3, stride = 2)",
        "patch_merge -> patch_merge -> residual { conv(8, 3) }",
        "conv(1, 5, stride = 3, padding = 1) -> slice(T, 4, 20, 2)",
        "slice(T, 9, 70) -> conv(1, 2, stride = 2) -> split(T, S = 6, T = 5)",
        "conv(1, 2, stride = 2) -> window_attention(1, 6, shift = 3)",
    ],
)
def test_a_place_is_the_middle_of_a_field(body):
    """Of layers that average what they see, far from the border."""
    graph, site, place = last(f"{body} -> relu", "[B, T = 96, C = 2]")
    plain = (
        graph
        if "attention" not in body
        else last(body.partition(" -> window")[0] + " -> relu", "[B, T = 96, C = 2]")[0]
    )
    (ref,) = (Ref(n.id) for n in plain if n.path == ("relu",))
    tensor = plain.tensor(ref)
    at = {axis: tensor[axis] // 2 for axis in tensor.positions}
    impact = estimate(plain, ref, at)["x"]
    assert place(at) == pytest.approx({"x.T": moments(impact.axes["T"])[0]})
    assert site.path == ("relu",)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_a_map_that_was_made_smaller_and_larger_again_lies_where_it_lay(kernel):
    body = f"conv(2, {kernel}, stride = 2) -> conv_transpose(2, {kernel}, stride = 2)"
    _, _, place = last(f"{body} -> relu", "[B, C = 3, T = 32]")
    assert [place({"T": i}) for i in (0, 15, 31)] == [
        {"x.T": 0}, {"x.T": 15}, {"x.T": 31}
    ]  # fmt: skip


def test_tokens_of_a_map_lie_on_it_and_learned_ones_nowhere():
    body = "conv(2, 4, stride = 4) -> merge(H, W, into = N) -> class_token(2) -> relu"
    _, _, place = last(body, "[B, C = 3, H = 12, W = 20]")
    assert place({"N": 0}) is place({"N": 1}) is None
    assert place({"N": 2}) == {"x.H": 1.5, "x.W": 1.5}
    assert place({"N": 2 + 5 + 3}) == {"x.H": 5.5, "x.W": 13.5}


def test_tokens_of_two_inputs_stand_in_a_row():
    text = """model m {
  input a: [B, T = 4, C = 3]
  input b: [B, T = 6, C = 3]
  concat([a, b], over = T) -> relu
  output y
}
"""
    place = list(sites(archdsl.parse(text)))[-1].places["x"]
    assert [place({"T": i}) for i in (0, 3, 4, 9)] == [
        {"a.T": 0}, {"a.T": 3}, {"b.T": 0}, {"b.T": 5}
    ]  # fmt: skip


def test_what_a_block_does_is_seen_through_it():
    text = """block stem[x] { conv(4, 3, stride = 2) -> conv(4, 3, stride = 2) }
model m {
  input x: [B, C = 3, T = 16]
  stem -> attention(2)
  output y
}
"""
    (site,) = (s for s in sites(archdsl.parse(text)) if s.path[-1] == "attention")
    assert site.places["x"]({"T": 3}) == {"x.T": 12}


def test_inside_of_a_scan_nothing_is_known():
    text = """model m {
  input x: [B, T = 4, N = 3, C = 4]
  scan(T) [x, h = zeros(N = 3, C = 4)] { x + h -> attention(2) }
  relu
  output y
}
"""
    found = {s.node.payload.name: s.places for s in sites(archdsl.parse(text))}
    assert found["attention"] == found["relu"] == {"x": None}
