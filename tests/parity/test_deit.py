"""DeiT with a distillation token computes what that of transformers computes."""

import pytest
import torch
from torch import nn
from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher
from transformers.models.deit.modeling_deit import DeiTEmbeddings

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    Rule,
    difference,
    fill,
    gap,
    gradient_difference,
    images,
    jittered,
)

LAYER = r"deit\.layers\.(\d+)\."
OURS = r"transformer_layer.\1."
RULES = [
    Rule(r"deit\.embeddings\.patch_embeddings\.projection\.(\w+)", r"conv.\1"),
    Rule(r"deit\.embeddings\.tokens", "class_token.weight"),
    Rule(
        r"deit\.embeddings\.position_embeddings",
        "position_embedding.weight",
        lambda x: x[0],
    ),
    Rule(LAYER + r"attention\.([qkv])_proj\.(\w+)", OURS + r"attention.\2.\3"),
    Rule(LAYER + r"attention\.o_proj\.(\w+)", OURS + r"attention.out.\2"),
    Rule(LAYER + r"layernorm_before\.(\w+)", OURS + r"layer_norm.\2"),
    Rule(LAYER + r"layernorm_after\.(\w+)", OURS + r"layer_norm_2.\2"),
    Rule(LAYER + r"mlp\.fc1\.(\w+)", OURS + r"feed_forward.linear.\2"),
    Rule(LAYER + r"mlp\.fc2\.(\w+)", OURS + r"feed_forward.linear_2.\2"),
    Rule(r"deit\.layernorm\.(\w+)", r"layer_norm.\1"),
    Rule(r"cls_classifier\.(\w+)", r"linear.\1"),
    Rule(r"distillation_classifier\.(\w+)", r"linear_2.\1"),
]
OUTPUTS = ("logits", "cls_logits", "distillation_logits")


class Joined(DeiTEmbeddings):
    """The reference's, with its two tokens as the rows of one table, as ours are."""

    @property
    def cls_token(self):
        return self.tokens[:1][None]

    @property
    def distillation_token(self):
        return self.tokens[1:][None]


def reference(**facts):
    """A DeiT with the epsilon of the authors' code, unless other facts are given."""
    facts = {"num_labels": 1000, "layer_norm_eps": 1e-6, **facts}
    torch.manual_seed(0)
    config = DeiTConfig(**facts, attn_implementation="sdpa")
    theirs = DeiTForImageClassificationWithTeacher(config)
    embeddings = theirs.deit.embeddings
    del embeddings.cls_token, embeddings.distillation_token
    embeddings.tokens = nn.Parameter(torch.randn(2, config.hidden_size))
    embeddings.__class__ = Joined
    return jittered(theirs)


class Logits(nn.Module):
    """One output of a model that has several."""

    def __init__(self, model, name):
        super().__init__()
        self.model, self.name = model, name

    def forward(self, x):
        return self.model(x)[self.name]


def small(height=48, width=48, **facts):
    """Both models, narrow; facts of the reference may differ from those of the spec."""
    dim = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3}
    rest = {"num_attention_heads": 4, "patch_size": 8, "num_labels": 10}
    theirs = reference(**{**dim, **rest, "image_size": (height, width), **facts})
    ours = archdsl.load(
        f"{SPECS}/deit_s_distilled.arch",
        settings={"dim": 64, "depth": 3, "heads": 4, "patch": 8, "classes": 10},
        sizes={"H": height, "W": width},
    )
    return fill(ours, theirs, RULES), theirs


def differences(ours, theirs, x):
    """By output."""
    pairs = {name: (Logits(ours, name), Logits(theirs, name)) for name in OUTPUTS}
    return {name: difference(*pair, x) for name, pair in pairs.items()}


@pytest.mark.parametrize(
    ("name", "dim", "heads"),
    [
        ("deit_t_distilled", 192, 3),
        pytest.param("deit_s_distilled", 384, 6, marks=pytest.mark.slow),
        pytest.param("deit_b_distilled", 768, 12, marks=pytest.mark.slow),
    ],
)
def test_a_deit_equals_the_reference(name, dim, heads):
    facts = {"hidden_size": dim, "num_attention_heads": heads}
    theirs = reference(**facts, intermediate_size=4 * dim)
    ours = fill(archdsl.load(f"{SPECS}/deit_s_distilled.arch:{name}"), theirs, RULES)
    found = differences(ours, theirs, images(224, 224, batch=1))
    assert max(found.values()) <= TOLERANCE


@pytest.mark.parametrize("size", [(48, 48), (24, 56)])
def test_it_equals_the_reference_at_other_sizes_and_widths(size):
    ours, theirs = small(*size)
    assert max(differences(ours, theirs, images(*size)).values()) <= TOLERANCE


def test_its_gradients_equal_the_references():
    ours, theirs = small()
    pair = Logits(ours, "logits"), Logits(theirs, "logits")
    rules = [Rule(rf"model\.{t}", f"model.{o}", change) for t, o, change in RULES]
    assert gradient_difference(*pair, rules, images(48, 48)) <= TOLERANCE


def test_it_trains_as_the_reference():
    ours, theirs = small()
    x = images(48, 48)
    found, expected = ours.train()(x), theirs.train()(x)
    assert max(gap(found[n], expected[n]) for n in OUTPUTS) <= TOLERANCE


def swap_tokens(theirs):
    """The distillation token first."""
    tokens = theirs.deit.embeddings.tokens
    tokens.copy_(tokens.flip(0))


def swap_heads(theirs):
    """The teacher's head on the class token."""
    heads = theirs.cls_classifier, theirs.distillation_classifier
    theirs.distillation_classifier, theirs.cls_classifier = heads


@pytest.mark.parametrize("plant", [swap_tokens, swap_heads], ids=lambda p: p.__name__)
def test_a_planted_fault_is_seen(plant):
    ours, theirs = small()
    with torch.no_grad():
        plant(theirs)
    found = differences(ours, theirs, images(48, 48))
    assert min(found.values()) > CLEARLY
