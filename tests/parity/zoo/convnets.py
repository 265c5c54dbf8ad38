"""Networks of convolutions for images, and attention modules in them."""

from functools import partial
from itertools import pairwise

import timm
import torch
import torchvision.models as torchvision
from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from tests.parity.systems import System

IMAGES = "image CNN"
ATTENTION = "attention in CNN"


def of_torchvision(spec, name=None, size=(75, 65), family=IMAGES, **more):
    """A model of torchvision; the small one has 10 classes and takes small images."""
    name = name or spec.rpartition(":")[2]
    facts = more.pop("facts", {})
    return System(
        spec,
        family,
        f"torchvision {name}",
        partial(getattr(torchvision, name), **facts),
        narrow={"num_classes": 10},
        settings={"classes": 10},
        sizes=dict(zip("HW", size, strict=True)),
        checkpoint="torchvision",
        **more,
    )


def of_timm(spec, name, family=IMAGES, size=(75, 65), **more):
    """A model of timm."""
    facts = more.pop("facts", {})
    return System(
        spec,
        family,
        f"timm {name}",
        partial(timm.create_model, name, **{"num_classes": 1000, **facts}),
        narrow={"num_classes": 10, **more.pop("narrow", {})},
        settings={"classes": 10, **more.pop("settings", {})},
        sizes=dict(zip("HW", size, strict=True)),
        checkpoint="timm",
        **more,
    )


def with_head(name, num_classes=1000, head=4096):
    """AlexNet or a VGG; if its head is narrow, a wide one is never made."""
    make = getattr(torchvision, name)
    if head == 4096:
        return make(num_classes=num_classes)
    with torch.device("meta"):
        model = make(num_classes=num_classes)
    maps = [i for i, m in enumerate(model.classifier) if isinstance(m, nn.Linear)]
    sizes = [model.classifier[maps[0]].in_features, head, head, num_classes]
    for i, size in zip(maps, pairwise(sizes), strict=True):
        model.classifier[i] = nn.Linear(*size, device="meta")
    model.to_empty(device="cpu")
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return model


def headed(spec, name=None, **more):
    """A model that is mostly its head, which is narrow in the small one."""
    system = of_torchvision(spec, name, **more)
    return system._replace(
        make=partial(with_head, name or spec),
        narrow={"num_classes": 10, "head": 64},
        settings={"classes": 10, "head": 64},
    )


def resnet(spec, name=None, block=Bottleneck, **more):
    """A ResNet; the small one has few blocks."""
    facts = more.pop("facts", {})

    def make(layers=None, num_classes=1000):
        if layers:
            return ResNet(block, layers, num_classes, **facts)
        return getattr(torchvision, name or spec)(num_classes=num_classes)

    return of_torchvision(spec, name, **more)._replace(
        make=make,
        narrow={"layers": [1, 2, 1, 1], "num_classes": 10},
        settings={"depths": [1, 2, 1, 1], "classes": 10},
    )


def convnext(spec, name, **more):
    """A ConvNeXt; the small one has few and narrow blocks."""

    def make(depths=None, widths=None, num_classes=1000):
        if not depths:
            return getattr(torchvision, name)(num_classes=num_classes)
        after = [*widths[1:], None]
        stages = map(CNBlockConfig, widths, after, depths)
        return ConvNeXt(list(stages), num_classes=num_classes)

    size = {"depths": [1, 1, 3, 2], "widths": [16, 32, 48, 64]}
    return of_torchvision(spec, name, **more)._replace(
        make=make,
        narrow={**size, "num_classes": 10},
        settings={**size, "classes": 10},
    )


def densenet(spec, **more):
    """A DenseNet; the small one has few and narrow layers."""
    small = {"growth_rate": 8, "block_config": (2, 3, 2, 4), "num_init_features": 16}
    return of_torchvision(spec, **more)._replace(
        make=torchvision.DenseNet,
        narrow={**small, "num_classes": 10},
        settings={"growth": 8, "depths": [2, 3, 2, 4], "classes": 10},
    )


FEW = {"narrow": {"layers": [1, 2, 1, 1]}, "settings": {"depths": [1, 2, 1, 1]}}
VGG = ["vgg11", "vgg13", "vgg16", "vgg19"]

CONVNETS = [
    headed("alexnet", trained=True),
    *(headed(f"vgg16:{n}", n, repeated=n != "vgg16") for n in VGG),
    *(headed(f"vgg16:{n}_bn", f"{n}_bn", repeated=n != "vgg11") for n in VGG),
    resnet("resnet18", block=BasicBlock),
    resnet("resnet34", block=BasicBlock, repeated=True),
    resnet("resnet50", trained=True),
    resnet("resnet101", repeated=True),
    resnet("resnet152", repeated=True),
    resnet("resnext50", "resnext50_32x4d", facts={"groups": 32, "width_per_group": 4}),
    resnet("wide_resnet50", "wide_resnet50_2", facts={"width_per_group": 128}),
    of_torchvision("mobilenet_v2", trained=True),
    densenet("densenet121", trained=True),
    of_torchvision(
        "inception_v3",
        size=(107, 75),
        trained=True,
        facts={"aux_logits": False, "transform_input": False, "init_weights": False},
    ),
    of_torchvision("efficientnet_b0", trained=True),
    convnext("convnext_t", "convnext_tiny", trained=True),
    convnext("convnext_s", "convnext_small", repeated=True),
    convnext("convnext_b", "convnext_base", repeated=True),
    of_timm(
        "se_resnet50",
        "seresnet50",
        ATTENTION,
        trained=True,
        narrow={"layers": [1, 2, 1, 1]},
        settings={"depths": [1, 2, 1, 1]},
    ),
    of_timm(
        "se_resnet50:legacy_se_resnet50",
        "legacy_seresnet50",
        ATTENTION,
    ),
]
