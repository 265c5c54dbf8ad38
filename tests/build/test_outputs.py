"""Models cut down to some of their values: `--outputs`, `outputs=`."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import archdsl
from archdsl.cli import cli

NET = """
model net() {
  input image: [B, C = 3, H = 8, W = 8]
  input tokens: int[B, T = 5]
  conv(4, 3) -> relu as c1
  for i in range(3) { conv(4 + i, 3, stride = 2) -> add(2) as levels }
  mean(H, W) -> linear(6) as pooled
  layer table = embedding(10, 6)
  let words = tokens -> table
  let joined = words + pooled
  let scores = joined -> table.transposed
  output scores
  output both = [joined, pooled]
}
""".replace("  conv(4, 3)", "  image -> conv(4, 3)")


def full():
    torch.manual_seed(0)
    return archdsl.load(NET)


def cut(*outputs: str) -> nn.Module:
    net = archdsl.load(NET, outputs=outputs)
    whole = full().state_dict()
    assert net.state_dict().keys() <= whole.keys()
    net.load_state_dict({k: v for k, v in whole.items() if k in net.state_dict()})
    return net


IMAGE, TOKENS = torch.randn(2, 3, 8, 8), torch.randint(10, (2, 5))


def test_one_value_comes_out_alone_and_the_rest_is_left_out():
    net, whole = cut("c1"), full()
    assert torch.equal(net(IMAGE), whole.conv(IMAGE).relu())
    assert set(dict(net.named_children())) == {"conv"}
    report = archdsl.analyze(NET, outputs=["c1"])
    assert report.totals.params == 4 * 3 * 9 + 4
    assert list(report.inputs) == ["image"]


def test_lists_and_paths_come_out_by_their_names():
    made = cut("levels", "layers.1.conv", "c1")(IMAGE)
    assert list(made) == ["levels", "layers_1_conv", "c1"]
    assert [tuple(v.shape[1:]) for v in made["levels"]] == [
        (4, 4, 4), (5, 2, 2), (6, 1, 1)
    ]  # fmt: skip
    assert torch.equal(made["layers_1_conv"] + 2, made["levels"][1])


def test_outputs_of_the_model_can_be_chosen():
    whole = full()(IMAGE, TOKENS)
    assert torch.equal(cut("scores")(IMAGE, TOKENS), whole["scores"])
    joined, pooled = cut("both")(IMAGE, TOKENS)
    assert torch.equal(joined, whole["both"][0])
    assert torch.equal(pooled, whole["both"][1])


def test_a_tied_projection_keeps_the_weights_it_uses():
    made = cut("pooled", "scores")(IMAGE, TOKENS)
    assert torch.equal(made["scores"], full()(IMAGE, TOKENS)["scores"])


@pytest.mark.parametrize("spec", ["resnet18", "swin_t", "vit_b16", "gpt2"])
def test_every_layer_of_a_model_can_come_out(spec):
    graph = archdsl.parse(spec)
    from archdsl.ir.prune import values

    for name in values(graph):
        if name not in graph.inputs:
            cut_down = archdsl.parse(spec, outputs=[name])
            assert len(cut_down) <= len(graph)
            compile(archdsl.compile(spec, outputs=[name]), spec, "exec")


def test_features_of_swin_equal_those_inside_the_whole():
    whole = archdsl.load("swin_t").eval()
    names = [f"stage.{i}" for i in range(4)]
    backbone = archdsl.load("swin_t", outputs=names).eval()
    backbone.load_state_dict(whole.state_dict(), strict=False)
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        features = list(backbone(image).values())
        logits = whole(image)
        last = whole.layer_norm_2 if hasattr(whole, "layer_norm_2") else None
        pooled = last(features[-1].permute(0, 2, 3, 1)).mean((1, 2))
        assert torch.allclose(whole.linear(pooled), logits, atol=1e-5)
    shapes = [tuple(f.shape) for f in features]
    assert shapes == [(1, 96 * 2**i, 56 // 2**i, 56 // 2**i) for i in range(4)]


def test_a_name_that_is_not_there_is_an_error_with_those_that_are():
    result = CliRunner().invoke(
        cli, ["analyze", "swin_t", "--outputs", "stage.7,logits", "--outputs", "c1"]
    )
    assert result.exit_code != 0
    with pytest.raises(archdsl.SpecError, match=r"stage\.3"):
        archdsl.parse("swin_t", outputs=["stage.7"])


def test_one_text_is_no_list_of_names():
    for call in (archdsl.parse, archdsl.compile, archdsl.analyze):
        with pytest.raises(TypeError, match=r"write outputs=\['c1'\]"):
            call(NET, outputs="c1")


def test_commands_take_outputs(tmp_path):
    spec = tmp_path / "net.arch"
    spec.write_text(NET)
    runner = CliRunner()
    result = runner.invoke(
        cli, ["compile", str(spec), "--outputs", "c1, levels", "-o-"]
    )
    assert result.exit_code == 0, result.output
    assert '"levels": [' in result.output
    result = runner.invoke(cli, ["analyze", str(spec), "--outputs", "c1"])
    assert "output c1" in result.output
    picture = tmp_path / "net.svg"
    result = runner.invoke(
        cli, ["draw", str(spec), "--outputs", "c1", "-o", str(picture)]
    )
    assert result.exit_code == 0, result.output
    assert "embedding" not in picture.read_text()
