"""Every model of every spec that ships builds, and says what its module does."""

import json
from pathlib import Path

import pytest
import torch

import archdsl
from archdsl.analysis.cost import Costs
from archdsl.backends.torch.load import load
from archdsl.build.opening import open_spec
from tests.tools import measured, static

ROOT = Path(__file__).parents[2]
FIGURES = json.loads((ROOT / "tests/golden/figures.json").read_text())["networks"]
OPEN = 32  # for an axis that a spec leaves open


def models() -> list[str]:
    """The models that ship, as ``file:model``, all hyperparameters given."""
    found = []
    for path in sorted((ROOT / "specs").glob("*.arch")):
        program = open_spec(path).program
        for name in program.models:
            definition = program.module.definitions.get(name)
            parameters = definition.node.parameters if definition else ()
            if all(p.default is not None for p in parameters):
                found.append(f"{path.stem}:{name}")
    return found


def graph_of(spec: str):
    stem, _, model = spec.partition(":")
    where = f"{ROOT / 'specs' / stem}.arch:{model}"
    inputs = archdsl.parse(where).inputs.values()
    axes = [axis for tensor in inputs for axis in tensor.axes]
    sizes = {name: OPEN for name, size in axes if not isinstance(size, int)}
    return archdsl.parse(where, sizes=sizes)


# Several seconds each, for modules of 80 layers and more.
LARGE = ("llama:llama2_70b", "llama:llama3_70b", "llama:llama3_405b")


@pytest.mark.parametrize(
    "spec",
    [pytest.param(s, marks=[pytest.mark.slow] * (s in LARGE)) for s in models()],
)
def test_a_model_says_what_its_module_does(spec):
    graph = graph_of(spec)
    assert measured(graph) == static(graph)


@pytest.mark.parametrize("spec", models())
def test_a_batch_of_three_costs_three_times_one(spec):
    stem, _, model = spec.partition(":")
    where = f"{ROOT / 'specs' / stem}.arch:{model}"
    graph = archdsl.parse(where)
    if not all("B" in tensor for tensor in graph.inputs.values()):
        pytest.skip("what it is given beside the batch costs what it costs")
    one = Costs().total(graph)
    three = Costs().total(archdsl.parse(where, sizes={"B": 3}))
    assert three.macs == 3 * one.macs - 2 * once(archdsl.parse(where))
    assert three.params == one.params


def once(graph) -> int:
    """The MACs of what depends on no image: the continuous bias of Swin v2."""
    with torch.device("meta"):
        parts = [part for part in load(graph).modules() if hasattr(part, "distances")]
    maps = [(len(p.distances), p.hidden.weight, p.out.weight) for p in parts]
    return sum(rows * (first.numel() + last.numel()) for rows, first, last in maps)


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.arch")), ids=str)
def test_a_file_has_no_error_and_a_model_of_its_own_name(path):
    assert archdsl.check(path) == ()
    assert len(archdsl.parse(path))
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("known", FIGURES, ids=lambda known: known["spec"])
def test_a_model_equals_the_library_that_made_it_known(known):
    assert known["spec"] in models()
    graph = graph_of(known["spec"])
    shapes = [[size for _, size in tensor.axes] for tensor in graph.inputs.values()]
    assert shapes == [known["input"]]
    total = Costs().total(graph)
    assert (total.params, total.macs) == (known["params"], known["macs"])


def test_the_figures_cover_most_that_ships():
    known = {figure["spec"].partition(":")[0] for figure in FIGURES}
    assert len(known) >= 8
