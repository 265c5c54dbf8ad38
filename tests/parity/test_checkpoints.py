"""A reference's own checkpoint, saved to a file, loads by the layout that is declared.

Names of libraries that are not at hand are made from those of the compiled model by
patterns of their own: whoever wrote the rules did not write these.
"""

import re

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

import archdsl
from tests.parity import test_gpt2, test_resnet, test_swin, test_vit
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    difference,
    images,
    jittered,
    saved,
    words,
)

SWIN = {
    "settings": {
        "dim": 24,
        "depths": [2, 2, 2],
        "heads": [2, 3, 4],
        "classes": 10,
        "window": 4,
    },
    "sizes": {"H": 64, "W": 64},
}
VIT = {
    "settings": {"dim": 64, "depth": 3, "heads": 4, "patch": 8, "classes": 10},
    "sizes": {"H": 48, "W": 48},
}
GPT2 = {
    "settings": {"dim": 48, "depth": 3, "heads": 4, "vocab": 97, "context": 16},
    "sizes": {"T": 11},
}
RESNET = {"settings": {"depths": [1, 2, 1], "classes": 10}}


# --- transformers' own state dicts --------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "small", "options", "x"),
    [
        ("swin_t", test_swin.small, SWIN, images(64, 64)),
        ("vit_b16:vit", test_vit.small, VIT, images(48, 48)),
        ("gpt2:gpt", test_gpt2.small, GPT2, words(11, 97)),
        ("resnet", test_resnet.small, RESNET, images(64, 64)),
        ("resnet18", lambda: test_resnet.small("resnet18", basic=True), RESNET,
         images(64, 64)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_saved_reference_loads(tmp_path, spec, small, options, x):
    _, theirs = small()
    name, _, model = spec.partition(":")
    path = f"{SPECS}/{name}.arch" + (f":{model}" if model else "")
    file = saved(theirs, tmp_path / "model.safetensors")
    ours = archdsl.load(path, **options, weights=file).eval()
    assert {p.dtype for p in ours.parameters()} == {torch.float64}
    assert difference(ours, theirs, x) <= TOLERANCE


def test_a_swapped_key_is_seen(tmp_path):
    _, theirs = test_gpt2.small()
    file = saved(theirs, tmp_path / "model.safetensors")
    held = load_file(file)
    names = [f"transformer.h.{i}.mlp.c_fc.weight" for i in (0, 1)]
    held[names[0]], held[names[1]] = held[names[1]], held[names[0]]
    save_file(held, file)
    ours = archdsl.load(f"{SPECS}/gpt2.arch:gpt", **GPT2, weights=file).eval()
    assert difference(ours, theirs, words(11, 97)) > CLEARLY


# --- names of others ----------------------------------------------------------------

FUSED = re.compile(r"(.*attention)\.q(\.(weight|bias))")


def renamed(state, pairs, fused="", drops=()):
    """A state dict of ours under other names, its three maps joined where they are."""
    found = {}
    for name in state:
        key, parts, match = name, [state[name]], FUSED.fullmatch(name)
        if fused and re.search(r"attention\.[kv]\.", name):
            continue
        if fused and match:
            key = f"{match[1]}.QKV{match[2]}"
            parts = [state[f"{match[1]}.{part}{match[2]}"] for part in "qkv"]
        for pattern, other in pairs:
            key = re.sub(pattern, other, key)
        found[key] = torch.cat(parts) if len(parts) > 1 else parts[0].clone()
    return found | {name: torch.zeros(3, dtype=torch.float64) for name in drops}


def fewer(number):
    return lambda match: f"layers.{int(match[1]) - number}.downsample."


TIMM_SWIN = [
    (r"^conv\.", "patch_embed.proj."), (r"^layer_norm\.", "patch_embed.norm."),
    (r"^layer_norm_2\.", "norm."), (r"^linear\.", "head.fc."),
    (r"^stage\.(\d+)\.swin_block\.(\d+)\.layer_norm\.", r"layers.\1.blocks.\2.norm1."),
    (r"^stage\.(\d+)\.swin_block\.(\d+)\.layer_norm_2\.",
     r"layers.\1.blocks.\2.norm2."),
    (r"^stage\.(\d+)\.swin_block\.(\d+)\.linear\.", r"layers.\1.blocks.\2.mlp.fc1."),
    (r"^stage\.(\d+)\.swin_block\.(\d+)\.linear_2\.", r"layers.\1.blocks.\2.mlp.fc2."),
    (r"^stage\.(\d+)\.swin_block\.(\d+)\.window_attention\.",
     r"layers.\1.blocks.\2.attn."),
    (r"attn\.QKV", "attn.qkv"), (r"attn\.out", "attn.proj"),
    (r"attn\.relative_bias", "attn.relative_position_bias_table"),
    (r"^stage\.(\d+)\.patch_merge\.", r"layers.\1.downsample."),
]  # fmt: skip
MICROSOFT = [
    *TIMM_SWIN,
    (r"^layers\.(\d+)\.downsample\.", fewer(1)),
    (r"^head\.fc\.", "head."),
]
TV_SWIN = [
    *TIMM_SWIN, (r"^patch_embed\.proj", "features.0.0"),
    (r"^patch_embed\.norm", "features.0.2"), (r"^head\.fc", "head"),
    (r"^layers\.(\d+)\.blocks\.", lambda m: f"features.{2 * int(m[1]) + 1}."),
    (r"^layers\.(\d+)\.downsample", lambda m: f"features.{2 * int(m[1])}"),
    (r"mlp\.fc1", "mlp.0"), (r"mlp\.fc2", "mlp.3"),
]  # fmt: skip
HUB_SWIN = [
    *MICROSOFT, (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^patch_embed", "embeddings"), (r"^norm\.", "layernorm."),
    (r"^layers", "encoder.layers"), (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."), (r"attn\.q\.", "attention.self.query."),
    (r"attn\.k\.", "attention.self.key."), (r"attn\.v\.", "attention.self.value."),
    (r"attn\.proj", "attention.output.dense"), (r"attn\.", "attention.self."),
    (r"mlp\.fc1", "intermediate.dense"), (r"mlp\.fc2", "output.dense"),
    (r"^(?!head)", "swin."), (r"^head", "classifier"),
]  # fmt: skip
TV_VIT = [
    (r"^conv\.", "conv_proj."), (r"^class_token\.weight", "class_token"),
    (r"^position_embedding\.weight", "encoder.pos_embedding"),
    (r"^layer_norm\.", "encoder.ln."), (r"^linear\.", "heads.head."),
    (r"^transformer_layer\.", "encoder.layers.encoder_layer_"),
    (r"\.layer_norm\.", ".ln_1."), (r"\.layer_norm_2\.", ".ln_2."),
    (r"attention\.QKV\.", "self_attention.in_proj_"),
    (r"\.attention\.out", ".self_attention.out_proj"),
    (r"feed_forward\.linear\.", "mlp.0."), (r"feed_forward\.linear_2\.", "mlp.3."),
]  # fmt: skip
TIMM_VIT = [
    (r"^conv\.", "patch_embed.proj."), (r"^class_token\.weight", "cls_token"),
    (r"^position_embedding\.weight", "pos_embed"), (r"^layer_norm\.", "norm."),
    (r"^linear\.", "head."), (r"^transformer_layer\.", "blocks."),
    (r"\.layer_norm\.", ".norm1."), (r"\.layer_norm_2\.", ".norm2."),
    (r"attention\.QKV", "attn.qkv"), (r"attention\.out", "attn.proj"),
    (r"feed_forward\.linear\.", "mlp.fc1."),
    (r"feed_forward\.linear_2\.", "mlp.fc2."),
]  # fmt: skip
HUB_VIT = [
    *TIMM_VIT, (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^cls_token", "embeddings.cls_token"), (r"^norm\.", "layernorm."),
    (r"^pos_embed", "embeddings.position_embeddings"),
    (r"^blocks", "encoder.layer"), (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."), (r"\.attention\.q\.", ".ATT.query."),
    (r"\.attention\.k\.", ".ATT.key."), (r"\.attention\.v\.", ".ATT.value."),
    (r"attn\.proj", "attention.output.dense"), (r"ATT", "attention.attention"),
    (r"mlp\.fc1", "intermediate.dense"), (r"mlp\.fc2", "output.dense"),
    (r"^(?!head)", "vit."), (r"^head", "classifier"),
]  # fmt: skip
TV_RESNET = [
    (r"^conv_bn\.conv", "conv1"), (r"^conv_bn\.batch_norm", "bn1"),
    (r"^linear", "fc"),
    (r"^stage\.(\d+)\.unit\.(\d+)", lambda m: f"layer{int(m[1]) + 1}.{m[2]}"),
    (r"shortcut\.conv_bn\.conv", "downsample.0"),
    (r"shortcut\.conv_bn\.batch_norm", "downsample.1"),
    (r"\.conv_bn\.conv", ".conv1"), (r"\.conv_bn\.batch_norm", ".bn1"),
    (r"\.conv_bn_(\d)\.conv", r".conv\1"), (r"\.conv_bn_(\d)\.batch_norm", r".bn\1"),
]  # fmt: skip
PLACES = [(s, i) for s, depth in enumerate([2, 2, 6, 2]) for i in range(depth)]
TV_DROPS = [f"features.{2 * s + 1}.{i}.attn.relative_position_index" for s, i in PLACES]
MS_DROPS = [
    *(f"layers.{s}.blocks.{i}.attn.relative_position_index" for s, i in PLACES),
    *(f"layers.{s}.blocks.{i}.attn_mask" for s, i in PLACES if s < 3 and i % 2),
]


@pytest.mark.parametrize(
    ("spec", "layout", "pairs", "fused", "drops", "count"),
    [
        ("swin_t", "timm", TIMM_SWIN, True, (), 173),
        ("swin_t", "microsoft", MICROSOFT, True, MS_DROPS, 190),
        ("swin_t", "torchvision", TV_SWIN, True, TV_DROPS, 185),
        ("swin_t", "transformers_4", HUB_SWIN, False, (), 221),
        ("vit_b16", "timm", TIMM_VIT, True, (), 152),
        ("vit_b16", "torchvision", TV_VIT, True, (), 152),
        ("vit_b16", "transformers_4", HUB_VIT, False, (), 200),
        ("resnet50", "torchvision", TV_RESNET, False, (), 320),
    ],
)
def test_other_names_load(tmp_path, spec, layout, pairs, fused, drops, count):
    before = archdsl.load(spec)
    jitter = {k: t + i for i, (k, t) in enumerate(before.state_dict().items())}
    theirs = renamed(jitter, pairs, fused, drops)
    for name in ("class_token", "cls_token", "pos_embed", "encoder.pos_embedding"):
        if name in theirs:
            theirs[name] = theirs[name][None]
    assert len(theirs) == count  # as many as the library's own has
    file = tmp_path / "model.safetensors"
    save_file(theirs, file)
    after = archdsl.load(spec, weights=file, checkpoint=layout).state_dict()
    assert all(torch.equal(after[key].double(), jitter[key].double()) for key in jitter)
    same = archdsl.load(spec, weights=file).state_dict()  # found without its name
    assert all(torch.equal(after[key], same[key]) for key in after)


# --- tables of another size ---------------------------------------------------------


@pytest.mark.parametrize("size", [(96, 96), (64, 80)])
def test_vit_at_another_size_equals_the_references_interpolation(tmp_path, size):
    _, theirs = test_vit.small()
    file = saved(theirs, tmp_path / "model.safetensors")
    sizes = dict(zip("HW", size, strict=True))
    spec = f"{SPECS}/vit_b16.arch:vit"
    ours = archdsl.load(
        spec,
        settings=VIT["settings"],
        sizes=sizes,
        weights=file,
        checkpoint="transformers",
    )

    class Resized(nn.Module):
        def forward(self, x):
            return theirs(x, interpolate_pos_encoding=True).logits

    x = images(*size)
    assert difference(ours.eval(), Resized(), x) <= TOLERANCE
    with torch.no_grad():
        ours.position_embedding.weight[1:] = ours.position_embedding.weight[1:].flip(0)
    assert difference(ours, Resized(), x) > CLEARLY


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        ("timm", {"antialias": True}),
        ("torchvision", {"align_corners": True}),
    ],
)
def test_position_tables_resize_as_each_library_does(tmp_path, layout, options):
    pairs = TIMM_VIT if layout == "timm" else TV_VIT
    spec = f"{SPECS}/vit_b16.arch:vit"
    state = jittered(archdsl.load(spec, **VIT)).state_dict()
    theirs = renamed(state, pairs, fused=True)
    save_file(theirs, tmp_path / "model.safetensors")
    ours = archdsl.load(
        spec,
        settings=VIT["settings"],
        sizes={"H": 24, "W": 32},
        weights=tmp_path / "model.safetensors",
        checkpoint=layout,
    )
    table = state["position_embedding.weight"]
    grid = table[1:].unflatten(0, (6, 6)).permute(2, 0, 1)[None]
    resized = F.interpolate(grid, (3, 4), mode="bicubic", **options)
    expected = torch.cat([table[:1], resized[0].flatten(1).T])
    assert (ours.position_embedding.weight - expected).abs().max() <= TOLERANCE


def test_swin_with_wider_windows_resizes_its_tables(tmp_path):
    spec = f"{SPECS}/swin_t.arch:swin"
    small = {"dim": 24, "depths": [2, 2], "heads": [2, 3], "classes": 10}
    sizes = {"H": 56, "W": 56}
    before = jittered(
        archdsl.load(spec, settings={**small, "window": 7}, sizes=sizes)
    ).state_dict()
    save_file(renamed(before, MICROSOFT, fused=True), tmp_path / "m.safetensors")
    after = archdsl.load(
        spec,
        settings={**small, "window": 12},
        sizes={"H": 96, "W": 96},
        weights=tmp_path / "m.safetensors",
        checkpoint="microsoft",
    ).state_dict()
    tables = [key for key in before if key.endswith("relative_bias")]
    assert len(tables) == 4
    for key in tables:
        heads = before[key].shape[1]
        grid = before[key].T.reshape(1, heads, 13, 13)
        wide = F.interpolate(grid, (23, 23), mode="bicubic")
        expected = wide.reshape(heads, 529).T
        assert (after[key] - expected).abs().max() <= TOLERANCE
