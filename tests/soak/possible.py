"""What can be right at some time, while things change."""

from __future__ import annotations

import math
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Possible(Generic[T]):
    """
    Something that changes, seen from outside: from when a change is begun until it is known to
    have happened, both the old and the new value may be met.
    """

    def __init__(self, value: T) -> None:
        self.value = value
        # Each value with the times between which it may be met.
        self._values: list[tuple[T, float, float]] = [(value, -math.inf, math.inf)]

    def begin(self, value: T) -> None:
        """From now on ``value`` may be met."""
        self.value = value
        self._values.append((value, time.monotonic(), math.inf))

    def settle(self) -> None:
        """From now on only the latest value may be met."""
        now = time.monotonic()
        *before, latest = self._values
        # Nobody asks about what is this long ago.
        recent = [(value, begun, min(ended, now)) for value, begun, ended in before]
        self._values = [*(entry for entry in recent if entry[2] > now - 60), latest]

    def change(self, value: T) -> None:
        """A change that happens at once."""
        self.begin(value)
        self.settle()

    def between(self, start: float, end: float) -> set[T]:
        """All that may have been met between two times of C{time.monotonic}."""
        return {value for value, begun, ended in self._values if begun <= end and ended >= start}
