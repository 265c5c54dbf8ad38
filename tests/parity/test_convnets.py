"""AlexNet, VGG and TextCNN equal plain models of torch.nn."""

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
    gradient_difference,
    images,
    jittered,
    words,
)


def numbered(name, place):
    """`conv`, `conv_2`, `conv_3`… as unnamed layers are numbered."""
    return f"{name}_{place}" if place > 1 else name


# ---------------------------------------------------------------------- AlexNet


class AlexNet(nn.Module):
    """Krizhevsky 2014, as torchvision has it: 64, 192, 384, 256 and 256 maps."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.pool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, 1000),
        )

    def forward(self, x):
        return self.classifier(self.pool(self.features(x)).flatten(1))


ALEXNET_RULES = [
    *(Rule(rf"features\.{i}\.(\w+)", numbered("conv", n) + r".\1")
      for n, i in enumerate((0, 3, 6, 8, 10), 1)),
    *(Rule(rf"classifier\.{i}\.(\w+)", numbered("linear", n) + r".\1")
      for n, i in enumerate((1, 4, 6), 1)),
]  # fmt: skip


def test_alexnet_equals_a_plain_one():
    theirs = jittered(AlexNet())
    ours = fill(archdsl.load(f"{SPECS}/alexnet.arch"), theirs, ALEXNET_RULES)
    assert difference(ours, theirs, images(224, 224)) <= TOLERANCE
    theirs.features[12].kernel_size = 2
    assert difference(ours, theirs, images(224, 224)) > CLEARLY


# -------------------------------------------------------------------------- VGG


DEPTHS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
VGGS = [(name, norm) for name in DEPTHS for norm in (False, True)]


class Vgg(nn.Module):
    """Simonyan & Zisserman 2014, with or without batch norms."""

    def __init__(self, depths, *, norm, head=4096):
        super().__init__()
        layers, features = [], 3
        for width, depth in zip((64, 128, 256, 512, 512), depths, strict=True):
            for _ in range(depth):
                layers.append(nn.Conv2d(features, width, 3, padding=1))
                if norm:
                    layers.append(nn.BatchNorm2d(width))
                layers.append(nn.ReLU())
                features = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, head),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(head, head),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(head, 1000),
        )

    def forward(self, x):
        return self.classifier(self.pool(self.features(x)).flatten(1))


def vgg_rules(depths, *, norm):
    """Stage by stage and layer by layer, as the spec counts."""
    step = 3 if norm else 2
    rules, place = [], 0
    for stage, depth in enumerate(depths):
        for layer in range(depth):
            ours = f"layers.{stage}.conv_relu.{layer}."
            rules.append(Rule(rf"features\.{place}\.(\w+)", ours + r"conv.\1"))
            if norm:
                norm_rule = Rule(
                    rf"features\.{place + 1}\.(\w+)", ours + r"batch_norm.\1"
                )
                rules.append(norm_rule)
            place += step
        place += 1
    for number, place in enumerate((0, 3, 6), 1):
        ours = numbered("linear", number)
        rules.append(Rule(rf"classifier\.{place}\.(\w+)", ours + r".\1"))
    return rules


def named(name, norm):
    return f"{name}_bn" if norm else name


@pytest.mark.slow
@pytest.mark.parametrize(("name", "norm"), VGGS)
def test_a_vgg_equals_a_plain_one(name, norm):
    theirs = jittered(Vgg(DEPTHS[name], norm=norm))
    ours = archdsl.load(f"{SPECS}/vgg16.arch:{named(name, norm)}")
    fill(ours, theirs, vgg_rules(DEPTHS[name], norm=norm))
    assert difference(ours, theirs, images(224, 224)) <= TOLERANCE


@pytest.mark.parametrize(("name", "norm"), VGGS)
def test_a_vgg_has_as_many_weights_as_a_plain_one(name, norm):
    with torch.device("meta"):
        theirs = Vgg(DEPTHS[name], norm=norm)
    report = archdsl.analyze(f"{SPECS}/vgg16.arch:{named(name, norm)}")
    assert report.totals.params == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(
    ("name", "size"), [("vgg11", (64, 96)), ("vgg16", (64, 96)), ("vgg16", (160, 64))]
)
def test_a_vgg_with_a_narrow_head_equals_a_plain_one(name, norm, size):
    theirs = jittered(Vgg(DEPTHS[name], norm=norm, head=64))
    text = (SPECS / "vgg16.arch").read_text(encoding="utf-8").partition("model vgg11")
    ours = archdsl.load(
        text[0].replace("4096", "64"),
        settings={"depths": list(DEPTHS[name]), "norm": norm},
        sizes=dict(zip("HW", size, strict=True)),
    )
    fill(ours, theirs, vgg_rules(DEPTHS[name], norm=norm))
    assert difference(ours, theirs, images(*size)) <= TOLERANCE
    theirs.pool = nn.AdaptiveMaxPool2d(7)
    assert difference(ours, theirs, images(*size)) > CLEARLY


# ---------------------------------------------------------------------- TextCNN


class TextCnn(nn.Module):
    """Kim 2014: a convolution covers whole words, so its maps are one number wide.

    Word vectors may be frozen, and there may be two tables of them: then the filters
    are summed over both.
    """

    def __init__(self, vocab, dim, widths, filters, classes, frozen=(False,)):
        super().__init__()
        tables = [nn.Embedding(vocab, dim, padding_idx=0) for _ in frozen]
        self.words = nn.ModuleList(tables)
        for table, still in zip(tables, frozen, strict=True):
            table.weight.requires_grad = not still
        count = len(frozen)
        self.convs = nn.ModuleList(nn.Conv2d(count, filters, (w, dim)) for w in widths)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(filters * len(widths), classes)

    def forward(self, tokens):
        x = torch.stack([table(tokens) for table in self.words], 1)  # (B, n, T, dim)
        maps = [conv(x).squeeze(-1).relu() for conv in self.convs]
        return self.head(self.dropout(torch.cat([m.max(-1).values for m in maps], -1)))


TEXTCNN_RULES = [
    Rule("words.0.weight", "words.weight"),
    Rule("words.1.weight", "embedding.weight"),
    Rule(r"convs\.(\d)\.weight", r"conv.\1.weight", lambda x: x.mT.flatten(1, 2)),
    Rule(r"convs\.(\d)\.bias", r"conv.\1.bias"),
    Rule(r"head\.(\w+)", r"linear.\1"),
]
TEXTCNNS = {
    "textcnn": (False,),
    "textcnn_static": (True,),
    "textcnn_multichannel": (False, True),
}


def small_textcnn(name):
    torch.manual_seed(0)
    theirs = jittered(TextCnn(50, 16, (2, 3), 8, 4, TEXTCNNS[name]))
    settings = {"vocab": 50, "dim": 16, "widths": [2, 3], "filters": 8, "classes": 4}
    spec = f"{SPECS}/textcnn.arch:{name}"
    ours = archdsl.load(spec, settings=settings, sizes={"T": 12})
    return fill(ours, theirs, TEXTCNN_RULES), theirs


@pytest.mark.parametrize("name", TEXTCNNS)
def test_textcnn_equals_a_plain_one(name):
    torch.manual_seed(0)
    theirs = jittered(TextCnn(20000, 300, (3, 4, 5), 100, 2, TEXTCNNS[name]))
    ours = archdsl.load(f"{SPECS}/textcnn.arch:{name}")
    fill(ours, theirs, TEXTCNN_RULES)
    assert difference(ours, theirs, words(64, 20000, batch=4)) <= TOLERANCE


@pytest.mark.parametrize("name", TEXTCNNS)
def test_the_gradients_of_textcnn_in_training_equal_those_of_a_plain_one(name):
    ours, theirs = small_textcnn(name)
    ours.train().dropout.p = theirs.train().dropout.p = 0.0
    x = words(12, 50)
    assert (x == 0).any()
    assert gradient_difference(ours, theirs, TEXTCNN_RULES, x) <= TOLERANCE
    ours.conv[0], ours.conv[1] = ours.conv[1], ours.conv[0]
    assert difference(ours, theirs, x) > CLEARLY


@pytest.mark.parametrize("name", TEXTCNNS)
def test_a_step_of_training_leaves_frozen_words_as_they_are(name):
    ours, _ = small_textcnn(name)
    before = {k: v.clone() for k, v in ours.state_dict().items()}
    trained = [p for p in ours.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    ours.train()(words(12, 50)).square().sum().backward()
    optimizer.step()
    after = ours.state_dict()
    still = {k for k in before if torch.equal(before[k], after[k])}
    tables = zip(("words.weight", "embedding.weight"), TEXTCNNS[name], strict=False)
    assert still == {table for table, frozen in tables if frozen}
    if not TEXTCNNS[name][0]:  # the row of no word
        assert torch.equal(before["words.weight"][0], after["words.weight"][0])


# ------------------------------------------------------------------ n-gram CNN


class NgramCnn(nn.Module):
    """Three convolutions in a row, and a label for every word."""

    def __init__(self, vocab, dim, n, depth, classes):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        convs = (nn.Conv1d(dim, dim, n, padding=n // 2) for _ in range(depth))
        self.convs = nn.ModuleList(convs)
        self.head = nn.Linear(dim, classes)

    def forward(self, tokens):
        x = self.words(tokens).mT
        for conv in self.convs:
            x = conv(x).relu()
        return self.head(x.mT)


NGRAM_RULES = [
    Rule("words.weight", "embedding.weight"),
    Rule(r"convs\.(\d)\.(\w+)", r"layers.\1.conv.\2"),
    Rule(r"head\.(\w+)", r"linear.\1"),
]


@pytest.mark.parametrize("length", [1, 6, 40])
def test_an_ngram_cnn_equals_a_plain_one(length):
    theirs = jittered(NgramCnn(20000, 300, 3, 3, 9))
    ours = fill(archdsl.load(f"{SPECS}/ngram_cnn.arch"), theirs, NGRAM_RULES)
    assert difference(ours, theirs, words(length, 20000)) <= TOLERANCE


def test_the_gradients_of_an_ngram_cnn_equal_those_of_a_plain_one():
    theirs = jittered(NgramCnn(30, 16, 5, 2, 4))
    settings = {"vocab": 30, "dim": 16, "n": 5, "depth": 2, "classes": 4}
    ours = archdsl.load(f"{SPECS}/ngram_cnn.arch", settings=settings)
    fill(ours, theirs, NGRAM_RULES)
    x = words(9, 30)
    assert gradient_difference(ours, theirs, NGRAM_RULES, x) <= TOLERANCE
    first, second = ours.layers
    first.conv, second.conv = second.conv, first.conv
    assert difference(ours, theirs, x) > CLEARLY
