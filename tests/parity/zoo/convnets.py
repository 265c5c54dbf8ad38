"""Networks of convolutions for images, and attention modules in them."""

from functools import partial

import timm
import torchvision.models as torchvision

from tests.parity.systems import System

IMAGES = "image CNN"
ATTENTION = "attention in CNN"


def of_torchvision(spec, name=None, size=64, family=IMAGES, **more):
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
        sizes={"H": size, "W": size},
        checkpoint="torchvision",
        **more,
    )


def of_timm(spec, name, family=IMAGES, size=64, **more):
    """A model of timm."""
    facts = more.pop("facts", {})
    return System(
        spec,
        family,
        f"timm {name}",
        partial(timm.create_model, name, **{"num_classes": 1000, **facts}),
        narrow={"num_classes": 10, **more.pop("narrow", {})},
        settings={"classes": 10, **more.pop("settings", {})},
        sizes={"H": size, "W": size},
        checkpoint="timm",
        **more,
    )


VGG = ["vgg11", "vgg13", "vgg16", "vgg19"]

CONVNETS = [
    of_torchvision("alexnet", trained=True),
    *(of_torchvision(f"vgg16:{name}") for name in VGG),
    *(of_torchvision(f"vgg16:{name}_bn") for name in VGG),
    *(of_torchvision(f"resnet{depth}") for depth in (18, 34, 101, 152)),
    of_torchvision("resnet50", trained=True),
    of_torchvision("resnext50", "resnext50_32x4d"),
    of_torchvision("wide_resnet50", "wide_resnet50_2"),
    of_torchvision("mobilenet_v2", trained=True),
    of_torchvision("densenet121", trained=True),
    of_torchvision(
        "inception_v3",
        size=96,
        facts={"aux_logits": False, "transform_input": False, "init_weights": False},
    ),
    of_torchvision("efficientnet_b0", trained=True),
    of_torchvision("convnext_t", "convnext_tiny", trained=True),
    of_torchvision("convnext_s", "convnext_small"),
    of_torchvision("convnext_b", "convnext_base"),
    of_timm("se_resnet50", "seresnet50", ATTENTION, trained=True),
    of_timm("se_resnet50:legacy_se_resnet50", "legacy_seresnet50", ATTENTION),
]
