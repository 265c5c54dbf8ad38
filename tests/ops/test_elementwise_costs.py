"""Element-wise operations, which no counter counts, against counts made by hand.

Each row is a use of an op, and what one writes down for it with docs/numbers.md beside
it: additions, products, comparisons, functions of one number.
"""

import pytest

import archdsl

ROWS = 6 * 8  # T x C of the inputs
SCORES = 2 * 6 * 6  # heads x T x T
MAPS = 4 * ROWS  # the biases of q, k, v and out
PLAIN = {"scale": SCORES, "softmax": 5 * SCORES, "bias": MAPS}
T, HW, HEADS = (
    "[B, T = 6, C = 8]",
    "[B, C = 2, H = 4, W = 6]",
    {"x": "[B, T = 6, C = 8]"},
)
WINDOWS = {"x": "[B, H = 4, W = 6, C = 4]"}  # six windows of 2 by 2
INSIDE = 2 * 24 * 4  # heads x positions x those of their windows
DISTANCES = 3 * 3 * 512  # of a window of 2 by 2, each with so many hidden features

COSTS = [
    # attention
    ("attention(2)", HEADS, PLAIN),
    ("attention(2, bias = false)", HEADS, {**PLAIN, "bias": 0}),
    ('attention(2, bias = ["q", "out"])', HEADS, {**PLAIN, "bias": 2 * ROWS}),
    ("attention(2, out = false)", HEADS, {**PLAIN, "bias": 3 * ROWS}),
    ("attention(2, fused = true)", HEADS, PLAIN),
    ("attention(2, causal = true)", HEADS, PLAIN),
    ('attention(2, scale = "learned")', HEADS, PLAIN),
    ('attention(2, scale = "cosine")', HEADS, {**PLAIN, "norm": 3 * 2 * ROWS}),
    ("attention(2, rotary = 10)", HEADS, {**PLAIN, "rotary": 3 * 2 * ROWS}),
    (
        "attention(2, rotary = 10, kv_heads = 1)",  # k and v have 4 features
        HEADS,
        {**PLAIN, "rotary": 3 * (48 + 24), "bias": 48 + 24 + 24 + 48},
    ),
    (
        "attention(2, mask = m, added = a)",
        {"x": T, "m": "bool[B, T = 6]", "a": "[Q = 6, T = 6]"},
        {**PLAIN, "bias": MAPS + 2 * SCORES},
    ),
    (
        "window_attention(2, 2)",
        WINDOWS,
        {"scale": INSIDE, "softmax": 5 * INSIDE, "bias": 4 * 96},
    ),
    (
        'window_attention(2, 2, 1, true, scale = "cosine", bias = ["v"])',
        WINDOWS,
        {
            "scale": INSIDE,
            "softmax": 5 * INSIDE,
            "bias": 96 + 2 * INSIDE,  # the positions and the mask
            "norm": 3 * 2 * 96,
        },
    ),
    (
        'window_attention(2, 2, relative_bias = "continuous", bias = false)',
        WINDOWS,
        {
            "scale": INSIDE + 2 * 9,  # 16 times the sigmoid
            "softmax": 5 * INSIDE,
            "bias": INSIDE + DISTANCES,
            "activation": DISTANCES + 4 * 2 * 9,  # relu inside, sigmoid outside
        },
    ),
    # convolution and pooling
    ("conv(4, 3)", {"x": HW}, {"bias": 4 * 24}),
    (
        "conv(4, 3, groups = 2, bias = false, standardize = 1e-5)",
        {"x": HW},
        {"norm": 5 * 4 * 1 * 9},
    ),
    ('avg_pool(3, 2, "tf_same")', {"x": HW}, {"pool": 2 * 2 * 3 * 9}),
    ("max_pool(3, 2, 0, ceil_mode = true)", {"x": HW}, {"pool": 2 * 2 * 3 * 8}),
    ("adaptive_avg_pool([2, 3])", {"x": HW}, {"pool": 2 * 4 * 6}),
    # three pairs of rows, 0-1, 1-2 and 2-3; four pairs of columns
    ("adaptive_avg_pool([3, 4])", {"x": HW}, {"pool": 2 * 6 * 8}),
    ("adaptive_max_pool([3, 4])", {"x": HW}, {"pool": 2 * (6 * 8 - 3 * 4)}),
    ("interpolate(factor = 2)", {"x": HW}, {}),
    ('interpolate(5, mode = "linear")', {"x": HW}, {"pool": 7 * 2 * 25}),
    ('interpolate(5, mode = "cubic")', {"x": HW}, {"pool": 31 * 2 * 25}),
    ('interpolate(9, mode = "linear", over = W)', {"x": HW}, {"pool": 3 * 2 * 4 * 9}),
    ("patch_merge(5)", {"x": HW}, {"norm": 7 * 6 * 8}),
    ('patch_merge(5, norm = "after")', {"x": HW}, {"norm": 7 * 6 * 5}),
    # arithmetic, norms, activations
    ("exp", HEADS, {"arithmetic": ROWS}),
    ("log", HEADS, {"arithmetic": ROWS}),
    ("sqrt", HEADS, {"arithmetic": ROWS}),
    ("abs", HEADS, {"arithmetic": ROWS}),
    ("clamp(0, 1)", HEADS, {"arithmetic": 2 * ROWS}),
    ("clamp(max = 1)", HEADS, {"arithmetic": ROWS}),
    ("normalize", HEADS, {"norm": 3 * ROWS}),
    ("normalize(T)", HEADS, {"norm": 3 * ROWS}),
    ("batch_norm(frozen = true)", HEADS, {"norm": 2 * ROWS}),
    ('gelu("quick")', HEADS, {"activation": 6 * ROWS}),
    ("dot(x)", HEADS, {}),
    # what moves numbers, and what takes them from a table
    ("roll(T, 1) -> flip(T) -> pad(T, 1)", HEADS, {}),
    ("stack([x, x], over = N)", HEADS, {}),
    ("gather(T, i)", {"x": T, "i": "int[B]"}, {}),
    ("argmax(T)", HEADS, {"reduce": 5 * 8}),
    ("embedding(9, 4, frozen = true)", {"x": "int[B, T = 6]"}, {}),
    ("sinusoid_embedding", HEADS, {"arithmetic": ROWS + 2 * ROWS}),
    (
        "sinusoid_embedding(over = H)",
        {"x": HW},
        {"arithmetic": 48 + 2 * 4 * 2},
    ),
    ("sinusoids(4)", HEADS, {"arithmetic": 2 * 6 * 4}),
    ("sinusoids(4, normalize = true)", HEADS, {"arithmetic": 2 * 24 + 2 * 6}),
    (
        "sinusoids(4, over = W, mask = m)",
        {"x": HW, "m": "bool[B, H = 4, W = 6]"},
        {"arithmetic": 2 * 24 * 4 + 24},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "inputs", "expected"), COSTS)
def test_element_wise_costs_are_those_counted_by_hand(code, inputs, expected):
    lines = [f"  input {name}: {tensor}" for name, tensor in inputs.items()]
    text = "\n".join(["model one {", *lines, f"  x -> {code}", "  output y", "}", ""])
    found = archdsl.analyze(text).totals.elementwise
    assert found == {kind: count for kind, count in expected.items() if count}
