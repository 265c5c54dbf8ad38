"""ResNets with attention, written with torch.nn; their parts are called as ours."""

from collections import OrderedDict
from functools import partial

import torch
from torch import nn

from tests.parity.systems import System

FAMILY = "attention in CNN"


def conv_bn(features, width, kernel=1, stride=1):
    conv = nn.Conv2d(features, width, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, batch_norm=nn.BatchNorm2d(width)))


class Cbam(nn.Module):
    """Woo et al. 2018: by feature, then by place, maxima before means there."""

    def __init__(self, features):
        super().__init__()
        self.squeeze = nn.Linear(features, features // 16)
        self.excite = nn.Linear(features // 16, features)
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.batch_norm = nn.BatchNorm2d(1, momentum=0.01)

    def forward(self, x):
        pooled = (nn.AdaptiveAvgPool2d(1)(x), nn.AdaptiveMaxPool2d(1)(x))
        gates = [self.excite(self.squeeze(p.flatten(1)).relu()) for p in pooled]
        x = x * (gates[0] + gates[1]).sigmoid()[:, :, None, None]
        planes = torch.cat((x.amax(1, keepdim=True), x.mean(1, keepdim=True)), 1)
        return x * self.batch_norm(self.conv(planes)).sigmoid()


class NonLocal(nn.Module):
    """Wang et al. 2018, embedded Gaussian: products of 1x1 convolutions.

    In the authors' code, places that are looked at are pooled before, and there is a
    scale.
    """

    def __init__(self, features, pooled=False):
        super().__init__()
        inner = features // 2
        self.pool = nn.MaxPool2d(2) if pooled else nn.Identity()
        self.scale = inner**-0.5 if pooled else 1.0
        maps = {name: nn.Linear(features, inner) for name in "qkv"}
        self.attention = nn.ModuleDict({**maps, "out": nn.Linear(inner, features)})
        self.batch_norm = nn.BatchNorm2d(features)

    def forward(self, x):
        rows = x.flatten(2).mT  # (B, N, C)
        seen = self.pool(x).flatten(2).mT
        q, k, v = (
            self.attention[name](rows if name == "q" else seen) for name in "qkv"
        )
        found = torch.softmax(self.scale * q @ k.mT, -1) @ v
        found = self.attention["out"](found)
        return x + self.batch_norm(found.mT.unflatten(2, x.shape[2:]))


class Bottleneck(nn.Module):
    """He et al. 2015, the stride in the middle; a gate weighs what the branch found."""

    def __init__(self, features, width, stride, gated):
        super().__init__()
        self.conv_bn = conv_bn(features, width)
        self.conv_bn_2 = conv_bn(width, width, 3, stride)
        self.conv_bn_3 = conv_bn(width, 4 * width)
        self.cbam = Cbam(4 * width) if gated else None
        if stride > 1 or features != 4 * width:
            skip = conv_bn(features, 4 * width, 1, stride)
            self.shortcut = nn.Sequential(OrderedDict(conv_bn=skip))

    def forward(self, x):
        y = self.conv_bn_2(self.conv_bn(x).relu()).relu()
        y = self.conv_bn_3(y)
        y = self.cbam(y) if self.cbam else y
        return (y + (self.shortcut(x) if hasattr(self, "shortcut") else x)).relu()


class Resnet(nn.Module):
    """Gated in each block, or with blocks that look everywhere behind every other."""

    def __init__(self, depths=(3, 4, 6, 3), classes=1000, non_local=None):
        super().__init__()
        self.conv_bn = conv_bn(3, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stage = nn.ModuleList()
        features = 64
        for stage, depth in enumerate(depths):
            units = []
            for i in range(depth):
                stride = 2 if stage and not i else 1
                unit = Bottleneck(features, 64 << stage, stride, non_local is None)
                features = 256 << stage
                if non_local:
                    unit = nn.Sequential(OrderedDict(bottleneck=unit))
                    if stage in (1, 2) and i % 2:
                        unit.add_module("non_local", non_local(features))
                units.append(unit)
            name = "layers" if non_local else "unit"
            parts = OrderedDict({name: nn.Sequential(*units)})
            self.stage.append(nn.Sequential(parts))
        self.linear = nn.Linear(features, classes)

    def forward(self, x):
        x = self.pool(self.conv_bn(x).relu())
        for stage in self.stage:
            x = stage(x)
        return self.linear(x.mean((2, 3)))


def gated(spec, **facts):
    """One of them; the small one has two stages."""
    return System(
        spec,
        FAMILY,
        "torch.nn, in the tests",
        partial(Resnet, **facts),
        narrow={"depths": [1, 2], "classes": 10},
        settings={"depths": [1, 2], "classes": 10},
        sizes={"H": 64, "W": 48},
        trained=True,
        layout="same",
    )


GATED = [
    gated("cbam_resnet50"),
    gated("nonlocal_resnet50", non_local=NonLocal),
    gated(
        "nonlocal_resnet50:nonlocal_resnet50_pooled",
        non_local=partial(NonLocal, pooled=True),
    ),
]
