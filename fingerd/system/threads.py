"""Work that may block, in threads: a bounded number of them, and a bounded number waiting."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from fingerd.model.errors import DirectoryError

T = TypeVar("T")


class Threads:
    """
    Runs lookups that may block, in threads of its own: when all of them hang, nothing else in
    the daemon waits for them. Twisted's pool and Python's own would be waited for at the end of
    the process.

    A thread can't be ended from outside. To cancel a lookup that waits for a thread is to take
    it away. To cancel one that runs is to stop waiting for it; its thread is free when the system
    lets it go. Until then, who asks for the same lookup again joins the one that runs: what
    hangs, such as one home on a dead file server, holds one thread and not all.
    """

    def __init__(self, reactor: IReactorFromThreads, count: int, waiting: int) -> None:
        """
        @param count: the threads there are at most. Each is started when it is first needed.
        @param waiting: the lookups that may wait for one; more fail at once.
        """
        self._reactor = reactor
        self._count = count
        self._mostWaiting = waiting
        # Told in this way, a thread ends.
        self._tasks: SimpleQueue[_Lookup[Any] | None] = SimpleQueue()
        self._threads = 0
        self._running = 0
        self._stopped = False
        # What runs or waits; and of that what waits, oldest first.
        self._lookups: dict[Hashable, _Lookup[Any]] = {}
        self._waiting: dict[Hashable, _Lookup[Any]] = {}

    def run(self, key: Hashable, work: Callable[[], T]) -> Deferred[T]:
        """
        Call ``work`` in a thread, and fire with what it returns or fail with what it raises.

        @param key: what tells this lookup from others.
        """
        if self._stopped:
            return fail(DirectoryError("the daemon stops"))
        lookup: _Lookup[T] | None = self._lookups.get(key)
        if lookup is None:
            waiting = len(self._waiting)
            if self._running == self._count and waiting >= self._mostWaiting:
                busy = f"busy: {self._running} lookups at work, {waiting} waiting"
                return fail(DirectoryError(busy))
            lookup = self._lookups[key] = self._waiting[key] = _Lookup(key, work)
        asker: Deferred[T] = Deferred(partial(self._left, lookup))
        lookup.askers.append(asker)
        self._begin()
        return asker

    def stop(self) -> None:
        """
        End the threads, each when it has done what it does, without waiting for that. What
        hasn't begun is cancelled, and nothing more is begun.
        """
        self._stopped = True
        for lookup in list(self._waiting.values()):
            for asker in list(lookup.askers):
                asker.cancel()
        for _ in range(self._threads):
            self._tasks.put(None)

    def _left(self, lookup: _Lookup[T], asker: Deferred[T]) -> None:
        lookup.askers.remove(asker)
        if not lookup.askers and self._waiting.pop(lookup.key, None) is not None:
            del self._lookups[lookup.key]

    def _begin(self) -> None:
        while self._waiting and self._running < self._count:
            lookup = self._waiting.pop(next(iter(self._waiting)))
            if self._running == self._threads:
                try:
                    Thread(target=self._work, name="lookup", daemon=True).start()
                except RuntimeError as error:
                    self._end(lookup, Failure(DirectoryError(f"no thread for a lookup: {error}")))
                    continue
                self._threads += 1
            self._running += 1
            self._tasks.put(lookup)

    def _work(self) -> None:
        while (lookup := self._tasks.get()) is not None:
            result: object
            try:
                result = lookup.work()
            except BaseException:
                result = Failure()
            self._reactor.callFromThread(self._done, lookup, result)

    def _done(self, lookup: _Lookup[Any], result: object) -> None:
        self._running -= 1
        self._begin()
        self._end(lookup, result)

    def _end(self, lookup: _Lookup[Any], result: object) -> None:
        del self._lookups[lookup.key]
        while lookup.askers:
            # As with any Deferred, a Failure makes it fail.
            lookup.askers.pop(0).callback(result)


class _Lookup(Generic[T]):
    """A lookup that runs or waits, and who asks for it."""

    def __init__(self, key: Hashable, work: Callable[[], T]) -> None:
        self.key = key
        self.work = work
        self.askers: list[Deferred[T]] = []
