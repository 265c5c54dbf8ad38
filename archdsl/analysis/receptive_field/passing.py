"""What ops let through of what is seen, remembered from one walk to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from archdsl.analysis.receptive_field import seen
from archdsl.analysis.receptive_field.seen import Lines, Pool, Seen, is_nothing
from archdsl.analysis.receptive_field.through import Profile, profile
from archdsl.ops.spread import Reach

_Passed: TypeAlias = tuple[Seen, Seen | None, int]  # what went in, what comes out


class Passing:
    """What ops let through, the same in all models: a walk may take up another's."""

    def __init__(self) -> None:
        self.pool = Pool()
        self._profiles: dict[object, Profile] = {}
        self._passed: dict[object, _Passed] = {}

    def profile(self, reach: Reach, sizes: Mapping[str, int]) -> Profile:
        """A reach, asked from outputs of some sizes."""
        key = (reach, *sorted(sizes.items()))
        if key not in self._profiles:
            self._profiles[key] = profile(reach, sizes)
        return self._profiles[key]

    def through(
        self, one: Seen, profiles: Mapping[str, Profile], lines: Callable[[], Lines]
    ) -> tuple[Seen | None, int]:
        """What an output sees through a port, None for nothing; how many intervals.

        Args:
            one: What the port sees.
            profiles: By position axis of the port, which positions the output asks.
            lines: What the output sees on maps without borders; it follows from these.
        """
        key = id(one), *[(axis, id(found)) for axis, found in profiles.items()]
        if key not in self._passed:
            found = seen.through(one.field, profiles)
            out = None if is_nothing(found) else self.pool.one(Seen(found, lines()))
            count = sum(len(table.lo) for table in found.values())
            self._passed[key] = one, out, count
        return self._passed[key][1:]
