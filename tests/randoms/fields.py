"""Random nets that move information about: windows, strides, branches, turns."""

import random

import archdsl
from archdsl.ir.graph import Graph
from archdsl.ir.tensor import Tensor

SHAPES = ("T = {}", "H = {}, W = {}", "W = {}, H = {}", "T = {}, H = {}, W = {}")
SIZES = (4, 5, 6, 8, 9, 12, 15, 16)
MOST = 600  # positions of a value
LONGEST = 20  # turns of a recurrence: what it forgets cannot be measured


class Net:
    """A net that grows a line at a time; a line that is refused is left out."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.count = 0
        few = self.dice.choice(SHAPES)
        sizes = [self.dice.choice(SIZES[: 8 if few.count("{") < 3 else 3])
                 for _ in range(few.count("{"))]  # fmt: skip
        self.inputs = [f"  input x: [B, {few.format(*sizes)}, C = 4]"]
        if self.dice.random() < 0.15:
            self.inputs.append(f"  input y: [B, {few.format(*sizes)}, C = 4]")
        self.lines: list[str] = []
        self.graph: Graph | None = None
        if len(self.inputs) == 2:
            self.lines.append("  y -> conv(4, kernel = 3) -> layer_norm as side")
            self.lines.append(
                "  x * side" if self.dice.random() < 0.5 else "  x + side"
            )
        self.grow(self.dice.randint(2, 6))

    @property
    def text(self) -> str:
        rows = [*self.inputs, *(self.lines or ["  x"]), "  layer_norm"]
        return "\n".join(["model m {", *rows, "  output out", "}", ""])

    @property
    def flow(self) -> Tensor:
        """The type of what comes out."""
        return archdsl.parse(self.text).outputs[0]

    def grow(self, steps: int) -> None:
        for _ in range(steps * 3):
            before = list(self.lines)
            flow = self.flow
            if not flow.positions:
                break
            self.count += 1
            self.lines += self.dice.choice(KINDS)(self, flow)
            try:
                new = self.flow
            except archdsl.SpecError:
                self.lines = before
                continue
            sizes = [new[a] for a in new.positions]
            if new.extent(new.positions) > MOST or 0 in sizes:
                self.lines = before
            steps -= 1
            if not steps:
                break
        self.graph = archdsl.parse(self.text)

    def of(self, *choices):
        return self.dice.choice(choices)

    def over(self, flow: Tensor) -> str:
        if self.dice.random() < 0.6:
            return ""
        return f", over = {self.of(*flow.positions)}"


def conv(net: Net, flow: Tensor) -> list[str]:
    words = f"kernel = {net.of(1, 2, 3, 3, 5)}, stride = {net.of(1, 1, 1, 2, 3)}"
    words += f", dilation = {net.of(1, 1, 2, 3)}"
    words += net.of("", "", ", padding = 0", ", padding = 1", ", padding = 3")
    return [f"  conv(4, {words}{net.over(flow)}) -> layer_norm"]


def sowing(net: Net, flow: Tensor) -> list[str]:
    words = f"kernel = {net.of(1, 2, 3, 4)}, stride = {net.of(1, 1, 2, 2, 3)}"
    words += f", dilation = {net.of(1, 1, 2)}"
    words += net.of("", "", ", padding = 0", ", padding = 1")
    return [f"  conv_transpose(4, {words}{net.over(flow)}) -> layer_norm"]


def normalising(net: Net, flow: Tensor) -> list[str]:
    return [f"  group_norm({net.of(1, 2)}, over = {net.of(*flow.positions)})"]


def pool(net: Net, flow: Tensor) -> list[str]:
    name = net.of("max_pool", "avg_pool")
    return [f"  {name}({net.of(2, 3)}, stride = {net.of(1, 2, 3)}{net.over(flow)})"]


def adaptive(net: Net, flow: Tensor) -> list[str]:
    return [f"  adaptive_avg_pool({net.of(2, 3, 4, 5)}{net.over(flow)})"]


def windows(net: Net, flow: Tensor) -> list[str]:
    window = net.of(2, 3, 4, 5)
    words = f"2, {window}, shift = {net.of(0, 1, window // 2, window - 1)}"
    pad = net.of("", ", pad = true")
    step = f"window_attention({words}, relative_bias = true{pad}{net.over(flow)})"
    return [f"  residual {{ layer_norm -> {step} }}", "  layer_norm"]


def merging(net: Net, flow: Tensor) -> list[str]:
    return [f"  patch_merge(4{net.of('', ', pad = true')})"]


def attending(net: Net, flow: Tensor) -> list[str]:
    axis = net.of(*flow.positions)
    causal = net.of("", ", causal = true", ", causal = true")
    return [f"  residual {{ attention(2{causal}, over = {axis}) }}", "  layer_norm"]


def recurrent(net: Net, flow: Tensor) -> list[str]:
    axis = net.of(*flow.positions)
    if flow[axis] > LONGEST:
        return []
    both = net.of("", "", ", bidirectional = true", ", last = true")
    hidden = 2 if "bi" in both else 4
    return [f"  {net.of('lstm', 'gru', 'rnn')}({hidden}{both}, over = {axis})"]


def scanning(net: Net, flow: Tensor) -> list[str]:
    axis = net.of(*flow.positions)
    if flow[axis] > LONGEST:
        return []
    how = net.of("", ", reverse = true", ", last = true")
    rest = [a for a in flow.positions if a != axis]
    mix = f"conv(4, kernel = 3, over = {rest[0]})" if rest else "linear(4)"
    return [
        f"  scan({axis}{how}) [x, h = zeros(C = 4)] {{",
        f"    x + (h -> {mix}) -> layer_norm -> tanh",
        "  }",
    ]


def cutting(net: Net, flow: Tensor) -> list[str]:
    axis, step = net.of(*flow.positions), net.of("", "", ", step = 2", ", step = 3")
    return [f"  slice({axis}, {net.of(0, 1, 2)}, {net.of(-1, -2, 9, 6)}{step})"]


def one(net: Net, flow: Tensor) -> list[str]:
    return [f"  select({net.of(*flow.positions)}, {net.of(0, 1, -1)})"]


def reducing(net: Net, flow: Tensor) -> list[str]:
    return [f"  {net.of('mean', 'max')}({net.of(*flow.positions)})"]


def joining(net: Net, flow: Tensor) -> list[str]:
    if len(flow.positions) < 2:
        axis = flow.positions[0]
        size = flow[axis]
        by = net.of(2, 3, 4)
        return [f"  split({axis}, P = {by}, Q = {size // by})"]
    axes = net.dice.sample(flow.positions, 2)
    return [f"  merge({', '.join(axes)}, into = N)"]


def tokens(net: Net, flow: Tensor) -> list[str]:
    return [f"  class_token({net.of(1, 2)})"]


def branching(net: Net, flow: Tensor) -> list[str]:
    words = f"kernel = {net.of(3, 5)}, dilation = {net.of(1, 2)}"
    return [f"  residual {{ conv(4, {words}) -> layer_norm }}"]


def beside(net: Net, flow: Tensor) -> list[str]:
    axis, n = net.of(*flow.positions), net.count
    inner = net.of("conv(4, kernel = 3)", f"max_pool(3, stride = 1, over = {axis})")
    new = [f"  layer_norm as a{n}", f"  {inner} -> layer_norm as b{n}"]
    if net.of(True, False):
        return [*new, f"  concat([a{n}, b{n}], over = {axis})"]
    return [*new, f"  concat([a{n}, b{n}]) -> linear(4) -> layer_norm"]


def gate(net: Net, flow: Tensor) -> list[str]:
    axes, n = ", ".join(flow.positions), net.count
    squeeze = f"mean({axes}) -> linear(4) -> sigmoid"
    return [f"  layer_norm as v{n}", f"  v{n} * (v{n} -> {squeeze})"]


KINDS = [conv] * 4 + [windows] * 4 + [branching] * 2 + [
    pool, adaptive, merging, attending, recurrent, scanning, cutting, one, reducing,
    joining, tokens, beside, beside, gate, joining, sowing, sowing,
    normalising,
]  # fmt: skip
