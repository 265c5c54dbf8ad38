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
    gradient_difference,
    jittered,
    words,
)
from tests.tools import static

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


def test_gpt2_equals_the_reference():
    theirs = reference()
    ours = archdsl.load(f"{SPECS}/gpt2.arch:gpt2", sizes={"T": 32})
    fill(ours, theirs, RULES)
    assert difference(ours, theirs, words(32, 50257)) <= TOLERANCE


def test_it_equals_the_reference_over_its_whole_context():
    theirs = reference(n_embd=48, n_layer=2, n_head=4)
    settings = {"dim": 48, "depth": 2, "heads": 4}
    ours = fill(
        archdsl.load(f"{SPECS}/gpt2.arch:gpt2", settings=settings), theirs, RULES
    )
    assert difference(ours, theirs, words(1024, 50257, batch=1)) <= TOLERANCE


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("length", [1, 11, 16])
def test_it_equals_the_reference_at_other_lengths_and_widths(length, attention):
    ours, theirs = small(length, attention)
    assert difference(ours, theirs, words(length, 97)) <= TOLERANCE


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_its_gradients_equal_the_references(attention):
    ours, theirs = small(16, attention)
    assert gradient_difference(ours, theirs, RULES, words(16, 97)) <= TOLERANCE


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("gpt2", (768, 12, 12)),
        ("gpt2_medium", (1024, 24, 16)),
        ("gpt2_large", (1280, 36, 20)),
        ("gpt2_xl", (1600, 48, 25)),
    ],
)
def test_every_size_has_the_references_parameters(model, size):
    with torch.device("meta"):
        facts = dict(zip(("n_embd", "n_layer", "n_head"), size, strict=True))
        theirs = GPT2LMHeadModel(GPT2Config(**facts))
    said = static(archdsl.parse(f"{SPECS}/gpt2.arch:{model}", sizes={"T": 8}))
    expected = sum(p.numel() for p in theirs.parameters())
    assert said.params == expected
    vectors = [p.numel() for p in theirs.parameters() if p.dim() > 1]
    assert sum(torch.Size(s).numel() for s in said.learned.values() if s[1:]) == sum(
        vectors
    )


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


def test_another_fact_is_seen_in_the_gradients():
    ours, theirs = small(activation_function="gelu")
    assert gradient_difference(ours, theirs, RULES, words(11, 97)) > CLEARLY
