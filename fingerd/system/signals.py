"""What is done when the process gets a signal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads


class OnSignal(Service):
    """
    Calls functions when the process gets a signal, for as long as the service runs. What the
    signal did before, such as to let twistd begin another log file, it doesn't do any more.

    The signal doesn't end the process any more either, not even when the service has stopped: by
    default it would kill a daemon that is still finishing its answers.
    """

    def __init__(
        self,
        number: signal.Signals,
        reactor: IReactorFromThreads,
        *functions: Callable[[], object],
    ) -> None:
        self._number = number
        self._reactor = reactor
        self._functions = functions

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        signal.signal(self._number, self._received)

    def startService(self) -> None:
        signal.signal(self._number, self._received)
        super().startService()

    def stopService(self) -> None:
        super().stopService()
        signal.signal(self._number, signal.SIG_IGN)

    def _received(self, number: int, frame: FrameType | None) -> None:
        for function in self._functions:
            # The one call of a reactor that is safe in a signal handler.
            self._reactor.callFromThread(function)
