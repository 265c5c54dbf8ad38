"""A checkpoint knows its architecture: the model of it is the one that was saved."""

import contextlib
import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import archdsl
from archdsl.analysis.cost import Costs
from archdsl.backends.torch.checkpoints import CheckpointError, metadata, tensors, write
from archdsl.build.architecture import Architecture
from archdsl.ir.graph import Graph
from tests.tools import forgotten, inputs_for, shipped

ROOT = Path(__file__).parents[3]
SPECS = sorted(path.stem for path in (ROOT / "specs").glob("*.arch"))
SPECS.remove("resnet")  # which has no model of its own
SMALL = 4_000_000  # parameters
LARGE = 200_000_000  # which a machine for tests may not have room for
TINY = """
model tiny(width = 4, classes = 3) {
  input image: [B, C = 3, H = 8, W = 8]
  conv(width, kernel = 3) -> batch_norm -> relu as features
  mean(H, W) -> linear(classes)
  output logits
}
"""


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    model = archdsl.load(TINY)
    model(torch.randn(2, 3, 8, 8))  # statistics that are not the ones it begins with
    return model.eval()


def outputs(model, graph: Graph):
    torch.manual_seed(1)
    with torch.no_grad():
        found = model.eval()(*inputs_for(graph, 2))
    if isinstance(found, dict):
        return tuple(found.values())
    return found if isinstance(found, tuple) else (found,)


def goes_round(model, graph: Graph, path: Path):
    archdsl.save(model, path)
    again = archdsl.from_pretrained(path)
    assert not again.training
    for one, other in zip(outputs(model, graph), outputs(again, graph), strict=True):
        assert torch.isfinite(one).all()
        assert torch.equal(one, other)
    return again


def small_ones_first():
    for name in SPECS:
        params = Costs().total(archdsl.parse(name)).params
        marks = () if params <= SMALL else (pytest.mark.slow,)
        if params <= LARGE:
            yield pytest.param(name, id=name, marks=marks)


@pytest.mark.parametrize("name", [*small_ones_first()])
def test_every_spec_that_ships_goes_round(name, tmp_path):
    with forgotten():
        torch.manual_seed(0)
        model = archdsl.load(name)
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor), alpha=0.001)
        goes_round(model, shipped(name), tmp_path / "x.safetensors")


def test_what_was_set_goes_round(tmp_path):
    given = {
        "settings": {"width": 6, "classes": "2 + 3"},
        "sizes": {"H": 12, "W": None},
        "outputs": ["features"],
    }
    model = archdsl.load(TINY, **given)
    archdsl.save(model, tmp_path / "x.safetensors")
    again = archdsl.from_pretrained(tmp_path / "x.safetensors")
    assert type(again) is type(model)
    x = torch.randn(2, 3, 12, 9)
    assert torch.equal(again(x), model.eval()(x)) and again(x).shape == (2, 6, 12, 9)


def test_a_model_that_was_changed_is_refused(tiny, tmp_path):
    path = tmp_path / "x.safetensors"
    tiny.linear = nn.Linear(4, 9)
    tiny.more = nn.Linear(1, 1)
    del tiny.conv
    with pytest.raises(CheckpointError, match="changed after") as caught:
        archdsl.save(tiny, path)
    words = str(caught.value)
    assert "missing: conv.weight" in words
    assert "too much: more.weight, more.bias" in words
    assert "linear.weight [9, 4], not [3, 4]" in words
    assert not path.exists()


def test_a_model_of_somebody_else_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"no model of archdsl\.load"):
        archdsl.save(nn.Linear(2, 2), tmp_path / "x.safetensors")


def test_a_name_that_is_not_of_safetensors(tiny, tmp_path):
    with pytest.raises(CheckpointError, match=r"ends in \.safetensors"):
        archdsl.save(tiny, tmp_path / "x.pt")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_type_of_numbers_goes_round(tiny, tmp_path, dtype):
    archdsl.save(tiny.to(dtype), tmp_path / "x.safetensors")
    again = archdsl.from_pretrained(tmp_path / "x.safetensors")
    assert again.linear.weight.dtype == dtype
    for name, tensor in tiny.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    assert again.linear.weight.requires_grad


def test_equal_models_make_equal_files(tiny, tmp_path):
    one, two = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    archdsl.save(tiny, one)
    archdsl.save(archdsl.from_pretrained(one), two)
    assert one.read_bytes() == two.read_bytes()


def test_weights_that_were_loaded_go_round(tiny, tmp_path):
    archdsl.save(tiny, tmp_path / "1.safetensors")
    model = archdsl.load(TINY, weights=tmp_path / "1.safetensors")
    archdsl.save(model, tmp_path / "2.safetensors")
    one, two = (tmp_path / f"{i}.safetensors" for i in (1, 2))
    assert one.read_bytes() == two.read_bytes()


def test_reading_draws_no_random_numbers(tiny, tmp_path):
    archdsl.save(tiny, tmp_path / "x.safetensors")
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    archdsl.from_pretrained(tmp_path / "x.safetensors")
    assert torch.equal(torch.rand(1), expected)


def test_copies_and_wrappers_can_be_saved(tiny, tmp_path):
    class Compiled(nn.Module):  # as torch.compile has it
        def __init__(self, model):
            super().__init__()
            self._orig_mod = model

    path = tmp_path / "x.safetensors"
    for model in (
        copy.deepcopy(tiny),
        nn.DataParallel(tiny),
        Compiled(tiny),
    ):
        archdsl.save(model, path)
        again = archdsl.from_pretrained(path)
        assert torch.equal(again.linear.weight, tiny.linear.weight)


def test_the_checkpoint_is_a_plain_file_for_others(tiny, tmp_path):
    """The standalone file reads it with nothing of archdsl's."""
    archdsl.save(tiny, tmp_path / "x.safetensors")
    (tmp_path / "tiny.py").write_text(archdsl.compile(TINY))
    torch.save(tiny(torch.ones(1, 3, 8, 8)), tmp_path / "y.pt")
    code = (
        "import sys, torch; from safetensors.torch import load_file; import tiny\n"
        "m = tiny.Tiny().eval(); m.load_state_dict(load_file('x.safetensors'))\n"
        "assert torch.equal(m(torch.ones(1, 3, 8, 8)), torch.load('y.pt'))\n"
        "assert 'archdsl' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


# ------------------------------------------------------------------- strangers


def forged(tiny, path: Path, **changes) -> Path:
    """A checkpoint whose architecture was written by somebody else."""
    archdsl.save(tiny, path)
    texts = metadata(path)
    held = {**json.loads(texts["archdsl"]), **changes}
    write(path, dict(tensors(path)), {"archdsl": json.dumps(held)})
    return path


USES = "use %s (leaf)\n" + TINY


@pytest.mark.parametrize(
    "target", ["../../secret", "secret", "lib/../secret", "/secret", "..", "./secret"]
)
def test_a_stranger_reads_no_files(tiny, tmp_path, monkeypatch, target):
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    for folder in (tmp_path, tmp_path / "a" / "b"):
        (folder / "secret.arch").write_text("block leaf[x](n) {\n  linear(n)\n}\n")
    path = forged(tiny, tmp_path / "a" / "b" / "x.safetensors", text=USES % target)
    with pytest.raises(archdsl.SpecError):
        archdsl.from_pretrained(path)


def test_a_use_that_is_in_the_checkpoint_is_found(tiny, tmp_path):
    """So that the refusals above are for the right reason."""
    uses = {"lib/secret.arch": "block leaf[x](n) {\n  linear(n)\n}\n"}
    path = tmp_path / "x.safetensors"
    forged(tiny, path, text=USES % "lib/secret", uses=uses)
    archdsl.from_pretrained(path)


def test_a_stranger_runs_no_code(tiny, tmp_path):
    mark = tmp_path / "mark"
    evil = f'__import__("pathlib").Path("{mark}").touch()'
    text = f'# """\n# {evil}\n# """\n' + TINY
    for changes in (
        {"text": text, "name": f'"""\n{evil}\n"""'},
        {"settings": {"width": evil}},
        {"sizes": {"H": evil}},
        {"outputs": [evil]},
        {"model": evil},
        {"text": TINY.replace("width = 4", f"width = {evil}")},
        {"text": TINY.replace("features", evil)},
    ):
        path = forged(tiny, tmp_path / "x.safetensors", **changes)
        with contextlib.suppress(archdsl.SpecError, ValueError):
            archdsl.from_pretrained(path)
        assert not mark.exists(), changes


def test_a_stranger_takes_no_memory(tiny, tmp_path):
    """What a checkpoint claims is compared with what it holds before it is made."""
    path = forged(tiny, tmp_path / "x.safetensors", settings={"width": "1000000000"})
    with pytest.raises(CheckpointError, match="another shape") as caught:
        archdsl.from_pretrained(path)
    assert "not those of tiny" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2, "archdsl": "9.9"}, r"another version of archdsl \(9\.9\)"),
        ({"text": None}, "its text is not"),
        ({"uses": {"a": 1}}, "its uses is not"),
        ({"uses": []}, "its uses is not"),
        ({"settings": {"width": 1}}, "its settings is not"),
        ({"sizes": {"H": 1.5}}, "its sizes is not"),
        ({"sizes": {"H": True}}, "its sizes is not"),
        ({"outputs": "features"}, "its outputs is not"),
        ({"model": 3}, "its model is not"),
    ],
)
def test_an_architecture_that_is_none(tiny, tmp_path, changes, words):
    path = forged(tiny, tmp_path / "x.safetensors", **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        archdsl.from_pretrained(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "[" * 100_000])
def test_metadata_that_are_none(tiny, tmp_path, text):
    path = tmp_path / "x.safetensors"
    write(path, tiny.state_dict(), {"archdsl": text})
    with pytest.raises(CheckpointError, match="cannot be read"):
        archdsl.from_pretrained(path)


def test_a_checkpoint_that_tells_no_architecture(tiny, tmp_path):
    path = tmp_path / "x.safetensors"
    write(path, tiny.state_dict())
    with pytest.raises(CheckpointError, match=r"archdsl\.load\(SPEC, weights=…\)"):
        archdsl.from_pretrained(path)


def test_a_model_that_the_texts_lack(tiny, tmp_path):
    path = forged(tiny, tmp_path / "x.safetensors", model="other")
    with pytest.raises(archdsl.SpecError):
        archdsl.from_pretrained(path)


def test_the_texts_travel_along(tmp_path):
    """Own files in folders and files that ship, when the folder is gone."""
    folder = tmp_path / "mine"
    deep = folder / "lib" / "deep"
    deep.mkdir(parents=True)
    (folder / "lib" / "own.arch").write_text(
        "use deep/leaf (leaf)\nblock stem[x](n) {\n  leaf(n) -> relu\n}\n"
    )
    (deep / "leaf.arch").write_text("block leaf[x](n) {\n  conv(n, kernel = 3)\n}\n")
    (folder / "net.arch").write_text(
        "use lib/own (stem)\nuse lib/gates (cbam)\n"
        "model net(n = 4) {\n  input x: [B, C = 3, H = 8, W = 8]\n"
        "  stem(16) -> cbam(4)\n  output y\n}\n"
        "model other() {\n  input x: [B, C = 3]\n  linear(2)\n  output y\n}\n"
    )
    where = f"{folder / 'net.arch'}:net"
    graph, model = archdsl.parse(where), archdsl.load(where)
    shutil.rmtree(folder)
    again = goes_round(model, graph, tmp_path / "x.safetensors")
    assert type(again) is type(model)
    held = Architecture.from_json(metadata(tmp_path / "x.safetensors")["archdsl"])
    assert {"lib/own.arch", "lib/deep/leaf.arch", "lib/gates.arch"} <= set(held.uses)
    assert str(tmp_path) not in held.to_json("0")
