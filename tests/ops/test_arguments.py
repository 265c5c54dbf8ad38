"""Whatever stands for an argument, an op takes it or says what is wrong with it."""

from __future__ import annotations

import re

import pytest

import archdsl
from archdsl.ops.base import Example, Op
from archdsl.ops.registry import public_ops

SILLY = ("-1", "1.5", '"no"', "[]", "[[1], 2]", "Q", "none", "true")
FIELDS = [(op, field) for op in public_ops().values() for field in op.model_fields]


def arguments(code: str, name: str) -> tuple[int, int, list[str]] | None:
    """Where a call of an op stands, and its arguments."""
    found = re.search(rf"\b{name}\b", code)
    if found is None or code[found.end() : found.end() + 1] != "(":
        return found and (found.start(), found.end(), [])
    depth, items, end = 0, [""], found.end()
    while True:
        char = code[end]
        depth += (char in "([{") - (char in ")]}")
        end += 1
        if not depth:
            return found.start(), end, [i.strip() for i in items if i.strip()]
        if char == "," and depth == 1:
            items.append("")
        elif depth > 1 or char != "(":
            items[-1] += char


def with_value(op: type[Op], example: Example, field: str, value: str) -> str:
    """A spec of an example, with a value for one of the arguments."""
    found = arguments(example.code, op.name)
    assert found is not None
    start, end, given = found
    kept = [item for item in given if not re.match(rf"{field}\s*=", item)]
    places = [i for i, item in enumerate(kept) if not re.match(r"\w+\s*=", item)]
    at = list(op.model_fields).index(field)
    if len(kept) == len(given) and at < len(places) and not op.ports[1:]:
        kept[places[at]] = value
    else:
        kept.append(f"{field} = {value}")
    call = f"{op.name}({', '.join(kept)})"
    code = example.code[:start] + call + example.code[end:]
    inputs = "".join(f"  input {n}: {shape}\n" for n, shape in example.inputs.items())
    flow = f"  {next(iter(example.inputs))} -> {code}\n"
    return f"model net {{\n{inputs}{flow}  output y\n}}\n"


@pytest.mark.parametrize(("op", "field"), FIELDS)
def test_a_silly_value_is_taken_or_refused_where_it_stands(op, field):
    for value in SILLY:
        text = with_value(op, op.examples[0], field, value)
        line = 2 + len(op.examples[0].inputs)
        wrong = archdsl.check(text, allow=["all"])
        assert {error.span.line for error in wrong} <= {line}, text
        assert wrong or "class Net" in archdsl.compile(text)


def test_the_size_of_an_axis_goes_by_its_own_name():
    """A field of axes has no name of its own that a call could use."""
    for op in (op for op in public_ops().values() if op.axis_keywords):
        text = with_value(op, op.examples[0], op.axis_keywords, "3")
        (wrong,) = archdsl.check(text, allow=["all"])
        assert wrong.code == "E401"
