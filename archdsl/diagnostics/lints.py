"""The catalogue of what is legal and probably not meant: W1xx names, W2xx layers."""

from __future__ import annotations

from archdsl.diagnostics import Lint


class UselessAllow(Lint):
    """A comment that allows a warning which there is not."""

    code = "W100"
    title = "`# allow {word}` allows nothing: {why}"
    label = "idle"
    help = "{mend}"

    word: str
    why: str
    mend: str = "remove it"


class UnusedName(Lint):
    """A name that is defined and never read."""

    code = "W101"
    title = "{what} `{name}` is never used"
    label = "defined here"
    help = "remove it, or begin its name with `_`"

    what: str
    name: str
