"""`archdsl verify`: what is true passes, and any lie is found and named."""

import pytest
import torch

import archdsl
from archdsl.analysis.receptive_field import reader
from archdsl.analysis.verification import Verification
from archdsl.backends.torch import forward
from archdsl.backends.torch.shadow import functions
from archdsl.backends.torch.verify import (
    CHECKS,
    Options,
    Unverifiable,
    subject,
    verify,
)
from archdsl.ops.base import Cost, Op, Weight
from archdsl.ops.registry import ops
from archdsl.ops.spread import Some, Whole
from tests.specs.test_specs import models
from tests.texts import text_of
from tests.tools import forgotten, replaced

TIED = """model tied {
  input tokens: int[B, T = 5]
  layer table = embedding(7, 4)
  tokens -> table -> table.transposed
  output logits
}
"""
# Ops whose examples are no use here: a lie about a shape is refused further on.
OWN = {
    "transposed": TIED,
    "ones": "model m {\n  input x: [B, C = 4]\n  output y = ones(T = 3)\n}\n",
    "zeros": "model m {\n  input x: [B, C = 4]\n  output y = zeros(T = 3)\n}\n",
    "parameter": "model m {\n  input x: [B, C = 4]\n  output y = parameter(T = 3)\n}\n",
}


def verified(text: str, *only: str, **sizes: int | None) -> Verification:
    with forgotten():
        return archdsl.verify(text, sizes=sizes, only=only)


def texts(op: type[Op]) -> list[str]:
    own = [OWN[op.name]] if op.name in OWN else []
    return own + [text_of(example) for example in op.examples]


# --- what is true -------------------------------------------------------------------


@pytest.mark.parametrize("op", ops().values(), ids=ops())
def test_every_op_is_what_it_says_of_itself(op):
    for text in texts(op):
        found = verified(text)
        assert found.ok, found.differing
        assert all("does not train" in row.note for row in found.left_out)
        assert len(found.rows) >= 15


SIZES = {
    "textcnn": {"T": 12},
    "bilstm": {},
    "swin_t": {},
    "resnet18": {"H": 64, "W": 33},
}


@pytest.mark.parametrize("spec", SIZES)
def test_a_spec_that_ships_passes(spec):
    only = ("shapes", "params", "flops") if spec == "swin_t" else ()
    found = archdsl.verify(spec, sizes=SIZES[spec], only=only)
    assert found.ok, found.differing
    assert not found.left_out


@pytest.mark.slow
@pytest.mark.parametrize("spec", models())
def test_every_model_that_ships_passes(spec):
    found = archdsl.verify(f"specs/{spec.replace(':', '.arch:')}")
    assert found.ok, found.differing


# --- lies ---------------------------------------------------------------------------


def longer(outputs):
    """One position or feature more than there is."""

    def lie(self, ins, facts):
        first, *others = outputs(self, ins, facts)
        axis, size = first.axes[-1]
        return (first.resized({axis: size + 1}), *others)

    return lie


def heavier(weights):
    """A weight that is larger, or one that is not there."""

    def lie(self, ins):
        found = weights(self, ins)
        if not found:
            return (Weight("planted", (3,)),)
        first = found[0]
        wider = Weight(first.name, (2, *first.shape[1:]), first.learned, first.itemsize)
        return (wider, *found[1:])

    return lie


def dearer(cost):
    """One MAC too many."""

    def lie(self, ins, outs):
        found = cost(self, ins, outs)
        return Cost(found.macs + 1, found.elementwise)

    return lie


def blind(spread):
    """It looks at nothing."""

    def lie(self, ins, outs):
        found = spread(self, ins, outs)
        return {port: dict.fromkeys(axes, Some(())) for port, axes in found.items()}

    return lie


def far(spread):
    """It looks at everything."""

    def lie(self, ins, outs):
        found = spread(self, ins, outs)
        return {p: {a: Whole(ins[p][a]) for a in axes} for p, axes in found.items()}

    return lie


LIES = {
    "outputs": ("outputs", longer, "shapes"),
    "weights": ("weights", heavier, "params"),
    "cost": ("cost", dearer, "flops"),
    "blind": ("spread", blind, "spread"),
    "far": ("spread", far, "spread"),
    "blind on the whole": ("spread", blind, "receptive-field"),
    "far on the whole": ("spread", far, "receptive-field"),
}
# They take nothing that has positions, or look at all of it as they say.
UNSPREAD = {"ones", "zeros", "parameter"}


@pytest.mark.parametrize("name", ops())
@pytest.mark.parametrize("kind", LIES)
def test_a_lie_of_any_op_about_anything_is_found_and_named(name, kind):
    if LIES[kind][0] == "spread" and name in UNSPREAD:
        return
    op = ops()[name]
    method, make, check = LIES[kind]
    with replaced(op, method, make(getattr(op, method))):
        for text in texts(op):
            found = verified(text, check)
            if any(name in row.of for row in found.differing):
                assert not found.ok
                return
    raise AssertionError(f"{name} lies about its {kind}, and nobody sees it")


# What needs a module that runs, in memory.
RUNNING = {"forward", "spread", "receptive-field", "memory"}
PERMUTED = """model m {
  input x: [B, C = 4, H = 3, W = 5]
  conv(4, 1) -> layer_norm -> conv(2, 1)
  output y
}
"""


def test_a_fault_of_the_compiler_is_found(monkeypatch):
    honest = forward._permute
    monkeypatch.setattr(
        forward,
        "_permute",
        lambda text, have, need: f"{honest(text, have, need)}.exp()",
    )
    found = verified(PERMUTED, "shapes", "forward")
    (row,) = found.differing
    assert (row.check, row.of) == ("forward", "output y, op by op")


def test_a_module_that_does_not_run_is_named_with_what_torch_says(monkeypatch):
    honest = forward._permute
    monkeypatch.setattr(
        forward, "_permute", lambda text, have, need: f"{honest(text, have, need)}[9]"
    )
    found = verified(PERMUTED)
    (row,) = found.differing
    assert (row.of, row.measured) == ("module", "does not run")
    assert row.note.startswith("IndexError: index 9 is out of bounds")
    assert {row.check for row in found.left_out} == RUNNING


def test_a_module_that_cannot_be_built_is_named(monkeypatch):
    def broken(graph):
        raise NameError("no such layer")

    monkeypatch.setattr(subject, "load", broken)
    (row,) = verified(PERMUTED).rows
    assert (row.ok, row.note) == (False, "NameError: no such layer")


def test_numbers_that_are_not_finite_are_found():
    text = "model m {\n  input x: [B, C = 4]\n  output y = x / zeros(C = 4)\n}\n"
    found = verified(text, "forward")
    assert [row.measured for row in found.differing] == ["100.0% not finite"]


def test_a_lie_about_memory_is_found():
    def lie(x):
        return functions.made("relu", functions.Shadow(x.shape), (x,), ())

    text = "model m {\n  input x: [B, C = 4]\n  linear(4) -> relu\n  output y\n}\n"
    assert verified(text, "memory").ok
    with replaced(functions, "relu", lie):
        found = verified(text, "memory")
    assert "saved for backward" in [row.of for row in found.differing]


# --- scans, shared layers, open sizes -----------------------------------------------

SCANS = """model scans(hidden = 6, reverse = false) {
  input x: [B, T = 5, C = 4]
  input gain: [T = 5]
  input mean: [B, C = 4]

  let all = x -> scan(T, reverse = reverse, states = true)
      [x, gain, h = zeros(C = hidden), m = mean] {
    let y = concat([x, h]) -> linear(hidden) -> tanh
    return y * gain -> relu, (y, m + x)
  }
  all[0] -> scan(T, last = true) [z, s = zeros(C = 3)] { concat([z, s]) -> lean(3) }
  output last
  output h = all[1]
  output m = all[2]
}

block lean[x](width) {
  linear(width) -> sigmoid
}
""".replace("states = true)\n     ", "states = true)")


@pytest.mark.parametrize("reverse", [False, True])
def test_scans_are_run_turn_by_turn(reverse):
    found = archdsl.verify(SCANS, settings={"reverse": reverse})
    assert found.ok, found.differing
    (row,) = [r for r in found.rows if r.of == "matmul FLOPs"]
    assert row.measured == 2 * 5 * (10 * 6 + 9 * 3)
    with replaced(ops()["relu"], "outputs", longer(ops()["relu"].outputs)):
        lied = archdsl.verify(SCANS, settings={"reverse": reverse})
    assert any(row.of == "scan.relu" for row in lied.differing)


def test_who_sees_an_axis_of_one_position_is_tried(monkeypatch):
    text = """model m {
  input x: [B, T = 4, C = 4]
  input z: [B, T = 1, C = 4]
  concat([x, z], over = T)
  output y
}
"""
    assert archdsl.verify(text, only=["receptive-field"]).ok
    monkeypatch.setattr(reader, "interval_at", lambda *_: (0, 0))
    found = archdsl.verify(text, only=["receptive-field"])
    assert any("z.T" in str(row.static) for row in found.differing)


def test_shared_layers_and_tied_weights_count_once():
    found = verified(TIED)
    assert found.ok
    (params,) = [row for row in found.rows if row.of == "params"]
    assert (params.static, params.measured) == (28, 28)


def test_open_sizes_are_drawn_and_the_formulas_compared():
    found = archdsl.verify("resnet18", sizes={"H": 32, "W": None}, only=["flops"])
    assert found.ok
    places = {row.at for row in found.rows}
    assert len(places) == 3
    macs = {row.at: row.static for row in found.rows if row.of == "macs"}
    flops = {row.at: row.measured for row in found.rows if row.of == "matmul FLOPs"}
    assert {at: 2 * count for at, count in macs.items()} == flops
    assert len(set(macs.values())) > 1


def test_sizes_that_are_drawn_meet_what_the_model_asks():
    found = archdsl.verify("swin_t", sizes={"H": None, "W": None}, only=["shapes"])
    assert found.ok
    for row in found.rows:
        sizes = [int(part.partition(" = ")[2]) for part in row.at.split(", ")]
        assert all(size % 32 == 0 for size in sizes)


def test_a_formula_that_is_wrong_is_found():
    def lie(self, ins, outs):
        found = honest(self, ins, outs)
        return found if isinstance(found.macs, int) else Cost(found.macs + 1)

    honest = ops()["linear"].cost
    text = "model m {\n  input x: [B, T, C = 4]\n  output y = x -> linear(2)\n}\n"
    with replaced(ops()["linear"], "cost", lie):
        found = verified(text, "flops")
    assert {"macs", "flops", "matmul FLOPs", "linear"} <= {
        r.of for r in found.differing
    }


def test_a_hyperparameter_without_a_value_is_refused():
    with pytest.raises(Unverifiable, match="D has no value"):
        archdsl.verify("textcnn", settings={"dim": "D"})


# --- what is large ------------------------------------------------------------------


def test_what_is_too_large_is_left_out_and_said_so(monkeypatch):
    monkeypatch.setattr(subject, "MOST_BYTES", 1000)
    some = archdsl.verify("resnet18", sizes={"H": 32, "W": 32})
    assert some.ok
    assert {row.check for row in some.left_out} == RUNNING
    assert all("--full" in row.note for row in some.left_out)
    everything = archdsl.verify("textcnn", sizes={"T": 12}, full=True)
    assert not everything.left_out


def test_a_model_of_any_size_needs_no_memory_for_shapes_and_costs():
    spec = "specs/gpt2.arch:gpt2_xl"
    found = archdsl.verify(spec, only=["shapes", "params", "flops"])
    assert found.ok
    assert not found.left_out


# --- the rest -----------------------------------------------------------------------


def test_equal_seeds_give_equal_results_and_leave_torchs_own_alone():
    before = torch.get_rng_state()
    one, two = (archdsl.verify("textcnn", sizes={"T": None}, seed=3) for _ in range(2))
    assert one == two
    assert torch.equal(torch.get_rng_state(), before)


def test_only_takes_checks_that_there_are():
    assert [check.name for check in CHECKS][:3] == ["shapes", "params", "flops"]
    with pytest.raises(ValueError, match="no check 'nonsense'; there are shapes"):
        Options(["nonsense"])
    graph = archdsl.parse(TIED)
    rows = verify(graph, lambda _: graph, Options(["params"])).rows
    assert {row.check for row in rows} == {"runs", "params"}
