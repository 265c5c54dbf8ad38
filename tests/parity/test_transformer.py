"""The Transformer computes what torch.nn.Transformer does, its last norms left out."""

import pytest
import torch

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    difference,
    fill,
    jittered,
    words,
)
from tests.parity.zoo.sequences import Translation

SETTINGS = {"dim": 48, "depth": 2, "heads": 4, "vocab": 97}


RULES = "torch"  # as the spec declares them


class Fed:
    """A model that is given the target; the rest is fixed."""

    def __init__(self, model, source, seen):
        self.model, self.source, self.seen = model, source, seen

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
