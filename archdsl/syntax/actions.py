"""What the rules of the grammar make: an entry a rule, named as the rule is.

An entry takes a value for each symbol of its rule: the text of a word (a `_` where it
says nothing more), and what that rule's own entry made for another rule. `NODES`
take the span of the whole rule first. `LISTS` make no node: they gather parts, or
choose one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from archdsl.source import Span
from archdsl.syntax import tree


def _file(at: Span, items: list[tree.Item]) -> tree.File:
    """Spans its items: what stands before and after them is not part of it."""
    if items:
        at = Span(at.source, items[0].span.start, items[-1].span.end)
    return tree.File(at, tuple(items))


def _else_if(inner: tree.If) -> tree.Body:
    """The inner `if`, as the one statement of a body."""
    return tree.Body(inner.span, (tree.Flow(inner.span, inner),))


def _said(string: str) -> str:
    """What a string says."""
    text = string[1:-1]
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)


NODES: dict[str, Callable[..., tree.Node]] = {
    # a file
    "file": _file,
    "use_all": lambda at, _, path: tree.Use(at, "/".join(path), ()),
    "use": lambda at, _, path, _open, names, *_rest: tree.Use(
        at, "/".join(path), tuple(names)
    ),
    "block": lambda at, _, name, tensors, parameters, body: tree.Block(
        at, name, None if tensors is None else tuple(tensors), tuple(parameters), body
    ),
    "model": lambda at, _, name, parameters, body: tree.Model(
        at, name, tuple(parameters), body
    ),
    "variant": lambda at, _, name, _is, value: tree.Variant(at, name, value, None),
    "variant_body": lambda at, _, name, _is, value, body: tree.Variant(
        at, name, value, body
    ),
    "checkpoint": lambda at, _, name, _for, model, body: tree.Checkpoint(
        at, name, model, body
    ),
    "parameter": lambda at, name: tree.Parameter(at, name, "", None),
    "parameter_default": lambda at, name, _, value: tree.Parameter(at, name, "", value),
    "parameter_type": lambda at, name, _, kind: tree.Parameter(at, name, kind, None),
    "parameter_both": lambda at, name, _, kind, _is, value: tree.Parameter(
        at, name, kind, value
    ),
    # statements
    "body": lambda at, _, statements, _close: tree.Body(at, tuple(statements)),
    "input": lambda at, _, name, shape: tree.Input(at, name, shape),
    "output_name": lambda at, _, name: tree.Output(at, name, None, None),
    "output_claim": lambda at, _, name, claim: tree.Output(at, name, claim, None),
    "output_value": lambda at, _, name, _is, value: tree.Output(at, name, None, value),
    "output_both": lambda at, _, name, claim, _is, value: tree.Output(
        at, name, claim, value
    ),
    "let": lambda at, _, names, _is, value: tree.Let(at, tuple(names), value),
    "layer": lambda at, _, name, _is, value: tree.Layer(at, name, value),
    "return": lambda at, _, values, *_comma: tree.Return(at, tuple(values)),
    "require": lambda at, _, condition: tree.Require(at, condition, None),
    "require_message": lambda at, _, condition, _comma, message: tree.Require(
        at, condition, message
    ),
    "expect": lambda at, _, condition: tree.Expect(at, condition),
    "flow": tree.Flow,
    # steps
    "conditional": lambda at, then, _, condition, _else, other: tree.Conditional(
        at, then, condition, other
    ),
    "pipeline": lambda at, steps: tree.Pipeline(at, tuple(steps)),
    "step_claim": lambda at, value, claim: tree.Step(at, value, claim, None),
    "step_label": lambda at, value, _, label: tree.Step(at, value, None, label),
    "step_both": lambda at, value, claim, _, label: tree.Step(at, value, claim, label),
    "residual_plain": lambda at, _, body: tree.Residual(at, (), body),
    "residual": lambda at, _, _open, arguments, _close, body: tree.Residual(
        at, tuple(arguments), body
    ),
    "repeat": lambda at, _, _open, arguments, _close, body: tree.Repeat(
        at, tuple(arguments), body
    ),
    "scan": lambda at, _, _open, arguments, _close, _in, carries, *rest: tree.Scan(
        at, tuple(arguments), tuple(carries), rest[-1]
    ),
    "carry": lambda at, name, *first: tree.Carry(at, name, first[1] if first else None),
    "for": lambda at, _, target, _in, iterable, body: tree.For(
        at, target, iterable, body
    ),
    "if": lambda at, _, condition, body: tree.If(at, condition, body, None),
    "if_else": lambda at, _, condition, body, _else, other: tree.If(
        at, condition, body, other
    ),
    "if_else_if": lambda at, _, condition, body, _else, inner: tree.If(
        at, condition, body, _else_if(inner)
    ),
    "target": lambda at, parts: tree.Target(at, tuple(parts)),
    "target_name": tree.Target,
    "target_group": lambda at, _, inner, _close: tree.Target(at, inner.items),
    "shape": lambda at, _, axes, _close: tree.Shape(at, "", tuple(axes)),
    "shape_typed": lambda at, kind, _, axes, _close: tree.Shape(at, kind, tuple(axes)),
    "axis_size": lambda at, axis: tree.AxisSize(at, axis, None),
    "axis_size_known": lambda at, axis, _, size: tree.AxisSize(at, axis, size),
    # values
    "unary": tree.Unary,
    "binary": lambda at, left, operator, right: tree.Binary(at, operator, left, right),
    "compare": lambda at, parts: tree.Compare(
        at, tuple(parts[::2]), tuple(parts[1::2])
    ),
    "call": lambda at, function, _, arguments, _close: tree.Call(
        at, function, tuple(arguments)
    ),
    "brackets": lambda at, base, _, arguments, _close: tree.Brackets(
        at, base, tuple(arguments)
    ),
    "attribute": lambda at, base, _, name: tree.Attribute(at, base, name),
    "argument": lambda at, value: tree.Argument(at, None, value),
    "argument_named": lambda at, name, _, value: tree.Argument(at, name, value),
    "list_empty": lambda at, _, _close: tree.ListOf(at, ()),
    "list_of": lambda at, _, items, *_rest: tree.ListOf(at, tuple(items)),
    "comprehension": lambda at, _, item, loop, _close: tree.Comprehension(
        at, item, loop[0], loop[1], None
    ),
    "comprehension_if": lambda at, _, item, loop, _if, condition, _close: (
        tree.Comprehension(at, item, loop[0], loop[1], condition)
    ),
    "tuple_one": lambda at, _, item, *_rest: tree.TupleOf(at, (item,)),
    "tuple_of": lambda at, _, first, _comma, others, *_rest: tree.TupleOf(
        at, (first, *others)
    ),
    "name": tree.Name,
    "axis": tree.Axis,
    "integer": lambda at, text: tree.Literal(at, int(text)),
    "real": lambda at, text: tree.Literal(at, float(text)),
    "string": lambda at, text: tree.Literal(at, _said(text)),
    "true": lambda at, _: tree.Literal(at, True),
    "false": lambda at, _: tree.Literal(at, False),
    "nothing": lambda at, _: tree.Literal(at, None),
}


def _more(items: list[object], _between: str, item: object) -> list[object]:
    items.append(item)
    return items


def _two_more(parts: list[object], operator: str, right: object) -> list[object]:
    parts += (operator, right)
    return parts


LISTS: dict[str, Callable[..., Any]] = {
    "none": list,
    "no_brackets": lambda: None,
    "empty": lambda _, _close: [],
    "one": lambda item: [item],
    "more": _more,
    "pair": lambda first, _, second: [first, second],
    "same": lambda items, *_: items,
    "inside": lambda _, items, *_close: items,
    "second": lambda _, value, *_close: value,
    "loop": lambda _, target, _in, iterable: (target, iterable),
    "three": lambda left, operator, right: [left, operator, right],
    "two_more": _two_more,
}
