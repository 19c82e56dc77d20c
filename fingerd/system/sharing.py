"""Work that several wait for, done once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shared(Generic[K, V]):
    """
    Pieces of work by key: one that is asked for while it is under way isn't begun again. Its
    result goes to all who wait for it, and is then forgotten.

    Whoever waits can cancel without disturbing the others. Work that nobody waits for any more
    is cancelled.
    """

    def __init__(self) -> None:
        self._underWay: dict[K, _Work[V]] = {}

    def get(self, key: K, begin: Callable[[], Deferred[V]]) -> Deferred[V]:
        """
        The result of the work called ``key``: of the piece that is under way, or else of the
        one that ``begin`` begins.
        """
        work = self._underWay.get(key)
        if work is not None:
            return work.wait()
        work = self._underWay[key] = _Work()
        waiter = work.wait()
        work.begin(maybeDeferred(begin).addBoth(self._done, key))
        return waiter

    def _done(self, result: V | Failure, key: K) -> None:
        self._underWay.pop(key).done(result)


class _Work(Generic[V]):
    """One piece of work, and who waits for it."""

    _work: Deferred[None] | None = None

    def __init__(self) -> None:
        self._waiters: list[Deferred[V]] = []

    def begin(self, work: Deferred[None]) -> None:
        self._work = work

    def wait(self) -> Deferred[V]:
        waiter: Deferred[V] = Deferred(self._left)
        self._waiters.append(waiter)
        return waiter

    def done(self, result: V | Failure) -> None:
        # One of them may cancel another.
        while self._waiters:
            waiter = self._waiters.pop(0)
            if isinstance(result, Failure):
                waiter.errback(result)
            else:
                waiter.callback(result)

    def _left(self, waiter: Deferred[V]) -> None:
        self._waiters.remove(waiter)
        if not self._waiters and self._work is not None:
            self._work.cancel()
