"""Each spec equals its reference, with the weights that the reference saved."""

import re

import pytest
import torch

import archdsl
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parse import parse
from tests.parity.counting import counted_macs, weightless
from tests.parity.reference import CLEARLY, SPECS, TOLERANCE
from tests.parity.systems import Pair
from tests.parity.zoo import SYSTEMS


def each(systems):
    """A test of each of these."""
    return pytest.mark.parametrize("system", list(systems), ids=lambda s: s.spec)


def test_every_model_that_promises_its_parameters_is_here():
    here = {s.spec if ":" in s.spec else f"{s.spec}:{s.spec}" for s in SYSTEMS}
    assert here == set(promising())


def promising():
    """Those of the shipped specs, unless they are only the body of others."""
    for path in SPECS.glob("*.arch"):
        text = path.read_text(encoding="utf-8")
        bodies = set(re.findall(r"^model \w+ = (\w+)", text, re.MULTILINE))
        for item in parse(Source(path.name, text))[0].items:
            body = isinstance(item, tree.Model) and item.name.id in bodies
            said = "expect params" in text[item.span.start : item.span.end]
            if isinstance(item, tree.Model | tree.Variant) and said and not body:
                yield f"{path.stem}:{item.name.id}"


@each(SYSTEMS)
def test_it_has_the_references_parameters_and_products(system):
    totals = archdsl.analyze(system.spec, sizes=system.open).totals
    theirs = weightless(system)
    assert totals.params == sum(p.numel() for p in theirs.parameters())
    same = totals.macs == counted_macs(system, theirs)
    assert same is not bool(system.uncounted)


@each(s for s in SYSTEMS if not s.repeated)
def test_a_small_one_equals_the_reference_and_a_mistake_is_seen(system):
    pair = Pair(system)
    assert pair.gap() <= TOLERANCE
    assert pair.relative_gap().fine
    tensors = dict(pair.theirs.float().state_dict())
    pair.double()
    one, two = swapped(tensors)
    tensors[one], tensors[two] = tensors[two], tensors[one]
    pair.ours = pair.filled(tensors)
    pair.double()
    assert pair.gap() > CLEARLY


@pytest.mark.slow
@each(s for s in SYSTEMS if not s.large)
def test_it_equals_the_reference(system):
    pair = Pair(system, full=True)
    assert pair.gap() <= TOLERANCE
    assert pair.relative_gap().fine


@each(s for s in SYSTEMS if s.trained)
def test_training_and_gradients_equal_the_references(system):
    assert Pair(system).training() <= TOLERANCE


def swapped(tensors):
    """Two weights of one shape that are not the same; matrices, if there are such."""
    for least in (2, 1):
        seen = {}
        for name, tensor in reversed(tensors.items()):
            other = seen.setdefault(tensor.shape, name)
            if tensor.dim() >= least and not torch.equal(tensors[other], tensor):
                return name, other
    raise AssertionError("no two weights have one shape")
