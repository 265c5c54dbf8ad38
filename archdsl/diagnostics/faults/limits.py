"""E6xx: what a spec may not exceed."""

from __future__ import annotations

from archdsl.diagnostics import Fault


class TooMuchWork(Fault):
    """A spec that would take too long or too much memory."""

    code = "E601"
    title = "{what}"
    label = "more than {limit}"
    help = "{mend}"

    what: str
    limit: str
    mend: str = ""


class TooDeep(Fault):
    """Expressions or calls nested too deeply."""

    code = "E602"
    title = "{what} is nested too deeply"
    label = "more than {limit} levels"
    help = "{mend}"

    what: str
    limit: int
    mend: str = "give parts of it a name with `let`, or use a loop"
