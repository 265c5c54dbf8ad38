"""`lstm`, `gru`, `rnn` and `attention` compute what the modules of torch.nn do."""

import pytest
import torch
from torch import nn

import archdsl
from tests.parity.reference import (
    CLEARLY,
    TOLERANCE,
    Rule,
    fill,
    gap,
    jittered,
)


def one_op(call, **inputs):
    """A model that is one op, on the first of its inputs."""
    rows = [f"  input {name}: {shape}" for name, shape in inputs.items()]
    text = ["model one {", *rows, f"  output out = {next(iter(inputs))} -> {call}", "}"]
    return archdsl.load("\n".join(text))


def random(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# ------------------------------------------------------------------ recurrences

RECURRENT = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def recurrent_rules(op):
    return [Rule(r"((?:weight|bias)_[ih]h_l\d+(?:_reverse)?)", rf"{op}.\1")]


def final_state(reference, x):
    """Of the last layer: forwards, then backwards."""
    last = reference(x)[1]
    h = last[0] if isinstance(last, tuple) else last
    h = h.unflatten(0, (reference.num_layers, -1))[-1]
    return torch.cat(h.unbind(), -1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("op", RECURRENT)
def test_a_recurrence_equals_that_of_torch(op, layers, bidirectional, bias):
    theirs = RECURRENT[op](
        6, 5, layers, bias=bias, batch_first=True, bidirectional=bidirectional
    )
    jittered(theirs)
    rules = recurrent_rules(op)
    words = f"5, {layers}, bidirectional = {bidirectional}, bias = {bias}".lower()
    every = fill(one_op(f"{op}({words})", x="[B, T = 7, C = 6]"), theirs, rules)
    last = fill(
        one_op(f"{op}({words}, last = true)", x="[B, C = 6, T = 7]"), theirs, rules
    )
    for batch in (2, 1):
        x = random(batch, 7, 6)
        assert gap(every(x), theirs(x)[0]) <= TOLERANCE
        assert gap(last(x.mT), final_state(theirs, x)) <= TOLERANCE


def test_the_gates_of_an_lstm_stand_in_the_order_of_torch():
    """A cell written out: input, forget, cell and output gate, each with two biases."""
    ours = one_op("lstm(5, last = true)", x="[B, T = 4, C = 6]")
    w = {name: p.detach() for name, p in jittered(ours).lstm.named_parameters()}
    x = random(2, 4, 6)
    h = c = torch.zeros(2, 5, dtype=torch.float64)
    for t in range(4):
        new = x[:, t] @ w["weight_ih_l0"].T + w["bias_ih_l0"]
        i, f, g, o = (new + h @ w["weight_hh_l0"].T + w["bias_hh_l0"]).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    assert gap(ours(x), h) <= TOLERANCE


def test_the_gates_of_a_gated_unit_stand_in_the_order_of_torch():
    """Reset, update and new; the reset gate acts after the map of the state."""
    ours = one_op("gru(5, last = true)", x="[B, T = 4, C = 6]")
    w = {name: p.detach() for name, p in jittered(ours).gru.named_parameters()}
    x = random(2, 4, 6)
    h = torch.zeros(2, 5, dtype=torch.float64)
    for t in range(4):
        taken = (x[:, t] @ w["weight_ih_l0"].T + w["bias_ih_l0"]).chunk(3, -1)
        carried = (h @ w["weight_hh_l0"].T + w["bias_hh_l0"]).chunk(3, -1)
        r, z = ((a + b).sigmoid() for a, b in zip(taken[:2], carried[:2], strict=True))
        new = (taken[2] + r * carried[2]).tanh()
        h = (1 - z) * new + z * h
    assert gap(ours(x), h) <= TOLERANCE


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_a_plain_recurrence_has_the_nonlinearity_that_it_says(nonlinearity):
    call = f'rnn(5, last = true, nonlinearity = "{nonlinearity}")'
    ours = one_op(call, x="[B, T = 4, C = 6]")
    w = {name: p.detach() for name, p in jittered(ours).rnn.named_parameters()}
    x = random(2, 4, 6)
    h = torch.zeros(2, 5, dtype=torch.float64)
    for t in range(4):
        new = x[:, t] @ w["weight_ih_l0"].T + w["bias_ih_l0"]
        new = new + h @ w["weight_hh_l0"].T + w["bias_hh_l0"]
        h = new.tanh() if nonlinearity == "tanh" else new.relu()
    assert gap(ours(x), h) <= TOLERANCE


@pytest.mark.parametrize("op", RECURRENT)
def test_the_state_at_the_other_end_is_seen(op):
    theirs = jittered(RECURRENT[op](6, 5, batch_first=True, bidirectional=True))
    call = f"{op}(5, bidirectional = true, last = true)"
    ours = fill(one_op(call, x="[B, T = 7, C = 6]"), theirs, recurrent_rules(op))
    x = random(2, 7, 6)
    assert gap(ours(x), theirs(x)[0][:, -1]) > CLEARLY


# -------------------------------------------------------------------- attention

MAPS = "qkv"
ATTENTION_RULES = [
    *(Rule("in_proj_weight", f"attention.{m}.weight", lambda x, i=i: x.chunk(3)[i])
      for i, m in enumerate(MAPS)),
    *(Rule("in_proj_bias", f"attention.{m}.bias", lambda x, i=i: x.chunk(3)[i])
      for i, m in enumerate(MAPS)),
    Rule(r"([qkv])_proj_weight", r"attention.\1.weight"),
    Rule(r"out_proj\.(\w+)", r"attention.out.\1"),
]  # fmt: skip

QUERY, KEY, VALUE = "[B, T = 7, C = 8]", "[B, N = 5, C = 6]", "[B, N = 5, C = 4]"


@torch.no_grad()
def attention_gap(call, shapes, make, *, causal=False, **facts):
    """The difference of an op from `nn.MultiheadAttention` on the same tensors.

    Args:
        call: The op.
        shapes: Of its inputs, the query's first.
        make: From the inputs to query, key and value.
        causal: Whether the reference is.
        facts: Of the reference.
    """
    theirs = jittered(nn.MultiheadAttention(8, 2, batch_first=True, **facts))
    ours = fill(one_op(call, **shapes), theirs, ATTENTION_RULES)
    sizes = [[int(n) for n in s.translate(DIGITS).split()] for s in shapes.values()]
    gaps = []
    for batch in (2, 1):
        inputs = [random(batch, *s, seed=i) for i, s in enumerate(sizes)]
        mask = nn.Transformer.generate_square_subsequent_mask(7, dtype=torch.float64)
        for weights in (True, False):  # two ways to compute it
            expected, _ = theirs(
                *make(*inputs),
                attn_mask=mask if causal else None,
                need_weights=weights,
            )
            gaps.append(gap(ours(*inputs), expected))
    print(f"max |difference| {max(gaps):.1e}")
    return max(gaps)


DIGITS = {c: " " for c in range(128) if not chr(c).isdigit()}

# The op, its inputs, query, key and value of them, and facts of the reference.
CASES = {
    "self": ("attention(2)", {"x": QUERY}, lambda x: (x, x, x), {}),
    "self without bias": (
        "attention(2, bias = false)",
        {"x": QUERY},
        lambda x: (x, x, x),
        {"bias": False},
    ),
    "causal": (
        "attention(2, causal = true)",
        {"x": QUERY},
        lambda x: (x, x, x),
        {"causal": True},
    ),
    "key as wide": (
        "attention(2, key = k)",
        {"x": QUERY, "k": "[B, N = 5, C = 8]"},
        lambda x, k: (x, k, k),
        {},
    ),
    "key of another width": (
        "attention(2, key = k)",
        {"x": QUERY, "k": KEY},
        lambda x, k: (x, k, k),
        {"kdim": 6, "vdim": 6},
    ),
    "key and value": (
        "attention(2, key = k, value = v)",
        {"x": QUERY, "k": KEY, "v": VALUE},
        lambda x, k, v: (x, k, v),
        {"kdim": 6, "vdim": 4},
    ),
    "only a value": (
        "attention(2, value = v)",
        {"x": QUERY, "v": "[B, T = 7, C = 4]"},
        lambda x, v: (x, x, v),
        {"vdim": 4},
    ),
    "causal among three": (
        "attention(2, key = k, value = v, causal = true)",
        {"x": QUERY, "k": "[B, T = 7, C = 6]", "v": "[B, T = 7, C = 4]"},
        lambda x, k, v: (x, k, v),
        {"kdim": 6, "vdim": 4, "causal": True},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_attention_equals_that_of_torch(case):
    call, shapes, make, facts = CASES[case]
    assert attention_gap(call, shapes, make, **facts) <= TOLERANCE


@pytest.mark.parametrize(
    ("case", "mistake"),
    [
        ("self", lambda x: (x, x, x.roll(1, 1))),
        ("causal", lambda x: (x, x.roll(1, 1), x)),
        ("key and value", lambda x, k, v: (x, k, v.roll(1, 1))),
    ],
)
def test_another_tensor_in_a_role_is_seen(case, mistake):
    call, shapes, _, facts = CASES[case]
    assert attention_gap(call, shapes, mistake, **facts) > CLEARLY


def test_a_missing_mask_is_seen():
    call, shapes, make, _ = CASES["causal"]
    assert attention_gap(call, shapes, make, causal=False) > CLEARLY


@torch.no_grad()
def test_attention_on_a_map_is_that_of_torch_on_its_positions_in_a_row():
    theirs = jittered(nn.MultiheadAttention(8, 2, batch_first=True))
    ours = fill(
        one_op("attention(2)", x="[B, H = 3, W = 4, C = 8]"), theirs, ATTENTION_RULES
    )
    x = random(2, 3, 4, 8)
    row = x.flatten(1, 2)
    assert gap(ours(x).flatten(1, 2), theirs(row, row, row)[0]) <= TOLERANCE
