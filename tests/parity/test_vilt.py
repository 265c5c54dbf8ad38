"""Early fusion: ViLT computes what that of transformers computes, a small one too."""

import pytest
import torch
import torch.nn.functional as F
from transformers import ViltConfig, ViltModel

import archdsl
from tests.parity.beside import Beside, Two
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    difference,
    images,
    jittered,
    state,
    translated,
    words,
)

POSITIONS = "embeddings.position_embeddings"


def filled(ours, theirs, grid):
    """Our model with the reference's weights, its table of positions for a grid.

    The reference resizes it whenever it runs, by another rule than checkpoints are.
    """
    tensors = state(theirs)
    table = tensors[POSITIONS]
    side = int((table.shape[1] - 1) ** 0.5)
    square = table[:, 1:].mT.unflatten(2, (side, side))
    made = F.interpolate(square, grid, mode="bilinear", align_corners=True)
    tensors[POSITIONS] = torch.cat((table[:, :1], made.flatten(2).mT), 1)
    ours.double().eval().load_state_dict(translated(tensors, "transformers", ours))


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
    filled(ours, theirs, (height // 8, width // 8))
    return Two(Beside(ours, beside, mine), Beside(theirs, beside, yours))


@pytest.mark.parametrize("size", [(32, 32), (24, 56)])
@pytest.mark.parametrize("length", [9, 40])
def test_it_equals_the_reference_at_other_sizes(size, length):
    ours, theirs = small(*size, length)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


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
    ours, theirs = small(**fact)
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_which_modality_is_which_is_seen():
    ours, theirs = small()
    table = ours.model.tokens_of_both.parameter.weight
    with torch.no_grad():
        table.copy_(table.flip(0))
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_the_other_type_of_word_is_seen():
    ours, theirs = small()
    table = ours.model.words.parameter.weight
    with torch.no_grad():
        table.copy_(table.flip(0))
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_a_word_that_is_padding_is_not_seen():
    pair, x = small(), images(32, 32)
    told = texts(9, 50)
    longer = told.clone()
    longer[:, -1] = 5
    ours, theirs = pair.given(longer)
    assert difference(ours, theirs, x) <= TOLERANCE
    ours.other = told
    assert difference(ours, theirs, x) > CLEARLY
