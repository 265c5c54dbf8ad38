"""What `archdsl verify` found, for people's eyes and for programs."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

Value: TypeAlias = int | str


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class Row(_Part):
    """One figure, said and measured.

    Attributes:
        check: The check that it belongs to.
        of: What the figure is of: the whole model, or the path of a layer.
        static: What is said without running.
        measured: What the compiled module does.
        ok: Whether they are equal; None where it was not measured.
        note: Why it was not measured, or what went wrong.
        at: The sizes for which this holds, where the model leaves some open.
    """

    check: str
    of: str
    static: Value = ""
    measured: Value = ""
    ok: bool | None
    note: str = ""
    at: str = ""


class Verification(_Part):
    """What holds of a model, and what does not."""

    schema_version: int = 1
    model: str
    seed: int
    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether all that was measured is as it was said."""
        return not self.differing

    @property
    def differing(self) -> tuple[Row, ...]:
        """The figures that are not what was said."""
        return tuple(row for row in self.rows if row.ok is False)

    @property
    def left_out(self) -> tuple[Row, ...]:
        """The figures that were not measured."""
        return tuple(row for row in self.rows if row.ok is None)


def equal(check: str, of: str, static: Value, measured: Value) -> Row:
    """A figure that must be the same."""
    ok = type(static) is type(measured) and static == measured
    return Row(check=check, of=of, static=static, measured=measured, ok=ok)


def skipped(check: str, of: str, why: str) -> Row:
    """A figure that was not measured."""
    return Row(check=check, of=of, ok=None, note=why)
