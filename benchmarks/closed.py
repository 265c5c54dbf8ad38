"""The MACs of six models in closed form, and the other counts that counters mix in.

Plain arithmetic on what the papers say of the models: nothing here asks archdsl or
PyTorch. `Amounts` holds what counters add, leave out or count otherwise, so that every
difference can be written as a sum of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Amounts: TypeAlias = Mapping[str, int]

WORDS = {
    "products": "the two products of attention",
    "projections": "the linear maps around attention",
    "linears": "all other linear maps",
    "convs": "convolutions",
    "recurrence": "the recurrent layers",
    "norms": "numbers that norms give",
    "norm_params": "parameters of norms",
    "linear_bias": "biases of linear maps",
    "attention_bias": "biases of the maps around attention",
    "conv_bias": "biases of convolutions",
    "recurrent_bias": "biases of the recurrent layers",
    "activations": "numbers that activations give",
    "softmax": "numbers that a softmax gives",
    "queries": "numbers of the queries, scaled",
    "max_pool": "numbers that a max pool takes",
    "mean_pool": "numbers that the mean takes",
    "means": "means",
    "states": "numbers of the hidden states",
    "linear_params": "parameters of linear maps, each once",
    "biases_once": "biases, each once whatever the number of positions",
    "head_bias": "biases of the last linear map",
    "embeddings": "parameters of embeddings",
    "as_convs": "linear maps taken for convolutions over their features",
    "head_params": "parameters of the last linear map",
    "attention_params": "parameters of the maps around attention, each once",
    "head": "the last linear map",
}
MACS = ("products", "projections", "linears", "convs", "recurrence")


def macs(amounts: Amounts) -> int:
    """The multiply-accumulates of all matrix products."""
    return sum(amounts.get(name, 0) for name in MACS)


def resnet50() -> Amounts:
    """He et al. 2015, the stride in the 3 x 3 convolution."""
    convs = [(3, 64, 7, 112)]  # features in and out, kernel, side of the output
    relus = 64 * 112**2
    side, features = 56, 64
    for stage, depth in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for block in range(depth):
            before = side
            if block == 0 and stage > 0:
                side //= 2
            convs += [(features, width, 1, before), (width, width, 3, side)]
            convs += [(width, 4 * width, 1, side)]
            if block == 0:
                convs.append((features, 4 * width, 1, side))
            relus += width * before**2 + width * side**2 + 4 * width * side**2
            features = 4 * width
    return {
        "convs": sum(i * o * k**2 * s**2 for i, o, k, s in convs),
        "linears": 2048 * 1000,
        "norms": sum(o * s**2 for _, o, _, s in convs),
        "norm_params": sum(2 * o for _, o, _, _ in convs),
        "activations": relus,
        "max_pool": 64 * 112**2,
        "mean_pool": 2048 * 7**2,
        "means": 2048,
        "linear_bias": 1000,
        "head_bias": 1000,
    }


def vit(dim: int, heads: int, depth: int = 12) -> Amounts:
    """Dosovitskiy et al. 2020 and Touvron et al. 2021: patches of 16, 224 pixels."""
    patches, classes = 14**2, 1000
    n = patches + 1
    return {
        "products": 2 * n**2 * dim * depth,
        "projections": 4 * n * dim**2 * depth,
        "linears": 8 * n * dim**2 * depth + dim * classes,
        "convs": patches * 3 * 16**2 * dim,
        "norms": (2 * depth + 1) * n * dim,
        "norm_params": (2 * depth + 1) * 2 * dim,
        "linear_bias": 5 * n * dim * depth + classes,
        "attention_bias": 4 * n * dim * depth,
        "conv_bias": patches * dim,
        "activations": 4 * n * dim * depth,
        "softmax": heads * n**2 * depth,
        "queries": n * dim * depth,
        "linear_params": (8 * dim**2 + 5 * dim) * depth + (dim + 1) * classes,
        "attention_params": (4 * dim**2 + 4 * dim) * depth,
    }


def swin_t() -> Amounts:
    """Liu et al. 2021: dims 96 to 768, depths 2, 2, 6, 2, windows of 7 x 7."""
    stages = [(56**2 // 4**i, 96 * 2**i, depth) for i, depth in enumerate((2, 2, 6, 2))]
    merges = [(n, d) for n, d, _ in stages[1:]]  # from 4 x d / 2 features to d
    norms = sum(2 * n * d * t for n, d, t in stages) + 56**2 * 96 + 7**2 * 768
    return {
        "products": sum(2 * 49 * n * d * t for n, d, t in stages),
        "projections": sum(4 * n * d**2 * t for n, d, t in stages),
        "linears": sum(8 * n * d**2 * t for n, d, t in stages)
        + sum(n * 2 * d * d for n, d in merges)
        + 768 * 1000,
        "convs": 56**2 * 3 * 4**2 * 96,
        "norms": norms + sum(n * 2 * d for n, d in merges),
        "norm_params": sum(4 * d * t for _, d, t in stages)
        + 2 * 96
        + 2 * 768
        + sum(4 * d for _, d in merges),
        "linear_bias": sum(5 * n * d * t for n, d, t in stages) + 1000,
        "attention_bias": sum(4 * n * d * t for n, d, t in stages),
        "conv_bias": 56**2 * 96,
        "activations": sum(4 * n * d * t for n, d, t in stages),
        "softmax": sum(49 * n * d // 32 * t for n, d, t in stages),
        "mean_pool": 7**2 * 768,
        "means": 768,
        "linear_params": sum((8 * d**2 + 5 * d) * t for _, d, t in stages)
        + sum(2 * d * d for _, d in merges)
        + 769 * 1000,
    }


def gpt2() -> Amounts:
    """Radford et al. 2019, the smallest, over 1,024 tokens."""
    n, dim, depth, vocab = 1024, 768, 12, 50257
    maps = [(dim, 3 * dim), (dim, dim), (dim, 4 * dim), (4 * dim, dim)]
    return {
        "products": 2 * n**2 * dim * depth,
        "projections": 4 * n * dim**2 * depth,
        "linears": 8 * n * dim**2 * depth + n * dim * vocab,
        "norms": (2 * depth + 1) * n * dim,
        "norm_params": (2 * depth + 1) * 2 * dim,
        "linear_bias": 5 * n * dim * depth,
        "attention_bias": 4 * n * dim * depth,
        "biases_once": 9 * dim * depth,
        "as_convs": sum((i + 1) * o * o for i, o in maps) * depth,
        "embeddings": (vocab + n) * dim,
        "head_params": vocab * dim,
        "head": n * vocab * dim,
    }


def bilstm() -> Amounts:
    """Two layers both ways over 20 tokens: 4 gates of two linear maps each."""
    steps, hidden, widths = 20, 256, (128, 128, 512, 512)
    return {
        "recurrence": sum(4 * steps * hidden * (w + hidden) for w in widths),
        "linears": 2 * hidden * 5,
        "recurrent_bias": 8 * steps * hidden * len(widths),
        "states": steps * hidden * len(widths),
        "linear_bias": 5,
        "embeddings": 10000 * 128,
    }
