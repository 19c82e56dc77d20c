"""What is done when the process gets a signal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads

# What tells a daemon to reload, and to begin other log files.
_HELD = (signal.SIGHUP, signal.SIGUSR1)


def hold() -> None:
    """
    Hold back the signals that a daemon is told something by: from now on they wait until an
    L{OnSignal} for them has started. By default they would end the process.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)


class OnSignal(Service):
    """
    Calls functions when the process gets a signal, for as long as the service runs. What the
    signal did before, such as to let twistd begin another log file, it doesn't do any more. If one
    was held back (see L{hold}), they are called when the service starts.

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
        self._listen()

    def startService(self) -> None:
        self._listen()
        super().startService()

    def stopService(self) -> None:
        super().stopService()
        signal.signal(self._number, signal.SIG_IGN)

    def _listen(self) -> None:
        signal.signal(self._number, self._received)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (self._number,))

    def _received(self, number: int, frame: FrameType | None) -> None:
        for function in self._functions:
            # The one call of a reactor that is safe in a signal handler.
            self._reactor.callFromThread(function)
