"""Each spec equals its reference, with the weights that the reference saved."""

import pytest
import torch

import archdsl
from tests.parity.reference import CLEARLY, TOLERANCE
from tests.parity.systems import Pair
from tests.parity.zoo import SYSTEMS

SINGLE = 1e-5  # of the largest output, in float32
systems = pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.spec)


@systems
def test_it_has_the_references_parameters(system):
    with torch.device("meta"):
        theirs = sum(p.numel() for p in system.make().parameters())
    assert archdsl.analyze(system.spec).totals.params == theirs


@systems
def test_a_small_one_equals_the_reference(system):
    pair = Pair(system)
    assert pair.gap() <= TOLERANCE
    assert pair.relative_gap() <= SINGLE


@pytest.mark.slow
@pytest.mark.parametrize(
    "system", [s for s in SYSTEMS if not s.large], ids=lambda s: s.spec
)
def test_it_equals_the_reference(system):
    pair = Pair(system, full=True)
    assert pair.gap() <= TOLERANCE
    assert pair.relative_gap() <= SINGLE


@pytest.mark.parametrize(
    "system", [s for s in SYSTEMS if s.trained], ids=lambda s: s.spec
)
def test_training_and_gradients_equal_the_references(system):
    assert Pair(system).training() <= TOLERANCE


@systems
def test_two_tensors_in_the_place_of_each_other_are_seen(system):
    pair = Pair(system)
    tensors = dict(pair.theirs.state_dict())
    one, two = swapped(tensors)
    tensors[one], tensors[two] = tensors[two], tensors[one]
    pair.ours = pair.filled(tensors)
    pair.double()
    assert pair.gap() > CLEARLY


def swapped(tensors):
    """Two weights of one shape that are not the same; matrices, if there are such."""
    for least in (2, 1):
        seen = {}
        for name, tensor in reversed(tensors.items()):
            other = seen.setdefault(tensor.shape, name)
            if tensor.dim() >= least and not torch.equal(tensors[other], tensor):
                return name, other
    raise AssertionError("no two weights have one shape")
