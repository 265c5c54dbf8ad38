"""Specs as models of timm."""

import pytest
import torch

import archdsl
from tests.libraries import name_ops_of_torchvision
from tests.test_adapters import NET

name_ops_of_torchvision()
timm = pytest.importorskip("timm")

from archdsl.adapters.timm import register  # noqa: E402


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test registers is not there afterwards."""
    from timm.models import _registry

    for name in ("_model_entrypoints", "_model_to_module", "_module_to_models"):
        table = getattr(_registry, name)
        kept = type(table)(*([table.default_factory] if name.endswith("ls") else []))
        kept.update({k: set(v) if isinstance(v, set) else v for k, v in table.items()})
        monkeypatch.setattr(_registry, name, kept)


def test_the_image_models_that_ship():
    names = register()
    assert {"archdsl_swin_t", "archdsl_resnet50", "archdsl_vit_b16"} <= set(names)
    # A text besides is more than timm gives a model.
    assert not {"archdsl_gpt2", "archdsl_vilt_b32", "archdsl_clip_vit_b32"} & set(names)
    assert set(timm.list_models("archdsl_*")) == set(names)
    assert set(timm.list_models(module="archdsl_timm")) == set(names)
    assert timm.is_model("archdsl_swin_t")


def test_a_model_is_the_one_of_its_spec(tmp_path):
    path = tmp_path / "net.arch"
    path.write_text(NET)
    assert register(str(path)) == ("archdsl_net",)
    model = timm.create_model("archdsl_net").eval()
    own = archdsl.load(path).eval()
    own.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(model(x), own(x))
    assert model.num_classes == 5
    archdsl.save(model, tmp_path / "x.safetensors")
    again = timm.create_model(
        "archdsl_net", checkpoint_path=str(tmp_path / "x.safetensors")
    )
    assert torch.equal(again.eval()(x), model(x))


def test_what_timm_calls_otherwise(tmp_path):
    (tmp_path / "net.arch").write_text(NET)
    register(f"{tmp_path / 'net.arch'}:net")
    model = timm.create_model(
        "archdsl_net", num_classes=7, in_chans=1, img_size=(64, 32), width=6
    )
    assert model(torch.randn(1, 1, 64, 32)).shape == (1, 7)
    assert model.num_classes == 7 and model.conv.out_channels == 6
    square = timm.create_model("archdsl_net", img_size=64)
    assert square(torch.randn(1, 3, 64, 64)).shape == (1, 5)
    maps = timm.create_model("archdsl_net", outputs=["c2", "c4"])
    assert len(maps(torch.randn(1, 3, 32, 32))) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"features_only": True}, r"archdsl_net: features have names; give outputs"),
        ({"drop_path_rate": 0.1}, "takes no drop_path_rate; it takes width, classes"),
        ({"global_pool": "avg"}, "takes no global_pool"),
    ],
)
def test_what_a_spec_has_not(given, words):
    register(NET)
    with pytest.raises(TypeError, match=words):
        timm.create_model("archdsl_net", **given)


def test_pretrained_weights_are_nobodys():
    register(NET)
    with pytest.raises(ValueError, match="checkpoint_path"):
        timm.create_model("archdsl_net", pretrained=True)
