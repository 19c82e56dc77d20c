"""What is done when the process gets a signal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads


class OnSignal(Service):
    """
    Calls a function when the process gets a signal, for as long as the service runs. What was done
    before is done too; so there may be several of these for one signal.

    The signal doesn't end the process any more, not even when the service has stopped: by default
    it would kill a daemon that is still finishing its answers.
    """

    _before: Callable[[int, FrameType | None], object] | int | None = None
    _listens = False

    def __init__(
        self, number: signal.Signals, function: Callable[[], object], reactor: IReactorFromThreads
    ) -> None:
        self._number = number
        self._function = function
        self._reactor = reactor

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        if not self._listens:
            self._listens = True
            self._before = signal.signal(self._number, self._received)

    def startService(self) -> None:
        self.privilegedStartService()
        super().startService()

    def stopService(self) -> None:
        super().stopService()
        self._listens = False
        before = signal.SIG_IGN if self._before in (signal.SIG_DFL, None) else self._before
        signal.signal(self._number, before)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if callable(self._before):
            self._before(number, frame)
        # The one call of a reactor that is safe in a signal handler.
        self._reactor.callFromThread(self._function)
