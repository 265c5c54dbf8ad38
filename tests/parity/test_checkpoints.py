"""Tables of positions of another size are resized as each library resizes its own."""

import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed
from timm.layers.pos_embed_rel import resize_rel_pos_bias_table_simple
from torch import nn
from torchvision.models.vision_transformer import (
    VisionTransformer,
    interpolate_embeddings,
)

import archdsl
from tests.parity import test_vit
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    difference,
    images,
    jittered,
    saved,
)

VIT = {"dim": 64, "depth": 3, "heads": 4, "patch": 8, "classes": 10}
SWIN = {"dim": 24, "depths": [2, 2], "heads": [2, 3], "classes": 10}


def loaded(spec, settings, size, file, checkpoint):
    """A small model of ours for another size, from a file."""
    return archdsl.load(
        f"{SPECS}/{spec}",
        settings=settings,
        sizes=dict(zip("HW", size, strict=True)),
        weights=file,
        checkpoint=checkpoint,
    ).eval()


@pytest.mark.parametrize("size", [(96, 96), (64, 80)])
def test_vit_at_another_size_equals_the_references_interpolation(tmp_path, size):
    _, theirs = test_vit.small()
    file = saved(theirs, tmp_path / "model.safetensors")
    ours = loaded("vit_b16.arch:vit", VIT, size, file, "transformers")

    class Resized(nn.Module):
        def forward(self, x):
            return theirs(x, interpolate_pos_encoding=True).logits

    x = images(*size)
    assert difference(ours, Resized(), x) <= TOLERANCE
    with torch.no_grad():
        ours.position_embedding.weight[1:] = ours.position_embedding.weight[1:].flip(0)
    assert difference(ours, Resized(), x) > CLEARLY


def timm_vit(size):
    """A small ViT of timm."""
    facts = {"embed_dim": 64, "depth": 3, "num_heads": 4, "patch_size": 8}
    name = "vit_base_patch16_224"
    return timm.create_model(name, **facts, img_size=size, num_classes=10)


def timm_grid(state, size):
    """Its weights for another size."""
    grid = [n // 8 for n in size]
    return state | {"pos_embed": resample_abs_pos_embed(state["pos_embed"], grid)}


def torchvision_vit(size):
    """A small ViT of torchvision, whose images are square."""
    sides = {"image_size": size[0], "patch_size": 8, "num_classes": 10}
    return VisionTransformer(
        **sides, num_layers=3, num_heads=4, hidden_dim=64, mlp_dim=256
    )


def timm_swin(size):
    """A small Swin of timm, whose windows grow with the image."""
    facts = {"embed_dim": 24, "depths": [2, 2], "num_heads": [2, 3], "num_classes": 10}
    window = {"window_size": size[0] // 8, "img_size": size}
    return timm.create_model("swin_tiny_patch4_window7_224", **facts, **window)


def timm_windows(state, size):
    """Its weights for windows of another size."""
    window, table = size[0] // 8, "relative_position_bias_table"
    ways = (2 * window - 1) ** 2
    return {
        key: resize_rel_pos_bias_table_simple(
            tensor, (window, window), (ways, tensor.shape[1])
        )
        if key.endswith(table)
        else tensor
        for key, tensor in state.items()
    }


def torchvision_grid(state, size):
    """Its weights for another size."""
    return interpolate_embeddings(size[0], 8, {**state})


TABLES = ("position_embedding.weight", "relative_bias")
VITS = ("vit_b16.arch:vit", VIT)
CASES = {
    # timm's own is in float32.
    "vit-timm": (*VITS, "timm", timm_vit, timm_grid, [(48, 48), (24, 32)], 1e-7),
    "vit-torchvision": (
        *(*VITS, "torchvision", torchvision_vit, torchvision_grid),
        *([(48, 48), (24, 24)], TOLERANCE),
    ),
    "swin-timm": (
        *("swin_t.arch:swin", {**SWIN, "window": 12}, "timm", timm_swin, timm_windows),
        *([(56, 56), (96, 96)], TOLERANCE),
    ),
}


@pytest.mark.parametrize(
    ("spec", "settings", "layout", "make", "resized", "sizes", "tolerance"),
    CASES.values(),
    ids=CASES,
)
def test_tables_are_resized_as_by_the_library(
    tmp_path, spec, settings, layout, make, resized, sizes, tolerance
):
    before, after = sizes
    torch.manual_seed(0)
    written = jittered(make(before))
    file = saved(written, tmp_path / "model.safetensors")
    theirs = make(after).double().eval()
    theirs.load_state_dict(resized(written.state_dict(), after))
    ours = loaded(spec, settings, after, file, layout)
    assert {p.dtype for p in ours.parameters()} == {torch.float64}
    assert difference(ours, theirs, images(*after)) <= tolerance
    tables = [p for name, p in ours.named_parameters() if name.endswith(TABLES)]
    with torch.no_grad():
        for table in tables:
            table.copy_(table.flip(0))
    assert difference(ours, theirs, images(*after)) > CLEARLY
