"""BERT computes what that of transformers computes, texts that are filled up too."""

import pytest
import torch
from transformers import BertConfig, BertModel

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
SMALL = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_size": 192, "vocab_size": 97, "max_position_embeddings": 16,
}  # fmt: skip
SETTINGS = {"dim": 48, "depth": 3, "heads": 4, "vocab": 97, "context": 16}


class Fed:
    """A model with all inputs but the words given, and its outputs in one tensor."""

    def __init__(self, model, kinds, seen, *, ours):
        self.model, self.kinds, self.seen, self.ours = model, kinds, seen, ours

    def __call__(self, x):
        kinds, seen = self.kinds[: len(x)], self.seen[: len(x)]
        if self.ours:
            found = self.model(x, kinds, seen)
            states, pooled = found["states"], found["pooled"]
        else:
            found = self.model(x, seen.long(), kinds)
            states, pooled = found.last_hidden_state, found.pooler_output
        return torch.cat((states.flatten(1), pooled), 1)


def pair(ours, theirs, seen):
    kinds = words(seen.shape[1], 2, batch=len(seen), seed=3)
    return Fed(ours, kinds, seen, ours=True), Fed(theirs, kinds, seen, ours=False)


def reference(attention="sdpa", **facts):
    torch.manual_seed(0)
    return jittered(BertModel(BertConfig(attn_implementation=attention, **facts)))


def small(length=11, attention="sdpa", **facts):
    """Both models, narrow; facts of the reference may differ from those of the spec."""
    theirs = reference(attention, **{**SMALL, **facts})
    spec = f"{SPECS}/bert_base.arch:bert_base"
    ours = archdsl.load(spec, settings=SETTINGS, sizes={"T": length})
    return fill(ours, theirs, RULES), theirs


def filled(length, *lengths):
    """Which words of some texts are no filling."""
    return torch.arange(length) < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("length", [1, 11, 16])
def test_bert_equals_the_reference(length, attention):
    ours, theirs = pair(*small(length, attention), filled(length, length, length))
    assert difference(ours, theirs, words(length, 97)) <= TOLERANCE


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_it_does_with_texts_that_are_filled_up(attention):
    seen = filled(11, 7, 11, 1)
    seen[1, 4] = False
    ours, theirs = pair(*small(11, attention), seen)
    assert difference(ours, theirs, words(11, 97, batch=3)) <= TOLERANCE


def test_an_empty_text_is_what_the_reference_makes_of_it():
    ours, theirs = pair(*small(11), filled(11, 5, 0))
    assert difference(ours, theirs, words(11, 97)) <= TOLERANCE


@pytest.mark.parametrize(
    "fact",
    [
        {"hidden_act": "gelu_new"},
        {"layer_norm_eps": 1e-5},
        {"num_attention_heads": 2},
    ],
    ids=str,
)
def test_another_fact_is_seen(fact):
    ours, theirs = pair(*small(**fact), filled(11, 7, 11))
    assert difference(ours, theirs, words(11, 97)) > CLEARLY


def test_another_mask_and_other_kinds_are_seen():
    ours, theirs = pair(*small(), filled(11, 7, 11))
    ours.seen = filled(11, 8, 11)
    assert difference(ours, theirs, words(11, 97)) > CLEARLY
    ours, theirs = pair(*small(), filled(11, 7, 11))
    ours.kinds = 1 - ours.kinds
    assert difference(ours, theirs, words(11, 97)) > CLEARLY
