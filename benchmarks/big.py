"""Large specs as people write them: families of blocks, and models that call them.

A family is a page or so: blocks with a comment each, hyperparameters, residuals, loops,
conditions, claims, and a model with a variant or two. No two are equal, and equal seeds
make equal texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

_PURPOSES = [
    "after the reference code, norms first",
    "the width grows with the stage",
    "without a bias where a norm follows",
    "the projection is shared by both branches",
    "measured on images of another size; see the table of the paper",
    "a wider layer was no better",
]


def spec(size: int, seed: int = 0) -> str:
    """A right spec of about `size` characters, and never more."""
    parts = ["# A collection of models, made by benchmarks/big.py.\n"]
    length = len(parts[0])
    for family in _families(Random(seed)):
        length += len(family) + 1
        if length > size:
            break
        parts.append(family)
    return "\n".join(parts)


def lines(count: int, seed: int = 0) -> str:
    """A right spec of at most `count` lines."""
    kept: list[str] = []
    for family in _families(Random(seed)):
        if sum(map(_height, (*kept, family))) > count:
            break
        kept.append(family)
    return "\n".join(kept)


def _height(family: str) -> int:
    return family.count("\n") + 1


def _families(random: Random) -> Iterator[str]:
    number = 0
    while True:
        yield random.choice(_KINDS)(random, number)
        number += 1


def _comment(random: Random, what: str, number: int) -> str:
    return f"# {what} of family {number}: {random.choice(_PURPOSES)}."


def _act(random: Random) -> str:
    return random.choice(["relu", "gelu", "silu", 'gelu("tanh")', "tanh"])


def _width(random: Random) -> int:
    return random.choice([16, 24, 32, 40, 48, 64, 72, 80, 96, 128, 144, 160, 192])


def _depths(random: Random) -> list[int]:
    return [random.randint(1, 4) for _ in range(random.randint(2, 4))]


def _conv_steps(random: Random, width: str) -> str:
    kernel = random.choice([1, 3, 3, 3, 5, 7])
    groups = random.choice(["", "", ", groups = 2", ", dilation = 2"])
    bias = random.choice(["", ", bias = false"])
    norm = random.choice(["batch_norm", "batch_norm", "layer_norm"])
    return f"conv({width}, {kernel}{groups}{bias}) -> {norm} -> {_act(random)}"


# --- convolutional networks ---------------------------------------------------------


def _convnet(random: Random, n: int) -> str:
    unit, gate = f"unit_{n}", f"gate_{n}"
    rows = [
        _comment(random, "Squeeze and excitation", n),
        f"block {gate}[x](ratio = {random.choice([2, 4, 8])}) {{",
        "  mean(H, W) -> linear(x.C // ratio) -> "
        f"{_act(random)} -> linear(x.C) -> sigmoid as scale",
        "  x * scale",
        "}",
        "",
        _comment(random, "The unit", n),
        f"block {unit}[x](width, stride = 1, expand = {random.randint(1, 4)}, "
        f"drop = {random.choice(['0.0', '0.1', '0.2'])}) {{",
        "  let skip = x if stride == 1 and x.C == width else "
        "x -> conv(width, 1, stride, bias = false) -> batch_norm",
        f"  {_conv_steps(random, 'width * expand')}  # widens",
    ]
    for _ in range(random.randint(0, 4)):
        rows.append(
            f"  residual {{ {_conv_steps(random, 'width * expand')} }}"
            if random.random() < 0.6
            else f"  {_conv_steps(random, 'width * expand')}"
        )
    rows += [
        f"  conv(width, {random.choice([1, 3])}, stride, bias = false) -> batch_norm",
        f"  {gate}" if random.random() < 0.5 else f"  dropout(drop) -> {gate}(4)",
        f"  add(skip) -> {_act(random)}",
        "}",
        "",
        *_conv_model(random, n, unit),
    ]
    return "\n".join([*rows, ""])


def _conv_model(random: Random, n: int, unit: str) -> list[str]:
    depths, width, side = _depths(random), _width(random), random.choice([32, 64, 128])
    rows = [
        _comment(random, "The network", n),
        f"model convnet_{n}(width = {width}, depths = {depths}, "
        f"classes = {random.randint(2, 1000)}) {{",
        f"  input image: [B, C = 3, H = {side}, W = {side}]",
        "",
        f"  conv(width, kernel = {random.choice([3, 5, 7])}, stride = 2) -> batch_norm "
        f"-> {_act(random)} -> max_pool({random.choice([2, 3])}, stride = 2)",
        "  for stage, depth in enumerate(depths) {",
        "    for i in range(depth) {",
        f"      {unit}(width * 2 ** stage, stride = 2 if stage > 0 and i == 0 else 1)",
        "    }",
        "    relu as features",
        "  }",
    ]
    for _ in range(random.randint(0, 6)):
        rows.append(f"  {_conv_steps(random, str(_width(random)))}")
    rows += [
        "  mean(H, W) -> linear(classes)",
        "  output logits: [B, C = classes]",
        "  output maps = features",
        "}",
    ]
    for i in range(random.randint(0, 2)):
        rows += [
            "",
            f"model convnet_{n}_{i} = convnet_{n}(width = {_width(random)}, "
            f"classes = {random.randint(2, 1000)})",
        ]
    return rows


# --- Transformers -------------------------------------------------------------------


def _transformer(random: Random, n: int) -> str:
    layer, mlp = f"layer_{n}", f"mlp_{n}"
    heads = random.choice([2, 4, 8])
    dim = heads * random.choice([8, 16, 32, 64])
    causal = random.choice(["", ", causal = true"])
    rows = [
        _comment(random, "The feed-forward net", n),
        f"block {mlp}[x](ratio = {random.randint(2, 6)}, act = {_act(random)}, "
        f"rate = 0.{random.randint(0, 3)}) {{",
        "  linear(ratio * x.C) -> act as hidden",
        *(
            f"  linear({_width(random)}) -> {_act(random)} -> dropout(rate)"
            for _ in range(random.randint(0, 4))
        ),
        "  dropout(rate) -> linear(x.C)",
        "}",
        "",
        _comment(random, "One layer", n),
        f"block {layer}[x](heads, eps = 1e-{random.randint(5, 7)}, drop = 0.0) {{",
        '  require x.C % heads == 0, "the heads share the features"',
        f"  residual(drop) {{ layer_norm(eps) -> attention(heads{causal}) }}",
        f"  residual(drop) {{ layer_norm(eps) -> {mlp}({random.randint(2, 6)}) }}",
        *(
            "  residual { layer_norm -> conv(x.C, "
            f"{random.choice([3, 5])}, groups = heads) -> {_act(random)} }}"
            for _ in range(random.randint(0, 3))
        ),
        "}",
        "",
        _comment(random, "The language model", n),
        f"model text_{n}(dim = {dim}, depth = {random.randint(2, 12)}, "
        f"heads = {heads}, vocab = {random.randint(500, 50000)}) {{",
        f"  input tokens: int[B, T = {random.choice([16, 32, 64, 100, 128])}]",
        "",
        "  layer table = embedding(vocab, dim)",
        f"  tokens -> table -> position_embedding -> dropout(0.{random.randint(0, 4)})",
        f"  repeat(depth) {{ {layer}(heads) }}",
        *(
            f"  residual {{ layer_norm -> linear({_width(random)}) -> {_act(random)}"
            " -> linear(dim) }  # an adapter"
            for _ in range(random.randint(0, 6))
        ),
        "  layer_norm -> table.transposed",
        "  output logits: [B, T, C = vocab]",
        "}",
        "",
        f"model text_{n}_large = text_{n}(dim = {dim * 2}, "
        f"depth = {random.randint(8, 24)})",
    ]
    return "\n".join([*rows, ""])


# --- branches -----------------------------------------------------------------------


def _pyramid(random: Random, n: int) -> str:
    widths = sorted(_width(random) for _ in range(random.randint(2, 4)))
    down, mix = f"down_{n}", f"mix_{n}"
    rates = random.sample(range(1, 9), 3)
    rows = [
        _comment(random, "Half the size", n),
        f"block {down}[x](width) {{",
        f"  conv(width, kernel = 3, stride = 2) -> batch_norm -> {_act(random)}",
        *(f"  {_conv_steps(random, 'width')}" for _ in range(random.randint(1, 5))),
        "}",
        "",
        _comment(random, "Branches of several reaches", n),
        f"block {mix}[x](width, rates = {rates}) {{",
        "  let wide = [x -> conv(width, 3, dilation = r) -> relu for r in rates]",
        f"  let far = x -> axial_{n}({random.choice([1, 2, 4])})",
        "  concat(wide) -> conv(width, 1)",
        "  batch_norm -> conv(x.C, 1) -> add(far)",
        "}",
        "",
        f"block axial_{n}[x](heads) {{",
        "  residual { layer_norm -> attention(heads, over = "
        f"{random.choice('HW')}) }}",
        "}",
        "",
        _comment(random, "The pyramid", n),
        f"model pyramid_{n}(widths = {widths}, depth = {random.randint(1, 3)}) {{",
        f"  input image: [B, C = 3, H = {random.choice([64, 128])}, W = 64]",
        "",
        "  conv(widths[0], kernel = 4, stride = 4)",
        "  for stage, width in enumerate(widths) {",
        f"    if stage > 0 {{ {down}(width) }}",
        f"    repeat(depth) {{ residual {{ {_conv_steps(random, 'width')} }} }}",
        "    layer_norm as features",
        "  }",
        f"  features[-1] -> {mix}({_width(random)})",
        *(
            f"  {_conv_steps(random, str(_width(random)))}"
            for _ in range(random.randint(0, 5))
        ),
        "  let pooled = [f -> mean(H, W) for f in features]",
        f"  concat(pooled) -> linear({random.randint(2, 500)})",
        "  output classes",
        "  output maps = features",
        "}",
    ]
    return "\n".join([*rows, ""])


_KINDS: list[Callable[[Random, int], str]] = [_convnet, _transformer, _pyramid]
