"""Attention equals its formulas: scores spelled out, the maps by hand."""

import math

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

import archdsl
from archdsl.backends.torch.load import load
from tests.tools import examples, jittered, replaced

FAR = -math.inf


def built(code: str, **inputs: str):
    rows = [f"  input {name}: {shape}\n" for name, shape in inputs.items()]
    return f"model m {{\n{''.join(rows)}  output y = x -> {code}\n}}\n"


# --- the formulas -------------------------------------------------------------------


def turned(x, base, pairing, scaling=None):
    """Rotary positions, pair by pair as complex numbers; x is (…, N, d)."""
    count, size = x.shape[-2:]
    speeds = [base ** (-2 * i / size) for i in range(size // 2)]
    if scaling:
        factor, low, high, context = scaling
        for i, speed in enumerate(speeds):
            turns = context * speed / (2 * math.pi)
            fast = min(1, max(0, (turns - low) / (high - low)))
            speeds[i] = speed * (fast + (1 - fast) / factor)
    angle = torch.arange(count).double()[:, None] * torch.tensor(speeds).double()
    turn = torch.polar(torch.ones_like(angle), angle)
    half = pairing == "half"
    a, b = x.chunk(2, -1) if half else (x[..., ::2], x[..., 1::2])
    y = torch.complex(a, b) * turn
    return (
        torch.cat((y.real, y.imag), -1) if half else torch.view_as_real(y).flatten(-2)
    )


def mapped(weights, name, x, heads, kv_heads):
    """One of the maps, also where one weight holds three."""
    if "qkv.weight" not in weights or name == "out":
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)
    size = weights["qkv.weight"].shape[0] // (heads + 2 * kv_heads)
    rows = [size * heads, size * kv_heads, size * kv_heads]
    part = "qkv".index(name)
    bias = weights.get("qkv.bias")
    bias = 0 if bias is None else bias.split(rows)[part]
    return x @ weights["qkv.weight"].split(rows)[part].T + bias


def likeness(weights, op, q, k, head):
    """The scores of one head, without masks."""
    if op.get("rotary"):
        how = op["rotary"], op.get("pairing", "half"), op.get("rotary_scaling")
        q, k = turned(q, *how), turned(k, *how)
    scale = op.get("scale") or q.shape[-1] ** -0.5
    if scale == "cosine":
        q, k = (t / t.square().sum(-1, keepdim=True).sqrt() for t in (q, k))
        scale = min(math.exp(weights["logit_scale"][head].item()), 100)
    elif scale == "learned":
        scale = weights["head_scale"][head].item()
    return torch.einsum("bnd,bmd->bnm", q, k) * scale


def attended(weights, op, x, key=None, mask=None, added=None):
    """Attention of (B, N, C) over (B, M, C); masks are (B, heads, N, M) or 1."""
    key = x if key is None else key
    heads = op["heads"]
    shared = op.get("kv_heads") or heads
    q = mapped(weights, "q", x, heads, shared).unflatten(-1, (heads, -1))
    k = mapped(weights, "k", key, heads, shared).unflatten(-1, (shared, -1))
    v = mapped(weights, "v", key, heads, shared).unflatten(-1, (shared, -1))
    results = []
    for head in range(heads):
        there = head * shared // heads
        scores = likeness(weights, op, q[:, :, head], k[:, :, there], head)
        shape = len(x), heads, *scores.shape[1:]
        if added is not None:
            scores = scores + added.expand(shape)[:, head]
        if op.get("causal"):
            ahead = torch.arange(k.shape[1]) > torch.arange(q.shape[1])[:, None]
            scores = scores.masked_fill(ahead, FAR)
        if mask is not None:
            scores = scores.masked_fill(~mask.expand(shape)[:, head], FAR)
        share = scores.softmax(-1).nan_to_num()  # who sees nothing takes nothing
        results.append(share @ v[:, :, there])
    y = torch.cat(results, -1)
    return y if op.get("out") is False else mapped(weights, "out", y, heads, shared)


# --- all of it at once --------------------------------------------------------------


@st.composite
def uses(draw):
    """An op with its fields, and the sizes and inputs that go with it."""
    heads = draw(st.sampled_from([1, 2, 4]))
    size = draw(st.sampled_from([2, 4]))
    cross = draw(st.booleans())
    op = {"heads": heads}
    options = {
        "kv_heads": st.sampled_from([n for n in (1, 2, 4) if heads % n == 0]),
        "bias": st.one_of(
            st.booleans(),
            st.lists(st.sampled_from(["q", "k", "v", "out"]), unique=True),
        ),
        "width": st.just(heads * size),
        "scale": st.sampled_from([0.5, 2, "cosine", "learned"]),
        "out": st.booleans(),
        "rotary": st.sampled_from([10, 10000]),
        "fused": st.booleans(),
        "causal": st.booleans(),
    }
    for name, values in options.items():
        if draw(st.booleans()):
            op[name] = draw(values)
    if "rotary" in op:
        op["pairing"] = draw(st.sampled_from(["half", "interleaved"]))
        if draw(st.booleans()):
            op["rotary_scaling"] = draw(
                st.sampled_from([(8, 1, 4, 16), (2, 0.5, 1, 9)])
            )
    if cross:
        op.pop("fused", None), op.pop("causal", None)
    has = op.get("bias", True)
    if isinstance(has, list):
        assume(not op.get("fused") or len({"q", "k", "v"} & set(has)) in (0, 3))
        assume(op.get("out", True) or "out" not in has)
    features = heads * size if "width" not in op else draw(st.sampled_from([3, 8]))
    masks = draw(st.sampled_from(["", "bool[B, {M}]", "int[{M}, B]", "bool[{N}, {M}]"]))
    shapes = ["", "[{N}, {M}]", "[C, {M}]", "[B, {M}, C, {N}]", "[{M}, B]"]
    return op, features, cross, masks, draw(st.sampled_from(shapes))


def shape_of(words, heads, cross):
    names = {"M": "S = 5" if cross else "T = 5", "N": "T = 5" if cross else "Q = 5"}
    return words.format(**names).replace("C", f"C = {heads}")


def as_scores(x, shape):
    """An input of a mask as (B, heads, N, M), sizes that it lacks being 1."""
    kinds = [w.split(" ")[0].strip("[]") for w in shape.partition("[")[2].split(", ")]
    order = {"B": 0, "C": 1, "Q": 2, "T": 3, "S": 3}
    if "S" in kinds:
        order["T"] = 2
    places = [order[k] for k in kinds]
    y = x.permute(sorted(range(x.dim()), key=lambda i: places[i]))
    for place in range(4):
        if place not in places:
            y = y.unsqueeze(place)
    return y


def spelled(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(spelled, value))}]"
    return str(value)


def compare(use):
    op, features, cross, masks, biases = use
    heads = op["heads"]
    inputs = {"x": f"[B, T = 5, C = {features}]"}
    ports = {}
    generator = torch.Generator().manual_seed(0)
    batch = 3
    tensors = {"x": torch.randn(batch, 5, features, generator=generator)}
    if cross:
        inputs["memory"] = "[B, S = 5, C = 6]"
        ports["key"] = "memory"
        tensors["memory"] = torch.randn(batch, 5, 6, generator=generator)
    for port, words in (("mask", masks), ("added", biases)):
        if words:
            shape = shape_of(words, heads, cross)
            inputs[port], ports[port] = shape, port
            sizes = [
                batch if "B" in w else heads if "C" in w else 5
                for w in shape.partition("[")[2].split(",")
            ]
            drawn = torch.randn(sizes, generator=generator)
            tensors[port] = drawn if port == "added" else drawn > 0
    fields = [f"{n} = {spelled(v)}" for n, v in op.items()]
    code = ", ".join([*fields, *(f"{p} = {n}" for p, n in ports.items())])
    text = built(f"attention({code})", **inputs)
    print(text)
    graph = archdsl.parse(text)
    module = jittered(load(graph))
    given_ = [
        tensors[n].long()
        if inputs[n].startswith("int")
        else tensors[n]
        if tensors[n].dtype == torch.bool
        else tensors[n].double()
        for n in inputs
    ]
    ours = module(*given_)
    weights = {n.removeprefix("attention."): p for n, p in module.named_parameters()}
    theirs = attended(
        weights,
        op,
        tensors["x"].double(),
        tensors["memory"].double() if cross else None,
        mask=as_scores(tensors["mask"], inputs["mask"]) if masks else None,
        added=as_scores(tensors["added"].double(), inputs["added"]) if biases else None,
    )
    # Angles are float32's, so that they are the same in every precision.
    tolerance = 2e-5 if op.get("rotary") else 1e-10
    return (ours - theirs).abs().max().item(), tolerance


@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(uses())
def test_attention_is_what_its_formulas_say(use):
    found, tolerance = compare(use)
    assert found <= tolerance


FULL = {
    "heads": 4, "kv_heads": 2, "bias": ["q", "v", "out"], "scale": "cosine",
    "rotary": 10, "pairing": "half", "causal": True,
}  # fmt: skip


@pytest.mark.parametrize("name", ["pairing", "kv_heads", "scale", "causal"])
def test_another_way_is_seen(name):
    other = {"pairing": "interleaved", "kv_heads": 1, "scale": 1.0, "causal": False}
    real = attended

    def lie(weights, op, *tensors, **masks):
        changed = {**op, name: other[name]}
        if name == "kv_heads":  # the wrong share of the keys for each head
            size = weights["k.weight"].shape[0] // 2
            weights = {
                n: p.roll(size, 0) if n[:2] in ("k.", "v.") else p
                for n, p in weights.items()
            }
            changed = op
        return real(weights, changed, *tensors, **masks)

    use = FULL, 16, False, "bool[B, {M}]", ""
    assert compare(use)[0] <= 2e-5
    with replaced(__import__(__name__, fromlist=["x"]), "attended", lie):
        assert compare(use)[0] > 1e-3


# --- who sees nothing ---------------------------------------------------------------


def test_who_sees_nothing_takes_what_pytorchs_attention_gives_him():
    text = built(
        "attention(2, mask = seen)", x="[B, T = 5, C = 8]", seen="bool[B, T = 5]"
    )
    ours = jittered(load(archdsl.parse(text)))
    theirs = nn.MultiheadAttention(8, 2, batch_first=True).double().eval()
    attention = ours.attention
    with torch.no_grad():
        parts = [attention.q, attention.k, attention.v]
        theirs.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        theirs.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
        theirs.out_proj.load_state_dict(attention.out.state_dict())
    x = torch.randn(3, 5, 8, dtype=torch.float64, requires_grad=True)
    seen = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]]).bool()
    y = ours(x, seen)
    expected, _ = theirs(x, x, x, key_padding_mask=~seen, need_weights=False)
    assert (y - expected).abs().max() <= 1e-12
    assert torch.equal(y[2], attention.out.bias.expand(5, 8))
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    assert gradient.isfinite().all()
    assert not gradient[2].any()
    assert not gradient[1, :, :].isnan().any()


@pytest.mark.parametrize("batch", [1, 2])
def test_a_hidden_position_changes_nothing(batch):
    code = "attention(2, causal = true, rotary = 100, mask = seen)"
    text = built(code, x="[B, T = 6, C = 8]", seen="int[B, T = 6]")
    module = jittered(load(archdsl.parse(text)))
    x = torch.randn(batch, 6, 8, dtype=torch.float64)
    seen = torch.tensor([1, 1, 0, 1, 0, 1]).expand(batch, 6)
    other = x.clone()
    other[:, 2] += 1
    moved = (module(x, seen) - module(other, seen)).abs().amax((0, 2)) > 1e-12
    assert moved.tolist() == [False, False, True, False, False, False]


# --- arguments that do not go together ----------------------------------------------

X = "[B, T = 6, C = 12]"
WRONG = {
    "attention(4, kv_heads = 3)": "kv_heads does not divide heads = 4",
    "attention(4, kv_heads = 8)": "kv_heads does not divide heads = 4",
    "attention(4, fused = true, key = x)": "one weight for q, k and v of one tensor",
    'attention(4, fused = true, bias = ["q", "v"])': "one bias for q, k and v, or none",
    "attention(4, rotary = 10000)": "odd number of features",
    'attention(4, pairing = "interleaved")': "pairing needs rotary",
    "attention(4, rotary_scaling = [8, 1, 4, 64])": "rotary_scaling needs rotary",
    "attention(2, rotary = 10, rotary_scaling = [8, 4, 1, 64])": "low factor below",
    "attention(2, rotary = 10, rotary_scaling = [8, 1, 4])": "four numbers",
    "attention(2, rotary = 1)": "a number above 1",
    'attention(2, rotary = 10, pairing = "split")': '"half" or "interleaved"',
    'attention(2, scale = "sine")': '"cosine" or "learned"',
    'attention(2, bias = ["q", "q"])': "each map once",
    'attention(2, bias = ["o"])': 'may only list the maps "q", "k", "v" and "out"',
    'attention(2, out = false, bias = ["q", "out"])': "a map that is not there: out",
    "attention(2, mask = x)": "takes bool or int values, and these are float",
    "attention(2, added = seen)": "takes float values, and these are bool",
    "attention(2, mask = other)": "needs an axis T",
    "attention(2, mask = two)": "takes a mask of the positions that are asked (T)",
    "attention(2, added = four)": "attention: C = 2 on one side and C = 4",
    "attention(2, added = long)": "attention: Q = 6 on one side and Q = 5",
}


@pytest.mark.parametrize("code", WRONG)
def test_what_does_not_go_together_is_said(code):
    inputs = {
        "x": X,
        "seen": "bool[B, T = 6]",
        "other": "bool[B, S = 6]",
        "two": "bool[B, T = 6, P = 6, Q = 6]",
        "four": "[C = 4, T = 6]",
        "long": "[Q = 5, T = 6]",
    }
    with pytest.raises(archdsl.SpecError) as caught:
        archdsl.parse(built(code, **inputs))
    (diagnostic,) = caught.value.diagnostics
    assert WRONG[code] in diagnostic.fault.message()
    assert diagnostic.span.text.strip() not in ("", built(code, **inputs))


def test_rotary_needs_one_axis():
    with pytest.raises(
        archdsl.SpecError, match="one axis, along which positions count"
    ):
        archdsl.parse(built("attention(2, rotary = 10)", x="[B, H = 2, W = 3, C = 8]"))


def test_torch_export_takes_open_lengths():
    code = "attention(4, kv_heads = 2, causal = true, rotary = 10000, mask = seen)"
    text = built(code, x="[B, T, C = 16]", seen="bool[B, T]")
    module = jittered(load(archdsl.parse(text)))

    def inputs(length):
        x = torch.randn(2, length, 16, dtype=torch.float64)
        return x, torch.rand(2, length) > 0.3

    length = torch.export.Dim("T", min=2, max=4096)
    shapes = ({1: length}, {1: length})
    program = torch.export.export(module, inputs(9), dynamic_shapes=shapes)
    for other in (5, 40):
        given_ = inputs(other)
        torch.testing.assert_close(program.module()(*given_), module(*given_))


def test_open_lengths_are_formulas_and_the_module_takes_any():
    code = "attention(4, kv_heads = 2, causal = true, rotary = 10000, mask = seen)"
    text = built(code, x="[B, T, C = 16]", seen="bool[B, T]")
    graph = archdsl.parse(text)
    module = jittered(load(graph))
    for length in (1, 4, 9):
        there = archdsl.parse(text, sizes={"T": length})
        closed = jittered(load(there))
        x = torch.randn(2, length, 16, dtype=torch.float64)
        seen = torch.rand(2, length) > 0.3
        torch.testing.assert_close(module(x, seen), closed(x, seen))
    macs = archdsl.analyze(text).totals.macs
    assert str(macs) == "32*T**2 + 768*T"
