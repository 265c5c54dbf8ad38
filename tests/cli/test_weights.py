"""``archdsl weights``: the mapping as a table, and checkpoints in our own keys."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import archdsl

NET = """
model net {
  input image: [B, C = 3, H = 8, W = 8]
  conv(8, kernel = 3) -> batch_norm -> relu -> mean(H, W) -> linear(4)
  output logits
}

checkpoint other for net {
  "stem.{0,1}" -> "{conv,batch_norm}"
  "head" -> transpose -> "linear"
  "extra" -> none
}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "net.arch").write_text(NET)
    ours = archdsl.load(tmp_path / "net.arch").state_dict()
    theirs = {
        name.replace("conv.", "stem.0.").replace("batch_norm.", "stem.1."): tensor
        for name, tensor in ours.items()
        if not name.startswith("linear") and "num_batches" not in name
    }
    theirs["head.weight"] = ours["linear.weight"].T.contiguous()
    theirs["head.bias"] = ours["linear.bias"]
    theirs["extra"] = torch.zeros(2)
    save_file(theirs, tmp_path / "theirs.safetensors")
    del theirs["head.bias"]
    save_file(theirs | {"more": torch.zeros(1)}, tmp_path / "bad.safetensors")
    return tmp_path


def run(folder, *words, code=0, program=("-m", "archdsl")):
    done = subprocess.run(
        [sys.executable, *program, "weights", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def test_show_tells_how_each_key_maps(folder):
    out = run(folder, "show", "net.arch", "theirs.safetensors").stdout
    assert out.startswith("net, checkpoint other: fits\n")
    rows = [line.split() for line in out.splitlines()]
    assert ["head.weight", "transpose", "linear.weight", "[4,", "8]"] in rows
    assert ["head.bias", "linear.bias", "[4]"] in rows
    assert "Left out 1" in out


def test_show_without_a_file_writes_the_rules_out(folder):
    found = json.loads(run(folder, "show", "net.arch", "--json").stdout)
    assert (found["layout"], found["fits"], len(found["keys"])) == ("other", None, 9)
    assert found["keys"][0]["theirs"] == ["stem.0.weight"]
    csv = run(folder, "show", "net.arch", "--csv").stdout
    assert csv.splitlines()[0] == "theirs,step,ours,shape"
    assert "| theirs |" in run(folder, "show", "net.arch", "--markdown").stdout


def test_show_exits_with_1_where_it_does_not_fit(folder):
    out = run(folder, "show", "net.arch", "bad.safetensors", code=1).stdout
    assert "does not fit: 1 of 9 keys are not filled, 1 left over" in out
    assert "missing" in out


def test_show_of_safetensors_imports_no_torch(folder):
    program = (
        "-c",
        "import sys; from archdsl.cli import cli; "
        "cli.main(sys.argv[1:], standalone_mode=False); "
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules",
    )
    run(folder, "show", "net.arch", "theirs.safetensors", program=program)


def test_convert_writes_what_the_compiled_file_loads(folder):
    words = ("convert", "net.arch", "theirs.safetensors", "-o", "ours.safetensors")
    assert run(folder, *words).stdout == "ours.safetensors: net, from other\n"
    held = load_file(folder / "ours.safetensors")
    model = archdsl.load(folder / "net.arch")
    model.load_state_dict(held)
    again = archdsl.from_pretrained(folder / "ours.safetensors").state_dict()
    assert all(torch.equal(again[key], held[key]) for key in held)
    with safe_open(folder / "ours.safetensors", "pt") as file:
        texts = file.metadata()
    assert texts["origin"] == "theirs.safetensors"
    assert "checkpoint other" in texts["archdsl"]


def test_convert_is_the_identity_on_our_own_keys(folder):
    model = archdsl.load(folder / "net.arch").bfloat16()
    archdsl.save(model, folder / "a.safetensors")
    run(folder, "convert", "net.arch", "a.safetensors", "-o", "b.safetensors")
    before, after = (load_file(folder / f"{n}.safetensors") for n in "ab")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert {t.dtype for t in after.values()} == {torch.bfloat16, torch.int64}
    loaded = archdsl.load(folder / "net.arch", weights=folder / "b.safetensors")
    assert {p.dtype for p in loaded.parameters()} == {torch.bfloat16}


def test_convert_writes_nothing_where_it_does_not_fit(folder):
    words = ("convert", "net.arch", "bad.safetensors", "-o", "ours.safetensors")
    done = run(folder, *words, code=1)
    assert "1 missing:\n    head.bias (for linear.bias)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "ours.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "net.arch", "none.safetensors"), "no such file"),
        (("show", "net.arch", "--checkpoint", "othr"), "did you mean `other`?"),
        (("convert", "net.arch", "theirs.safetensors", "-o", "x.pt"), ".safetensors"),
    ],
)
def test_wrong_use_is_said_in_a_line(folder, words, said):
    done = run(folder, *words, code=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_loaded_where_it_does_not_fit(folder):
    with pytest.raises(ValueError, match=r"1 missing:\n    head\.bias"):
        archdsl.load(folder / "net.arch", weights=folder / "bad.safetensors")


def test_a_dictionary_in_a_file_of_torch_save_is_found(folder):
    state = load_file(folder / "theirs.safetensors")
    held = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"epoch": 3, "state_dict": held}, folder / "theirs.pth")
    model = archdsl.load(folder / "net.arch", weights=folder / "theirs.pth")
    assert torch.equal(model.linear.weight, state["head.weight"].T)


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.int64, torch.complex64, torch.bool]
)
def test_what_is_not_of_floating_point_is_no_weight(folder, dtype):
    held = load_file(folder / "theirs.safetensors")
    held["head.weight"] = torch.zeros(8, 4, dtype=dtype)
    save_file(held, folder / "odd.safetensors")
    name = str(dtype).removeprefix("torch.")
    for words in (["show"], ["convert", "-o", "made.safetensors"]):
        done = run(folder, words[0], "net.arch", "odd.safetensors", *words[1:], code=1)
        assert f"{name} are no weights" in done.stdout + done.stderr
    assert not (folder / "made.safetensors").exists()
    with pytest.raises(ValueError, match=f"head.weight.*: {name} are no weights"):
        archdsl.load(folder / "net.arch", weights=folder / "odd.safetensors")


def test_counters_are_whole_numbers(folder):
    model = archdsl.load(folder / "net.arch")
    archdsl.save(model, folder / "own.safetensors")
    assert "batch_norm.num_batches_tracked" in load_file(folder / "own.safetensors")
    run(folder, "show", "net.arch", "own.safetensors")


def test_which_layout_was_taken_is_logged(folder, caplog):
    caplog.set_level("INFO", "archdsl")
    name = str(folder / "theirs.safetensors")
    model = archdsl.load(folder / "net.arch", weights=name)
    archdsl.save(model, folder / "own.safetensors")
    archdsl.load(folder / "net.arch", weights=folder / "own.safetensors")
    assert [record.getMessage() for record in caplog.records] == [
        f"{name} fits net by checkpoint other",
        f"{folder / 'own.safetensors'} fits net by its own keys",
    ]


WRONG = """
checkpoint timm for nett {
  "head" -> transpos -> "linear"
}
"""


@pytest.mark.parametrize("words", [["show"], ["convert", "-o", "made.safetensors"]])
def test_a_wrong_checkpoint_of_the_file_is_reported(folder, words):
    (folder / "net.arch").write_text(NET + WRONG)
    words = words[0], "net.arch", "theirs.safetensors", *words[1:]
    said = run(folder, *words, code=1).stderr
    assert "error[E201]: nothing is called `nett`" in said
    assert "error[E803]: nothing called `transpos`" in said
    assert said.endswith("2 errors\n")
    assert not (folder / "made.safetensors").exists()


def test_a_hundred_wrong_rules_are_enough(folder):
    rules = (f'  "a.{i}" -> transpos -> "b.{i}"\n' for i in range(200))
    (folder / "net.arch").write_text(
        f"{NET}checkpoint b for net {{\n{''.join(rules)}}}"
    )
    assert "more than 100 errors" in run(folder, "show", "net.arch", code=1).stderr
    (folder / "other.arch").write_text("use net\nmodel other = net()\n")
    assert "more than 100 errors" in run(folder, "show", "other.arch", code=1).stderr
