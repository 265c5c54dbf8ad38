"""Early fusion: ViLT computes what that of transformers computes, a small one too."""

import pytest
import torch
import torch.nn.functional as F
from transformers import ViltConfig, ViltModel

import archdsl
from tests.parity.beside import paired
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

TEXT = r"embeddings\.text_embeddings\."
LAYER, OURS = r"encoder\.layer\.(\d+)\.", r"vilt_layer.\1."
LETTERS = {"query": "q", "key": "k", "value": "v"}


def resized(grid):
    """The table of positions for another grid of patches, as the reference does it."""

    def change(table):
        side = int((table.shape[1] - 1) ** 0.5)
        square = table[:, 1:].mT.unflatten(2, (side, side))
        made = F.interpolate(square, grid, mode="bilinear", align_corners=True)
        return torch.cat((table[:, :1], made.flatten(2).mT), 1)[0]

    return change


def rules(grid):
    return [
        Rule(TEXT + r"word_embeddings\.weight", "words.embedding.weight"),
        Rule(TEXT + r"position_embeddings\.weight", "words.position_embedding.weight"),
        Rule(TEXT + r"token_type_embeddings\.weight", "words.parameter.weight"),
        Rule(TEXT + r"LayerNorm\.(\w+)", r"words.layer_norm.\1"),
        Rule(r"embeddings\.patch_embeddings\.projection\.(\w+)", r"patches.conv.\1"),
        Rule(r"embeddings\.cls_token", "patches.class_token.weight", lambda x: x[0]),
        Rule(
            r"embeddings\.position_embeddings",
            "patches.position_embedding.weight",
            resized(grid),
        ),
        Rule(
            r"embeddings\.token_type_embeddings\.weight",
            "tokens_of_both.parameter.weight",
        ),
        Rule(
            LAYER + r"attention\.attention\.(\w+)\.(\w+)",
            lambda m: f"vilt_layer.{m[1]}.attention.{LETTERS[m[2]]}.{m[3]}",
        ),
        Rule(LAYER + r"attention\.output\.dense\.(\w+)", OURS + r"attention.out.\2"),
        Rule(LAYER + r"layernorm_before\.(\w+)", OURS + r"layer_norm.\2"),
        Rule(LAYER + r"layernorm_after\.(\w+)", OURS + r"layer_norm_2.\2"),
        Rule(LAYER + r"intermediate\.dense\.(\w+)", OURS + r"feed_forward.linear.\2"),
        Rule(LAYER + r"output\.dense\.(\w+)", OURS + r"feed_forward.linear_2.\2"),
        Rule(r"layernorm\.(\w+)", r"states.\1"),
        Rule(r"pooler\.dense\.(\w+)", r"linear.\1"),
    ]


def reference(**facts):
    torch.manual_seed(0)
    return jittered(ViltModel(ViltConfig(**facts)))


PADDING = 0


def mine(model, image, text):
    out = model(image, text, text != PADDING)
    return torch.cat((out["states"].flatten(1), out["pooled"]), 1)


def yours(model, image, text):
    seen = torch.ones(len(image), *image.shape[2:])
    out = model(
        input_ids=text,
        attention_mask=(text != PADDING).long(),
        pixel_values=image,
        pixel_mask=seen,
    )
    return torch.cat((out.last_hidden_state.flatten(1), out.pooler_output), 1)


@pytest.fixture(autouse=True)
def _in_order(monkeypatch):
    """The reference takes the patches in an order that it draws; here, in their own."""
    monkeypatch.setattr(torch, "multinomial", lambda each, count: torch.arange(count))


def texts(length, vocab, real=(3, 7)):
    """Texts of some words, then padding."""
    text = 1 + words(length, vocab - 1, batch=len(real))
    for row, count in zip(text, real, strict=True):
        row[count:] = PADDING
    return text


def small(height=32, width=32, length=9, **facts):
    """Both models, narrow; facts of the reference may differ from those of the spec."""
    size = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 128}
    rest = {"num_hidden_layers": 2, "num_attention_heads": 2}
    image = {"image_size": 32, "patch_size": 8}
    theirs = reference(**{**size, **rest, **image, **facts})
    ours = archdsl.load(
        f"{SPECS}/vilt_b32.arch:vilt",
        settings={"vocab": 50, "dim": 32, "depth": 2, "heads": 2, "patch": 8},
        sizes={"H": height, "W": width, "T": length},
    )
    beside = texts(length, 50)
    mapped = rules((height // 8, width // 8))
    return paired(ours, theirs, mapped, beside, mine=mine, yours=yours)


@pytest.mark.slow
def test_vilt_equals_the_reference():
    ours, theirs = archdsl.load(f"{SPECS}/vilt_b32.arch"), reference()
    beside = texts(40, 30522)
    pair = paired(ours, theirs, rules((12, 12)), beside, mine=mine, yours=yours)
    assert difference(*pair[:2], images(384, 384)) <= TOLERANCE


@pytest.mark.parametrize("size", [(32, 32), (24, 56)])
@pytest.mark.parametrize("length", [9, 40])
def test_it_equals_the_reference_at_other_sizes(size, length):
    ours, theirs, _ = small(*size, length)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


def test_its_gradients_equal_the_references():
    ours, theirs, mapped = small()
    x = images(32, 32)
    assert gradient_difference(ours, theirs, mapped, x) <= TOLERANCE


@pytest.mark.parametrize(
    "fact",
    [
        {"layer_norm_eps": 1e-5},
        {"hidden_act": "gelu_new"},
        {"num_attention_heads": 4},
    ],
    ids=str,
)
def test_another_fact_is_seen(fact):
    ours, theirs, _ = small(**fact)
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_which_modality_is_which_is_seen():
    ours, theirs, _ = small()
    table = ours.model.tokens_of_both.parameter.weight
    with torch.no_grad():
        table.copy_(table.flip(0))
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_the_other_type_of_word_is_seen():
    ours, theirs, _ = small()
    table = ours.model.words.parameter.weight
    with torch.no_grad():
        table.copy_(table.flip(0))
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_a_word_that_is_padding_is_not_seen():
    pair, x = small(), images(32, 32)
    told = texts(9, 50)
    longer = told.clone()
    longer[:, -1] = 5
    ours, theirs, _ = pair.given(longer)
    assert difference(ours, theirs, x) <= TOLERANCE
    ours.other = told
    assert difference(ours, theirs, x) > CLEARLY
