"""Compiled models go through `torch.compile` and `torch.export` in one piece."""

import pytest
import torch

import archdsl
from tests.parity.reference import SPECS, TOLERANCE, gap, images, jittered, words

SMALL = {"H": 64, "W": 64}

# A spec, its settings and sizes, and an input. Swin-T is as it stands.
MODELS = {
    "swin_t": (f"{SPECS}/swin_t.arch", {}, {}, lambda: images(224, 224)),
    "resnet50": (
        f"{SPECS}/resnet50.arch",
        {"depths": [1, 2, 1, 1]},
        SMALL,
        lambda: images(64, 64),
    ),
    "vit_b16": (
        f"{SPECS}/vit_b16.arch",
        {"dim": 96, "depth": 3, "heads": 4},
        SMALL,
        lambda: images(64, 64),
    ),
    "gpt2": (
        f"{SPECS}/gpt2.arch:gpt2",
        {"dim": 96, "depth": 3, "heads": 4, "vocab": 101, "context": 32},
        {"T": 16},
        lambda: words(16, 101),
    ),
    "llama": (
        f"{SPECS}/llama.arch:llama",
        {"dim": 48, "depth": 2, "heads": 4, "kv_heads": 2, "width": 64, "vocab": 101},
        {"T": 16},
        lambda: words(16, 101),
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def model_and_input(request):
    spec, settings, sizes, make = MODELS[request.param]
    model = archdsl.load(spec, settings=settings, sizes=sizes)
    return jittered(model), make()


@torch.no_grad()
def test_torch_compile_takes_it_as_one_graph(model_and_input):
    model, x = model_and_input
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    assert gap(compiled(x), model(x)) <= TOLERANCE


@torch.no_grad()
def test_torch_export_takes_it(model_and_input):
    model, x = model_and_input
    program = torch.export.export(model, (x[:1],), strict=False)
    assert set(program.state_dict) >= set(model.state_dict())
    assert gap(program.module()(x[:1]), model(x[:1])) <= TOLERANCE


@torch.no_grad()
def test_torch_export_takes_it_with_an_open_batch(model_and_input):
    model, x = model_and_input
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(
        model, (x,), dynamic_shapes=({0: batch},), strict=False
    )
    for n in (1, 2, 3):
        y = torch.cat((x, x))[:n]
        assert gap(program.module()(y), model(y)) <= TOLERANCE
