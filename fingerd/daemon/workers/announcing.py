"""What a parent of workers hears from outside, and what it says of all of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from fingerd.daemon.upkeep import Known, StartLine, Where, addresses
from fingerd.logs.daemon_log import DaemonLog
from fingerd.model.limits import Limits
from fingerd.system.signals import OnSignal
from fingerd.system.systemd import Notifier


class Told(Known, Protocol):
    """Who is told what the daemon is told."""

    def reload(self) -> Deferred[None]:
        """Look for changes; fires when that is done."""

    def reopen(self) -> None:
        """Go on in new log files."""

    def roll(self) -> None:
        """Be replaced by what is new."""


class Announcing(MultiService):
    """
    Passes SIGHUP, SIGUSR1 and SIGUSR2 on, and when all workers answer says so: in the log, and to
    systemd, for which all of them are one daemon.

    It is made before logging begins.
    """

    def __init__(
        self,
        reactor: object,
        asked: Sequence[Where],
        set: Sequence[Where],
        measured: Sequence[Where],
        form: str,
        limits: Limits,
    ) -> None:
        """
        @param asked: where the doors are at which users are asked for.
        @param set: where those are at which something is set.
        @param measured: where those are at which the daemon is measured.
        @param form: how the daemon's log is written, C{text} or C{json}.
        """
        super().__init__()
        self._clock = cast(IReactorTime, reactor)
        self._told = asked, set, measured
        self._reopen = DaemonLog(form, self._clock, limits).reopen
        self._notifier = Notifier(self._clock, os.environ, lambda: f"finger on {addresses(asked)}")

    def passOn(self, to: Told) -> None:
        """Pass on from now on what the daemon is told."""
        self._on(signal.SIGHUP, self._reopen, to.reopen, self._notifier.reloading(to.reload))
        self._on(signal.SIGUSR1, self._reopen, to.reopen)
        self._on(signal.SIGUSR2, to.roll)

    def begin(self, known: Known) -> None:
        """All run: say so."""
        StartLine(known, *self._told).setServiceParent(self)
        # Last: see L{Notifier}.
        self._notifier.setServiceParent(self)

    def _on(self, number: signal.Signals, *functions: Callable[[], object]) -> None:
        OnSignal(number, cast(IReactorFromThreads, self._clock), *functions).setServiceParent(self)
