"""Files of the Hub: found in its cache, or a clear error. Nothing reaches a network."""

import json
import sys
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from huggingface_hub import errors

from archdsl.backends.torch.checkpoints import (
    CheckpointError,
    NoCheckpoint,
    resolve,
    tensors,
    write,
)
from archdsl.backends.torch.checkpoints.places import hub_id

ONE = {"x": torch.ones(2)}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache as huggingface_hub makes it, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def put(repo, *files, revision="main"):
        base = tmp_path / f"models--{repo.replace('/', '--')}"
        commit = f"{abs(hash((repo, revision))):040x}"[-40:]
        (base / "refs").mkdir(parents=True, exist_ok=True)
        (base / "refs" / revision).write_text(commit)
        folder = base / "snapshots" / commit
        for name in files:
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            blob = base / "blobs" / name.replace("/", "_")
            blob.parent.mkdir(exist_ok=True)
            if name.endswith(".json"):
                where = {"x": "1.safetensors"}
                blob.write_text(json.dumps({"weight_map": where}))
            else:
                write(blob, ONE) if name.endswith("s") else torch.save(ONE, blob)
            place.symlink_to(blob)
        return folder

    return put


def test_the_cache_is_read(cache):
    folder = cache("own/net", "model.safetensors", "other.safetensors")
    assert resolve("own/net") == folder / "model.safetensors"
    assert resolve("own/net:other.safetensors") == folder / "other.safetensors"
    assert torch.equal(tensors(resolve("own/net"))["x"], ONE["x"])


def test_a_revision_is_read(cache):
    cache("own/net", "model.safetensors")
    folder = cache("own/net", "a/b.pt", revision="v2")
    assert resolve("own/net@v2:a/b.pt") == folder / "a/b.pt"


@pytest.mark.parametrize("folder", ["", "sub/"])
def test_all_files_of_an_index_are_fetched(cache, folder):
    index = f"{folder}model.safetensors.index.json"
    place = cache("own/net", index, f"{folder}1.safetensors")
    asked = "own/net" + (f":{index}" if folder else "")
    assert resolve(asked) == place / index
    assert torch.equal(tensors(resolve(asked))["x"], ONE["x"])


def test_an_older_file_is_read_where_there_is_no_other(cache):
    folder = cache("own/net", "pytorch_model.bin")
    assert resolve("own/net") == folder / "pytorch_model.bin"


def test_nothing_in_the_cache_and_no_network(cache):
    cache("own/net", "config.json")
    for asked in ("own/net", "own/net:x.pt", "own/other", "own/net@v9"):
        with pytest.raises(NoCheckpoint, match="cannot be reached") as caught:
            resolve(asked)
        assert str(caught.value).startswith(asked.partition(":")[0])


def test_a_file_here_comes_before_the_hub(cache, tmp_path, monkeypatch):
    cache("own/net", "model.safetensors")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    write(tmp_path / "own/net", ONE)
    assert str(resolve("own/net")) == "own/net"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a/b", ("a/b", None, None)),
        ("a/b@v1.0", ("a/b", "v1.0", None)),
        ("a/b@refs/pr/3:c/d.pt", ("a/b", "refs/pr/3", "c/d.pt")),
        ("a/b:c.safetensors", ("a/b", None, "c.safetensors")),
        ("a/b.pt", None),
        ("a", None),
        ("a/b/c", None),
        ("./a", ("./a", None, None)),  # which the Hub's own rules refuse
        ("/a/b", None),
        ("a/b:", None),
        ("a/b@", None),
        ("a b/c", None),
    ],
)
def test_what_a_text_means_on_the_hub(text, parts):
    assert hub_id(text) == parts


def answers(error):
    """The errors that the Hub's client makes of an answer."""
    response = SimpleNamespace(headers={}, request=None)
    return error("no", response=response)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.RepositoryNotFoundError, "neither a file here nor a repository"),
        (errors.GatedRepoError, "ask for access"),
        (errors.RevisionNotFoundError, "no such revision"),
        (errors.RemoteEntryNotFoundError, "repository without weights"),
        (errors.HfHubHTTPError, "own/net@v2: no"),
    ],
)
def test_what_the_hub_answers(monkeypatch, error, words):
    def download(repo, name, revision=None):
        assert (repo, revision) == ("own/net", "v2")
        raise answers(error)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(CheckpointError, match=words):
        resolve("own/net@v2")
    if error is errors.RemoteEntryNotFoundError:
        with pytest.raises(NoCheckpoint, match=r"no file x\.pt"):
            resolve("own/net@v2:x.pt")


@pytest.mark.parametrize("asked", ["./net", "a/..", "a/b--c", "-a/b", f"a/{'b' * 99}"])
def test_a_name_that_the_hub_refuses(cache, asked):
    with pytest.raises(CheckpointError) as caught:
        resolve(asked)
    assert "\n" not in str(caught.value)


def test_a_shard_that_is_missing(cache):
    cache("own/net", "model.safetensors.index.json")
    with pytest.raises(NoCheckpoint, match=r"cannot be reached, and 1\.safetensors"):
        resolve("own/net")


@pytest.mark.usefixtures("without_hub")
def test_without_huggingface_hub(monkeypatch):
    monkeypatch.delitem(sys.modules, "huggingface_hub")
    with pytest.raises(CheckpointError, match=r"pip install 'archdsl\[hub\]'"):
        resolve("own/net")
