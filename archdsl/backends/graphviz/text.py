"""The words of a picture: costs, shapes and settings, short and safe in DOT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archdsl.analysis.cost import Totals
from archdsl.backends.graphviz.numbers import NBSP, amount, factor, formula
from archdsl.ir.dim import Poly, Size
from archdsl.ir.tensor import BATCH, FEATURES, Tensor
from archdsl.ops.spelling import spelled

_MAPS = (("H", "W"), ("D", "H", "W"), ("T", "H", "W"))  # written without their names


def escape(text: str, most: int = 72) -> str:
    """A text as one line of an HTML-like label: ASCII, cut where it is too long."""
    if len(text) > most:
        text = text[: most - 1] + "…"
    return "".join(map(_entity, text))


def _entity(char: str) -> str:
    code = ord(char)
    if char == NBSP:  # whose width Graphviz does not know
        return " "
    if char in "&<>\"'\\" or code > 126:
        no_char = 0xD800 <= code < 0xE000 or code in (0xFFFE, 0xFFFF)
        return f"&#{0xFFFD if no_char or 127 <= code < 160 else code};"
    return char if char.isprintable() else " "


# --- costs ---------------------------------------------------------------------------


def costs(totals: Totals, shared: str = "") -> str:
    """Params and multiply-accumulates, "" for neither.

    Args:
        totals: The costs.
        shared: What to say instead of params, where these are another layer's.
    """
    parts = [shared] if shared else []
    if not shared and totals.params != 0:
        word = "param" if totals.params == 1 else "params"
        parts.append(f"{amount(totals.params)}{NBSP}{word}")
    if totals.macs != 0:
        parts.append(f"{amount(totals.macs)}{NBSP}MACs")
    return " · ".join(parts)


# --- shapes --------------------------------------------------------------------------


def shape(tensor: Tensor) -> str:
    """A shape without the batch: ``56×56×96`` for a map, or ``T 64 · C 300``."""
    sizes = {axis: size for axis, size in tensor.axes if axis != BATCH}
    kind = "" if tensor.dtype == "float" else f"{tensor.dtype} "
    features = (FEATURES,) if FEATURES in sizes else ()
    positions = tuple(sorted(axis for axis in sizes if axis != FEATURES))
    if positions in _MAPS:
        words = [factor(sizes[axis]) for axis in (*positions, *features)]
        tight = all(isinstance(sizes[axis], int) for axis in sizes)
        return kind + ("×" if tight else " × ").join(words)
    order = (*(a for a in sizes if a != FEATURES), *features)
    return kind + (" · ".join(_axis(a, sizes[a]) for a in order) or "1")


def _axis(name: str, size: Size) -> str:
    return name if str(size) == name else f"{name} {formula(size)}"


# --- hyperparameters -----------------------------------------------------------------


def word(value: object) -> str:
    """A hyperparameter's value; a layer or block goes by its name."""
    if isinstance(value, tuple | list):
        return "[" + f",{NBSP}".join(map(word, value)) + "]"
    name = getattr(value, "name", None)
    if isinstance(name, str):
        return name
    return formula(value) if isinstance(value, Poly) else spelled(value)


def settings(hyper: Mapping[str, object], shown: Iterable[str]) -> str:
    """Hyperparameters on one line: ``heads 3, window 7``."""
    return ", ".join(f"{name}{NBSP}{word(hyper[name])}" for name in shown)
