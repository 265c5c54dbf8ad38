"""The effective field: of averages it is known exactly, and so is the estimate."""

import math

import pytest
import torch

import archdsl
from archdsl.analysis.effective_field import estimate
from archdsl.backends.torch.measure.effective_field import last_map, measure
from archdsl.backends.torch.measure.trial import Trial, Unmeasurable
from archdsl.ir.graph import Ref


class Averaging(Trial):
    """A trial in which every layer averages what it sees."""

    def model(self, turn=0):
        model = super().model(turn)
        with torch.no_grad():
            for parameter in model.parameters():
                whole = parameter[0].numel() if parameter.dim() > 1 else 0
                parameter.fill_(1 / whole if whole else 0)
        return model

    def inputs(self, turn=0):
        return [x.abs() for x in super().inputs(turn)]


def graph(body, shape="[B, C = 1, T = 201]", **more):
    text = f"model m {{\n  input x: {shape}\n  {body}\n  output y\n}}\n"
    return archdsl.parse(text, **more)


def field(body, shape="[B, C = 1, T = 201]", kind=Averaging, **more):
    return measure(kind(graph(body, shape), double=True), samples=1, **more)


@pytest.mark.parametrize(("n", "std", "inside"), [(20, 3.651, 19), (40, 5.164, 25)])
def test_plain_layers_are_as_wide_as_luo_et_al_say(n, std, inside):
    found = field(f"repeat({n}) {{ conv(1, 3) }}")
    (axis,) = found.axes
    assert axis.std == pytest.approx(math.sqrt(n * 8 / 12), abs=1e-9)
    assert round(axis.std, 3) == std
    assert axis.inside == found.inside == inside
    assert (axis.first, axis.last) == (100 - n, 100 + n)
    assert axis.mean == pytest.approx(100)
    assert axis.fit > 0.999


@pytest.mark.parametrize(
    "layers",
    [
        [(3, 1, 1), (5, 1, 1), (7, 1, 1)],
        [(3, 2, 1), (3, 1, 1), (5, 2, 1), (3, 1, 1)],
        [(3, 1, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8)],
        [(7, 2, 1), (3, 1, 3), (2, 2, 1), (4, 1, 2)],
    ],
)
def test_the_estimate_adds_variances_up(layers):
    form = "conv(1, {}, stride = {}, dilation = {})"
    body = " -> ".join(form.format(*layer) for layer in layers)
    expected, jump = 0, 1
    for k, s, d in layers:
        expected += (jump * d) ** 2 * (k * k - 1) / 12
        jump *= s
    (axis,) = field(body).axes
    assert axis.static == pytest.approx(math.sqrt(expected), abs=1e-9)
    assert axis.std == pytest.approx(axis.static, abs=1e-9)


BODIES = {
    "a residual": "repeat(9) { residual { conv(1, 3) } }",
    "two branches": "conv(1, 3) as a -> conv(2, 5) as b\n concat([a, b]) -> conv(1, 7)",
    "pools": "conv(2, 3) -> avg_pool(2) -> conv(1, 3) -> avg_pool(3)",
    "a border": "repeat(150) { conv(1, 3) }",
    "a narrow map": "slice(T, 0, 9) -> repeat(4) { conv(1, 5) }",
    "a stretch": "conv(1, 3) -> slice(T, 20, 90, 3) -> conv(1, 5)",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_estimate_is_the_gradient_of_a_network_of_averages(body):
    made = graph(body)
    (axis,) = field(body).axes
    ref = made.results[0]
    size = made.tensor(ref)["T"]
    impact = estimate(made, ref, {"T": size // 2})["x"]
    assert impact.axes["T"] == pytest.approx(axis.profile, abs=1e-12)
    assert impact.bounds("T") == (axis.first, axis.last)


def test_every_axis_has_its_own_width():
    body = "repeat(6) { conv(1, [3, 5]) } -> conv(1, [1, 3], stride = [1, 2])"
    found = field(body, "[B, C = 1, H = 41, W = 61]")
    height, width = found.axes
    assert height.std == pytest.approx(math.sqrt(6 * 8 / 12))
    assert width.std == pytest.approx(math.sqrt(6 * 24 / 12 + 8 / 12))
    assert len(found.impact) == 41 * 61
    assert max(found.impact) == 1
    rows = [sum(found.impact[61 * i : 61 * i + 61]) for i in range(41)]
    assert [r / sum(rows) for r in rows] == pytest.approx(height.profile)


def test_random_weights_are_wider_by_the_root_of_two():
    """The variance of the gradient is what has the width of the averages."""
    body = "conv(16, 3) -> repeat(18) { conv(16, 3) } -> conv(1, 3)"
    found = measure(Trial(graph(body), double=True), samples=40)
    (axis,) = found.axes
    assert axis.std / axis.static == pytest.approx(math.sqrt(2), rel=0.05)


def test_what_a_gate_sees_is_no_part_of_the_field():
    body = "conv(2, 3) as a -> mean(T) -> linear(2) -> sigmoid as g\n  a * g"
    impact = estimate(graph(body), graph(body).results[0], {"T": 100})["x"]
    assert impact.bounds("T") == (99, 101)


def test_windows_and_merged_maps_are_estimated():
    made = archdsl.parse("swin_t")
    ref = last_map(made)
    impact = estimate(made, ref, {"H": 3, "W": 3})["image"]
    assert made.tensor(ref)["H"] == 7
    assert impact.bounds("H") == (0, 223)
    assert math.fsum(impact.axes["W"]) == pytest.approx(1)
    tokens = archdsl.parse("vit_b16")
    impact = estimate(tokens, last_map(tokens), {"N": 98})["image"]
    assert impact.std("H") == pytest.approx(impact.std("W"), rel=0.01)


def test_a_scan_has_no_estimate_but_a_measurement():
    body = "scan(T) [x, h = zeros(C = 1)] { x + h -> linear(1) }"
    text = f"model m {{\n  input x: [B, T = 9, C = 1]\n  {body}\n  output y\n}}\n"
    found = measure(Trial(archdsl.parse(text)), samples=2, at={"T": 4})
    (axis,) = found.axes
    assert axis.static is axis.first is None
    assert all(axis.profile[:5])
    assert not any(axis.profile[5:])


def test_ids_are_measured_behind_their_embedding():
    settings = {"dim": 16, "depth": 1, "heads": 2, "vocab": 11, "context": 8}
    made = archdsl.parse("gpt2:gpt2", settings=settings)
    found = measure(Trial(made), samples=2, at={"T": 5})
    (axis,) = found.axes
    assert (found.input, found.value) == ("tokens", "logits")
    assert all(axis.profile[:6])
    assert not any(axis.profile[6:])
    assert axis.last == 5


def test_a_classifier_is_measured_at_its_last_map():
    found = field("conv(4, 3) -> relu -> conv(3, 3) -> mean(T) -> linear(2)")
    assert found.value == "conv_2"
    assert found.axes[0].last == 102


@pytest.mark.parametrize(
    ("body", "shape", "at", "words"),
    [
        ("linear(2)", "[B, C = 4]", {}, "has positions"),
        ("conv(2, 3)", "[B, C = 4, T = 5]", {"H": 1}, "no position axis H; it has T"),
        ("conv(2, 3)", "[B, C = 4, T = 5]", {"T": 5}, "use 0 to 4"),
    ],
)
def test_what_cannot_be_measured_says_why(body, shape, at, words):
    with pytest.raises(Unmeasurable, match=words):
        field(body, shape, at=at)


def test_an_input_is_no_field_of_its_own():
    text = """block head[x] { conv(2, 3) -> mean(T) }
model m {
  input x: [B, C = 1, T = 9]
  head
  output y
}
"""
    with pytest.raises(Unmeasurable, match="outside of its blocks"):
        measure(Trial(archdsl.parse(text)))


def test_equal_seeds_measure_equal_fields():
    body = "repeat(3) { conv(4, 3) -> tanh }"
    first, again = (field(body, kind=Trial) for _ in range(2))
    assert first == again
    other = measure(Trial(graph(body), seed=1, double=True), samples=1)
    assert other.impact != first.impact


def test_draws_that_let_nothing_through_do_not_count():
    """One relu of a single feature is open or closed."""
    body = "conv(1, 1, padding = 0) -> relu"
    found = measure(Trial(graph(body)), samples=20)
    assert 0 < found.samples < 20
    assert found.axes[0].std == 0
    closed = graph("0 * x")
    with pytest.raises(Unmeasurable, match="no gradient of `y` reaches `x`"):
        measure(Trial(closed), samples=2)


def test_the_estimate_sees_another_kernel():
    """The comparison with a run can fail."""
    one, other = graph("conv(1, 3)"), graph("conv(1, 5)")
    ref = Ref(1)
    assert estimate(one, ref, {"T": 9}) != estimate(other, ref, {"T": 9})
