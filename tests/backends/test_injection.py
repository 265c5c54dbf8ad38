"""No text of a spec becomes code: what is compiled is plain, valid and harmless."""

import ast
import keyword
import re
import subprocess
import sys

import pytest
import torch
from torch import nn

import archdsl
from archdsl.backends.torch.module import write

SHAPE = "[B, C = 4, H = 4, W = 4]"
INPUT = f"input x: {SHAPE}"
NAMES = [
    # Python's and PyTorch's own words
    "__import__", "__class__", "__init__", "__dict__", "__doc__", "__slots__",
    "__getattr__", "__call__", "_modules", "_parameters", "_buffers", "_version",
    "__x", "__", "_", "_1", "__1", "___", "__k__2",
    "self", "super", "torch", "nn", "print", "exec", "eval", "open", "range", "len",
    "int", "float", "list", "dict", "type", "object", "isinstance", "math", "i", "x",
    "match", "async", "await", "nonlocal", "global", "lambda", "class", "def", "del",
    "pass", "raise", "try", "with", "yield", "assert", "is", "import", "from",
    # of a module
    "forward", "train", "training", "half", "double", "eval", "to", "cpu", "apply",
    "children", "parameters", "buffers", "modules", "state_dict", "register_buffer",
    "zero_grad", "add_module", "dump_patches", "items", "keys", "values", "append",
    "extend", "pop", "update", "clear", "insert", "compile", "share_memory",
]  # fmt: skip
PLACES = {
    "label": f"model m {{ {INPUT}\n conv(4, 3) as @\n relu\n output y\n}}",
    "input": f"model m {{ input @: {SHAPE}\n conv(4, 3)\n output y\n}}",
    "output": f"model m {{ {INPUT}\n conv(4, 3)\n output @\n output z = x\n}}",
    "block": f"block @[x](k) {{ conv(4, k) -> relu }}\n"
    f"model m {{ {INPUT}\n @(3) -> @(1)\n output y\n}}",
    "tensor": f"block b[@](k) {{ conv(4, k) -> add(@) }}\n"
    f"model m {{ {INPUT}\n b(3) -> b(1)\n output y\n}}",
    "hyperparameter": f"block b[x](@) {{ conv(4 * @, @) -> conv(4, 1) }}\n"
    f"model m {{ {INPUT}\n b(3) -> b(1)\n output y\n}}",
    "repeated": f"block b[x](@) {{ conv(@, 1)\n repeat(3) {{ conv(@, 1) }} }}\n"
    f"model m {{ {INPUT}\n b(3) -> b(5)\n output y\n}}",
    "layer": f"model m {{ {INPUT}\n layer @ = conv(4, 3)\n x -> @ -> @\n output y\n}}",
    "let": f"model m {{ {INPUT}\n let @ = x -> conv(4, 3)\n conv(4, 1) -> add(@)\n"
    " output y\n}",
    "loop": f"model m {{ {INPUT}\n for @ in [1, 3] {{ conv(4, @) }}\n output y\n}}",
    "labels": f"model m {{ {INPUT}\n for i in [1, 3] {{ conv(4, i) as @ }}\n"
    " output y = @[0] + @[1]\n}",
    "model": f"model @ {{ {INPUT}\n conv(4, 3)\n output y\n}}",
}


def compiled(text: str) -> nn.Module:
    """The compiled module of a spec, after a look at its source."""
    source = archdsl.compile(text)
    return run(source)


def run(source: str) -> nn.Module:
    """A module from its source, which must be nothing but imports and classes."""
    data = source.encode("utf-8")
    tree = ast.parse(data)
    doc, *others = tree.body
    assert isinstance(doc, ast.Expr)
    assert isinstance(doc.value, ast.Constant)
    classes = [node for node in others if isinstance(node, ast.ClassDef)]
    imports = others[: -len(classes)]
    assert others == [*imports, *classes]
    for node in imports:
        assert isinstance(node, ast.Import | ast.ImportFrom)
        names = [n.name for n in node.names]
        home = node.module if isinstance(node, ast.ImportFrom) else names[0]
        assert home in ("torch", "torch.nn.functional", "collections", "math")
    called = {n.func.id for n in ast.walk(tree) if _is_name_call(n)}
    known = {"super", "range", "len", "OrderedDict", *(c.name for c in classes)}
    assert called <= known
    scope: dict[str, object] = {"__name__": "made"}
    exec(compile(data, "<made>", "exec"), scope)
    made = scope[classes[-1].name]()
    assert isinstance(made, nn.Module)
    return made


def _is_name_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def works(module: nn.Module) -> None:
    """Runs a module and what every module can do."""
    x = torch.randn(2, 4, 4, 4)
    module.eval()
    before = module(x)
    module.load_state_dict(module.state_dict())
    module.train().double().half().float().to("cpu").eval().zero_grad()
    assert list(module.children()) or not list(module.parameters())
    assert repr(module)
    after = module(x)
    if isinstance(before, dict):
        before, after = (torch.cat([*d.values()]) for d in (before, after))
    assert after.shape == before.shape


@pytest.mark.parametrize("place", PLACES)
def test_a_name_hides_nothing_of_python_or_of_a_module(place):
    ran = 0
    for name in NAMES:
        text = PLACES[place].replace("@", name) + "\n"
        try:
            module = compiled(text)
        except archdsl.SpecError as error:
            assert error.diagnostics[0].span.text
            continue
        works(module)
        ran += 1
    assert ran > len(NAMES) // 2


def test_every_attribute_of_a_module_can_be_a_label():
    """PyTorch adds some from time to time."""
    # Of PyTorch's own: other libraries that a test has imported may add theirs.
    ask = "from torch import nn; print(*dir(nn.Module()))"
    listed = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, check=True, text=True
    )
    names = [n for n in listed.stdout.split() if re.match("[a-z_]", n)]
    assert "register_buffer" in names
    for name in names + keyword.kwlist:
        text = PLACES["label"].replace("@", name) + "\n"
        try:
            module = compiled(text)
        except archdsl.SpecError:
            assert keyword.iskeyword(name)
            continue
        works(module)


@pytest.mark.parametrize(
    "name",
    [
        "\u0441onv",
        "\uff43\uff4f\uff4e\uff56",
        "\U0001d41c",
        "\xe9",
        "a\u0301",
        "a\u200b",
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_letters_that_only_look_like_ours_are_no_names(place, name):
    found = archdsl.check(PLACES[place].replace("@", name) + "\n")
    assert found
    assert {d.code for d in found} & {"E102", "E120"}


# --- text that goes into the source -------------------------------------------------

BODY = f"model m {{ {INPUT}\n conv(4, 3)\n output y\n}}\n"
COMMENTS = [
    '# """ + __import__("os").system("touch pwned") + """',
    '# """\n# import os\n# """',
    '# \\"""', '# \\\\"""', '# """"', '# """""""', '# ends with "', "# ends with \\",
    "# '''", "# \\N{BULLET} \\x41 \\u12 \\777", "# {x} {0} %s {", "# \t tab",
    "# a\x0bimport os", "# a\x0cimport os", "# a\u2028import os", "# a\x85import os",
    "# a\rimport os", "# \u202egnp.exe \u2066", "# \x00", "# \x1b[31m", "# \ud800",
    "# \ufffe\uffff", "# \U0001f600 \u4e2d\u6587", "# -*- coding: utf-7 -*-",
    "#!/bin/sh", "#", "# " + "long " * 2000, "# +ACIAIgAi-",
]  # fmt: skip


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_comment_stays_words_in_the_docstring(comment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = archdsl.compile(f"{comment}\n{BODY}")
    works(run(source))
    assert not list(tmp_path.iterdir())
    assert all(c.isprintable() or c == "\n" for c in source)


@pytest.mark.parametrize(
    "name",
    ['a""".arch', 'a"""', "a\\", '"', "a\nimport os", "\u202e", "\udc80", "{x}", "a\0"],
)
def test_the_name_of_a_file_stays_words_in_the_docstring(name):
    source = write(archdsl.parse(BODY), name)
    works(run(source))
    assert "import os" not in source.splitlines()


def test_a_file_with_such_a_name_compiles(tmp_path):
    path = tmp_path / 'a""" + 1 \\.arch'
    path.write_text(BODY)
    works(run(archdsl.compile(path)))


@pytest.mark.parametrize(
    "text",
    ['\\"', "\\\\", '\\"); import os; (\\"', "{0}", "%s", "\\n", "__import__('os')"],
)
@pytest.mark.parametrize("step", ['gelu("@")', 'conv(4, "@")', 'add("@")', '"@"'])
def test_a_text_in_a_spec_is_data(step, text):
    found = archdsl.check(BODY.replace("conv(4, 3)", step.replace("@", text)))
    assert found


def test_a_text_can_be_compared_and_never_comes_out():
    evil = '\\"\\"\\" + __import__(\\"os\\")'
    block = f'block b[x](t) {{ if t == "{evil}" {{ relu }} else {{ gelu }} }}\n'
    source = archdsl.compile(block + BODY.replace("conv(4, 3)", f'b("{evil}")'))
    assert "__import__" not in source
    assert "relu" in source
    works(run(source))


def test_values_that_end_in_a_file_name_do_not_leave_the_folder():
    """A model's name is a file's name by default."""
    found = archdsl.check(BODY.replace("model m", "model ../m"))
    assert found
    assert archdsl.check(BODY.replace("model m", "model a/m"))
