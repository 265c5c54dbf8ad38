"""Names in a forward pass: each holds its value until the last use."""

import torch
import torch.nn.functional as F

import archdsl
from archdsl.backends.torch.load import load

TEXT = """\
block twice[x] {
  slice(T, 0) -> multiply(parameter(T = 6, N = 3)) -> divide(x -> dropout(0.5) -> attention(4)) as y
  avg_pool(2)
}

model m {
  input s: [N = 3, C = 8, T = 6]
  window_attention(1, window = 3)
  twice
  output out
}
"""  # noqa: E501


def test_an_expression_that_waits_keeps_the_names_that_it_uses():
    """`x[:]` waits while the other side is written, the last to use `x`."""
    module = load(archdsl.parse(TEXT)).eval()
    block, s = module.twice, torch.randn(3, 8, 6)
    x = module.window_attention(s.transpose(1, 2)[None])[0]  # (N, T, C)
    y = block.attention(x.flatten(0, 1)).unflatten(0, (3, 6))
    y = x * block.parameter().T[..., None] / y
    expected = F.avg_pool2d(y.permute(2, 0, 1), 2).transpose(0, 1)
    torch.testing.assert_close(module(s), expected)
