"""MobileNetV2 and EfficientNet-B0 compute what those of transformers compute.

Transformers has them with the padding of TensorFlow and other batch norms; here the
windows are centred and the norms are PyTorch's, as in torchvision.
"""

import pytest
import torch
from torch import nn
from transformers import (
    EfficientNetConfig,
    EfficientNetForImageClassification,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
)

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    Rule,
    difference,
    fill,
    gap,
    gradient_difference,
    images,
    jittered,
    state,
    translated,
)

DEPTHS = {
    "mobilenet_v2": (1, 2, 3, 4, 3, 3, 1),
    "efficientnet_b0": (1, 2, 2, 3, 3, 4, 1),
}
PARTS = {"convolution": "conv", "normalization": "batch_norm", "conv": "conv"}
PARTS |= {"bn": "batch_norm", "norm": "batch_norm", "batchnorm": "batch_norm"}
SQUEEZE = {"reduce": "linear", "expand": "linear_2"}


def place(spec, index):
    """The scope of a block by its number in the whole network."""
    for stage, depth in enumerate(DEPTHS[spec]):
        if index < depth:
            return f"stage.{stage}.inverted_residual.{index}"
        index -= depth
    raise IndexError


def unit(order):
    return "conv_bn" if order == 1 else f"conv_bn_{order}"


def of_mobilenet(match):
    index, part, kind, leaf = match.groups()
    order = {"expand_1x1": 1, "conv_3x3": 2, "reduce_1x1": 3}[part]
    scope = place("mobilenet_v2", int(index) + 1)
    return f"{scope}.{unit(order)}.{PARTS[kind]}.{leaf}"


def of_stem(match):
    part, kind, leaf = match.groups()
    ours = {
        "first_conv": "conv_bn",
        "conv_3x3": f"{place('mobilenet_v2', 0)}.conv_bn",
        "reduce_1x1": f"{place('mobilenet_v2', 0)}.conv_bn_2",
    }
    return f"{ours[part]}.{PARTS[kind]}.{leaf}"


def of_efficientnet(match):
    index, part, kind, leaf = match.groups()
    order = {"expand": 1, "depthwise": 2, "project": 3}[part] - (index == "0")
    scope = place("efficientnet_b0", int(index))
    return f"{scope}.{unit(order)}.{PARTS[kind]}.{leaf}"


RULES = {
    "mobilenet_v2": [
        Rule(r"mobilenet_v2\.conv_stem\.(\w+)\.(\w+)\.(\w+)", of_stem),
        Rule(r"mobilenet_v2\.layer\.(\d+)\.(\w+)\.(\w+)\.(\w+)", of_mobilenet),
        Rule(
            r"mobilenet_v2\.conv_1x1\.(\w+)\.(\w+)",
            lambda m: f"conv_bn_2.{PARTS[m[1]]}.{m[2]}",
        ),
        Rule(r"classifier\.(\w+)", r"linear.\1"),
    ],
    "efficientnet_b0": [
        Rule(
            r"efficientnet\.embeddings\.(\w+)\.(\w+)",
            lambda m: f"conv_bn.{PARTS[m[1]]}.{m[2]}",
        ),
        Rule(
            r"efficientnet\.encoder\.blocks\.(\d+)\.(?:\w+)\."
            r"(expand|depthwise|project)_(\w+)\.(\w+)",
            of_efficientnet,
        ),
        *(
            Rule(
                rf"efficientnet\.encoder\.blocks\.(\d+)\.squeeze_excite\.{part}\.{leaf}",
                lambda m, part=part, leaf=leaf: (
                    f"{place('efficientnet_b0', int(m[1]))}"
                    f".squeeze_excite.{SQUEEZE[part]}.{leaf}"
                ),
                torch.squeeze,
            )
            for part in SQUEEZE
            for leaf in ("weight", "bias")
        ),
        Rule(
            r"efficientnet\.encoder\.top_(\w+)\.(\w+)",
            lambda m: f"conv_bn_2.{PARTS[m[1]]}.{m[2]}",
        ),
        Rule(r"classifier\.(\w+)", r"linear.\1"),
    ],
}


def mobilenet_v2(*, classes=1000, **facts):
    facts = {"tf_padding": False, "layer_norm_eps": 1e-5, **facts}
    model = MobileNetV2ForImageClassification(
        MobileNetV2Config(num_labels=classes, classifier_dropout_prob=0.0, **facts)
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    return model


def efficientnet_b0(*, classes=1000, **facts):
    config = EfficientNetConfig(
        num_labels=classes,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_dim=1280,
        dropout_rate=0.0,
        drop_connect_rate=0.0,
        **{"batch_norm_eps": 1e-5, "batch_norm_momentum": 0.1, **facts},
    )
    model = EfficientNetForImageClassification(config)
    model.efficientnet.embeddings.padding = nn.ZeroPad2d(1)
    for block in model.efficientnet.encoder.blocks:
        layer = block.depthwise_conv
        layer.depthwise_conv_pad = nn.ZeroPad2d(
            layer.depthwise_conv.kernel_size[0] // 2
        )
    return model


MODELS = {"mobilenet_v2": mobilenet_v2, "efficientnet_b0": efficientnet_b0}


def both(spec, *, classes=10, **facts):
    torch.manual_seed(0)
    theirs = jittered(MODELS[spec](classes=classes, **facts))
    ours = archdsl.load(f"{SPECS}/{spec}.arch", settings={"classes": classes})
    return fill(ours, theirs, RULES[spec]), theirs


@pytest.mark.slow
@pytest.mark.parametrize("spec", MODELS)
def test_a_model_equals_the_reference(spec):
    ours, theirs = both(spec, classes=1000)
    assert difference(ours, theirs, images(224, 224)) <= TOLERANCE


@pytest.mark.parametrize("spec", MODELS)
def test_it_equals_the_reference_at_another_size(spec):
    ours, theirs = both(spec)
    assert difference(ours, theirs, images(75, 64)) <= TOLERANCE


@pytest.mark.parametrize("spec", MODELS)
def test_training_and_its_gradients_equal_the_references(spec):
    ours, theirs = both(spec)
    for model in (ours, theirs):
        model.train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    x = images(64, 64, batch=4)
    assert gradient_difference(ours, theirs, RULES[spec], x) <= TOLERANCE
    mine, yours = state(ours), translated(state(theirs), RULES[spec])
    assert max(gap(mine[k].double(), yours[k].double()) for k in mine) <= TOLERANCE


@pytest.mark.parametrize(
    ("spec", "fact"),
    [
        ("mobilenet_v2", {"hidden_act": "relu"}),
        ("mobilenet_v2", {"layer_norm_eps": 1e-3}),
        ("efficientnet_b0", {"hidden_act": "gelu"}),
        ("efficientnet_b0", {"batch_norm_eps": 1e-3}),
    ],
)
def test_another_fact_is_seen(spec, fact):
    ours, theirs = both(spec, **fact)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def test_the_deeper_branches_of_an_efficientnet_are_left_out_more_often():
    """At block i of 16 with the chance 0.2 * i / 16, as in torchvision."""
    ours = archdsl.load(f"{SPECS}/efficientnet_b0.arch", settings={"drop_path": 0.2})
    rates = [m.rate for m in ours.modules() if type(m).__name__ == "DropPath"]
    around = (2, 4, 6, 7, 9, 10, 12, 13, 14)  # those that keep size and features
    assert rates == pytest.approx([0.2 * i / 16 for i in around])
