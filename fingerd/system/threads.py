"""Work that may block, in threads: a bounded number of them, and a bounded number waiting."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure

from fingerd.model.errors import DirectoryError
from fingerd.system.sharing import Waiters

T = TypeVar("T")


class Threads:
    """
    Runs lookups that may block, in threads of its own: when all of them hang, nothing else in
    the daemon waits for them. The end of the process would wait for Twisted's threads, and for
    those of Python's own pools.

    A thread can't be ended from outside. A lookup that waits for a thread is taken away when it is
    cancelled. One that runs goes on, and nobody waits for it any more; its thread is free when the
    system lets it go. Until then, whoever asks for the same lookup joins the one that runs. So what
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
        # A thread that takes None from here ends.
        self._tasks: SimpleQueue[_Lookup[Any] | None] = SimpleQueue()
        self._threads = 0
        self._running = 0
        self._stopped = False
        # All lookups that run or wait; and those that wait, the oldest first.
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
            lookup = _Lookup(key, work, self._left, cast(IReactorTime, self._reactor))
            self._lookups[key] = self._waiting[key] = lookup
        result = lookup.wait()
        self._begin()
        return result

    def stop(self) -> None:
        """
        End the threads, each when it has done what it does, without waiting for that. Lookups that
        haven't begun are cancelled, and no more are begun.
        """
        self._stopped = True
        for lookup in list(self._waiting.values()):
            lookup.cancel()
        for _ in range(self._threads):
            self._tasks.put(None)

    def _left(self, key: Hashable) -> None:
        if self._waiting.pop(key, None) is not None:
            del self._lookups[key]

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
        lookup.done(result)


class _Lookup(Waiters[T]):
    """A lookup that runs or waits, and those who ask for it."""

    def __init__(
        self,
        key: Hashable,
        work: Callable[[], T],
        left: Callable[[Hashable], object],
        clock: IReactorTime,
    ) -> None:
        super().__init__(lambda: left(key), clock)
        self.key = key
        self.work = work
