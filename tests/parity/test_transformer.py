"""The Transformer computes what torch.nn.Transformer does, its last norms left out."""

import pytest
import torch

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    Rule,
    difference,
    fill,
    gradient_difference,
    jittered,
    words,
)
from tests.parity.zoo.sequences import Translation
from tests.tools import static

SETTINGS = {"dim": 48, "depth": 2, "heads": 4, "vocab": 97}


def part(number):
    """One of the three maps that `in_proj` holds."""
    return lambda x: x.chunk(3)[number]


def attention_rules(theirs, ours):
    maps = [
        Rule(theirs + r"in_proj_(\w+)", ours + rf"{name}.\2", part(i))
        for i, name in enumerate("qkv")
    ]
    return [*maps, Rule(theirs + r"out_proj\.(\w+)", ours + r"out.\2")]


def stack_rules(side, norms):
    theirs = rf"transformer\.{side}\.layers\.(\d+)\."
    ours = rf"{side}.{side}_layer.\1."
    rules = [
        *attention_rules(theirs + r"self_attn\.", ours + "attention."),
        *attention_rules(theirs + r"multihead_attn\.", ours + "attention_2."),
        Rule(theirs + r"linear1\.(\w+)", ours + r"feed_forward.linear.\2"),
        Rule(theirs + r"linear2\.(\w+)", ours + r"feed_forward.linear_2.\2"),
        Rule(theirs + r"norm1\.(\w+)", ours + r"layer_norm.\2"),
        Rule(rf"transformer\.{side}\.norm\.(\w+)", rf"{side}.layer_norm.\1"),
    ]
    more = [
        Rule(theirs + rf"norm{i}\.(\w+)", ours + rf"layer_norm_{i}.\2")
        for i in range(2, norms + 1)
    ]
    return rules + more


RULES = [
    Rule(r"table\.weight", "table.weight"),
    *stack_rules("encoder", 2),
    *stack_rules("decoder", 3),
]


class Fed:
    """A model that is given the target; the rest is fixed."""

    def __init__(self, model, source, seen):
        self.model, self.source, self.seen = model, source, seen
        self.zero_grad = model.zero_grad
        self.named_parameters = model.named_parameters

    def __call__(self, target):
        n = len(target)
        return self.model(self.source[:n], target, self.seen[:n])


def small(norm, lengths=(5, 7), **facts):
    torch.manual_seed(0)
    theirs = jittered(Translation(norm, **{**SETTINGS, **facts}))
    model = "transformer_torch" if norm else "transformer_base"
    ours = archdsl.load(
        f"{SPECS}/transformer_base.arch:{model}",
        settings=SETTINGS,
        sizes={"S": 7, "T": 6},
    )
    fill(ours, theirs, RULES)
    source, seen = (
        words(7, 97, seed=2),
        torch.arange(7) < torch.tensor(lengths)[:, None],
    )
    return Fed(ours, source, seen), Fed(theirs, source, seen)


@pytest.fixture(autouse=True)
def slow_path():
    """Without the fast path of torch's encoder, which takes padding out."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.parametrize("lengths", [(7, 7), (7, 3)])
@pytest.mark.parametrize("norm", [False, True])
def test_the_transformer_equals_the_reference(norm, lengths):
    ours, theirs = small(norm, lengths)
    assert difference(ours, theirs, words(6, 97)) <= TOLERANCE


@pytest.mark.parametrize("norm", [False, True])
def test_its_gradients_equal_the_references(norm):
    ours, theirs = small(norm)
    assert gradient_difference(ours, theirs, RULES, words(6, 97)) <= TOLERANCE


@pytest.mark.parametrize(
    "fact",
    [
        {"activation": "gelu"},
        {"layer_norm_eps": 1e-6},
        {"norm_first": True},
        {"heads": 2},
    ],
    ids=str,
)
def test_another_fact_is_seen(fact):
    ours, theirs = small(norm=True, **fact)
    assert difference(ours, theirs, words(6, 97)) > CLEARLY


def test_another_mask_and_other_places_are_seen():
    ours, theirs = small(norm=False)
    theirs.seen = ~(torch.arange(7) >= torch.tensor([6, 7])[:, None])
    assert difference(ours, theirs, words(6, 97)) > CLEARLY
    ours, theirs = small(norm=False)
    theirs.model.turns = 10001.0
    assert difference(ours, theirs, words(6, 97)) > CLEARLY


@pytest.mark.parametrize(
    ("model", "facts"),
    [
        ("transformer_base", {"norm": False}),
        ("transformer_torch", {"norm": True}),
        ("transformer_big", {"norm": False, "dim": 1024, "heads": 16}),
    ],
)
def test_every_size_has_the_references_parameters(model, facts):
    with torch.device("meta"):
        theirs = Translation(**facts)
    graph = archdsl.parse(f"{SPECS}/transformer_base.arch:{model}")
    assert static(graph).params == sum(p.numel() for p in theirs.parameters())
