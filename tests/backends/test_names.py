"""Names in a forward pass: each holds its value until the last use."""

import torch

import archdsl
from archdsl.backends.torch.load import load

TEXT = """\
block twice[x] {
  slice(T, 0) -> multiply(parameter(T = 6)) -> divide(x -> dropout(0.5) -> attention(4))
}

model m {
  input s: [T = 6, C = 8]
  twice
  output out
}
"""


def test_an_expression_that_waits_keeps_the_names_that_it_uses():
    """`x[:]` waits while the other side is written, which uses `x` for the last time."""
    graph = archdsl.parse(TEXT)
    module = load(graph).eval()
    x = torch.randn(6, 8)
    block = module.twice
    expected = x * block.parameter()[:, None] / block.attention(x)
    torch.testing.assert_close(module(x), expected)
