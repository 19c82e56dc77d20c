"""
Being woken before others, where the system allows it.

Which user has connected to a setter by TCP can be asked only while a process of theirs holds the
connection; some clients hold it for a few milliseconds. On a busy machine an ordinary process waits
longer than that for its turn.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from contextlib import suppress

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

# How often to look, in seconds; the share of the time from which on the daemon is at work itself,
# and not waiting for work; and how long it is one of many then.
_LOOK = 1.0
_BUSY = 0.2
_PATIENCE = 30.0


class GoingFirst(Service):
    """
    Lets the reactor's thread go before ordinary processes (C{SCHED_RR}) as long as it does little.
    A daemon that is kept busy is one of many, so that nobody can use it to hold up the machine.

    Root may do this, and does it before it becomes a lesser user, whom it gives the right to do it
    again (C{RLIMIT_RTPRIO}) where root itself may do that. Where the system doesn't allow it,
    nothing is done. Threads and programs are ordinary ones.
    """

    def __init__(self, clock: IReactorTime, used: Callable[[], float] = time.thread_time) -> None:
        """
        @param clock: the reactor.
        @param used: how much of the processor's time this thread has used, in seconds.
        """
        self._clock = clock
        self._used = used
        self._before = 0.0
        self._first = False
        self._later: IDelayedCall | None = None

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        if os.geteuid() == 0 and hasattr(resource, "RLIMIT_RTPRIO"):
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_RTPRIO, (1, 1))
        self._set(True)

    def startService(self) -> None:
        super().startService()
        self._go()

    def stopService(self) -> None:
        super().stopService()
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._first:
            self._set(False)

    def _go(self) -> None:
        self._later = None
        if self._set(True):
            self._before = self._used()
            self._later = self._clock.callLater(_LOOK, self._look)

    def _look(self) -> None:
        self._later = None
        used = self._used()
        busy = used - self._before >= _BUSY * _LOOK
        self._before = used
        if busy:
            self._set(False)
            self._later = self._clock.callLater(_PATIENCE, self._go)
        else:
            self._later = self._clock.callLater(_LOOK, self._look)

    def _set(self, first: bool) -> bool:
        """Whether that is allowed."""
        try:
            if first:
                # What this thread starts, threads and programs, is ordinary.
                policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
                os.sched_setscheduler(0, policy, os.sched_param(1))
            else:
                os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
        except (OSError, AttributeError):
            # The last is a system without such policies.
            return False
        self._first = first
        return True
