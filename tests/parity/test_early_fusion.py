"""A small encoder of words and patches equals a plain one of torch.nn."""

import pytest
import torch
from torch import nn

import archdsl
from tests.parity.beside import paired
from tests.parity.encoder import encoder, encoder_rules
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    Rule,
    difference,
    gradient_difference,
    images,
    jittered,
    words,
)


class EarlyFusion(nn.Module):
    """Words and patches, with their places and kinds, through PyTorch's encoder."""

    def __init__(self, vocab, dim, depth, heads, patch, classes, count):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.word_places = nn.Embedding(40, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.patches = nn.Conv2d(3, dim, patch, patch)
        self.whole = nn.Parameter(torch.zeros(dim))
        self.patch_places = nn.Parameter(torch.zeros(count + 1, dim))
        self.kinds = nn.Embedding(2, dim)
        self.encoder = encoder(dim, depth, heads)
        self.pool = nn.Linear(dim, dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, image, text):
        places = torch.arange(text.shape[1])
        told = self.norm(self.words(text) + self.word_places(places))
        seen = self.patches(image).flatten(2).mT
        whole = self.whole.expand(len(seen), 1, -1)
        seen = torch.cat((whole, seen), 1) + self.patch_places
        kinds = torch.tensor([0] * told.shape[1] + [1] * seen.shape[1])
        x = torch.cat((told, seen), 1) + self.kinds(kinds)
        return self.head(self.pool(self.encoder(x)[:, 0]).tanh())


RULES = [
    Rule(r"words\.weight", "words.embedding.weight"),
    Rule(r"word_places\.weight", "words.position_embedding.weight"),
    Rule(r"norm\.(\w+)", r"words.layer_norm.\1"),
    Rule(r"patches\.(\w+)", r"patches.conv.\1"),
    Rule("whole", "patches.class_token.weight", lambda x: x[None]),
    Rule("patch_places", "patches.position_embedding.weight"),
    Rule(r"kinds\.weight", "tokens_of_both.parameter.weight"),
    *encoder_rules("encoder"),
    Rule(r"pool\.(\w+)", r"linear.\1"),
    Rule(r"head\.(\w+)", r"linear_2.\1"),
]


def pair(height=64, width=64, length=40, **settings):
    size = {"vocab": 30522, "dim": 256, "depth": 4, "heads": 4, "patch": 16}
    size = {**size, "classes": 10, **settings}
    ours = archdsl.load(
        f"{SPECS}/early_fusion.arch",
        settings=settings,
        sizes={"H": height, "W": width, "T": length},
    )
    torch.manual_seed(0)
    count = (height // size["patch"]) * (width // size["patch"])
    theirs = jittered(EarlyFusion(**size, count=count))
    return paired(ours, theirs, RULES, words(length, size["vocab"]))


def small():
    narrow = {"vocab": 50, "dim": 16, "depth": 2, "heads": 2, "patch": 8}
    return pair(24, 32, 7, **narrow, classes=3)


def test_early_fusion_equals_a_plain_one():
    ours, theirs, _ = pair()
    assert difference(ours, theirs, images(64, 64)) <= TOLERANCE


@pytest.mark.parametrize("training", [False, True])
def test_a_small_one_equals_a_plain_one_with_its_gradients(training):
    ours, theirs, rules = small()
    ours.train(training)
    theirs.train(training)
    x = images(24, 32)
    assert difference(ours, theirs, x) <= TOLERANCE
    assert gradient_difference(ours, theirs, rules, x) <= TOLERANCE


def test_another_order_of_the_patches_is_seen():
    ours, theirs, _ = small()
    table = ours.model.patches.position_embedding.weight
    with torch.no_grad():
        table[1:] = table[1:].unflatten(0, (3, 4)).transpose(0, 1).flatten(0, 1)
    assert difference(ours, theirs, images(24, 32)) > CLEARLY


def test_another_text_is_seen():
    ours, theirs, _ = small()
    ours.other = ours.other.roll(1, 1)
    assert difference(ours, theirs, images(24, 32)) > CLEARLY
