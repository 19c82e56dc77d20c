"""Work that several wait for, done once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from fingerd.system.slices import Steps, inSlices

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Waiters(Generic[V]):
    """Those who wait for one result. Each of them can cancel without disturbing the others."""

    def __init__(self, left: Callable[[], object], clock: IReactorTime) -> None:
        """
        @param left: called when the last of them has cancelled, and there is no result yet.
        @param clock: the reactor.
        """
        self._left = left
        self._clock = clock
        self._isDone = False
        self._waiters: list[Deferred[V]] = []

    def wait(self) -> Deferred[V]:
        """Wait as one more."""
        waiter: Deferred[V] = Deferred(self._leave)
        self._waiters.append(waiter)
        return waiter

    def done(self, result: V | Failure) -> None:
        """
        Give all of them the result, in slices: each may have a lot to do with it. As with any
        Deferred, a Failure makes it fail.
        """
        self._isDone = True
        Deferred.fromCoroutine(inSlices(self._give(result), self._clock))

    def cancel(self) -> None:
        """Let all of them cancel."""
        for waiter in list(self._waiters):
            waiter.cancel()

    def _give(self, result: V | Failure) -> Steps[None]:
        # One of them may cancel another.
        while self._waiters:
            self._waiters.pop(0).callback(result)
            yield None

    def _leave(self, waiter: Deferred[V]) -> None:
        self._waiters.remove(waiter)
        if not self._waiters and not self._isDone:
            self._left()


class Shared(Generic[K, V]):
    """
    Pieces of work by key. A piece that is asked for while it is under way isn't begun again. Its
    result goes to all who wait for it, and is then forgotten. A piece that nobody waits for any
    more is cancelled.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: the reactor.
        """
        self._clock = clock
        self._underWay: dict[K, Waiters[V]] = {}

    def get(self, key: K, begin: Callable[[], Deferred[V]]) -> Deferred[V]:
        """
        The result of the work called ``key``: of the piece that is under way, or else of the
        one that ``begin`` begins.
        """
        waiters = self._underWay.get(key)
        if waiters is not None:
            return waiters.wait()

        def cancel() -> None:
            work.cancel()

        waiters = self._underWay[key] = Waiters(cancel, self._clock)
        waiter = waiters.wait()
        work = maybeDeferred(begin).addBoth(self._done, key)
        return waiter

    def _done(self, result: V | Failure, key: K) -> None:
        self._underWay.pop(key).done(result)
