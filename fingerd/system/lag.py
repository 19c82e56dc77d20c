"""How late the reactor is: what it does for one client, the others wait for."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from fingerd.model.counts import Times

# Seconds between two looks. What holds the reactor for less than that is seen now and then, since a
# look falls into it only by chance.
_EVERY = 0.1


class Lag(Service):
    """Looks ten times a second how late a timer is, as long as it runs."""

    def __init__(self, clock: IReactorTime, times: Times) -> None:
        """
        @param clock: the reactor.
        @param times: where it is counted how late it was each time.
        """
        self._times = times
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
        self._times.add(max(self._clock.seconds() - due, 0.0))
        self._wait()
