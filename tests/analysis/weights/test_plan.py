"""Rules times our keys make moves; moves times a file's keys, what does not fit."""

import re
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analysis.check import check
from archdsl.analysis.weights.expansion import own
from archdsl.analysis.weights.fitting import Misfitting, declared, ensure, written_out
from archdsl.analysis.weights.ours import keys
from archdsl.analysis.weights.plan import best, fitted
from archdsl.build import read
from archdsl.build.checkpoints.layouts import Layouts
from archdsl.build.opening import open_spec
from archdsl.diagnostics import SpecError
from archdsl.source import Source

NET = """
model net(depths = [2, 1], width = 8) {
  input image: [B, C = 3, H = 8, W = 8]
  for stage, depth in enumerate(depths) {
    repeat(depth) { conv(width, kernel = 3) -> batch_norm -> relu }
  }
  mean(H, W) -> linear(4)
  output logits
}
"""
RUNNING = """
checkpoint running for net {
  "features.{3 * (sum([depths[k] for k in range(i)]) + j)}" -> "stage.{i}.conv.{j}"
  "features.{3 * (sum([depths[k] for k in range(i)]) + j) + 1}"
    -> "stage.{i}.batch_norm.{j}"
  "head" -> "linear"
}
"""


def expanded(text, name=None, **given):
    program = read(Source("net.arch", textwrap.dedent(text)))
    graph = archdsl.parse(text, **given)
    return written_out(program, graph, name)[-1]


def test_the_keys_are_those_of_the_state_dict():
    model = archdsl.load(NET)
    found = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    assert dict(keys(archdsl.parse(NET))) == found


def test_running_numbers_are_sums_over_hyperparameters():
    stages = sorted(k for k in keys(archdsl.parse(NET)) if k.startswith("stage"))
    rules = RUNNING
    for what in ("conv", "batch_norm"):
        rules = rules.replace(f"stage.{{i}}.{what}.{{j}}", shape_of(stages, what))
    text = NET + rules
    moves = expanded(text).moves
    theirs = {m.theirs[0].rpartition(".")[0] for m in moves.values()}
    assert theirs == {"head", *(f"features.{n}" for n in (0, 1, 3, 4, 6, 7))}
    deeper = expanded(text, settings={"depths": [3, 2]}).moves
    assert "features.13.weight" in {t for m in deeper.values() for t in m.theirs}


def shape_of(stages, what):
    """How a key of that kind is written, its numbers captured."""
    key = next(k for k in stages if f".{what}" in k).rpartition(".")[0]
    numbers = iter("ij")
    return re.sub(r"\.\d+", lambda _: f".{{{next(numbers)}}}", key)


@pytest.mark.parametrize(
    ("rule", "file", "words"),
    [
        ('"head" -> "linear"', {"head.weight": (4, 8)}, "1 missing"),
        ('"head" -> "linear"', {"head.weight": (8, 4), "head.bias": (4,)},
         "[8, 4] is not [4, 8]"),
        ('"head" -> transpose -> "linear"',
         {"head.weight": (8, 4), "head.bias": (4,)}, ""),
        ('"head" -> reshape -> "linear"',
         {"head.weight": (4, 8, 1, 1), "head.bias": (4,)}, ""),
        ('"head" -> reshape -> "linear"',
         {"head.weight": (4, 7, 1, 1), "head.bias": (4,)}, "28 elements cannot"),
        ('"head" -> flip(dim = 1) -> "linear"',
         {"head.weight": (4, 8), "head.bias": (4,)}, "no axis 1 to flip"),
        ('"head" -> rotary(heads = 3) -> "linear"',
         {"head.weight": (4, 8), "head.bias": (4,)}, "no 3 heads of pairs"),
        ('["a", "b"] -> "linear"',
         {"a.weight": (1, 8), "b.weight": (3, 8), "a.bias": (1,), "b.bias": (3,)}, ""),
        ('["a", "b"] -> "linear"',
         {"a.weight": (1, 8), "b.weight": (3, 7), "a.bias": (1,), "b.bias": (3,)},
         "different shapes"),
        ('"head.weight" -> "linear.weight"\n  zeros -> "linear.bias"',
         {"head.weight": (4, 8)}, ""),
        ('"head" -> "linear"\n  "*.{mask,index}" -> none',
         {"head.weight": (4, 8), "head.bias": (4,), "a.b.mask": (3,), "index": (2,)},
         "1 surplus:\n    index"),
        ('"head" -> "linear"',
         {"head.weight": (4, 8), "head.bias": (4,), "x.num_batches_tracked": ()}, ""),
        ('"head" -> "linear"', {"head.weight": (4, 8), "head.bias": (4,), "x": ()},
         "1 surplus:\n    x"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_listed(rule, file, words):
    text = """
    model net {
      input x: [B, C = 8]
      linear(4)
      output logits
    }
    """
    text += f"\ncheckpoint other for net {{\n  {rule}\n}}\n"
    plan = fitted(expanded(text, "other"), file)
    assert plan.fits == (not words)
    if words:
        with pytest.raises(Misfitting, match=re.escape(words)):
            ensure(plan, "model.pt", "net")


@pytest.mark.parametrize(
    ("step", "rows", "words"),
    [
        ("", 20, "their 20 rows are no square grid"),
        ("", 16, "our 10 rows are no square grid; say the grid: `interpolate("),
        ("tokens = 82", 25, "a table of 25 rows has none after 82 tokens"),
        ("tokens = 10", 25, "a table of 10 rows has none after 10 tokens"),
        ("tokens = 1", 25, "their 24 rows are no square grid"),
        ("tokens = 1", 26, ""),
        ("grid = [3, 3]", 25, "a grid of 3 by 3 is not our 10 rows"),
        ("grid = [2, 5]", 25, ""),
    ],
)
def test_a_table_is_resized_where_it_has_a_grid(step, rows, words):
    text = f"""
    model net {{
      input x: [B, N = 10, C = 4]
      position_embedding
      output y
    }}

    checkpoint other for net {{
      "table" -> interpolate({step}) -> "position_embedding.weight"
    }}
    """
    plan = fitted(expanded(text, "other"), {"table": (rows, 4)})
    assert [wrong.why[: len(words)] for wrong in plan.misshapen] == [words] * bool(
        words
    )


def test_a_split_takes_pieces_of_other_sizes_and_leaves_one_out():
    text = """
    model net {
      input x: [B, C = 8]
      x -> linear(6) as wide
      x -> linear(2) as narrow
      output wide
      output narrow
    }
    """
    names = list(dict.fromkeys(k.rpartition(".")[0] for k in keys(archdsl.parse(text))))
    rule = f'"kv" -> ["{names[0]}", none, "{names[1]}"]'
    text += f"\ncheckpoint other for net {{\n  {rule}\n}}\n"
    made = expanded(text, "other")
    plan = fitted(made, {"kv.weight": (13, 8), "kv.bias": (13,)})
    assert plan.fits
    cuts = {m.ours: m.cut.bounds(13) for m in plan.moves}
    assert set(cuts.values()) == {(0, 6), (11, 13)}
    assert not fitted(made, {"kv.weight": (7, 8), "kv.bias": (7,)}).fits


def test_wrappers_prefixes_are_passed_over():
    graph = archdsl.parse(NET)
    file = {f"module._orig_mod.{k}": shape for k, shape in keys(graph).items()}
    plan = best([own(graph)], file)
    assert plan.fits
    assert plan.prefix == "module._orig_mod."
    file["other"] = (1,)
    assert not best([own(graph)], file).fits


def test_counters_of_batches_may_lack():
    graph = archdsl.parse(NET)
    file = {k: s for k, s in keys(graph).items() if "num_batches" not in k}
    plan = best([own(graph)], file)
    assert plan.fits
    assert {m.fill for m in plan.moves if "num_batches" in m.ours} == {"zeros"}


def test_what_is_wrong_in_a_layout_that_a_variant_inherits_is_reported(tmp_path):
    base = NET + 'checkpoint other for net {\n  "{i" -> "linear"\n}\n'
    (tmp_path / "base.arch").write_text(base)
    wide = "use base (net)\nmodel wide = net(width = 16)\nmodel deep = net()\n"
    for more in ("", 'checkpoint mine for wide {\n  "head" -> "linear"\n}\n'):
        (tmp_path / "wide.arch").write_text(wide + more)
        opened = open_spec(tmp_path / "wide.arch")
        found = [d for d in check(opened.program) if d.severity == "error"]
        where = [(d.code, d.span.source.name.rpartition("/")[2]) for d in found]
        assert where == ([("E802", "base.arch")] if more else [])
        with pytest.raises(SpecError, match="brace is never closed"):
            Layouts(opened.program.module).of("wide")


def test_a_variant_inherits_and_adds(tmp_path):
    base = NET + 'checkpoint other for net {\n  "head" -> "linear"\n  "x" -> none\n}\n'
    (tmp_path / "base.arch").write_text(base)
    more = 'checkpoint other for wide {\n  "{i}.c" -> "stage.{i}.c"\n}\n'
    (tmp_path / "wide.arch").write_text(
        "use base (net)\nmodel wide = net(width = 16)\n" + more
    )
    opened = open_spec(tmp_path / "wide.arch")
    (layout,) = declared(Layouts(opened.program.module), "wide")
    assert [rule.ours[0].parts[0] for rule in layout.rules] == ["stage.", "linear"]
    assert len(layout.drops) == 1
    with pytest.raises(ValueError, match="did you mean `other`"):
        declared(Layouts(opened.program.module), "wide", "othr")


def test_a_tensor_for_two_keys_is_refused():
    ours = shape_of(list(keys(archdsl.parse(NET))), "conv")
    text = NET + f'checkpoint other for net {{\n  "features.{{i}}" -> "{ours}"\n}}'
    with pytest.raises(SpecError, match="E806"):
        expanded(text, "other")


SPECS = ["swin_t:swin", "vit_b16:vit", "gpt2:gpt", "resnet"]
DRAWN = {
    "swin_t:swin": st.fixed_dictionaries(
        {"depths": st.lists(st.integers(1, 4), min_size=1, max_size=4)}
    ).map(lambda d: {**d, "heads": [1] * len(d["depths"]), "dim": 8}),
    "vit_b16:vit": st.fixed_dictionaries({"depth": st.integers(1, 5)}),
    "gpt2:gpt": st.fixed_dictionaries({"depth": st.integers(1, 5)}),
    "resnet": st.fixed_dictionaries(
        {"depths": st.lists(st.integers(1, 4), min_size=1, max_size=4)}
    ),
}


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_every_key_is_filled_once_and_no_piece_taken_twice(data):
    spec = data.draw(st.sampled_from(SPECS))
    name = spec.replace(":", ".arch:") if ":" in spec else spec
    name = f"specs/{name}" if ":" in spec else name
    hyper = data.draw(DRAWN[spec])
    sizes = {"H": 224, "W": 224} if "T" not in hyper and spec != "gpt2:gpt" else {}
    graph = archdsl.parse(name, settings=hyper, sizes=sizes)
    for made in written_out(open_spec(name).program, graph)[1:]:
        assert set(made.moves) == set(made.ours)  # total
        assert not made.unfilled
        pieces = [
            (theirs, move.cut.index if move.cut else None)
            for move in made.moves.values()
            for theirs in move.theirs
        ]
        assert len(pieces) == len(set(pieces))  # injective
        cuts = {}
        for move in made.moves.values():
            if move.cut:
                cuts.setdefault(move.theirs, []).append(move.cut)
        for each in cuts.values():  # pieces fill what they are cut from
            assert sorted(c.index for c in each) == list(range(len(each[0].sizes)))
