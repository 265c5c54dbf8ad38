"""Attention: weights as transformers has them, distances as they are known."""

import itertools
import math

import pytest
import torch

import archdsl
from archdsl.backends.torch.measure import attention
from archdsl.backends.torch.measure.listening import listening
from archdsl.backends.torch.measure.trial import Trial, Unmeasurable
from tests.parity import test_gpt2, test_swin, test_vit
from tests.parity.reference import images, words


class Even(Trial):
    """A trial in which every query is alike to every key."""

    def model(self, turn=0):
        model = super().model(turn)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if {"q", "k", "relative_bias"} & set(name.split(".")):
                    parameter.zero_()
        return model


def even(spec, **more):
    return attention.measure(Even(archdsl.parse(spec, **more))).layers


def heard(model, *inputs):
    """All weights of a run, by the name of the module."""
    found = {}
    with torch.no_grad(), listening(model, lambda n, w, _: found.update({n: w})):
        model(*inputs)
    return found


# --- weights ------------------------------------------------------------------------


def eager(theirs):
    """The reference with the attention that keeps its weights."""
    theirs.set_attn_implementation("eager")
    return theirs


def close(ours, theirs):
    """Their eager softmax is in float32, whatever the rest is in."""
    assert len(ours) == len(theirs) > 1
    for mine, yours in zip(ours, theirs, strict=True):
        assert mine.shape == yours.shape
        assert (mine - yours).abs().max() < 1e-6
        assert torch.allclose(mine.sum(-1), torch.ones((), dtype=mine.dtype))
        assert (mine.std(-1) > 1e-3).any(), "even weights hide mistakes"


def test_the_weights_of_a_vit_are_those_of_transformers():
    ours, theirs = test_vit.small()
    x = images(48, 48)
    expected = eager(theirs)(x, output_attentions=True).attentions
    close(list(heard(ours, x).values()), expected)


def test_the_weights_of_gpt2_are_those_of_transformers_and_look_back():
    ours, theirs = test_gpt2.small(attention="eager")
    x = words(11, 97)
    found = heard(ours, x)
    assert list(found) == [f"transformer_layer.{i}.attention" for i in range(3)]
    close(list(found.values()), theirs(x, output_attentions=True).attentions)
    for weights in found.values():
        assert not weights.triu(1).any()
        assert weights.tril().sum(-1).min() > 0.999


def test_the_weights_of_swin_are_those_of_transformers():
    """Theirs has the windows of a batch in a row, and shifted maps as ours are."""
    ours, theirs = test_swin.small()
    x = images(64, 64)
    result = eager(theirs)(x, output_attentions=True)
    blocks = {}
    handles = []
    for i, stage in enumerate(theirs.swin.encoder.layers):
        for j, block in enumerate(stage.blocks):

            def keep(_, __, out, at=(i, j)):
                blocks[at] = out[1]

            handles.append(block.attention.register_forward_hook(keep))
    eager(theirs)(x, output_attentions=True)
    assert result is not None
    found = heard(ours, x)
    expected = []
    for mine, yours in zip(found.values(), blocks.values(), strict=True):
        heads = yours.shape[1]
        expected.append(yours.unflatten(0, (2, -1)).flatten(1, 2))
        assert mine.shape[1] % heads == 0
    close(list(found.values()), expected)


def test_another_scale_would_be_seen():
    fact = {"scale_attn_by_inverse_layer_idx": True}
    ours, theirs = test_gpt2.small(attention="eager", **fact)
    x = words(11, 97)
    expected = theirs(x, output_attentions=True).attentions
    with pytest.raises(AssertionError):
        close(list(heard(ours, x).values()), expected)


# --- distances ----------------------------------------------------------------------


def brute(tiles, patch):
    """The mean distance of all pairs of each tile's positions, over all positions."""
    total, count = 0.0, 0
    for tile in tiles:
        for q in tile:
            total += sum(math.dist(q, k) for k in tile) / len(tile) * patch
            count += 1
    return total / count


def square(n):
    return list(itertools.product(range(n), repeat=2))


@pytest.mark.parametrize(
    ("model", "size", "pixels"),
    [("vit_b16", 224, 116.5), ("vit_b32", 224, 115.5), ("vit_b16", 384, 200.0)],
)
def test_even_attention_of_a_vit(model, size, pixels):
    settings = {"dim": 12, "depth": 1, "heads": 3, "classes": 2}
    patch = 32 if model == "vit_b32" else 16
    (layer,) = even(f"vit_b16:{model}", settings=settings, sizes={"H": size, "W": size})
    assert [round(d, 1) for d in layer.distances] == [pixels] * 3
    assert layer.uniform == pytest.approx(brute([square(size // patch)], patch))
    tokens = (size // patch) ** 2 + 1
    assert layer.entropies == pytest.approx([math.log2(tokens)] * 3, rel=1e-5)


def test_even_attention_inside_of_swins_windows():
    settings = {"dim": 12, "depths": [2, 2, 2, 2], "heads": [1, 2, 2, 4], "classes": 2}
    layers = even("swin_t:swin", settings=settings)
    found = [round(layer.distances[0], 1) for layer in layers[::2]]
    assert found == [14.4, 28.9, 57.8, 115.5]
    for stage, n in enumerate((56, 28, 14)):
        starts = [0, *range(3, n, 7), n]
        spans = [range(a, b) for a, b in itertools.pairwise(starts)]
        # What the border cuts off is apart, though it lies in one window.
        pairs = itertools.product(spans, repeat=2)
        tiles = [list(itertools.product(*pair)) for pair in pairs]
        shifted = layers[2 * stage + 1]
        assert shifted.distances[0] == pytest.approx(brute(tiles, 4 * 2**stage))
        assert shifted.uniform == pytest.approx(shifted.distances[0])


def test_even_causal_attention_counts_words():
    settings = {"dim": 8, "depth": 2, "heads": 2, "vocab": 11, "context": 9}
    for layer in even("gpt2:gpt2", settings=settings):
        expected = sum(i / 2 for i in range(9)) / 9
        assert layer.distances == pytest.approx([expected] * 2)
        assert layer.uniform == pytest.approx(expected)


def layers_of(body, shape, kind=Even, **more):
    text = f"model m {{\n  input x: {shape}\n  {body}\n  output y\n}}\n"
    return attention.measure(kind(archdsl.parse(text)), **more).layers


def test_padding_and_learned_queries_are_left_out():
    body = "window_attention(1, [2, 3], [1, 1], true, pad = true)"
    (layer,) = layers_of(body, "[B, H = 5, W = 7, C = 2]")
    starts = [[0, 1, 3, 5], [0, 1, 4, 7]]
    spans = [[range(a, b) for a, b in itertools.pairwise(s)] for s in starts]
    tiles = [list(itertools.product(*pair)) for pair in itertools.product(*spans)]
    assert layer.distances[0] == pytest.approx(brute(tiles, 1))
    assert (len(layer.maps[0]), len(layer.maps[0][0])) == (5, 7)


def test_attention_over_one_axis_of_several():
    (layer,) = layers_of("attention(2, over = T)", "[B, T = 5, H = 2, W = 3, C = 4]")
    expected = sum(abs(i - j) for i in range(5) for j in range(5)) / 25
    assert layer.distances == pytest.approx([expected] * 2)
    assert len(layer.maps[0]) == len(layer.maps[0][0]) == 5


def test_attention_in_a_scan_knows_no_places():
    body = "scan(T) [x, h = zeros(N = 3, C = 4)] { x + h -> attention(2) }"
    (layer,) = layers_of(body, "[B, T = 4, N = 3, C = 4]")
    assert layer.distances is None
    assert layer.entropies == pytest.approx([math.log2(3)] * 2)


def test_queries_of_another_input_have_no_distance():
    text = """model m {
  input x: [B, N = 3, C = 4]
  input memory: [B, T = 5, C = 4]
  x -> attention(2, key = memory)
  output y
}
"""
    (layer,) = attention.measure(Trial(archdsl.parse(text))).layers
    assert layer.distances is layer.uniform is layer.query is None
    assert [(len(rows), len(rows[0])) for rows in layer.maps] == [(3, 5)] * 2
    assert all(sum(row) == pytest.approx(1) for row in layer.maps[0])


def test_a_shared_layer_attends_at_every_use():
    body = "layer a = attention(1)\n  x -> a -> a"
    found = layers_of(body, "[B, T = 5, C = 4]", Trial)
    assert [layer.path for layer in found] == ["a", "a (2)"]
    assert found[0].maps != found[1].maps


# --- maps ---------------------------------------------------------------------------


def test_maps_of_shifted_windows_lie_where_they_were():
    """Of a query in a corner that the shift puts into another window."""
    body = "conv(4, 2, stride = 2) -> window_attention(2, 4, shift = 2)"
    shape = "[B, C = 3, H = 16, W = 16]"
    (layer,) = layers_of(body, shape, query={"H": 0, "W": 15})
    assert layer.query == {"H": 0.5, "W": 14.5}
    for rows in layer.maps:
        inside = [(i, j) for i in range(8) for j in range(8) if rows[i][j] > 1e-9]
        assert inside == [(i, j) for i in (0, 1) for j in (6, 7)]
        assert sum(map(sum, rows)) == pytest.approx(1)


def test_maps_of_a_vit_are_of_its_class_token_and_in_order():
    settings = {"dim": 12, "depth": 1, "heads": 3, "patch": 8, "classes": 2}
    made = archdsl.parse("vit_b16", settings=settings, sizes={"H": 24, "W": 40})
    trial = Trial(made)
    (layer,) = attention.measure(trial).layers
    (weights,) = heard(trial.model(), *trial.inputs()).values()
    assert layer.query == {}
    for head, rows in enumerate(layer.maps):
        expected = weights[0, head, 0, 1:].view(3, 5)
        assert torch.allclose(torch.tensor(rows), expected)
    (of_patch,) = attention.measure(trial, query={"H": 12, "W": 30}).layers
    expected = weights[0, 0, 1 + 5 + 3, 1:].view(3, 5)
    assert of_patch.query == {"H": 11.5, "W": 27.5}
    assert torch.allclose(torch.tensor(of_patch.maps[0]), expected)


def test_long_sequences_are_averaged():
    (layer,) = layers_of("attention(1, causal = true)", "[B, T = 256, C = 4]")
    (rows,) = layer.maps
    assert len(rows) == len(rows[0]) == attention.MOST_CELLS
    assert all(not any(row[i + 1 :]) for i, row in enumerate(rows))
    assert rows[0][0] == pytest.approx(4 / 16)


def test_a_model_without_attention_says_so():
    with pytest.raises(Unmeasurable, match="no attention"):
        attention.measure(Trial(archdsl.parse("resnet18")))
