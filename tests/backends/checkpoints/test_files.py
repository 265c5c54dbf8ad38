"""Files of weights: what is read is what was written, and nothing else is read."""

import json
import os
import pickle
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import safetensors.torch
import torch

from archdsl.backends.torch.checkpoints import (
    CheckpointError,
    NoCheckpoint,
    keys,
    metadata,
    resolve,
    tensors,
    write,
)
from archdsl.backends.torch.checkpoints.header import CODES

SOME = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b.half": torch.ones(3, dtype=torch.bfloat16),
    "c": torch.tensor(7),
    "empty": torch.zeros(0, 4),
    "flag": torch.tensor([True, False, True]),
}


def same(found, expected):
    assert list(found) == list(expected) or set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


def message(call, *args):
    with pytest.raises(CheckpointError) as caught:
        call(*args)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    return text


# ------------------------------------------------------------------- writing


def test_the_safetensors_package_reads_what_is_written(tmp_path):
    path = tmp_path / "x.safetensors"
    write(path, SOME, {"who": "we", "ü": "ß\n"})
    same(safetensors.torch.load_file(path), SOME)
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"who": "we", "ü": "ß\n"}
    assert metadata(path) == {"who": "we", "ü": "ß\n"}
    same(tensors(path), SOME)


def test_what_the_safetensors_package_writes_is_read(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(SOME, path)
    same(tensors(path), SOME)
    assert metadata(path) == {}
    assert {n: (e.shape, e.dtype) for n, e in keys(path).items()} == {
        n: (tuple(t.shape), str(t.dtype).removeprefix("torch."))
        for n, t in SOME.items()
    }


@pytest.mark.parametrize("dtype", sorted(CODES))
def test_every_type_goes_round(tmp_path, dtype):
    kind = getattr(torch, dtype)
    given = torch.arange(24, dtype=torch.uint8).view(torch.uint8)
    given = given % 2 == 0 if kind == torch.bool else given.view(kind)
    path = tmp_path / "x.safetensors"
    write(path, {"x": given})
    found = tensors(path)["x"]
    assert found.dtype == kind and keys(path)["x"] == ((len(given),), dtype)
    assert torch.equal(found.view(torch.uint8), given.view(torch.uint8))


def test_views_and_tied_tensors_are_written_in_full(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    given = {
        "t": base.t(),
        "whole": base,
        "row": base[1],
        "wide": base[:1].expand(5, 4),
    }
    path = tmp_path / "x.safetensors"
    write(path, given)
    same(tensors(path), given)


def test_equal_tensors_make_equal_bytes_in_any_order(tmp_path):
    one, two = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    write(one, SOME, {"a": "1", "b": "2"})
    write(two, dict(reversed(SOME.items())), {"b": "2", "a": "1"})
    assert one.read_bytes() == two.read_bytes()


def test_a_lazy_mapping_is_never_held_as_a_whole(tmp_path):
    alive, most = [0], [0]

    class Counted(dict):
        def __getitem__(self, name):
            alive[0] += 1
            most[0] = max(most[0], alive[0])
            tensor = torch.full((3,), float(name))
            weakref.finalize(tensor, lambda: alive.__setitem__(0, alive[0] - 1))
            return tensor

    write(tmp_path / "x.safetensors", Counted.fromkeys("123456789"))
    assert most[0] <= 2
    assert tensors(tmp_path / "x.safetensors")["7"].tolist() == [7.0] * 3


class Broken(dict):
    """Tensors of which one cannot be had, after the file was begun."""

    asked = 0

    def __init__(self, error):
        super().__init__({f"{i}": torch.ones(5) for i in range(4)})
        self.error = error

    def __getitem__(self, name):
        self.asked += 1
        if self.asked > 2 * len(self) + 2:
            raise self.error
        return super().__getitem__(name)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left")])
@pytest.mark.parametrize("before", [True, False])
def test_a_failure_leaves_what_was_there(tmp_path, error, before):
    path = tmp_path / "x.safetensors"
    if before:
        write(path, SOME)
    old = path.read_bytes() if before else None
    with pytest.raises((KeyboardInterrupt, CheckpointError)):
        write(path, Broken(error))
    assert [f.name for f in tmp_path.iterdir()] == [path.name] * before
    assert old is None or path.read_bytes() == old


def test_a_full_disk_leaves_what_was_there(tmp_path):
    """A limit on the size of files stands for the disk."""
    path = tmp_path / "x.safetensors"
    write(path, SOME)
    old = path.read_bytes()
    code = (
        "import resource, sys, torch; from pathlib import Path\n"
        "from archdsl.backends.torch.checkpoints import CheckpointError, write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write(Path(sys.argv[1]), {'x': torch.ones(9999)})\n"
        "except CheckpointError as error: print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"{path}: cannot be written: File too large\n"
    assert path.read_bytes() == old and len(list(tmp_path.iterdir())) == 1


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / "none" / "x.safetensors"
    assert "cannot be written: No such file" in message(write, path, SOME)
    path = tmp_path / "x.safetensors"
    meta = {"x": torch.ones(2, device="meta")}
    assert "on meta" in message(write, path, meta)
    assert "sparse" in message(write, path, {"x": torch.eye(3).to_sparse()})
    wide = {"x": torch.ones(2, dtype=torch.complex128)}
    assert "complex128" in message(write, path, wide)
    assert not path.exists()


def test_a_link_is_written_through(tmp_path):
    target, link = tmp_path / "t.safetensors", tmp_path / "x.safetensors"
    write(target, {"x": torch.ones(1)})
    link.symlink_to(target)
    write(link, SOME)
    assert link.is_symlink()
    same(tensors(target), SOME)


# ------------------------------------------------------------------- headers


def test_keys_imports_neither_torch_nor_numpy(tmp_path):
    path = tmp_path / "x.safetensors"
    write(path, SOME)
    code = (
        "import sys; from pathlib import Path\n"
        "from archdsl.backends.torch.checkpoints import keys, metadata, resolve\n"
        "assert keys(resolve(sys.argv[1]))['a'].shape == (2, 3)\n"
        "print(sorted({'torch', 'numpy', 'safetensors'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def safe(path: Path, head: object, data: bytes = b"") -> Path:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def line(dtype="F32", shape=(1,), place=(0, 4)):
    return {"dtype": dtype, "shape": shape, "data_offsets": place}


WRONG = {
    "no JSON": b"{nonsense",
    "a list": [1, 2],
    "no object": {"x": 3},
    "no type": {"x": line(dtype="F31")},
    "type no text": {"x": line(dtype=[])},
    "negative": {"x": line(shape=[-1])},
    "true": {"x": line(shape=[True])},
    "a float": {"x": line(shape=[1.0])},
    "no place": {"x": line(place=[0])},
    "place too large": {"x": line(place=[0, 8])},
    "a gap": {"x": line(place=[4, 8])},
    "overlap": {"x": line(), "y": line()},
    "twice": b'{"x": %b, "x": %b}' % ((json.dumps(line()).encode(),) * 2),
    "texts": {"__metadata__": {"a": 1}, "x": line()},
    "texts no object": {"__metadata__": [], "x": line()},
    "deep": b"[" * 100_000,
    "no utf-8": b'{"\xff\xff": 1}',
    "surplus": {},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_header_is_a_clear_error(tmp_path, case):
    path = safe(tmp_path / "x.safetensors", WRONG[case], bytes(4))
    for call in (keys, tensors, metadata):
        assert message(call, path).startswith(f"{path}: ")
    if case == "twice":  # which the package lets pass
        return
    with pytest.raises(safetensors.SafetensorError):
        safetensors.safe_open(path, "pt")


def test_a_good_header_is_none_of_these(tmp_path):
    path = safe(tmp_path / "x.safetensors", {"x": line()}, bytes(4))
    assert keys(path) == {"x": ((1,), "float32")}


def test_a_file_cut_at_any_byte_is_an_error(tmp_path):
    whole, path = tmp_path / "whole.safetensors", tmp_path / "x.safetensors"
    write(whole, SOME)
    data = whole.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        words = message(keys, path)
        assert end < 8 or "cut short" in words
    path.write_bytes(data + b"x")
    assert "belong to no tensor" in message(keys, path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"PK\x03\x04 and so on", "let its name end in .pt"),
        (b"<!DOCTYPE html><html>", "not a safetensors file"),
        (b"\x00" * 100, "not a safetensors file"),
        (b"\xff" * 100, "not a safetensors file"),
    ],
)
def test_a_foreign_file_is_called_what_it_is(tmp_path, data, words):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    assert words in message(keys, path)


# ---------------------------------------------------------- files of torch.save


@pytest.mark.parametrize("inside", ["", "state_dict", "model"])
@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_save_are_read(tmp_path, inside, zipped):
    path = tmp_path / "x.pth"
    held = {inside: SOME, "epoch": 3, "optimizer": {"lr": 0.1}} if inside else SOME
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    same(tensors(path), SOME)
    assert keys(path)["a"] == ((2, 3), "float32")
    assert metadata(path) == {}


class Evil:
    def __reduce__(self):
        return os.mkdir, (os.environ["ARCHDSL_EVIL"],)


@pytest.mark.parametrize("zipped", [True, False, None])
def test_code_in_a_file_is_never_run(tmp_path, monkeypatch, zipped):
    mark = tmp_path / "mark"
    monkeypatch.setenv("ARCHDSL_EVIL", str(mark))
    path = tmp_path / "x.pt"
    if zipped is None:
        path.write_bytes(pickle.dumps({"x": Evil()}, 2))
    else:
        torch.save(
            {"x": torch.ones(1), "y": Evil()},
            path,
            _use_new_zipfile_serialization=zipped,
        )
    for call in (tensors, keys):
        words = message(call, path)
        assert "mkdir" in words and "run the file's code" in words
    assert not mark.exists()
    pickle.loads(pickle.dumps(Evil()))  # the test could fail
    assert mark.exists()


def test_a_whole_module_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    assert "torch.nn.modules.linear.Linear" in message(tensors, path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    torch.jit.script(torch.nn.ReLU()).save(path)
    assert "TorchScript" in message(tensors, path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.to("meta"), "has a shape and no numbers"),
        (lambda t: t.to_sparse(), "is sparse or nested; save it as a plain tensor"),
    ],
)
def test_tensors_without_plain_numbers_are_refused(tmp_path, change, words):
    path = tmp_path / "odd.pt"
    torch.save({"fine": SOME["a"], "odd": change(SOME["a"])}, path)
    for read in (keys, tensors):
        assert message(read, path).startswith(f"{path}: odd {words}")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"PK\x03\x04broken", b"\x80\x02broken", b"\x80\x02N."]
)
def test_a_foreign_pickle_is_a_clear_error(tmp_path, data):
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    assert message(tensors, path).startswith(f"{path}: ")


def test_a_file_of_torch_save_that_is_cut_short(tmp_path):
    whole, path = tmp_path / "whole.pt", tmp_path / "x.pt"
    torch.save(SOME, whole)
    data = whole.read_bytes()
    for end in range(0, len(data), 97):
        path.write_bytes(data[:end])
        message(tensors, path)


def test_a_pickle_without_tensors_by_name(tmp_path):
    for held in (
        [torch.ones(1)],
        {"a": 1},
        {"model": {}},
        torch.ones(2),
        {1: SOME["a"]},
    ):
        torch.save(held, tmp_path / "x.pt")
        assert "no tensors by name" in message(tensors, tmp_path / "x.pt")


# -------------------------------------------------------------------- indices


def index(folder: Path, files, kind="model.safetensors.index.json") -> Path:
    path = folder / kind
    path.write_text(json.dumps({"metadata": {}, "weight_map": files}))
    return path


@pytest.mark.parametrize("end", [".safetensors", ".bin"])
def test_weights_in_several_files(tmp_path, end):
    halves = {f"{i}{end}": dict(list(SOME.items())[i::2]) for i in range(2)}
    for name, held in halves.items():
        if end == ".bin":
            torch.save(held, tmp_path / name)
        else:
            write(tmp_path / name, held, {"spec": "here"})
    where = {key: name for name, held in halves.items() for key in held}
    kind = "pytorch_model.bin.index.json" if end == ".bin" else None
    path = index(tmp_path, where, *[kind] * (kind is not None))
    assert resolve(tmp_path) == path
    same(tensors(path), SOME)
    assert keys(path)["a"] == ((2, 3), "float32")
    assert metadata(path) == ({} if end == ".bin" else {"spec": "here"})


@pytest.mark.parametrize(
    "name",
    ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", "", "C:\\x.pt",
     "..\\x.pt", "x\0.pt", "model.safetensors.index.json", 3, None, ["x"], {"a": "b"}],
)  # fmt: skip
def test_an_index_leads_nowhere_else(tmp_path, name):
    (tmp_path / "in").mkdir()
    write(tmp_path / "x.safetensors", SOME)
    path = index(tmp_path / "in", {"a": name})
    for call in (keys, tensors, metadata):
        message(call, path)


def test_an_index_promises_what_is_there(tmp_path):
    write(tmp_path / "x.safetensors", SOME)
    path = index(tmp_path, {"a": "x.safetensors", "z": "x.safetensors"})
    assert "it has no z" in message(keys, path)
    assert "it has no z" in message(tensors(path).__getitem__, "z")
    path = index(tmp_path, {"a": "x.safetensors", "z": "y.safetensors"})
    assert "1 of the 2 files" in message(keys, path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weight_map": {}}', "[" * 99999, "\0"]
)
def test_a_text_that_is_no_index(tmp_path, text):
    path = tmp_path / "x.safetensors.index.json"
    path.write_text(text)
    assert "not an index of weights" in message(keys, path)


# ------------------------------------------------------------- files and folders


def test_what_is_here_is_found(tmp_path):
    file = tmp_path / "own.pth"
    torch.save(SOME, file)
    assert resolve(str(file)) == file and resolve(tmp_path) == file
    write(tmp_path / "model.safetensors", SOME)
    assert resolve(tmp_path) == tmp_path / "model.safetensors"


def test_what_is_not_here(tmp_path):
    for name in (
        "weights.safetensors",
        str(tmp_path / "x"),
        "",
        "a\0b",
        "a/b/c",
        "x:y",
    ):
        with pytest.raises(NoCheckpoint, match="no such file"):
            resolve(name)
    with pytest.raises(NoCheckpoint, match="folder without weights"):
        resolve(tmp_path)
    with pytest.raises(NoCheckpoint, match="no such file"):
        keys(tmp_path / "x.safetensors")
    for name in ("a.pt", "b.safetensors"):
        (tmp_path / name).touch()
    assert "a.pt, b.safetensors" in message(resolve, tmp_path)


def test_a_name_that_says_nothing_of_the_format(tmp_path):
    path = tmp_path / "weights.h5"
    path.touch()
    assert "end in .safetensors, .pt" in message(keys, path)
    folder = tmp_path / "x.safetensors"
    folder.mkdir()
    assert "cannot be read" in message(keys, folder)
