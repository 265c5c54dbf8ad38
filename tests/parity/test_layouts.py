"""Layouts beside that of the table of systems: other libraries' files of one model.

Files of authors and of earlier versions are made of those that a library writes, whose
keys are renamed here as its own converter, or the authors' repository, has them.
"""

import re
from functools import partial

import pytest
import timm
import torch
from torch import nn
from torchvision.models import swin_transformer
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vision_transformer import VisionTransformer
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
)

from tests.parity.reference import CLEARLY, TOLERANCE
from tests.parity.systems import Pair, System
from tests.parity.zoo.sequences import llama
from tests.parity.zoo.text import gpt2
from tests.parity.zoo.vision import deit, swin, swinv2, vit

SWIN = {"embed_dim": 24, "depths": [2, 2, 2], "num_heads": [2, 3, 4]}
TIMM = {**SWIN, "window_size": 4, "img_size": 64, "num_classes": 10}
TIMM_VIT = {"embed_dim": 64, "depth": 3, "num_heads": 4, "patch_size": 8}
TIMM_VIT |= {"img_size": 48, "num_classes": 10}
VIT = {"image_size": 48, "patch_size": 8, "num_layers": 3, "num_heads": 4}
VIT |= {"hidden_dim": 64, "mlp_dim": 256, "num_classes": 10}


def of_swin(**facts):
    """torchvision's Swin, which leaves branches out at random unless told not to."""
    return SwinTransformer(
        [4, 4], 24, [2, 2, 2], [2, 3, 4], [4, 4], num_classes=10, **facts
    )


def mean_of_both(model, image):
    """What a distilled DeiT of timm says: the mean of its two heads."""
    words = model.forward_features(image)
    return (model.head(words[:, 0]) + model.head_dist(words[:, 1])) / 2


CONVNEXT = System(
    "convnext_t",
    "image CNN",
    "",
    nn.Identity,
    narrow={},
    settings={"depths": [1, 2, 1, 2], "widths": [8, 16, 24, 32], "classes": 10},
    sizes={"H": 64, "W": 64},
)
RESNET = CONVNEXT._replace(
    spec="resnet18", settings={"depths": [1, 2, 1, 2], "classes": 10}
)


def resnet_of_transformers():
    """Of a basic block each 1, 2, 1 and 2."""
    facts = {"depths": [1, 2, 1, 2], "hidden_sizes": [64, 128, 256, 512]}
    config = ResNetConfig(**facts, layer_type="basic", num_labels=10)
    return ResNetForImageClassification(config)


def convnext_of_transformers():
    """With the epsilon of the authors' code in its last norm, too."""
    facts = {"depths": [1, 2, 1, 2], "hidden_sizes": [8, 16, 24, 32]}
    config = ConvNextConfig(**facts, num_labels=10, layer_norm_eps=1e-6)
    return ConvNextForImageClassification(config)


def of_timm(name, **facts):
    """A model of timm."""
    return partial(timm.create_model, name, **facts)


V2 = {
    "block": swin_transformer.SwinTransformerBlockV2,
    "downsample_layer": swin_transformer.PatchMergingV2,
}
SWIN_OF_TIMM = of_timm("swin_tiny_patch4_window7_224", **TIMM)
SWINV2_OF_TIMM = of_timm("swinv2_tiny_window8_256", **TIMM)
CASES = [
    (vit("vit_b16"), "torchvision", partial(VisionTransformer, **VIT)),
    (vit("vit_b16"), "timm", of_timm("vit_base_patch16_224", **TIMM_VIT)),
    (swin("swin_t"), "torchvision", of_swin),
    (swin("swin_t"), "timm", SWIN_OF_TIMM),
    (swinv2("swinv2_t"), "torchvision", partial(of_swin, **V2)),
    (swinv2("swinv2_t"), "timm", SWINV2_OF_TIMM),
    (
        deit("deit_s_distilled")._replace(run=mean_of_both),
        "timm",
        of_timm("deit_small_distilled_patch16_224", **TIMM_VIT),
    ),
    (
        CONVNEXT,
        "timm",
        of_timm(
            "convnext_tiny", depths=(1, 2, 1, 2), dims=(8, 16, 24, 32), num_classes=10
        ),
    ),
    (CONVNEXT, "transformers", convnext_of_transformers),
    (RESNET, "transformers", resnet_of_transformers),
]


@pytest.mark.parametrize(
    ("system", "layout", "make"), CASES, ids=[f"{s.spec}-{n}" for s, n, _ in CASES]
)
def test_a_file_of_another_library_is_loaded(system, layout, make):
    check(Pair(system._replace(make=make, narrow={}, checkpoint=layout)))


def check(pair):
    """What the file fills equals the reference, by a layout's name and without it."""
    assert pair.gap() <= TOLERANCE
    pair.system = pair.system._replace(checkpoint=None)
    found = pair.filled(pair.theirs.state_dict()).state_dict()
    for name, tensor in pair.ours.state_dict().items():
        assert torch.equal(found[name], tensor)
    with torch.no_grad():
        last = list(pair.theirs.parameters())[-1]
        last.copy_(last.flip(0))
    assert pair.gap() > CLEARLY


# --- files that no library at hand writes -------------------------------------------


class Renamed(Pair):
    """A pair whose file has other keys than the reference."""

    def __init__(self, system, rename):
        self.rename = rename
        super().__init__(system)

    def filled(self, tensors):
        return super().filled(self.rename(dict(tensors)))


def by(*pairs, more=(), less=()):
    """Renames by patterns, in turn; some keys come without being needed, or go."""

    def rename(tensors):
        found = {}
        for name, tensor in tensors.items():
            key = name
            for pattern, other in pairs:
                key = re.sub(pattern, other, key)
            found[key] = tensor
        found |= dict.fromkeys(more, torch.zeros(3))
        return {key: tensor for key, tensor in found.items() if key not in less}

    return rename


WORDS = {"q": "query", "k": "key", "v": "value"}


def version_4(inner):
    """The names of transformers before its version 5."""
    return by(
        (r"attention\.([qkv])_proj", lambda m: f"attention.{inner}.{WORDS[m[1]]}"),
        (r"attention\.o_proj", "attention.output.dense"),
        (r"attention\.relative_position_bias\.", "attention.self."),
        (r"mlp\.fc1", "intermediate.dense"),
        (r"mlp\.fc2", "output.dense"),
        (r"^(vit|deit)\.layers\.", r"\1.encoder.layer."),
    )


MICROSOFT = [
    (r"^layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample"),
    (r"^head\.fc", "head"),
]
MASK = "layers.0.blocks.1.attn_mask"
INDEX = "layers.0.blocks.0.attn.relative_position_index"
COORDINATES = "layers.0.blocks.0.attn.relative_coords_table"
META = by(
    (r"^model\.", ""),
    ("embed_tokens", "tok_embeddings"),
    ("lm_head", "output"),
    ("input_layernorm", "attention_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    (r"self_attn\.([qkvo])_proj", r"attention.w\1"),
    (r"mlp\.gate_proj", "feed_forward.w1"),
    (r"mlp\.down_proj", "feed_forward.w2"),
    (r"mlp\.up_proj", "feed_forward.w3"),
    more=["rope.freqs"],
)


def of_meta(tensors):
    """Heads of eight features, whose pairs are side by side."""
    found = META(tensors)
    for key in found:
        if key.endswith(("wq.weight", "wk.weight")):
            halves = found[key].unflatten(0, (-1, 2, 4))
            found[key] = halves.transpose(1, 2).flatten(0, 2)
    return found


FILES = [
    (swin("swin_t"), "transformers_4", version_4("self")),
    (vit("vit_b16"), "transformers_4", version_4("attention")),
    (deit("deit_s_distilled"), "transformers_4", version_4("attention")),
    (
        swin("swin_t")._replace(make=SWIN_OF_TIMM, narrow={}),
        "microsoft",
        by(*MICROSOFT, more=[MASK, INDEX]),
    ),
    (
        swinv2("swinv2_t")._replace(make=SWINV2_OF_TIMM, narrow={}),
        "microsoft",
        by(*MICROSOFT, more=[MASK, INDEX, COORDINATES]),
    ),
    (
        gpt2("gpt2"),
        "openai",
        by((r"^transformer\.", ""), more=["h.0.attn.bias"], less=["lm_head.weight"]),
    ),
    (llama("llama2_7b"), "meta", of_meta),
]


@pytest.mark.parametrize(
    ("system", "layout", "rename"), FILES, ids=[f"{s.spec}-{n}" for s, n, _ in FILES]
)
def test_a_file_of_the_authors_or_of_an_earlier_version_is_loaded(
    system, layout, rename
):
    check(Renamed(system._replace(checkpoint=layout), rename))
