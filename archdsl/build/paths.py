"""Paths: what the layers of a body are called, by kind, label and loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from archdsl.ir.graph import Path

# What a layer's name must not hide.
_TAKEN = frozenset([
    # words of Python
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
    "continue", "def", "del", "elif", "else", "except", "finally", "for", "from",
    "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass",
    "raise", "return", "try", "while", "with", "yield",
    # attributes of a module, and names in its file
    "self", "super", "torch", "nn", "T_destination", "add_module", "apply", "bfloat16",
    "buffers", "call_super_init", "children", "compile", "cpu", "cuda", "double",
    "dump_patches", "eval", "extra_repr", "float", "forward", "get_buffer",
    "get_extra_state", "get_parameter", "get_submodule", "half", "ipu",
    "load_state_dict", "modules", "mtia", "named_buffers", "named_children",
    "named_modules", "named_parameters", "parameters", "register_backward_hook",
    "register_buffer", "register_forward_hook", "register_forward_pre_hook",
    "register_full_backward_hook", "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook",
    "register_module", "register_parameter", "register_state_dict_post_hook",
    "register_state_dict_pre_hook", "requires_grad_", "set_extra_state",
    "set_submodule", "share_memory", "state_dict", "to", "to_empty", "train",
    "training", "type", "xpu", "zero_grad",
    # attributes of a module that `archdsl.load` makes
    "from_pretrained", "push_to_hub", "save_pretrained",
    # attributes of the modules that hold lists and dicts of layers
    "append", "clear", "extend", "insert", "items", "keys", "pop", "update", "values",
])  # fmt: skip


@dataclass
class _Turn:
    """One turn of a comprehension, in which every name is an item of a list."""

    index: int
    lists: dict[str, Path]
    used: dict[str, int] = field(default_factory=dict)


class Namer:
    """Gives each layer of a body its path.

    Layers are numbered by kind within their scope (``conv``, ``conv_2``), so that a
    line added for another kind renames nothing. A loop opens a scope a turn; in a
    comprehension each name is a list with one item a turn.
    """

    def __init__(self) -> None:
        self.prefix: Path = ()
        self._used: dict[Path, dict[str, int]] = {}
        self._turns: list[_Turn] = []

    def fresh(self, kind: str, label: str = "") -> Path:
        """A new path for a layer of a kind, or with a label."""
        name = _safe(label or kind)
        return self._item(name, len(self._turns)) if self._turns else self._scoped(name)

    def _scoped(self, name: str) -> Path:
        used = self._used.setdefault(self.prefix, {})
        if name in used:
            name = _number(name, used)
        else:
            used[name] = 1
        return (*self.prefix, name)

    def _item(self, name: str, depth: int) -> Path:
        """A path in so many turns."""
        if depth == 0:
            return self._scoped(name)
        turn = self._turns[depth - 1]
        local = _number(name, turn.used)
        if local not in turn.lists:
            turn.lists[local] = self._item(name, depth - 1)
        return (*turn.lists[local], str(turn.index))

    def open_turn(self, index: int, lists: dict[str, Path]) -> None:
        """Starts one turn of a comprehension; `lists` lives as long as it."""
        self._turns.append(_Turn(index, lists))

    def close_turn(self) -> None:
        """Ends the turn."""
        self._turns.pop()


def _number(name: str, used: dict[str, int]) -> str:
    """A name with the next number, as far as that is free; the first has none."""
    if name not in used:
        used[name] = 1
        return name
    while True:
        used[name] += 1
        numbered = f"{name}_{used[name]}"
        if numbered not in used:
            used[numbered] = 1
            return numbered


@lru_cache(maxsize=1024)
def _safe(name: str) -> str:
    """A name that hides nothing of Python's or of a module's."""
    name = name.lstrip("_") or "unnamed"
    if name[0].isdigit():
        name = f"n{name}"
    return f"{name}_" if name in _TAKEN else name
