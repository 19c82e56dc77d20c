"""Looking for changes where that may hang, as it does on a file server that stops answering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure

from fingerd.model.limits import Limits
from fingerd.system.slices import Steps, inSlices
from fingerd.system.threads import Threads


class Looks:
    """
    The looks of a directory that runs: one at a time, in slices between which the daemon does its
    work. A thread does all that may block. While that hangs, nobody else waits, no other look is
    begun, and the one that hangs goes on by itself when its thread comes back.
    """

    def __init__(
        self,
        look: Callable[[], Steps[None]],
        hangs: Callable[[str], object],
        clock: IReactorTime,
        limits: Limits,
    ) -> None:
        """
        @param look: the steps of a look, which themselves say what went wrong, and don't fail.
        @param hangs: told, in words, when what may block takes more than C{limits.lookupTime}.
        @param clock: the reactor.
        """
        self._look = look
        self._hangs = hangs
        self._clock = clock
        self._limits = limits
        self._thread = Threads(cast(IReactorFromThreads, clock), 1, 1)
        self._stopped = False
        # The looks that go on; whether one more was asked for; and who waits for them.
        self._going: Deferred[None] = succeed(None)
        self._asked = False
        self._waiting: list[Deferred[None]] = []
        # While the look waits for its thread: what says that this takes too long.
        self._late: IDelayedCall | None = None
        # The look that was asked for with askLater.
        self._later: IDelayedCall | None = None

    def ask(self) -> Deferred[None]:
        """
        Look: after the look that goes on, where one does, since that may have seen less.

        @return: fires when that is done, or when it hangs.
        """
        if self._stopped:
            return succeed(None)
        self._asked = True
        waiter = Deferred[None]()
        self._waiting.append(waiter)
        if self._going.called:
            self._going = Deferred.fromCoroutine(self._goOn())
            self._going.addBoth(self._ended)
        elif self._late is not None and not self._late.active():
            self._release()
        return waiter

    def askLater(self, seconds: float) -> None:
        """Look after so many seconds, unless there is such a look to come."""
        if self._later is None or not self._later.active():
            self._later = self._clock.callLater(seconds, self.ask)

    def stop(self) -> None:
        """Look no more. A look that hangs may do so for ever: nobody waits for it."""
        self._stopped = True
        self._thread.stop()
        if self._late is None:
            self._going.cancel()
        for call in (self._late, self._later):
            if call is not None and call.active():
                call.cancel()
        self._release()

    async def _goOn(self) -> None:
        while self._asked:
            self._asked = False
            await inSlices(self._look(), self._clock, self._block, self._limits.reloadSlice)

    async def _block(self, work: Callable[[], Any]) -> Any:
        self._late = late = self._clock.callLater(self._limits.lookupTime, self._isLate)
        try:
            return await self._thread.run("look", work)
        finally:
            self._late = None
            if late.active():
                late.cancel()
            if self._stopped:
                raise CancelledError

    def _isLate(self) -> None:
        seconds = f"{self._limits.lookupTime:g} seconds"
        self._hangs(f"no answer in {seconds}, as from a file server that hangs")
        self._release()

    def _ended(self, result: Failure | None) -> None:
        self._release()
        if result is not None:
            result.trap(CancelledError)

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)
