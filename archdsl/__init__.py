"""A declarative language and compiler for neural-network architectures.

```
import archdsl

report = archdsl.analyze("specs/swin_t.arch")  # parameters, MACs, FLOPs, memory
source = archdsl.compile("specs/swin_t.arch")  # standalone PyTorch, as text
model = archdsl.load("specs/swin_t.arch")  # the same source, imported
archdsl.verify("specs/swin_t.arch").ok  # whether it does what the report says
archdsl.draw("specs/swin_t.arch", "swin.svg")
```

Nothing imports torch but `load`, `verify`, `save` and `from_pretrained`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.version import VERSION

if (Path(__file__).parents[1] / "grammars" / "arch.lark").is_file():
    # A checkout: `archdsl.grammars` and `archdsl.specs` stand beside the package.
    __path__.append(str(Path(__file__).parents[1]))

if TYPE_CHECKING:
    from archdsl.api import (
        analyze,
        check,
        compare,
        compile,
        diff,
        draw,
        format,
        from_pretrained,
        load,
        parse,
        save,
        sweep,
        verify,
    )
    from archdsl.diagnostics import SpecError

__version__ = VERSION
__all__ = [
    "SpecError", "__version__", "analyze", "check", "compare", "compile", "diff",
    "draw", "format", "from_pretrained", "load", "parse", "save", "sweep", "verify",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name in __all__:
        home = "archdsl.diagnostics" if name == "SpecError" else "archdsl.api"
        return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'archdsl' has no attribute {name!r}")
