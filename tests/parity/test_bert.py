"""BERT computes what that of transformers computes, texts that are filled up too."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    Rule,
    difference,
    fill,
    gradient_difference,
    jittered,
    words,
)
from tests.tools import static

HEAD = r"encoder\.layer\.(\d+)\."
OURS = r"encoder_layer.\1."
NAMES = {"query": "q", "key": "k", "value": "v"}
RULES = [
    Rule(r"embeddings\.word_embeddings\.weight", "embedding_2.weight"),
    Rule(r"embeddings\.token_type_embeddings\.weight", "embedding.weight"),
    Rule(r"embeddings\.position_embeddings\.weight", "position_embedding.weight"),
    Rule(r"embeddings\.LayerNorm\.(\w+)", r"layer_norm.\1"),
    *(
        Rule(
            HEAD + rf"attention\.self\.{theirs}\.(\w+)", OURS + rf"attention.{ours}.\2"
        )
        for theirs, ours in NAMES.items()
    ),
    Rule(HEAD + r"attention\.output\.dense\.(\w+)", OURS + r"attention.out.\2"),
    Rule(HEAD + r"attention\.output\.LayerNorm\.(\w+)", OURS + r"layer_norm.\2"),
    Rule(HEAD + r"intermediate\.dense\.(\w+)", OURS + r"feed_forward.linear.\2"),
    Rule(HEAD + r"output\.dense\.(\w+)", OURS + r"feed_forward.linear_2.\2"),
    Rule(HEAD + r"output\.LayerNorm\.(\w+)", OURS + r"layer_norm_2.\2"),
    Rule(r"pooler\.dense\.(\w+)", r"linear.\1"),
]
SMALL = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_size": 192, "vocab_size": 97, "max_position_embeddings": 16,
}  # fmt: skip
SETTINGS = {"dim": 48, "depth": 3, "heads": 4, "vocab": 97, "context": 16}


class Fed:
    """A model with all inputs but the words given, and its outputs in one tensor."""

    def __init__(self, model, kinds, seen, *, ours):
        self.model, self.kinds, self.seen, self.ours = model, kinds, seen, ours
        self.zero_grad = model.zero_grad
        self.named_parameters = model.named_parameters

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


def test_its_gradients_equal_the_references():
    ours, theirs = pair(*small(16), filled(16, 16, 9))
    assert gradient_difference(ours, theirs, RULES, words(16, 97)) <= TOLERANCE


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


def test_the_declared_layout_loads_the_references_file(tmp_path):
    _, theirs = small()
    save_file(theirs.float().state_dict(), tmp_path / "model.safetensors")
    ours = archdsl.load(
        f"{SPECS}/bert_base.arch:bert_base",
        settings=SETTINGS,
        sizes={"T": 11},
        weights=tmp_path / "model.safetensors",
    )
    models = pair(ours.double().eval(), theirs.double(), filled(11, 7, 11))
    assert difference(*models, words(11, 97)) <= TOLERANCE


@pytest.mark.slow
def test_bert_base_equals_the_reference_at_full_size():
    ours = archdsl.load(f"{SPECS}/bert_base.arch:bert_base", sizes={"T": 16})
    theirs = reference()
    fill(ours, theirs, RULES)
    ours, theirs = pair(ours, theirs, filled(16, 16, 12))
    assert difference(ours, theirs, words(16, 30522)) <= TOLERANCE


@pytest.mark.parametrize(
    ("model", "facts"),
    [
        ("bert_base", {}),
        (
            "bert_large",
            {
                "hidden_size": 1024, "num_hidden_layers": 24,
                "num_attention_heads": 16, "intermediate_size": 4096,
            },
        ),
    ],
)  # fmt: skip
def test_every_size_has_the_references_parameters(model, facts):
    with torch.device("meta"):
        theirs = BertModel(BertConfig(**facts))
    said = static(archdsl.parse(f"{SPECS}/bert_base.arch:{model}", sizes={"T": 8}))
    expected = [tuple(p.shape) for p in theirs.parameters()]
    assert sorted(said.learned.values()) == sorted(expected)
