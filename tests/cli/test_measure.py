"""`measure` and `profile`: four forms, pictures, files, and what is refused."""

import csv
import io
import json
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

import archdsl
from archdsl.backends.torch.measure import attention, effective_field
from archdsl.backends.torch.measure.trial import MEAN, STD, Trial, read_input
from archdsl.cli import cli

SPEC = """model net {
  input image: [B, C = 3, H = 8, W = 8]
  conv(4, 3) -> relu -> attention(2) as seen
  mean(H, W) -> linear(2)
  output y
}

model words {
  input tokens: int[B, T = 6]
  embedding(9, 4) -> attention(2, causal = true)
  output y
}

model conv_net {
  input x: [B, C = 2, T = 9]
  conv(2, 3)
  output y
}
"""
FIELD = ("measure", "effective-field")
ATTENTION = ("measure", "attention")
GRADIENTS = ("measure", "gradients")
QUICK = {FIELD: "--samples", ATTENTION: "--samples", GRADIENTS: "--samples",
         ("profile",): "--runs"}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.arch").write_text(SPEC)
    return tmp_path


def run(*words, code=0):
    done = CliRunner().invoke(cli, [str(w) for w in words])
    assert done.exit_code == code, done.output
    return done


def said(*words):
    """What a wrong use is told."""
    text = run(*words, code=2).stderr
    assert text.startswith("Usage: ")
    return text.partition("Error: ")[2]


@pytest.mark.parametrize(("command", "option"), QUICK.items())
def test_everything_comes_in_four_forms_and_nothing_else(command, option):
    words = (*command, "net.arch:net", option, 2)
    text, more = run(*words), run(*words, "--json")
    assert "net: " in text.stdout
    assert text.stderr == more.stderr == ""
    found = json.loads(more.stdout)
    assert (found["schema_version"], found["model"]) == (1, "net")
    tables = run(*words, "--csv").stdout.split("\n\n")
    for table in tables:
        rows = list(csv.DictReader(io.StringIO(table)))
        assert rows
        assert None not in rows[0]
    assert "| --- |" in run(*words, "--markdown").stdout


def test_pictures_are_drawn_and_the_same_each_time(folder):
    for command, option in [
        (FIELD, "--plot"),
        (ATTENTION, "--plot"),
        (ATTENTION, "--maps"),
        (GRADIENTS, "--plot"),
    ]:
        for name in ("a.svg", "b.svg"):
            run(*command, "net.arch:net", "--samples", 2, option, name)
        first, again = ((folder / n).read_bytes() for n in ("a.svg", "b.svg"))
        assert first == again
        assert ET.fromstring(first).tag.endswith("svg")
    run(*FIELD, "net.arch:conv_net", "--plot", "row.png")
    run(*ATTENTION, "net.arch:words", "--maps", "words.png")
    widths = []
    for name in ("row.png", "words.png"):
        with Image.open(folder / name) as picture:
            widths.append(picture.width)
    assert widths == [round(3.3 * 300), round(6.9 * 300)]


def test_the_shares_of_a_profile_are_the_whole():
    words = ("profile", "net.arch:net", "--runs", 3, "--csv", "--backward")
    whole, parts = run(*words, "--depth", 1).stdout.split("\n\n")
    assert "backward" in whole
    rows = list(csv.DictReader(io.StringIO(parts)))
    assert [row["layer"] for row in rows] == ["conv", "seen", "linear", "(between)"]
    assert sum(float(row["percent"]) for row in rows) == pytest.approx(100, abs=0.3)
    back = sum(float(row["backward_percent"]) for row in rows)
    assert back == pytest.approx(100, abs=0.3)
    macs = archdsl.analyze("net.arch:net").totals.macs
    assert sum(int(row["macs"]) for row in rows) == macs
    everything = run(*words, "--depth", 0).stdout.split("\n\n")[1]
    assert "\nseen.q,Linear," in everything


def test_a_batch_is_a_size():
    words = ("profile", "net.arch:net", "--runs", 1, "--json")
    one = json.loads(run(*words).stdout)["modules"][0]["macs"]
    four = json.loads(run(*words, "--batch", 4).stdout)["modules"][0]["macs"]
    assert four == 4 * one
    assert "B is given twice" in said(*words, "--batch", 2, "--size", "B=3")


# --- files --------------------------------------------------------------------------


def test_trained_weights_are_used(folder):
    model = archdsl.load("net.arch:net")
    with torch.no_grad():
        model.conv.weight.zero_()
        model.conv.weight[:, :, 1, 0] = 1  # what is left of each position
        model.conv.bias.fill_(9)
        model.seen.out.weight.zero_()
    save_file(model.state_dict(), folder / "w.safetensors")
    cut = archdsl.parse("net.arch:net", outputs=["relu"])
    trial = Trial(cut, weights=None)
    assert effective_field.measure(trial, 1).axes[1].std > 0
    save_file(
        {k: v for k, v in model.state_dict().items() if k.startswith("conv")},
        folder / "conv.safetensors",
    )
    found = effective_field.measure(
        Trial(cut, weights=folder / "conv.safetensors"), 1, {"H": 4, "W": 4}
    )
    assert found.trained
    assert [(a.mean, a.std) for a in found.axes] == [(4, 0), (3, 0)]
    words = (*ATTENTION, "net.arch:net", "--weights", "w.safetensors")
    assert "one draw of inputs;" in run(*words).stdout
    same = [json.loads(run(*words, "--json", "--seed", 0).stdout) for _ in range(2)]
    assert same[0] == same[1]
    assert same[0]["trained"]


def test_weights_that_do_not_fit_are_refused(folder):
    model = archdsl.load("net.arch:net")
    state = dict(model.state_dict())
    words = (*GRADIENTS, "net.arch:net", "--weights")
    torch.save(state, folder / "w.pt")
    assert "not a safetensors file" in said(*words, "w.pt")
    assert "cannot read no.safetensors" in said(*words, "no.safetensors")
    bias = state.pop("conv.bias")
    save_file(state, folder / "less.safetensors")
    assert "it lacks conv.bias" in said(*words, "less.safetensors")
    more = {**state, "conv.bias": bias, "other": bias.clone()}
    save_file(more, folder / "more.safetensors")
    assert "it has other besides" in said(*words, "more.safetensors")
    save_file({**state, "conv.bias": bias[:2].clone()}, folder / "size.safetensors")
    assert "conv.bias is (2,) there and (4,)" in said(*words, "size.safetensors")


def test_an_input_is_a_picture_or_an_array(folder):
    tensor = archdsl.parse("net.arch:net").inputs["image"]
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[2, 5] = [255, 0, 51]
    Image.fromarray(pixels).save(folder / "dot.png")
    x = read_input(folder / "dot.png", tensor)
    assert x.shape == (1, 3, 8, 8)
    expected = [(v - m) / s for v, m, s in zip((1, 0, 0.2), MEAN, STD, strict=True)]
    assert x[0, :, 2, 5].tolist() == pytest.approx(expected)
    assert x[0, 0, 5, 2].item() == pytest.approx(-MEAN[0] / STD[0])
    np.save(folder / "dot.npy", x.numpy())
    assert torch.equal(read_input(folder / "dot.npy", tensor), x)
    words = (*ATTENTION, "net.arch:net", "--json", "--input")
    assert run(*words, "dot.png").stdout == run(*words, "dot.npy").stdout
    found = attention.measure(Trial(archdsl.parse("net.arch:net")))
    assert json.loads(run(*words, "dot.png").stdout)["layers"] != found.layers


def test_inputs_that_do_not_fit_are_refused(folder):
    np.save(folder / "wide.npy", np.zeros((3, 8, 9)))
    np.save(folder / "ids.npy", np.array([0, 1, 2, 3, 4, 9]))
    np.save(folder / "any.npy", np.array([{}], dtype=object), allow_pickle=True)
    Image.new("RGB", (9, 9)).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"nothing")
    words = (*ATTENTION, "net.arch:net", "--input")
    assert "wide.npy is (3, 8, 9), and the input" in said(*words, "wide.npy")
    assert "no array of numbers" in said(*words, "any.npy")
    assert "cannot read b.png" in said(*words, "b.png")
    assert "cannot read c.png" in said(*words, "c.png")
    assert "a .png, .jpg or .npy file" in said(*words, "a.gif")
    of_words = (*ATTENTION, "net.arch:words", "--input")
    assert "the model knows 0 to 8" in said(*of_words, "ids.npy")
    assert "a picture is [C = 3, H, W]" in said(*of_words, "a.png")


# --- wrong uses ---------------------------------------------------------------------


def test_what_is_not_installed_is_named(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        assert "archdsl[plot]" in said(*FIELD, "net.arch:net", "--plot", "a.svg")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "safetensors", None)
        words = ("net.arch:net", "--weights", "w.safetensors")
        assert "archdsl[torch]" in said("profile", *words)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", None)
        for command in QUICK:
            assert "archdsl[torch]" in said(*command, "net.arch:net")


def test_what_cannot_be_measured_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    device = ("--torch-device", "cuda")
    assert "no cuda here; there is cpu" in said("profile", "net.arch:net", *device)
    opened = said(*FIELD, "net.arch:net", "--size", "H,W")
    assert opened.startswith("H, W: open sizes cannot be run; give every axis a number")
    assert "has no attention" in said(*ATTENTION, "net.arch:conv_net")
    assert "no position axis H" in said(*FIELD, "net.arch:conv_net", "--at", "H=1")
    assert "'H' is not AXIS=I" in said(*FIELD, "net.arch:conv_net", "--at", "H")
    assert "ends in .svg or .png" in said(*FIELD, "net.arch:net", "--plot", "a.pdf")


def test_errors_of_a_spec_are_those_of_a_spec(folder):
    (folder / "wrong.arch").write_text(SPEC.replace("linear(2)", "linaer(2)"))
    assert "error[E201]" in run("profile", "wrong.arch:net", code=1).stderr


def test_no_memory_is_no_traceback(monkeypatch):
    def full(*_):
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(Trial, "inputs", full)
    assert "try a smaller --batch" in said("profile", "net.arch:net")


@pytest.mark.parametrize(
    ("place", "said"),
    [("Q=1", "no input has positions along Q; there are H, W"),
     ("H=8", "H has indices 0 to 7")],
)  # fmt: skip
def test_a_query_lies_in_the_input(place, said):
    done = run(*ATTENTION, "net.arch:net", "--query", place, code=2)
    assert said in " ".join(done.stderr.split())


def test_one_run_is_one():
    found = run("profile", "net.arch:net", "--runs", 1, "--warm-up", 0).stdout
    assert "medians of 1 run on" in found
