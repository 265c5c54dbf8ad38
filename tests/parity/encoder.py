"""PyTorch's own Transformer encoder, and where its weights stand in ours."""

import torch.nn.functional as F
from torch import nn

from tests.parity.reference import Rule


def encoder(dim, depth, heads):
    """Layers with the norms in front, and one after the last.

    The activation is a function: PyTorch's fast path takes the tanh form of a module
    for the exact one.
    """
    layer = nn.TransformerEncoderLayer(
        dim,
        heads,
        4 * dim,
        dropout=0.0,
        activation=F.gelu,
        batch_first=True,
        norm_first=True,
    )
    norm = nn.LayerNorm(dim)
    return nn.TransformerEncoder(layer, depth, norm, enable_nested_tensor=False)


def part(number):
    """One of the three maps that `in_proj` holds."""
    return lambda x: x.chunk(3)[number]


def encoder_rules(theirs, norm="layer_norm"):
    """The rules of an encoder that is called `theirs`; `norm` is its last."""
    layer, ours = theirs + r"\.layers\.(\d+)\.", r"transformer_layer.\1."
    fused = layer + r"self_attn\.in_proj_(\w+)"
    return [
        *(
            Rule(fused, rf"{ours}attention.{letter}.\2", part(number))
            for number, letter in enumerate("qkv")
        ),
        Rule(layer + r"self_attn\.out_proj\.(\w+)", ours + r"attention.out.\2"),
        Rule(layer + r"norm1\.(\w+)", ours + r"layer_norm.\2"),
        Rule(layer + r"norm2\.(\w+)", ours + r"layer_norm_2.\2"),
        Rule(layer + r"linear1\.(\w+)", ours + r"feed_forward.linear.\2"),
        Rule(layer + r"linear2\.(\w+)", ours + r"feed_forward.linear_2.\2"),
        Rule(theirs + r"\.norm\.(\w+)", rf"{norm}.\1"),
    ]
