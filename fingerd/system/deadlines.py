"""Many deadlines on one timer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

T = TypeVar("T")

# More that run out in the same moment wait for the next turn of the reactor.
_AT_ONCE = 250


class Deadlines(Generic[T]):
    """
    Things that may each last C{seconds}, and what is done to one that lasts longer, and is
    forgotten then.

    All have the same time, so the oldest is always the first to run out: one timer, set for the
    oldest, serves any number of them, and one that is over in time costs no timer at all.
    """

    _log = Logger()

    def __init__(self, seconds: float, expire: Callable[[T], None], clock: IReactorTime) -> None:
        self._seconds = seconds
        self._expire = expire
        self._clock = clock
        # Insertion order is the order of the deadlines.
        self._until: dict[T, float] = {}
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._until)

    def __iter__(self) -> Iterator[T]:
        """All things, oldest first."""
        return iter(self._until)

    def add(self, thing: T, now: float | None = None) -> None:
        """
        C{thing} begins now.

        @param now: when that is by the clock, where it is known.
        """
        self._until[thing] = (self._clock.seconds() if now is None else now) + self._seconds
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._look)

    def discard(self, thing: T) -> None:
        """C{thing} is over, if it wasn't before."""
        self._until.pop(thing, None)

    def stop(self) -> None:
        """Forget everything, the timer included."""
        self._until.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        due = [thing for thing, until in islice(self._until.items(), _AT_ONCE) if until <= now]
        for thing in due:
            # What was done to one may have been the end of another.
            if self._until.pop(thing, None) is not None:
                # Whatever goes wrong with one, the others' time is over too.
                with self._log.failuresHandled("What a deadline ends"):
                    self._expire(thing)
        if self._until and self._timer is None:
            oldest = next(iter(self._until.values()))
            self._timer = self._clock.callLater(max(oldest - now, 0.0), self._look)
