"""How late the reactor is: what it does for one client, the others wait for."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from fingerd.model.counts import Times

# Seconds between two looks. What holds the reactor for less than that is seen now and then, since a
# look falls into it only by chance.
_EVERY = 0.1
# In seconds. Nothing should hold the reactor for more than the 0.05.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Lag(Service):
    """
    Looks ten times a second how late a timer is, as long as it runs.

    @ivar times: how late it was each time.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: the reactor.
        """
        self.times = Times(BOUNDS)
        self._clock = clock
        self._next: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._wait()

    def stopService(self) -> None:
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wait(self) -> None:
        self._next = self._clock.callLater(_EVERY, self._look, self._clock.seconds() + _EVERY)

    def _look(self, due: float) -> None:
        self.times.add(max(self._clock.seconds() - due, 0.0))
        self._wait()
