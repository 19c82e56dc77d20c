"""
Timers that don't heed the clock on the wall.

Twisted's reactors take the time for their timers from the system's clock. When that is set back by
an hour, every timer that is set waits an hour longer: no deadline passes, and no connection that
is silent is closed. When it is set forward, all timers run out at once. The system has a clock that
nobody can set (CLOCK_MONOTONIC, see clock_gettime(2)); this module lets a reactor use that.
"""

from __future__ import annotations

import time

from twisted.internet.base import DelayedCall, ReactorBase
from twisted.python.runtime import seconds as _wallTime


def useMonotonicTime(reactor: object) -> None:
    """
    Let ``reactor`` take the time for its timers from the clock that can't be set. Its
    C{seconds()} is then a time to compare with others, and not the time of day.

    Timers that are set already go by that clock, too. A reactor that has a time of its own, such as
    a test's, keeps it. A second call changes nothing.
    """
    if not isinstance(reactor, ReactorBase) or reactor.seconds is not _wallTime:
        return
    now = _wallTime()
    left = [(call, max(call.getTime() - now, 0.0)) for call in reactor.getDelayedCalls()]
    # A reactor's own methods ask itself for the time, and find this before the class's function.
    reactor.seconds = time.monotonic
    for call, seconds in left:
        assert isinstance(call, DelayedCall)
        call.seconds = time.monotonic
        call.reset(seconds)
