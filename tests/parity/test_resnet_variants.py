"""ResNeXt, wide ResNet and ResNets with gates equal plain models of torch.nn."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

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
)

# The plain models call their parts as the specs do.
RULES = [Rule("(.+)", r"\1")]
DEPTHS = (3, 4, 6, 3)


def conv_bn(features, width, kernel=1, stride=1, groups=1):
    conv = nn.Conv2d(
        features, width, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    return nn.Sequential(OrderedDict(conv=conv, batch_norm=nn.BatchNorm2d(width)))


class SqueezeExcite(nn.Module):
    """Hu et al. 2018: a gate for each feature, with 1x1 convolutions."""

    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, features // 16)
        self.linear_2 = nn.Linear(features // 16, features)

    def forward(self, x):
        gate = self.linear_2(self.linear(x.mean((2, 3))).relu()).sigmoid()
        return x * gate[:, :, None, None]


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


class Bottleneck(nn.Module):
    def __init__(self, features, width, stride, wider=1, groups=1, gate=None, v1=False):
        super().__init__()
        inner = wider * width
        first, second = (stride, 1) if v1 else (1, stride)
        self.conv_bn = conv_bn(features, inner, 1, first)
        self.conv_bn_2 = conv_bn(inner, inner, 3, second, groups)
        self.conv_bn_3 = conv_bn(inner, 4 * width)
        if gate:
            self.add_module(*gate(4 * width))
        self.gate = gate
        if stride > 1 or features != 4 * width:
            skip = conv_bn(features, 4 * width, 1, stride)
            self.shortcut = nn.Sequential(OrderedDict(conv_bn=skip))

    def forward(self, x):
        y = self.conv_bn_2(self.conv_bn(x).relu()).relu()
        y = self.conv_bn_3(y)
        if self.gate:
            y = self.get_submodule(self.gate(16)[0])(y)
        return (y + (self.shortcut(x) if hasattr(self, "shortcut") else x)).relu()


class NonLocal(nn.Module):
    """Wang et al. 2018, embedded Gaussian: products of 1x1 convolutions.

    In the authors' code, places that are looked at are pooled before, and there is a
    scale.
    """

    def __init__(self, features, theirs=False):
        super().__init__()
        inner = features // 2
        self.pool = nn.MaxPool2d(2) if theirs else nn.Identity()
        self.scale = inner**-0.5 if theirs else 1.0
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


class Resnet(nn.Module):
    def __init__(self, depths=DEPTHS, classes=1000, non_local=None, pool=None, **facts):
        super().__init__()
        self.conv_bn = conv_bn(3, 64, 7, 2)
        self.pool = pool or nn.MaxPool2d(3, 2, 1)
        self.stage = nn.ModuleList()
        features = 64
        for stage, depth in enumerate(depths):
            units = []
            for i in range(depth):
                stride = 2 if stage and not i else 1
                unit = Bottleneck(features, 64 << stage, stride, **facts)
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


VARIANTS = {
    "resnext50": {"wider": 2, "groups": 32},
    "wide_resnet50": {"wider": 2},
    "se_resnet50": {"gate": lambda c: ("squeeze_excite", SqueezeExcite(c))},
    "se_resnet50:legacy_se_resnet50": {
        "gate": lambda c: ("squeeze_excite", SqueezeExcite(c)),
        "v1": True,
        "pool": nn.MaxPool2d(3, 2, ceil_mode=True),
    },
    "cbam_resnet50": {"gate": lambda c: ("cbam", Cbam(c))},
    "nonlocal_resnet50": {"non_local": NonLocal},
    "nonlocal_resnet50:nonlocal_resnet50_pooled": {
        "non_local": lambda c: NonLocal(c, theirs=True)
    },
}


def load(spec, **changes):
    """A model by its file, or by its file and its name."""
    file, _, name = spec.partition(":")
    return archdsl.load(f"{SPECS}/{file}.arch:{name or file}", **changes)


def small(spec):
    """Both models, of two stages."""
    torch.manual_seed(0)
    theirs = jittered(Resnet([1, 2], 10, **VARIANTS[spec]))
    settings = {"depths": [1, 2], "classes": 10}
    ours = load(spec, settings=settings)
    return fill(ours, theirs, RULES), theirs


@pytest.mark.slow
@pytest.mark.parametrize("spec", VARIANTS)
def test_a_variant_equals_a_plain_one(spec):
    theirs = jittered(Resnet(**VARIANTS[spec]))
    ours = fill(load(spec), theirs, RULES)
    assert difference(ours, theirs, images(224, 224)) <= TOLERANCE


@pytest.mark.parametrize("spec", VARIANTS)
@pytest.mark.parametrize("size", [(64, 96), (75, 33)])
def test_a_small_variant_equals_a_plain_one(spec, size):
    ours, theirs = small(spec)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


@pytest.mark.parametrize("spec", VARIANTS)
def test_training_and_its_gradients_equal_those_of_a_plain_one(spec):
    ours, theirs = small(spec)
    ours.train()
    theirs.train()
    assert gradient_difference(ours, theirs, RULES, images(64, 48)) <= TOLERANCE
    mine, yours = state(ours), state(theirs)
    assert max(gap(mine[k].double(), yours[k].double()) for k in mine) <= TOLERANCE


@torch.no_grad()
def test_which_of_the_planes_is_first_is_seen():
    ours, theirs = small("cbam_resnet50")
    for module in theirs.modules():
        if isinstance(module, Cbam):
            module.conv.weight.copy_(module.conv.weight.flip(1))
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def test_a_scale_of_the_likenesses_is_seen():
    ours, theirs = small("nonlocal_resnet50")
    with torch.no_grad():
        for module in theirs.modules():
            if isinstance(module, NonLocal):
                module.attention["q"].weight.mul_(256**-0.5)
                module.attention["q"].bias.mul_(256**-0.5)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def test_a_pool_that_rounds_down_is_seen():
    ours, theirs = small("se_resnet50:legacy_se_resnet50")
    theirs.pool = nn.MaxPool2d(3, 2)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def test_a_non_local_block_adds_nothing_at_first():
    ours = load("nonlocal_resnet50", settings={"depths": [1, 2], "classes": 10})
    gains = {n: p for n, p in ours.named_parameters() if "norm.weight" in n}
    silent = {name for name, gain in gains.items() if not gain.any()}
    assert silent == {name for name in gains if "non_local" in name} != set()
