"""The examples of the pages on weights and the Hub, word for word."""

import re
import shutil
from types import SimpleNamespace

import pytest
import torch

from tests.libraries import name_ops_of_torchvision
from tests.pages import ROOT, blocks
from tests.test_adapters import NET

name_ops_of_torchvision()
huggingface_hub = pytest.importorskip("huggingface_hub")
timm = pytest.importorskip("timm")
pytest.importorskip("transformers")

from archdsl.analysis.weights.fitting import explained, nearest, written_out  # noqa: E402
from archdsl.backends.torch.checkpoints import Entry  # noqa: E402
from archdsl.build import build  # noqa: E402
from archdsl.build.opening import open_spec  # noqa: E402
from tests.test_timm import forgotten  # noqa: E402, F401

SMALL = "model swin_t = swin(dim = 12, depths = [1, 2, 1, 1], heads = [1, 1, 2, 2])"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder in which `swin_t` is a small one, and a Hub that is another folder."""
    swin = (ROOT / "specs" / "swin_t.arch").read_text(encoding="utf-8")
    text, count = re.subn(
        r"^model swin_t = swin\(\) \{.*", SMALL, swin, flags=re.S | re.M
    )
    assert count == 1
    (tmp_path / "swin_t").write_text(text)
    (tmp_path / "my_net.arch").write_text(NET.replace("model net", "model small"))
    monkeypatch.chdir(tmp_path)
    _hub(tmp_path / "hub", monkeypatch)
    return tmp_path


def _hub(folder, monkeypatch):
    def upload_folder(self, **given):
        shutil.copytree(given["folder_path"], folder / given["repo_id"])
        first = folder / given["repo_id"] / "model.safetensors"
        shutil.copy(first, first.with_name("other.safetensors"))

    def download(repo, name, revision=None, **_):
        assert revision in (None, "v2")
        if (path := folder / repo / name).exists():
            return str(path)
        raise huggingface_hub.errors.EntryNotFoundError(name)

    api = huggingface_hub.HfApi
    made = lambda self, **given: SimpleNamespace(repo_id=given["repo_id"])  # noqa: E731
    monkeypatch.setattr(api, "create_repo", made)
    monkeypatch.setattr(api, "upload_folder", upload_folder)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)


def test_the_examples_of_the_page_on_the_hub(here):
    said = {}
    saving, hub, timms, backbone = blocks(ROOT / "docs" / "hub.md", "python")
    exec(saving, said)
    assert said["model"](torch.zeros(1, 3, 224, 224)).shape == (1, 10)
    exec(hub, said)
    assert not said["model"].training
    assert said["model"](torch.zeros(1, 3, 224, 224)).shape == (1, 10)
    exec(timms, said)
    assert said["model"](torch.zeros(1, 3, 256, 256)).shape == (1, 10)
    assert timm.create_model("archdsl_small").num_classes == 5
    exec(backbone, said)
    assert said["model"].backbone.channels == [12, 24, 48, 96]


def test_the_page_on_weights_shows_what_does_not_fit():
    """The checkpoint is timm's, whose norm was lost and whose head has ten classes."""
    page = ROOT / "docs" / "weights.md"
    (shown,) = (b for b in blocks(page, "") if "does not fit" in b)
    with torch.device("meta"):
        theirs = timm.create_model("swin_tiny_patch4_window7_224", num_classes=10)
    held = {
        key: Entry(tuple(tensor.shape), "float32")
        for key, tensor in theirs.state_dict().items()
        if key not in ("norm.weight", "head.fc.bias")
    }
    held["head.fc.bias"] = Entry((1000,), "float32")
    program = open_spec("swin_t").program
    graph = build(program, "swin_t")
    plan = nearest(written_out(program, graph), held)
    assert explained(plan, "swin.safetensors", "swin_t") + "\n" == shown
