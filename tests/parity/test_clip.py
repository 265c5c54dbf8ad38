"""CLIP computes what that of transformers computes."""

import pytest
import torch
from transformers import CLIPConfig, CLIPModel

import archdsl
from tests.parity.beside import Beside, Two
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    difference,
    fill,
    gap,
    images,
    jittered,
    words,
)

RULES = "transformers"  # as the spec declares them


def reference(text, vision, features):
    """A CLIP of transformers; its eager attention has a softmax in float32."""
    end = {"bos_token_id": 0, "eos_token_id": text.get("vocab_size", 49408) - 1}
    config = CLIPConfig(
        text_config={**text, **end},
        vision_config=vision,
        projection_dim=features,
        attn_implementation="sdpa",
    )
    torch.manual_seed(0)
    return jittered(CLIPModel(config))


def texts(length, vocab, ends):
    """Words, then the end, which has the highest id, then the end again as padding."""
    text = words(length, vocab - 1, batch=len(ends))
    for row, end in zip(text, ends, strict=True):
        row[end:] = vocab - 1
    return text


def joined(logits, *features):
    """All in a row for each example, numbers of unit vectors about 1 in size."""
    return torch.cat((logits, *(f * f.shape[1] ** 0.5 for f in features)), 1)


def mine(model, image, texts):
    out = model(image, texts)
    return joined(out["logits"], out["image_features"], out["text_features"])


def yours(model, image, texts):
    out = model(input_ids=texts, pixel_values=image)
    return joined(out.logits_per_image, out.image_embeds, out.text_embeds)


def small(ends=(4, 7), **facts):
    """Both models, narrow; facts of both of the reference's towers may differ."""
    text = {"vocab_size": 40, "hidden_size": 24, "intermediate_size": 96}
    rest = {"num_hidden_layers": 2, "num_attention_heads": 2}
    longest = {"max_position_embeddings": 9}
    vision = {"hidden_size": 32, "intermediate_size": 128, "image_size": 32}
    theirs = reference(
        {**text, **rest, **longest, **facts},
        {**vision, **rest, "patch_size": 8, **facts},
        features=20,
    )
    ours = archdsl.load(
        f"{SPECS}/clip_vit_b32.arch:clip",
        settings={
            "look": "image_tower(dim = 32, depth = 2, heads = 2, patch = 8)",
            "read": "text_tower(dim = 24, depth = 2, heads = 2, vocab = 40)",
            "features": 20,
        },
        sizes={"H": 32, "W": 32, "T": 9, "K": 2},
    )
    beside = texts(9, 40, ends)
    fill(ours, theirs, RULES)
    return Two(Beside(ours, beside, mine), Beside(theirs, beside, yours))


@pytest.mark.parametrize("ends", [(4, 7), (8, 0), (1, 1)])
def test_it_equals_the_reference_wherever_texts_end(ends):
    ours, theirs = small(ends)
    assert difference(ours, theirs, images(32, 32)) <= TOLERANCE


@pytest.mark.parametrize(
    "fact",
    [
        {"hidden_act": "gelu"},
        {"hidden_act": "gelu_new"},
        {"layer_norm_eps": 1e-6},
        {"num_attention_heads": 4},
    ],
    ids=str,
)
def test_another_fact_is_seen(fact):
    ours, theirs = small(**fact)
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_another_end_is_seen():
    ours, theirs = small()
    ours.other = texts(9, 40, (4, 6))
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_a_look_ahead_is_seen():
    ours, theirs = small()
    for layer in ours.model.text_tower.transformer_layer:
        layer.attention.causal = False
    assert difference(ours, theirs, images(32, 32)) > CLEARLY


def test_there_may_be_more_texts_than_images():
    ours, theirs = small()
    x, three = images(32, 32), texts(9, 40, (2, 8, 5))
    with torch.no_grad():
        made = ours.model(x, three)["logits"]
        wanted = theirs.model(input_ids=three, pixel_values=x).logits_per_image
    assert wanted.shape == (2, 3)
    assert gap(made, wanted) <= TOLERANCE
    assert gap(made.roll(1, 1), wanted) > CLEARLY
