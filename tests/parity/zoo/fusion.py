"""Networks of images and texts."""

from unittest import mock

import torch
from transformers import CLIPConfig, CLIPModel, ViltConfig, ViltModel

from tests.parity.systems import System

FAMILY = "conditioning, fusion"


def clip(spec, text=None, vision=None, features=512):
    """A CLIP of transformers; the narrow one has both towers of one width.

    With the end's id that OpenAI's checkpoints have in their configuration, it looks
    for the largest id. Its eager attention computes the softmax in float32.
    """

    def make(text=text, vision=vision, features=features):
        config = CLIPConfig(
            text_config={"eos_token_id": 2, **(text or {})},
            vision_config=vision or {},
            projection_dim=features,
            attn_implementation="sdpa",
        )
        return CLIPModel(config)

    both = {"num_hidden_layers": 2, "num_attention_heads": 2}
    size = {"hidden_size": 32, "intermediate_size": 128}
    return System(
        spec,
        FAMILY,
        "transformers CLIPModel",
        make,
        narrow={
            "text": {**both, **size, "vocab_size": 40, "max_position_embeddings": 9},
            "vision": {**both, **size, "image_size": 32, "patch_size": 8},
            "features": 24,
        },
        settings={
            "look": "image_tower(dim = 32, depth = 2, heads = 2, patch = 8)",
            "read": "text_tower(dim = 32, depth = 2, heads = 2, vocab = 40)",
            "features": 24,
        },
        sizes={"H": 32, "W": 32, "K": 3, "T": 9},
        checkpoint="transformers",
        run=compared,
        trained=spec == "clip_vit_b32",
        large=spec != "clip_vit_b32",
        repeated=spec != "clip_vit_b32",
    )


def compared(model, image, texts):
    """How alike each image and each text are."""
    return model(input_ids=texts, pixel_values=image).logits_per_image


def vilt():
    """The ViLT of transformers."""

    def make(**facts):
        return ViltModel(ViltConfig(**facts))

    return System(
        "vilt_b32",
        FAMILY,
        "transformers ViltModel",
        make,
        narrow={
            "hidden_size": 32,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "vocab_size": 40,
            "image_size": 32,
            "patch_size": 8,
        },
        settings={"dim": 32, "depth": 2, "heads": 2, "vocab": 40, "patch": 8},
        sizes={"H": 32, "W": 32, "T": 9},
        checkpoint="transformers",
        run=joined,
        trained=True,
        device="cpu",
    )


def joined(model, image, text, real):
    """States and what is pooled; patches in their order, not in one that it draws."""
    with mock.patch.object(
        torch, "multinomial", lambda each, count: torch.arange(count)
    ):
        out = model(
            input_ids=text,
            attention_mask=real.long(),
            pixel_values=image,
            pixel_mask=torch.ones(len(image), *image.shape[2:]),
        )
    return out.last_hidden_state, out.pooler_output


FUSION = [
    clip("clip_vit_b32"),
    clip("clip_vit_b32:clip_vit_b16", vision={"patch_size": 16}),
    clip(
        "clip_vit_b32:clip_vit_l14",
        text={
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_attention_heads": 12,
        },
        vision={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "patch_size": 14,
        },
        features=768,
    ),
    vilt(),
]
