"""E2xx: what can be wrong with names, imports and plugins."""

from __future__ import annotations

from archdsl.diagnostics import Fault, habits, near

_MOST_VALUES = 8  # that a help lists


class UnknownName(Fault):
    """A name that nothing defines."""

    code = "E201"
    title = "nothing is called `{name}`"
    label = "{kind}"

    name: str
    kind: str = "unknown name"
    known: tuple[str, ...] = ()
    mend: str = ""
    values: tuple[str, ...] = ()

    def helps(self) -> tuple[str, ...]:
        """What it is called here, how to get at it, or the nearest names."""
        found = self.mend or habits.layer(self.name) or near(self.name, self.known)
        if found:
            return (found,)
        there = ", ".join(f"`{v}`" for v in self.values[:_MOST_VALUES])
        here = f"the values here are {there}; " if there else ""
        return (f"{here}`archdsl ops` prints the ops",)


class DefinedTwice(Fault):
    """One name for two things."""

    code = "E202"
    title = "`{name}` is defined twice"
    label = "second definition"
    help = "rename one of the two"

    name: str


class ImportNotFound(Fault):
    """A `use` of a file that is not there."""

    code = "E203"
    title = "no file for `use {path}`"
    label = "looked for {path}.arch"
    help = (
        "`use` looks beside the file, then from the folder of the first file, then in"
        " the specs that ship{extra}"
    )

    path: str
    extra: str = ""


class ImportMissesName(Fault):
    """A `use` of a block that the file has not."""

    code = "E204"
    title = "`{path}` has no block or model `{name}`"
    label = "not in {path}.arch"

    path: str
    name: str
    known: tuple[str, ...] = ()

    def helps(self) -> tuple[str, ...]:
        """The nearest names, or all."""
        found = near(self.name, self.known)
        return (found or "it has " + (", ".join(self.known) or "none"),)


class CyclicUse(Fault):
    """Files that use each other in a circle."""

    code = "E205"
    title = "files use each other in a circle: {cycle}"
    label = "closes the circle"
    help = "move what both need into a third file"

    cycle: str


class RecursiveBlock(Fault):
    """Blocks that call each other in a circle."""

    code = "E206"
    title = "blocks call each other in a circle: {cycle}"
    label = "closes the circle"
    help = "a network is finite: use `repeat` or `for` for depth"

    cycle: str


class OpClash(Fault):
    """Two packages that bring an op of one name."""

    code = "E207"
    title = "two ops are called `{name}`: {first} and {second}"
    label = "which one?"
    help = "uninstall one of the two packages"

    name: str
    first: str
    second: str


class BrokenPlugin(Fault):
    """An installed package whose ops cannot be imported."""

    code = "E208"
    title = "the ops of {package} cannot be imported: {problem}"
    label = "this entry point"
    help = "update that package, or uninstall it"

    package: str
    problem: str
