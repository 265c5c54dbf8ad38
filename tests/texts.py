"""Texts of specs that several tests need; made without torch."""

from archdsl.ops.base import Example


def text_of(example: Example) -> str:
    """A model that is nothing but the example of an op."""
    rows = [f"  input {name}: {shape}" for name, shape in example.inputs.items()]
    flow = next(iter(example.inputs))
    rows.append(f"  output out = {flow} -> {example.code}")
    return "\n".join(["model example {", *rows, "}", ""])
