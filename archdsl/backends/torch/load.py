"""Executing a compiled module: the same source that `compile` writes."""

from __future__ import annotations

import hashlib
import linecache
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from archdsl.backends.torch.module import class_name, write
from archdsl.backends.torch.pretrained import pretrained
from archdsl.ir.graph import Graph

if TYPE_CHECKING:
    from torch import nn


def load(graph: Graph, origin: str = "") -> nn.Module:
    """The model of a graph, with fresh weights; imports torch.

    Its source is what `write` makes; tracebacks and `inspect.getsource` show it.
    """
    return compiled(graph, origin)()


def compiled(graph: Graph, origin: str = "") -> type[nn.Module]:
    """The class of a graph's model, which can save itself; imports torch."""
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
        plain = module.__dict__[class_name(graph)]
        # In the plain one's place: whoever looks for the class finds this one.
        module.__dict__[class_name(graph)] = pretrained(plain)
        sys.modules[name] = module
    made: type[nn.Module] = getattr(sys.modules[name], class_name(graph))
    return made
