"""Huge or hostile specs end in a located error or a result, in 10 s and 1 GB."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import archdsl
from archdsl.build import session

ROOT = Path(__file__).parents[1]
SECONDS, KILOBYTES = 10, 1 << 20
# Runs each command on a spec; prints its exit code, its seconds of CPU, and the peak.
DRIVER = """
import contextlib, io, re, sys, time
sys.path.insert(0, {root!r})
from archdsl.cli import main
for command in {commands!r}:
    start, code = time.process_time(), None
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            main([*command.split(), {path!r}])
        except SystemExit as end:
            code = end.code or 0
    # Not ru_maxrss, which a child starts with at its parent's.
    peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
    print(command, code, time.process_time() - start, peak, sep=" | ")
"""
COMMANDS = ("check", "analyze --json", "analyze", "compile -o -")


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


def survive(path: Path, commands: tuple[str, ...] = COMMANDS) -> dict[str, int]:
    """The exit code of each command, which must end well and in time."""
    script = DRIVER.format(root=str(ROOT), path=str(path), commands=commands)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=path.parent,
        env={**os.environ, "NO_COLOR": "1"},
        preexec_fn=limited,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    codes = {}
    for line in done.stdout.splitlines():
        command, code, seconds, peak = line.split(" | ")
        codes[command] = int(code)
        assert float(seconds) < SECONDS, command
        assert int(peak) < KILOBYTES, command
    assert list(codes) == list(commands)
    if any(codes.values()):
        assert re.search(r"^error\[E\d{3}\]: ", done.stderr, flags=re.MULTILINE)
        assert re.search(r"^ *--> .*:\d+:\d+$", done.stderr, flags=re.MULTILINE)
    assert len(done.stderr) < 400_000
    return codes


def model(*rows: str, shape: str = "[B, C = 8, H = 8, W = 8]") -> str:
    body = "\n  ".join(rows)
    return f"model m {{\n  input x: {shape}\n  {body}\n  output y\n}}\n"


def chain(count: int, body: str, first: str = "conv(8, 3)") -> str:
    """Blocks a0, a1, …, each written with the one before."""
    rows = [f"block a0[x] {{ {first} }}"]
    rows += [
        f"block a{i}[x] {{ {body.format(f'a{i - 1}')} }}" for i in range(1, count + 1)
    ]
    return "\n".join(rows) + "\n" + model(f"a{count}")


def growing(start: str, row: str, count: int, *after: str, shape: str = "") -> str:
    """A name made of the one before, again and again."""
    rows = [f"let a0 = {start}"]
    rows += [f"let a{i} = {row.replace('@', f'a{i - 1}')}" for i in range(1, count + 1)]
    last = [line.replace("@", f"a{count}") for line in after]
    return model(*rows, *last, shape=shape or "[B, C = 8, H = 8, W = 8]")


OPEN = "[B, C = 8, H, W]"
MANY = 100_000
FINE = {  # these have a result
    "arrows": model(" -> ".join(["relu"] * 8000)),
    "comparisons": model("let a = " + "1 < " * 50_000 + "1"),
    "comments": "#\n" * 400_000 + model("relu"),
    "long_comment": "#" * 1_000_000 + "\n" + model("relu"),
    "long_name": model("let " + "a" * 500_000 + " = 1", "relu"),
    "long_label": model("conv(8, 3) as " + "a" * 100_000),
    "long_text": model('let a = "' + "a" * 500_000 + '"', "relu"),
    "lets": model(*(f"let a{i} = {i}" for i in range(50_000)), "relu"),
    "blocks": "".join(f"block b{i}[x] {{ relu }}\n" for i in range(20_000))
    + model("b7"),
    "variants": model("relu").replace(" m ", " a ")
    + "model v0 = a()\n"
    + "".join(f"model v{i} = v{i - 1}()\n" for i in range(1, 1000))
    + model("relu"),
    "calls_squared": chain(30, "{0} -> {0}"),
    "loops_in_calls": chain(34, "repeat(500) {{ {0} }}"),
    "same_calls": "block b[x] { conv(8, 3) }\n" + model(*["b"] * 10_000),
    "inputs": "model m {\n"
    + "".join(f"input x{i}: [B, C = 8]\n" for i in range(2000))
    + "output y = x0\n}\n",
    "outputs": "model m {\ninput x: [B, C = 8]\n"
    + "".join(f"output y{i} = x\n" for i in range(5000))
    + "}\n",
    "concat": model("concat([x] * 1000)"),
    "long_axis": model(
        "conv(8, 3) -> relu -> slice(T, 0, 10 ** 9) -> conv(8, 3)",
        shape="[B, C = 8, T = 10 ** 12]",
    ),
    "wide_taps": model(
        "conv(8, 10 ** 9 + 1) -> select(T, 0)", shape="[B, C = 8, T = 10 ** 9]"
    ),
    "kernel": model("conv(8, 10 ** 30)"),
    "kernel_that_is_promised": model(
        "conv(8, 10 ** 18)", "expect receptive_field(H) == 8"
    ),
    "open_convs": model("repeat(2000) { conv(8, 3) }", shape=OPEN),
    "open_strides": model("repeat(40) { conv(8, 3, stride = 2) }", shape=OPEN),
}
MOST = {  # the largest that are let through; what they take is what bounds are for
    "layers": model("repeat(24000) { conv(8, 3) }"),
    "windows": model("repeat(24000) { window_attention(2, 4, shift = 2) }"),
    "branches": model(*(f"let a{i} = x -> conv(8, 3)" for i in range(12_000)), "x"),
    "sums": model(*(f"let a{i} = (x -> linear(8)) + x" for i in range(12_000)), "x"),
    "norms": model(*(f"let a{i} = x -> layer_norm" for i in range(12_000)), "x"),
    "shared": model("layer l = conv(8, 3)", "repeat(24000) { l }"),
    "labels": model("repeat(24000) { conv(8, 3) as a }", "a[3]"),
    "flat": chain(15, "{0} -> {0}"),
    "concat": model("concat([x] * 1400)"),
    "open": model("repeat(24000) { conv(8, 3) }", shape="[B, C = 8, T]"),
    "models": "".join(model("relu").replace(" m ", f" m{i} ") for i in range(8000)),
    "large_models": "".join(
        model("repeat(23000) { conv(8, 3) }").replace(" m ", f" m{i} ")
        for i in range(5)
    ),
}
REFUSED = {
    # nesting
    "brackets": model("let a = " + "[" * MANY + "]" * MANY),
    "parentheses": model("let a = " + "(" * MANY + "1" + ")" * MANY),
    "braces": "model m {" + "repeat(2) {" * 80_000 + "}" * 80_000,
    "open_brackets": "[" * MANY,
    "open_braces": "{" * MANY,
    "closing_braces": "}" * MANY,
    "sum": model("let a = " + "1 + " * 50_000 + "1"),
    "signs": model("let a = " + "- " * 50_000 + "1"),
    "signs_to_the_end_of_a_line": model("let a = " + "-" * 198 + "sum(3)"),
    "one_sign_for_equals": "block b[x](p = 1 = 1) { relu }\n" + model("b", "[4 = 3]"),
    "nots": model("let a = " + "not " * 50_000 + "true"),
    "powers": model("let a = " + "1 ** " * 50_000 + "1"),
    "choices": model("let a = " + "1 if true else " * 50_000 + "1"),
    "attributes": model("let a = x" + ".C" * 50_000),
    "calls_of_calls": model("relu" + "()" * 50_000),
    "items_of_items": model("let a = x" + "[0]" * 50_000),
    "else_ifs": model("if false { relu } else " * 3000 + "{ relu }"),
    "nested_list": growing("[1]", "[@]", 20_000, "conv(@)"),
    # loops
    "repeat": model("repeat(1000000000) { relu }"),
    "repeat_just_allowed": model("repeat(100000) { relu }"),
    "loops": model(
        "for i in range(100000) { for j in range(100000) { relu } }",
    ),
    "idle_loops": model("repeat(100000) { repeat(100000) { let a = 1 } }"),
    "empty_loops": model("repeat(100000) { repeat(999) { repeat(0) { relu } } }"),
    "wrong_loops": model("repeat(100000) { repeat(100000) { nothing } }"),
    "wrong_convs": model("for i in range(100000) { conv(8, -i) }"),
    "deep_loops": model("repeat(25) { " * 4 + "relu" + " }" * 4),
    # numbers
    "power": model("let a = 10 ** 10 ** 10"),
    "real_power": model("let a = 2.0 ** 10 ** 10"),
    "digits": model("let a = " + "9" * 500_000),
    "features": model("conv(10 ** 30, 3)"),
    "features_18_digits": model("conv(999999999999999999, 3)"),
    "linear": model("linear(10 ** 70)"),
    "padding": model("conv(8, 3, padding = 10 ** 70)"),
    "input": "model m {\n input x: [B, C = 10 ** 30, H = 10 ** 30]\n output y = x\n}",
    "layers_of_lstm": model("lstm(8, layers = 1000000000)", shape="[B, T = 3, C = 4]"),
    # lists and texts
    "range": model("let a = range(1000000000)"),
    "range_of_64_bits": model("let a = range(2 ** 63)"),
    "infinite": model("let a = [int(i) for i in linspace(-1e308, 1e308, 3)]"),
    "list_times": model("let a = [0] * 1000000000"),
    "list_of_lists": model("let a = [[0] * 100000] * 100000", "let b = a == a"),
    "doubled_list": growing("[1]", "@ + @", 60),
    "doubled_text": growing('"ab"', "@ + @", 60),
    "tree_of_lists": growing("[1]", "[@, @]", 60),
    "tree_of_tensors": growing("[x, x]", "[@, @]", 60, "concat(@)"),
    "long_line": model("let a = [" + "1, " * 200_000 + "1]"),
    "texts": model('let a = "' + "a" * 90_000 + '"')
    + model('let l = [a + "b" for i in range(90000)]').replace("m", "n", 1),
    "comprehensions": model(
        "let a = [[[1 for i in range(1000)] for j in range(1000)] for k in range(1000)]"
    ),
    "lists_in_turns": model("let a = [range(100000) for i in range(100000)]"),
    "lengths_in_turns": model("let a = [len([0] * 99999) for i in range(90000)]"),
    "sums_in_turns": model("let r = range(99999)", "[sum(r) for i in range(90000)]"),
    "equals_in_turns": model(
        "let r = range(99999)", "let s = range(99999)", "[r == s for i in r]"
    ),
    "wrong_arguments_in_turns": model(
        "let r = [0] * 99999", "let f = conv(r)", "repeat(90000) { f }"
    ),
    # graphs
    "calls_too_deep": chain(60, "{0} -> {0}"),
    "chain": chain(1000, "{0}"),
    "concat": model("concat([x] * 100000)"),
    "concats": model("repeat(1000) { concat([x] * 10000) -> conv(8, 3) }"),
    "axes": model(
        "relu", shape="[" + ", ".join(f"A{i} = 2" for i in range(9999)) + "]"
    ),
    "specialisations": "block b[x](n) { linear(n) -> linear(n) }\n"
    + model("for i in range(1, 100000) { b(i) }"),
    # formulas
    "squares": growing("x.H + x.W + 1", "@ * @ // 3 + @ * x.H", 40, shape=OPEN),
    "floors": growing(
        "x.H + x.W", "(@ * x.H + 1) // (@ + 2)", 40, "linear(@)", shape=OPEN
    ),
    "floors_of_floors": growing(
        "x.H", "(@ + @ * x.W + 1) // 3", 400, "linear(@)", shape=OPEN
    ),
    "outer_sum": model(
        "let a = [x -> mean(W) -> conv(8, 3, stride = i + 2) for i in range(60)]",
        "let b = [x -> mean(H) -> conv(8, 3, stride = i + 2) for i in range(60)]",
        "concat(a, H) * concat(b, W) -> attention(2)",
        shape=OPEN,
    ),
    "high_power": model(
        "let s = " + " + ".join(f"(x.A{i} + 1)" for i in range(30)),
        "linear(s ** 8)",
        shape="[B, C = 8" + "".join(f", A{i}" for i in range(30)) + "]",
    ),
    # texts
    "statements": model(*["relu"] * MANY),
    "unknown_names": model(*(f"foo{i}" for i in range(20_000))),
    "unknown_long_name": model("let " + "a" * 200_000 + " = 1", "a" * 200_001),
    "wrong_models": "".join(
        model(f"nothing{i}").replace(" m ", f" m{i} ") for i in range(8000)
    ),
    "wrong_blocks": "".join(f"block b{i}[x] {{ no{i} }}\n" for i in range(5000))
    + model(*(f"b{i}" for i in range(5000))),
    "wrong_lines": "model m {\n" + "let = )\n" * 50_000,
    "ten_megabytes": model(*["relu"] * 1_500_000),
    "nul": model("relu\0"),
    "only_nul": "\0" * MANY,
    "marks": "\u202e\ufeff\u200b" * 10_000,
    "surrogates": model("relu") + "\udc80",
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_large_but_harmless_has_a_result(tmp_path, name):
    path = tmp_path / "m.arch"
    path.write_text(FINE[name])
    commands = ("check", "compile -o -")
    assert survive(path, commands) == dict.fromkeys(commands, 0)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_much_is_a_located_error(tmp_path, name):
    path = tmp_path / "m.arch"
    path.write_text(REFUSED[name], encoding="utf-8", errors="surrogateescape")
    assert survive(path, ("check",)) == {"check": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", MOST)
def test_the_largest_that_are_let_through_stay_in_bounds(tmp_path, name):
    path = tmp_path / "m.arch"
    path.write_text(MOST[name])
    codes = survive(path)
    assert codes["check"] == 0


def test_the_largest_model_stays_in_bounds(tmp_path):
    path = tmp_path / "m.arch"
    path.write_text(MOST["layers"])
    assert set(survive(path, ("analyze --json",)).values()) == {0}
    path.write_text(model("repeat(25001) { conv(8, 3) }"))
    assert set(survive(path, ("check",)).values()) == {1}


def test_all_models_of_a_file_together_are_bounded(monkeypatch):
    text = "".join(model("repeat(9) { relu }").replace(" m ", f" {n} ") for n in "abcd")
    assert not archdsl.check(text)
    monkeypatch.setattr(session, "MOST_NODES", 20)
    assert not archdsl.check(text)
    monkeypatch.setattr(session, "MOST_NODES_IN_ALL", 38)
    (found,) = archdsl.check(text)
    assert "the models of this spec make too many layers" in found.fault.message()
    assert found.span.line == 18


@pytest.mark.parametrize("name", ["calls_squared", "loops_in_calls", "concat"])
def test_what_is_large_is_drawn_in_bounds(tmp_path, name):
    path = tmp_path / "m.arch"
    path.write_text(FINE[name])
    draw = f"draw -o {tmp_path / 'm.svg'}"
    assert survive(path, (draw,)) == {draw: 0}


def test_a_model_with_more_layers_than_can_be_listed_says_so(tmp_path):
    path = tmp_path / "m.arch"
    path.write_text(FINE["calls_squared"])
    assert survive(path, ("analyze", "analyze --json")) == {
        "analyze": 1, "analyze --json": 1,
    }  # fmt: skip


def test_formulas_that_grow_in_the_costs_alone_are_refused_there(tmp_path):
    path = tmp_path / "m.arch"
    strides = "[x -> conv(8, 3, stride = [i + 2, 1]) for i in range(30)]"
    path.write_text(model(f"concat({strides}, H)", "attention(2)", shape=OPEN))
    assert survive(path, ("check", "analyze")) == {"check": 0, "analyze": 1}


@pytest.mark.parametrize("limit", ["SECONDS", "KILOBYTES"])
def test_what_goes_out_of_bounds_would_be_noticed(tmp_path, monkeypatch, limit):
    path = tmp_path / "m.arch"
    path.write_text(model("relu"))
    monkeypatch.setitem(globals(), limit, 0)
    with pytest.raises(AssertionError):
        survive(path, ("check",))


# --- use ----------------------------------------------------------------------------


def used(folder: Path, name: str) -> bool:
    """Whether a file can be used; if not, that is an error of the line that uses it."""
    path = folder / "m.arch"
    path.write_text(f"use {name}\n" + model("relu"))
    found = archdsl.check(path)
    assert all(d.span.source.name.endswith(".arch") for d in found)
    assert all(d.span.line < 10 for d in found)
    return not any(d.severity == "error" for d in found)


@pytest.mark.parametrize(
    "name",
    [
        "../outside/secret", "/etc/passwd", "a/../../outside/secret", "./secret", "..",
        ".", "~/secret", "a//b", "C:/secret", '"secret"', "secret.arch", "$HOME/secret",
        "link", "linked/secret", "round", "folder", "pipe", "a" * 3000,
        "a/" * 3000 + "b",
    ],
)  # fmt: skip
def test_use_leads_nowhere_but_down_from_its_roots(tmp_path, name):
    here, outside = tmp_path / "here", tmp_path / "outside"
    here.mkdir()
    outside.mkdir()
    (outside / "secret.arch").write_text("block secret[x] { relu }\n")
    (here / "link.arch").symlink_to(outside / "secret.arch")
    (here / "linked").symlink_to(outside)
    (here / "round.arch").symlink_to(here / "round.arch")
    (here / "folder.arch").mkdir()
    os.mkfifo(here / "pipe.arch")
    assert not used(here, name)


def test_a_link_that_stays_inside_is_followed(tmp_path):
    (tmp_path / "real.arch").write_text("block b[x] { relu }\n")
    (tmp_path / "link.arch").symlink_to("real.arch")
    assert used(tmp_path, "link")


def test_files_that_use_each_other_are_bounded(tmp_path):
    for i in range(500):
        (tmp_path / f"u{i}.arch").write_text(f"use u{i + 1}\n")
    (tmp_path / "u500.arch").write_text("block b[x] { relu }\n")
    assert not used(tmp_path, "u0")
    assert used(tmp_path, "u480")
    many = "".join(f"block b{i}[x] {{ relu }}\n" for i in range(20_000))
    for i in range(9):
        (tmp_path / f"large{i}.arch").write_text(many.replace("b", f"b{i}_", 1))
    assert not used(tmp_path, "\nuse ".join(f"large{i}" for i in range(9)))
    (tmp_path / "huge.arch").write_text("#" * 10_000_000)
    assert not used(tmp_path, "huge")
