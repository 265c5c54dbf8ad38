"""Ops that route, resize and name positions: their numbers are PyTorch's own.

Every expectation is written here from the definitions, or is another library's.
"""

import math

import pytest
import torch
import torch.nn.functional as F

import archdsl
from archdsl.backends.torch.load import load
from tests.tools import forgotten, jittered


def run(text: str, *inputs: torch.Tensor):
    """What a model makes of some inputs, in float64, every weight random."""
    with forgotten():
        module = jittered(load(archdsl.parse(text)))
    return module(*inputs)


def model(*lines: str) -> str:
    return "\n".join(["model m {", *(f"  {line}" for line in lines), "}", ""])


# --- functions of numbers, and what is picked ----------------------------------------


def test_quick_gelu_is_the_numbers_times_a_sigmoid():
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    text = model("input x: [B, T = 5, C = 4]", 'gelu("quick")', "output y")
    torch.testing.assert_close(run(text, x), x / (1 + (-1.702 * x).exp()))


def test_normalize_divides_by_the_length_or_by_eps():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    x[0, 1] = 1e-3
    text = model(
        "input x: [B, C = 3, H = 4, W = 5]",
        "normalize(over = [H, C], eps = 0.5)",
        "output y",
    )
    length = x.square().sum((1, 2), keepdim=True).sqrt().clamp(min=0.5)
    torch.testing.assert_close(run(text, x), x / length)


def test_gather_at_argmax_takes_the_features_at_the_first_of_the_largest_ids():
    ids = torch.tensor([[1, 7, 7, 2], [9, 1, 2, 3], [0, 0, 0, 4]])
    x = torch.randn(3, 4, 2, dtype=torch.float64)
    text = model(
        "input ids: int[B, T = 4]",
        "input x: [B, T = 4, C = 2]",
        "x -> gather(T, ids -> argmax(T))",
        "output y",
    )
    expected = torch.stack([x[0, 1], x[1, 0], x[2, 3]])
    torch.testing.assert_close(run(text, ids, x), expected)


def test_gather_goes_through_shared_axes_side_by_side():
    index = torch.randint(4, (2, 3, 5))  # B, K, H
    x = torch.randn(2, 5, 4, 3, dtype=torch.float64)  # B, H, T, C
    text = model(
        "input index: int[B, K = 3, H = 5]",
        "input x: [B, H = 5, T = 4, C = 3]",
        "x -> gather(T, index)",
        "output y: [B, H, K, C]",
    )
    y = run(text, index, x)
    for b, h, k in ((0, 0, 0), (1, 4, 2), (0, 3, 1)):
        assert torch.equal(y[b, h, k], x[b, h, index[b, k, h]])


def test_nothing_learns_through_an_argmax():
    """What only leads to ids costs no gradient, and autograd agrees."""
    text = model(
        "input x: [B, T = 4, C = 3]",
        "let where = x -> linear(5) -> linear(1) -> select(C, 0) -> argmax(T)",
        "x -> linear(2) -> gather(T, where)",
        "output y",
    )
    graph = archdsl.parse(text)
    from archdsl.analysis.memory.gradients import Training

    costs = {row.path: row.cost for row in Training().layers(graph)}
    macs = {".".join(path): cost.macs for path, cost in costs.items()}
    assert (macs["linear"], macs["linear_2"], macs["linear_3"]) == (0, 0, 24)
    module = load(graph)
    module(torch.randn(2, 4, 3)).sum().backward()
    learns = {n: p.grad is not None for n, p in module.named_parameters()}
    assert learns["linear_3.weight"]
    assert not learns["linear.weight"] and not learns["linear_2.weight"]


# --- sines and cosines ----------------------------------------------------------------


def table(places, features: int, base: float):
    """Feature 2i the sine, 2i + 1 the cosine, as Vaswani et al. write."""
    rows = []
    for p in places:
        angles = [p / base ** (2 * (i // 2) / features) for i in range(features)]
        rows.append(
            [(math.cos if i % 2 else math.sin)(a) for i, a in enumerate(angles)]
        )
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("base", [10000, 100])
def test_sinusoids_are_added_as_vaswani_writes(base):
    x = torch.randn(2, 9, 6, dtype=torch.float64)
    text = model(
        "input x: [B, T, C = 6]", f"sinusoid_embedding(base = {base})", "output y"
    )
    expected = x + table(range(9), 6, base)
    torch.testing.assert_close(run(text, x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("start", [1, 0.5, 0])
def test_a_mask_of_padding_leaves_the_positions_of_what_is_there(start):
    """DETR's sums of a mask, written as a loop."""
    mask = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(0)) > 0.4
    mask[..., -1] = True  # a row in which nothing is has angles of millions
    text = model(
        "input x: [B, C = 2, H = 3, W = 5]",
        "input mask: bool[B, H = 3, W = 5]",
        f"x -> sinusoids(4, over = W, start = {start}, normalize = true, mask = mask)",
        "output y: [B, H, W, C = 4]",
    )
    y = run(text, torch.randn(2, 2, 3, 5, dtype=torch.float64), mask)
    for b in range(2):
        for h in range(3):
            count = mask[b, h].sum().item()
            seen = [mask[b, h, : w + 1].sum().item() + start - 1 for w in range(5)]
            places = [n / (count + 1e-6) * 2 * math.pi for n in seen]
            expected = table(places, 4, 10000)
            torch.testing.assert_close(y[b, h], expected, rtol=0, atol=1e-10)


def test_without_a_mask_all_positions_count():
    text = model(
        "input x: [B, T = 6]",
        "input mask: bool[B, T = 6]",
        "x -> sinusoids(4, start = 1, normalize = true) as plain",
        "x -> sinusoids(4, start = 1, normalize = true, mask = mask) as masked",
        "output plain",
        "output masked",
    )
    found = run(
        text, torch.randn(1, 6, dtype=torch.float64), torch.ones(1, 6, dtype=torch.bool)
    )
    torch.testing.assert_close(found["masked"][0], found["plain"], rtol=0, atol=1e-12)


# --- products over named axes ---------------------------------------------------------


def test_dot_is_the_sum_of_products_over_the_axes_named():
    x = torch.randn(2, 3, 4, 2, 3, dtype=torch.float64)
    y = torch.randn(3, 2, 5, 2, 2, dtype=torch.float64)
    text = model(
        "input x: [B, H = 3, W = 4, C = 2, D = 3]",
        "input y: [D = 3, B, G = 5, C = 2, K = 2]",
        "x -> dot(y, over = [C, D])",
        "output z: [B, H, W, G, K]",
    )
    expected = torch.einsum("bhwcd,dbgck->bhwgk", x, y)
    torch.testing.assert_close(run(text, x, y), expected)


def test_of_two_batches_each_meets_each():
    """CLIP's logits: as many texts as one likes beside as many images."""
    text = model(
        "input image: [B, C = 4]",
        "input texts: [N, C = 4]",
        "image -> dot(texts)",
        "output logits: [B, N]",
    )
    image = torch.randn(3, 4, dtype=torch.float64)
    texts = torch.randn(5, 4, dtype=torch.float64)
    torch.testing.assert_close(run(text, image, texts), image @ texts.T)


# --- other sizes ----------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "aligned"), [("nearest", False), ("linear", False),
                                               ("linear", True), ("cubic", False),
                                               ("cubic", True)])  # fmt: skip
def test_what_is_read_of_an_axis_is_what_pytorch_reads(mode, aligned):
    """At each size: what each position takes of each other one, from a unit matrix."""
    from archdsl.ops.interpolate import _Sampled

    name = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}[mode]
    align = {} if mode == "nearest" else {"align_corners": aligned}
    for size in range(1, 24):
        units = torch.eye(size, dtype=torch.float64)[:, None, :, None]
        for out in range(1, 31):
            y = F.interpolate(units, size=(out, 1), mode=name, **align)[:, 0, :, 0]
            reach = _Sampled("T", size, out, mode, aligned)
            for i in range(out):
                felt = (y[:, i].abs() > 1e-12).nonzero()[:, 0].tolist()
                assert felt == list(reach.sources({"T": i})), (size, out, i)


def test_interpolate_goes_to_the_size_of_another_tensor():
    text = model(
        "input x: [B, C = 2, H, W]",
        "input y: [B, H = 7, W = 5, C = 3]",
        'x -> interpolate(like = y, mode = "linear")',
        "output z",
    )
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64)
    y = torch.randn(2, 7, 5, 3, dtype=torch.float64)
    expected = F.interpolate(x, size=(7, 5), mode="bilinear", align_corners=False)
    with forgotten():
        module = load(archdsl.parse(text))
    torch.testing.assert_close(module(x, y), expected)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_pad_is_pytorchs_on_the_axis_named(mode):
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    text = model(
        "input x: [B, C = 3, H = 5, W = 4]",
        f'pad(H, 2, 3, mode = "{mode}")',
        "output y: [B, C, H, W]",
    )
    expected = F.pad(x, (0, 0, 2, 3), mode=mode)
    torch.testing.assert_close(run(text, x), expected)


def test_roll_and_flip_are_pytorchs():
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    head = "input x: [B, C = 3, H = 5, W = 4]"
    text = model(head, "roll(H, -2) -> flip(C, W)", "output y")
    assert torch.equal(run(text, x), x.roll(-2, 2).flip(1, 3))


@pytest.mark.parametrize("factor", [2, 3])
def test_pixel_shuffle_has_the_order_of_pytorch(factor):
    x = torch.randn(2, 2 * factor**2, 3, 4, dtype=torch.float64)
    text = "use lib/shuffle (pixel_shuffle, pixel_unshuffle)\n" + model(
        f"input x: [B, C = {x.shape[1]}, H = 3, W = 4]",
        f"pixel_shuffle({factor}) as up -> pixel_unshuffle({factor})",
        "output up",
        "output back",
    )
    found = run(text, x)
    assert torch.equal(found["up"], F.pixel_shuffle(x, factor))
    assert torch.equal(found["back"], x)


# --- one layer over several levels ----------------------------------------------------

LEVELS = """block shared_over_levels[features](dim) {
  layer mix = conv(dim, 3, bias = false)
  return [f -> mix -> batch_norm -> relu for f in features]
}

model m {
  input c2: [B, C = 4, H = 8, W = 8]
  input c3: [B, C = 4, H = 4, W = 4]

  layer score = conv(3, 1)
  [c2, c3] -> repeat(2) { shared_over_levels(4) } as towers
  output scores = [f -> score for f in towers]
}
"""


class Levels(torch.nn.Module):
    """As people write it: shared convolutions, norms of each level's own."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.mix = nn.ModuleList([nn.Conv2d(4, 4, 3, 1, 1, bias=False) for _ in "ab"])
        self.norm = nn.ModuleList(
            [nn.ModuleList([nn.BatchNorm2d(4) for _ in "xy"]) for _ in "ab"]
        )
        self.score = nn.Conv2d(4, 3, 1)

    def forward(self, levels):
        found = []
        for level, given in enumerate(levels):
            x = given
            for mix, norms in zip(self.mix, self.norm, strict=True):
                x = norms[level](mix(x)).relu()
            found.append(self.score(x))
        return found


@pytest.mark.parametrize("training", [False, True])
def test_a_layer_is_shared_over_levels_and_norms_are_not(training):
    with forgotten():
        module = jittered(load(archdsl.parse(LEVELS)))
    reference = Levels().double()
    renamed = {}
    for name, value in module.state_dict().items():
        key = name.removeprefix("towers.")
        turn, _, rest = key.partition(".")
        if rest.startswith("mix"):
            key = f"mix.{turn}.weight"
        elif rest.startswith("batch_norm"):
            key = f"norm.{turn}.{rest.removeprefix('batch_norm.')}"
        renamed[key] = value
    reference.load_state_dict(renamed)
    inputs = [torch.randn(3, 4, n, n, dtype=torch.float64) for n in (8, 4)]
    module.train(training), reference.train(training)
    for ours, theirs in zip(module(*inputs), reference(inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("start", [1, 0.5])
def test_positions_of_maps_are_detrs(start):
    """Cumulated masks over the last of them, rows before columns (Carion et al.)."""
    text = "use lib/positions (sine_position, masked_sine_position)\n" + model(
        "input x: [B, C = 8, H = 5, W = 4]",
        "input mask: bool[B, H = 5, W = 4]",
        f"output plain: [H, W, C] = x -> sine_position({start})",
        f"output masked: [B, H, W, C] = x -> masked_sine_position[mask]({start})",
    )
    mask = torch.zeros(2, 5, 4, dtype=torch.bool)
    mask[0], mask[1, :3, :2] = True, True
    found = run(text, torch.randn(2, 8, 5, 4, dtype=torch.float64), mask)
    halves = []
    for dim in (1, 2):
        seen = mask.double().cumsum(dim)
        last = seen[:, -1:] if dim == 1 else seen[:, :, -1:]
        at = (seen + start - 1) / (last + 1e-6) * 2 * math.pi
        slow = 10000 ** (2 * (torch.arange(4).double() // 2) / 4)
        angle = at[..., None] / slow
        both = angle[..., 0::2].sin(), angle[..., 1::2].cos()
        halves.append(torch.stack(both, dim=4).flatten(3))
    expected = torch.cat(halves, dim=3)
    torch.testing.assert_close(found["masked"], expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(found["plain"], expected[0], rtol=0, atol=1e-9)
