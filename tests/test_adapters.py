"""Compiled models in transformers and timm are the models that they were."""

import json

import pytest
import torch
from transformers import (
    AutoBackbone,
    AutoConfig,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)

import archdsl
from archdsl.adapters.transformers import (
    ArchdslBackbone,
    ArchdslConfig,
    backbone_config,
)

NET = """
model net(width = 4, classes = 5) {
  input image: [B, C = 3, H = 32, W = 32]
  conv(width, kernel = 4, stride = 4) -> layer_norm -> relu as c2
  window_attention(2, window = 4, shift = 2) as c3
  conv(3 * width, kernel = 2, stride = 2) -> batch_norm -> relu as c4
  mean(H, W) -> linear(classes)
  output logits
}
"""
STAGES = ["c2", "c3", "c4"]


@pytest.fixture
def image():
    torch.manual_seed(2)
    return torch.randn(2, 3, 32, 32)


def own(backbone):
    """The same weights in what `archdsl.load` makes; its maps as B C H W."""
    model = archdsl.load(NET, outputs=STAGES).eval()
    model.load_state_dict(backbone.network.state_dict())

    def maps(image):
        with torch.no_grad():
            found = model(image)
        graph = archdsl.parse(NET, outputs=STAGES)
        orders = [tuple(map(o.index, "BCHW")) for o in graph.result_orders]
        values = found.values() if isinstance(found, dict) else found
        return [x.permute(o) for x, o in zip(values, orders, strict=True)]

    return maps


def test_feature_maps_are_the_outputs(image):
    backbone = AutoBackbone.from_config(backbone_config(NET, STAGES)).eval()
    assert isinstance(backbone, ArchdslBackbone)
    assert backbone.channels == [4, 4, 12]
    with torch.no_grad():
        found = backbone(image)
    expected = own(backbone)(image)
    assert [tuple(x.shape) for x in expected] == [
        (2, 4, 8, 8), (2, 4, 8, 8), (2, 12, 4, 4),
    ]  # fmt: skip
    for one, other in zip(found.feature_maps, expected, strict=True):
        assert torch.equal(one, other)
    (maps,) = backbone(image, return_dict=False)
    assert len(maps) == 3


def test_some_of_the_features(image):
    config = backbone_config(NET, STAGES)
    config.out_features = ["c2", "c4"]
    backbone = AutoBackbone.from_config(config).eval()
    assert (backbone.out_indices, backbone.channels) == ([0, 2], [4, 12])
    found = backbone(image, output_hidden_states=True)
    expected = own(backbone)(image)
    assert torch.equal(found.feature_maps[0], expected[0])
    assert torch.equal(found.feature_maps[1], expected[2])
    assert torch.equal(found.hidden_states[1], expected[1])


def test_a_backbone_goes_round_without_its_spec(image, tmp_path):
    """What no file holds, as the masks of windows, is made again."""
    backbone = AutoBackbone.from_config(backbone_config(NET, STAGES)).eval()
    backbone(image)
    backbone.save_pretrained(tmp_path)
    again = ArchdslBackbone.from_pretrained(tmp_path).eval()
    pairs = zip(again(image)[0], backbone(image)[0], strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    held = json.loads((tmp_path / "config.json").read_text())
    assert held["architecture"]["text"] == NET and held["out_features"] == STAGES
    assert isinstance(AutoConfig.from_pretrained(tmp_path), ArchdslConfig)


def test_a_segmenter_of_transformers_learns_on_it(image):
    config = UperNetConfig(
        backbone_config=backbone_config(NET, STAGES), hidden_size=8,
        pool_scales=[1, 2], use_auxiliary_head=False, num_labels=3,
    )  # fmt: skip
    model = UperNetForSemanticSegmentation(config)
    assert isinstance(model.backbone, ArchdslBackbone)
    found = model(image, labels=torch.zeros(2, 32, 32, dtype=torch.long))
    assert found.logits.shape == (2, 3, 32, 32)
    found.loss.backward()
    for name, weight in model.backbone.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


@pytest.mark.slow
def test_a_spec_that_ships_is_a_backbone(image):
    stages = [f"stage.{i}" for i in range(4)]
    for name, channels in (
        ("swin_t", [96, 192, 384, 768]),
        ("resnet18", [64, 128, 256, 512]),
        ("convnext_t", [96, 192, 384, 768]),
    ):
        backbone = AutoBackbone.from_config(backbone_config(name, stages)).eval()
        with torch.no_grad():
            maps = backbone(torch.randn(1, 3, 224, 224)).feature_maps
        shapes = [(1, c, 56 >> i, 56 >> i) for i, c in enumerate(channels)]
        assert [tuple(x.shape) for x in maps] == shapes


def test_what_is_no_feature_map_is_refused():
    with pytest.raises(ValueError, match=r"net: logits is \[B, C\], float; a feature"):
        backbone_config(NET, ["c2", "logits"])
    with pytest.raises(archdsl.SpecError):
        backbone_config(NET, ["c9"])


def test_a_configuration_of_a_stranger_is_checked(tmp_path):
    config = backbone_config(NET, STAGES)
    config.architecture["text"] = 3
    with pytest.raises(ValueError, match="its text is not"):
        ArchdslBackbone(config)
