"""A declarative language and compiler for neural-network architectures."""

import pathlib

_root = pathlib.Path(__file__).parent.parent
if (_root / "grammars").is_dir():
    # A checkout: `archdsl.grammars` and `archdsl.specs` stand beside the package.
    __path__.append(str(_root))
