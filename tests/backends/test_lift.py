"""What of an op's own classes gets into a compiled file."""

import ast
import re

import pytest

import archdsl
from archdsl.ops.registry import public_ops
from tests.texts import text_of

EXAMPLES = [example for op in public_ops().values() for example in op.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.code)
def test_a_class_stands_alone_and_without_notes_to_our_tools(example):
    source = archdsl.compile(text_of(example))
    classes = [s for s in ast.parse(source).body if isinstance(s, ast.ClassDef)]
    names = {made.name for made in classes}
    assert not names & {ast.unparse(base) for made in classes for base in made.bases}
    assert not re.search(r"# (noqa|type:)|  #: ", source)


def test_what_a_class_has_itself_replaces_what_it_has_from_another():
    source = archdsl.compile(
        "model m {\n  input x: [B, T, C = 4]\n  input y: [B, N = 8, C = 4]\n"
        "  output a = x -> window_attention(2, 4, 2)\n"
        "  output b = y -> window_attention(2, 4, 2)\n}\n"
    )
    classes = {s.name: s for s in ast.parse(source).body if isinstance(s, ast.ClassDef)}
    of_open, of_one = classes["OpenWindowAttention"], classes["WindowAttention"]
    assert "of any size" in ast.get_docstring(of_open)
    assert "of any size" not in ast.get_docstring(of_one)
    methods = {
        name: [s.name for s in made.body if isinstance(s, ast.FunctionDef)]
        for name, made in classes.items()
    }
    assert methods["OpenWindowAttention"].count("forward") == 1
    assert "_attended" in methods["OpenWindowAttention"]
    assert "self.mask" in ast.unparse(of_one)
    assert "self.mask" not in ast.unparse(of_open)
