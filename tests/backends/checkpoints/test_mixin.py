"""Folders and repositories, by huggingface_hub's mixin. Nothing reaches a network."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import HfApi, ModelCard, PyTorchModelHubMixin, constants

import archdsl
from archdsl.backends.torch.checkpoints import CheckpointError
from archdsl.backends.torch.mixin import Hub
from tests.backends.checkpoints.test_models import TINY


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return archdsl.load(TINY).eval()


def same(model, other):
    assert type(model) is type(other)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(model(x), other(x))


def test_a_folder_goes_round(tiny, tmp_path):
    assert tiny.save_pretrained(tmp_path / "net") is None
    files = sorted(each.name for each in (tmp_path / "net").iterdir())
    assert files == ["README.md", "config.json", "model.safetensors"]
    same(archdsl.from_pretrained(tmp_path / "net"), tiny)
    same(type(tiny).from_pretrained(tmp_path / "net"), tiny)
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    assert config == {"archdsl_version": archdsl.__version__, "architecture": "tiny"}
    tiny.save_pretrained(tmp_path / "net")  # over what is there


def test_a_class_takes_its_own_architecture_only(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    other = archdsl.load(TINY, settings={"width": 8})
    with pytest.raises(CheckpointError, match="checkpoint of Tiny"):
        type(other).from_pretrained(tmp_path)


def test_the_card_tells_the_figures_and_the_spec(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.library_name == "archdsl"
    assert {"archdsl", "pytorch_model_hub_mixin"} <= set(card.data.tags)
    report = archdsl.analyze(TINY)
    assert f"| parameters | {report.totals.params:,} |" in card.text
    assert f"| MACs, batch 1 | {report.totals.macs:,} |" in card.text
    assert "* in: `image`, float, B" in card.text
    assert f"```arch\n{TINY.rstrip()}\n```" in card.text
    assert 'from_pretrained("path/to/this/folder")' in card.text


def test_a_fence_in_a_spec_does_not_end_the_card(tmp_path):
    text = TINY.replace("\nmodel", "\n# ````\n# out of it\nmodel", 1)
    archdsl.load(text).save_pretrained(tmp_path)
    assert f"`````arch\n{text.rstrip()}\n`````" in (tmp_path / "README.md").read_text()


def test_a_repository_is_pushed_whole(tiny, monkeypatch):
    calls = []

    def create_repo(self, **given):
        calls.append(("create", given["repo_id"], given["private"]))
        return SimpleNamespace(repo_id=given["repo_id"])

    def upload_folder(self, **given):
        folder = Path(given["folder_path"])
        files = sorted(each.name for each in folder.iterdir())
        calls.append(("upload", given["repo_id"], given["revision"], files))
        same(archdsl.from_pretrained(folder), tiny)
        assert 'from_pretrained("we/net")' in (folder / "README.md").read_text()
        return "the commit"

    monkeypatch.setattr(HfApi, "create_repo", create_repo)
    monkeypatch.setattr(HfApi, "upload_folder", upload_folder)
    assert tiny.push_to_hub("we/net", private=True, branch="dev") == "the commit"
    files = ["README.md", "config.json", "model.safetensors"]
    assert calls == [("create", "we/net", True), ("upload", "we/net", "dev", files)]


def test_a_repository_is_read(tiny, tmp_path, monkeypatch):
    """From a cache as huggingface_hub makes it."""
    commit = "0" * 40
    base = tmp_path / "models--we--net"
    tiny.save_pretrained(base / "snapshots" / commit)
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    same(archdsl.from_pretrained("we/net"), tiny)
    same(type(tiny).from_pretrained("we/net", cache_dir=tmp_path), tiny)
    with pytest.raises(FileNotFoundError, match="cannot be reached"):
        archdsl.from_pretrained("we/other")
    with pytest.raises(FileNotFoundError):
        type(tiny).from_pretrained("we/other", cache_dir=tmp_path)


def test_the_mixin_does_the_work():
    assert issubclass(Hub, PyTorchModelHubMixin)
    assert Hub.save_pretrained is PyTorchModelHubMixin.save_pretrained
    assert Hub.push_to_hub is PyTorchModelHubMixin.push_to_hub


def test_loading_does_not_import_it(tmp_path):
    (tmp_path / "tiny.arch").write_text(TINY)
    code = (
        "import sys, archdsl; m = archdsl.load('tiny.arch')\n"
        "archdsl.save(m, 'x.safetensors'); archdsl.from_pretrained('x.safetensors')\n"
        "assert not {'huggingface_hub', 'transformers', 'timm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.usefixtures("without_hub")
def test_without_huggingface_hub(tiny, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "archdsl.backends.torch.mixin")
    for call in (tiny.save_pretrained, tiny.push_to_hub, tiny.from_pretrained):
        with pytest.raises(CheckpointError, match=r"pip install 'archdsl\[hub\]'"):
            call("we/net")
    archdsl.save(tiny, tmp_path / "x.safetensors")
    same(archdsl.from_pretrained(tmp_path / "x.safetensors"), tiny)


def test_a_layer_may_be_called_as_a_method_is():
    """It gets another name, as one that is called `forward` does."""
    text = (
        "model m() {\n  input x: [B, C = 3]\n"
        "  layer push_to_hub = linear(3)\n  x -> push_to_hub\n  output y\n}\n"
    )
    model = archdsl.load(text)
    assert model(torch.ones(1, 3)).shape == (1, 3)
    assert "push_to_hub_.weight" in model.state_dict()
