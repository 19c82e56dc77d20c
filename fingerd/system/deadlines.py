"""Many deadlines on one timer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from heapq import merge
from operator import itemgetter
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")

# More that run out in the same moment wait for the next turn of the reactor.
_AT_ONCE = 250
# Seconds between two looks at those whose deadlines are in no order.
_NOT_TOO_OFTEN = 0.05


class Deadlines(Generic[T]):
    """
    Things that may each last ``seconds``, and what is done to one that lasts longer.

    All have the same time, so the oldest is always the first to run out: one timer, set for
    the oldest, serves any number of them, and one that is over in time costs no timer at all.
    """

    def __init__(self, seconds: float, expire: Callable[[T], None], clock: IReactorTime) -> None:
        self._seconds = seconds
        self._expire = expire
        self._clock = clock
        # Insertion order is the order of the deadlines.
        self._until: dict[T, float] = {}
        # Those that go on with what began before.
        self._begunBefore: dict[T, float] = {}
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._until) + len(self._begunBefore)

    def __iter__(self) -> Iterator[T]:
        return iter((*self._begunBefore, *self._until))

    def oldestFirst(self) -> Iterator[T]:
        """All of them, about in the order of their ages. Nothing may be added meanwhile."""
        each = merge(self._begunBefore.items(), self._until.items(), key=itemgetter(1))
        return (thing for thing, _ in each)

    def add(self, thing: T, since: float | None = None) -> None:
        """
        ``thing`` begins now.

        @param since: when it did, in seconds by the clock, where it goes on with another.
        """
        now = self._clock.seconds()
        if since is None:
            until = self._until[thing] = now + self._seconds
        else:
            until = self._begunBefore[thing] = since + self._seconds
        if self._timer is None:
            self._timer = self._clock.callLater(max(until - now, 0.0), self._look)
        elif self._timer.getTime() > until:
            self._timer.reset(max(until - now, 0.0))

    def discard(self, thing: T) -> None:
        """``thing`` is over, if it wasn't before."""
        self._until.pop(thing, None)
        self._begunBefore.pop(thing, None)

    def stop(self) -> None:
        """Forget everything, the timer included."""
        self._until.clear()
        self._begunBefore.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        due: list[T] = []
        wait = math.inf
        for thing, until in self._until.items():
            if until > now:
                wait = until - now
                break
            if len(due) == _AT_ONCE:
                wait = 0.0
                break
            due.append(thing)
        if self._begunBefore:
            # There is no order in these: all are looked at, and not too often.
            due += [thing for thing, until in self._begunBefore.items() if until <= now]
            left = [until - now for until in self._begunBefore.values() if until > now]
            if len(due) > _AT_ONCE:
                del due[_AT_ONCE:]
                wait = 0.0
            elif left:
                wait = min(wait, max(min(left), _NOT_TOO_OFTEN))
        if wait < math.inf:
            self._timer = self._clock.callLater(wait, self._look)
        for thing in due:
            # What was done to one may have been the end of another.
            if thing in self._until or thing in self._begunBefore:
                self.discard(thing)
                self._expire(thing)
