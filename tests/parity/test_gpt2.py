"""GPT-2 computes what that of transformers computes."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    difference,
    fill,
    jittered,
    words,
)

RULES = "transformers"  # as the spec declares them


def reference(attention="sdpa", **facts):
    """A GPT-2 of transformers that keeps no cache."""
    torch.manual_seed(0)
    config = GPT2Config(use_cache=False, attn_implementation=attention, **facts)
    return jittered(GPT2LMHeadModel(config))


def small(length=11, attention="sdpa", **facts):
    """Both models, narrow; facts of the reference may differ from those of the spec."""
    size = {"n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": 16}
    vocab = {"vocab_size": 97, "bos_token_id": 0, "eos_token_id": 0}
    theirs = reference(attention, **{**size, **vocab, **facts})
    ours = archdsl.load(
        f"{SPECS}/gpt2.arch:gpt2",
        settings={"dim": 48, "depth": 3, "heads": 4, "vocab": 97, "context": 16},
        sizes={"T": length},
    )
    return fill(ours, theirs, RULES), theirs


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("length", [1, 11, 16])
def test_it_equals_the_reference_at_other_lengths_and_widths(length, attention):
    ours, theirs = small(length, attention)
    assert difference(ours, theirs, words(length, 97)) <= TOLERANCE


def test_the_head_is_the_embedding():
    ours, theirs = small()
    assert theirs.lm_head.weight is theirs.transformer.wte.weight
    assert {p.shape for p in ours.parameters() if 97 in p.shape} == {(97, 48)}
    assert sum(97 in p.shape for p in ours.parameters()) == 1


@pytest.mark.parametrize(
    "fact",
    [
        {"activation_function": "gelu"},
        {"activation_function": "quick_gelu"},
        {"layer_norm_epsilon": 1e-6},
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
        {"n_head": 2},
    ],
    ids=str,
)
def test_another_fact_is_seen(fact):
    ours, theirs = small(**fact)
    assert difference(ours, theirs, words(11, 97)) > CLEARLY


def test_another_order_in_the_fused_map_is_seen():
    ours, theirs = small()
    with torch.no_grad():
        for layer in ours.transformer_layer:
            q, k = layer.attention.q.weight, layer.attention.k.weight
            before = q.clone()
            q.copy_(k)
            k.copy_(before)
    assert difference(ours, theirs, words(11, 97)) > CLEARLY


def test_a_look_ahead_is_seen():
    ours, theirs = small()
    for layer in ours.transformer_layer:
        layer.attention.causal = False
    assert difference(ours, theirs, words(11, 97)) > CLEARLY
