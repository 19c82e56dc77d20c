"""Only so many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, fail
from twisted.internet.interfaces import IReactorTime

from fingerd.model.errors import DirectoryError

T = TypeVar("T")


class Turns:
    """
    Lets only so many pieces of work go on at once. Some more may wait a short time for their turn.
    All others fail at once, so that no queries pile up where a source hangs.
    """

    def __init__(self, atOnce: int, waiting: int, seconds: float, clock: IReactorTime) -> None:
        """
        @param atOnce: how many pieces of work have a turn at a time.
        @param waiting: how many may wait for one.
        @param seconds: how long each of these may wait.
        """
        self._semaphore = DeferredSemaphore(atOnce)
        self._waiting = waiting
        self._seconds = seconds
        self._clock = clock
        # How many turns are over, and still have to be given to others.
        self._ended = 0

    def take(self, begin: Callable[[], Deferred[T]]) -> Deferred[T]:
        """
        Call ``begin`` when its turn has come, and give what its Deferred fires with. The turn lasts
        until then.

        The result fails with L{DirectoryError} when the turn doesn't come.
        """
        if len(self._semaphore.waiting) >= self._waiting and not self._semaphore.tokens:
            return fail(DirectoryError(f"busy: {self._semaphore.limit} at work, and more waiting"))
        return Deferred.fromCoroutine(self._take(begin))

    async def _take(self, begin: Callable[[], Deferred[T]]) -> T:
        turn = self._semaphore.acquire()
        if not turn.called:
            turn.addTimeout(self._seconds, self._clock, self._noTurn)
        await turn
        try:
            return await begin()
        finally:
            self._over()

    def _over(self) -> None:
        self._ended += 1
        # Work that fails as soon as it begins ends in here too. Were it to begin the next piece
        # itself, a queue of such pieces would be nested deeper than Python can go.
        if self._ended == 1:
            while self._ended:
                self._semaphore.release()
                self._ended -= 1

    def _noTurn(self, result: object, seconds: float) -> NoReturn:
        raise DirectoryError(f"busy: {self._semaphore.limit} at work for {seconds:g} seconds")
