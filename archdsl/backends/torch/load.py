"""Executing a compiled module: the same source that `compile` writes."""

from __future__ import annotations

import hashlib
import linecache
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from archdsl.backends.torch.module import class_name, write
from archdsl.ir.graph import Graph

if TYPE_CHECKING:
    from torch import nn


def load(graph: Graph, origin: str = "") -> nn.Module:
    """The model of a graph, with fresh weights; imports torch.

    Its source is what `write` makes; tracebacks and `inspect.getsource` show it.
    """
    text = write(graph, origin)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = f"archdsl_compiled.{graph.name}_{digest}"
    if name not in sys.modules:
        filename = f"<archdsl {graph.name} {digest}>"
        module = ModuleType(name)
        module.__file__ = filename
        module.__dict__["__loader__"] = None
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        exec(compile(text, filename, "exec"), module.__dict__)
        sys.modules[name] = module
    model: nn.Module = getattr(sys.modules[name], class_name(graph))()
    return model
