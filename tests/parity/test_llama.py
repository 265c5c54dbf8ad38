"""Llama computes what that of transformers computes."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

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
from tests.parity.zoo.sequences import exact

RULES = "transformers"  # as the spec declares them
# Llama 3.1's way to long inputs, with a context so short that every case is met.
STRETCHED = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
}  # fmt: skip
FACTS = {
    "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3,
    "num_attention_heads": 6, "num_key_value_heads": 2, "vocab_size": 97,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 64,
}  # fmt: skip
SETTINGS = {
    "dim": 48, "width": 80, "depth": 3, "heads": 6, "kv_heads": 2, "vocab": 97,
}  # fmt: skip


def small(length=11, settings=None, **facts):
    """Both models, narrow; facts of the reference may differ from those of the spec."""
    torch.manual_seed(0)
    scaled = facts.pop("rope_scaling", None)
    facts = {**FACTS, **facts}
    theta = facts.pop("rope_theta")
    how = {"rope_type": "default", **(scaled or {}), "rope_theta": theta}
    config = LlamaConfig(
        use_cache=False, attn_implementation="sdpa", rope_parameters=how, **facts
    )
    theirs = jittered(exact(LlamaForCausalLM(config)))
    ours = archdsl.load(
        f"{SPECS}/llama.arch:llama",
        settings={**SETTINGS, **(settings or {})},
        sizes={"T": length},
    )
    return fill(ours, theirs, RULES), theirs


@pytest.mark.parametrize("length", [1, 11, 40])
def test_llama_equals_the_reference(length):
    ours, theirs = small(length)
    assert difference(ours, theirs, words(length, 97)) <= TOLERANCE


@pytest.mark.parametrize("shared", [1, 6])
def test_it_does_however_many_heads_share_a_key(shared):
    ours, theirs = small(settings={"kv_heads": shared}, num_key_value_heads=shared)
    assert difference(ours, theirs, words(11, 97)) <= TOLERANCE


def test_llama_3_1s_long_inputs_equal_the_references():
    settings = {"scaling": [8, 1, 4, 32], "base": 500}
    facts = {"rope_scaling": STRETCHED, "rope_theta": 500.0}
    ours, theirs = small(64, settings=settings, **facts)
    assert difference(ours, theirs, words(64, 97)) <= TOLERANCE
    plain, _ = small(64, settings={"base": 500}, **facts)
    assert difference(plain, theirs, words(64, 97)) > CLEARLY


@pytest.mark.parametrize(
    "fact",
    [
        {"hidden_act": "gelu"},
        {"rms_norm_eps": 1e-6},
        {"rope_theta": 500000.0},
        {"rope_scaling": {"rope_type": "linear", "factor": 2.0}},
    ],
    ids=str,
)
def test_another_fact_is_seen(fact):
    ours, theirs = small(**fact)
    assert difference(ours, theirs, words(11, 97)) > CLEARLY


def test_the_other_pairing_and_another_sharing_are_seen():
    ours, theirs = small()
    for layer in ours.llama_layer:
        layer.attention.k.weight.data = layer.attention.k.weight.data.roll(8, 0)
    assert difference(ours, theirs, words(11, 97)) > CLEARLY
    ours, theirs = small()
    for layer in ours.llama_layer:  # as Meta's own checkpoints have it
        for part in (layer.attention.q, layer.attention.k):
            rows = part.weight.data.unflatten(0, (-1, 2, 4))
            part.weight.data = rows.transpose(1, 2).flatten(0, 2).contiguous()
    assert difference(ours, theirs, words(11, 97)) > CLEARLY
