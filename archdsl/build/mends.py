"""What would mend an argument or an expression: rules that hold for every op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from archdsl.build.values import Given, TensorValue, Value
from archdsl.diagnostics import habits, near
from archdsl.ops.base import Op
from archdsl.ops.fields import AxisName
from archdsl.ops.registry import public_ops
from archdsl.ops.spelling import spelled, usage

_SAID = {"true": True, "yes": True, "on": True, "false": False, "no": False,
         "off": False, "none": False, "": False}  # fmt: skip
_NUMBER_OF_AXES = ("dim", "dims", "axis", "axes")


def call_text(op: type[Op], given: Sequence[Given]) -> str:
    """A call of an op with these arguments, as written."""
    inside = ", ".join(g.span.text for g in given)
    return f"{op.name}({inside})" if inside else op.name


def unknown_keyword(
    op: type[Op], given: Given, known: Sequence[str], axes: Sequence[str]
) -> str:
    """The keyword that is meant with its value, or ""."""
    assert given.name is not None
    if op.axis_keywords and len(given.name) == 1:
        return f"axes are written in uppercase: `{given.name.upper()} = …`"
    here = habits.keyword(given.name, known)
    if not here and op.axis_keywords and not near(given.name, known):
        return f"axes go by their own names: `{usage(op, short=True)}`"
    if not here:
        return ""
    named = _as_axes(given.value, axes) if given.name in _NUMBER_OF_AXES else ()
    text = ", ".join(named) or given.span.text.split("=", 1)[-1].strip()
    if here == op.rest:
        return f"write `{op.name}({text})`" if named else f"here it is `{op.name}(H)`"
    if given.name in _NUMBER_OF_AXES and not named:
        known = habits.unneeded(given.name) if axes else ""
        return known or f"here it is `{here} = C`"
    return f"here it is `{here} = {text}`"


def wrong_value(
    op: type[Op],
    field: str,
    given: Sequence[Given],
    blamed: Given | None,
    axes: Sequence[str],
) -> str:
    """The mend of a value that a field does not take, or "".

    Args:
        op: What is called.
        field: The field.
        given: All arguments of the call.
        blamed: The one that went to the field.
        axes: Those of what flows in.
    """
    if blamed is None:
        return ""
    value = blamed.value
    if field == op.rest or field in ("over", "axis", "into"):
        return _axis(op, field, given, axes)
    if _is_surplus(op, given, blamed):
        others = [g for g in given if g is not given[0]]
        return f"the size that flows in is known: `{call_text(op, others)}`"
    if isinstance(value, AxisName):
        return _not_a_size(op, field, blamed)
    if isinstance(op.model_fields[field].default, bool):
        return _flag(field, value)
    if isinstance(value, str):
        return _text(field, value)
    return _number(field, value, whole=_takes_sizes(op, field))


def _takes_sizes(op: type[Op], field: str) -> bool:
    """Whether a field takes whole numbers, as sizes are."""

    def holds(taken: object) -> bool:
        return taken is int or any(holds(inner) for inner in get_args(taken))

    return holds(op.model_fields[field].annotation)


def _not_a_size(op: type[Op], field: str, blamed: Given) -> str:
    """What is meant by an axis where a number is needed: its size, or where to work."""
    if (blamed.name is not None or field == "features") and _takes_sizes(op, field):
        return f"write `{field} = 1 * {blamed.value}` for its size"
    if blamed.name is not None:
        return ""
    if "over" in op.model_fields:
        return f"write `over = {blamed.value}`"
    named = op.rest or op.axis_keywords or "axis" in op.model_fields
    return "" if named else f"{op.name} takes no axes"


def _is_surplus(op: type[Op], given: Sequence[Given], blamed: Given) -> bool:
    """Whether a size of the input seems to stand before the arguments."""
    if not op.ports or blamed.name is not None or not _sizes(given):
        return False
    needed = sum(info.is_required() for info in op.model_fields.values())
    return given.index(blamed) == needed and _sizes((blamed,))


def _sizes(given: Sequence[Given]) -> bool:
    value = given[0].value if given and given[0].name is None else None
    return isinstance(value, int) and not isinstance(value, bool) and value > 1


def _as_axes(value: Value, axes: Sequence[str]) -> list[str]:
    """The axes that numbers of dimensions mean, or none."""
    numbers = value if isinstance(value, tuple) else (value,)
    named = []
    for number in numbers:
        if isinstance(number, AxisName):
            named.append(str(number))
        elif isinstance(number, str) and number.upper() in axes:
            named.append(number.upper())
        elif type(number) is int and -len(axes) < number < len(axes) and number:
            named.append(axes[number])
        else:
            return []
    return named


def _axis(op: type[Op], field: str, given: Sequence[Given], axes: Sequence[str]) -> str:
    """The axes that are meant, as they are written."""
    flat = _flat(op, field, given)
    named = _as_axes(flat, axes)
    if len(set(named)) < len(named):
        return ""
    if (
        field != op.rest
        and len(flat) > 1
        and all(isinstance(v, AxisName) for v in flat)
    ):
        return f"one axis only: `{field} = {named[0]}`"
    if not named and all(isinstance(v, str) for v in flat):
        named = [str(v)[:1].upper() + str(v)[1:] for v in flat]
    if not named:
        return f"the axes here are {', '.join(axes)}" if axes else ""
    text = ", ".join(named)
    if field == op.rest:
        text = ", ".join([text, *(g.span.text for g in given if g.name)])
        return f"axes go by name: `{op.name}({text})`"
    return f"axes go by name: `{field} = {f'[{text}]' if len(named) > 1 else text}`"


def _flat(op: type[Op], field: str, given: Sequence[Given]) -> tuple[Value, ...]:
    """The values for a field of axes, lists made flat."""
    flat: list[Value] = []
    for one in given:
        if one.name == field or (field == op.rest and one.name is None):
            flat += one.value if isinstance(one.value, tuple) else [one.value]
    if not flat and field != op.rest and given and given[0].name is None:
        flat = [given[0].value]
    return tuple(flat)


def _number(field: str, value: Value, *, whole: bool) -> str:
    rate = field in ("rate", "dropout")
    if rate and isinstance(value, int | float) and 1 < value < 100:
        return f"a rate is a share of 1: {value / 100:g} for {value:g} %"
    if isinstance(value, float) and whole and not value.is_integer():
        return "`//` divides to whole numbers, and `int` and `round` make them"
    return ""


def _flag(field: str, value: Value) -> str:
    if isinstance(value, str):
        value = _SAID.get(value.lower(), value)
    if value is None or (isinstance(value, int | float) and value in (0, 1)):
        return f"write `{field} = {spelled(bool(value))}`"
    return ""


def _text(field: str, value: str) -> str:
    if field == "padding" and value == "same":
        return "leave it out: windows that overlap are centred, and keep the size"
    if field == "padding" and value == "SAME":
        return 'TensorFlow\'s SAME is `padding = "tf_same"`'
    if field == "padding" and value == "valid":
        return "write `padding = 0`"
    return f"without quotes: `{field} = {value}`" if value.isdecimal() else ""


# --- expressions --------------------------------------------------------------------


def unpacking(names: Sequence[str], value: Value) -> str:
    """How names are paired with values of which there are not as many."""
    if not isinstance(value, tuple):
        return "`enumerate(list)` counts along, `zip(list, other)` pairs two lists"
    inner = value[-1] if value else None
    if isinstance(inner, tuple) and len(value) - 1 + len(inner) == len(names):
        outside, inside = names[: len(value) - 1], names[len(value) - 1 :]
        return f"write `{', '.join([*outside, '(' + ', '.join(inside) + ')'])}`"
    return ""


def attribute(text: str, name: str, base: Value) -> str:
    """What stands for an attribute that a value does not have."""
    if isinstance(base, TensorValue):
        return habits.attribute(text, name, base.type.names, public_ops())
    if isinstance(base, tuple) and name in ("length", "size", "shape", "len"):
        return f"write `len({text})`"
    return "only tensors have attributes: their sizes, such as `x.C`"


def of_library(library: str, name: str) -> str:
    """What a layer of another library, or of ``self``, is here."""
    if library == "self":
        return f"`layer {name} = …` declares weights, then it is `{name}`"
    if name in public_ops():
        return f"here it is `{name}`"
    found = habits.layer(name) or near(name.lower(), public_ops())
    return found or "`archdsl ops` prints the ops"
