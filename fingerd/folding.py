"""
What keeps the log from being flooded by those who connect when no descriptors are left.

Twisted's ports log three lines for each of them, as fast as they come.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from fingerd.limits import DEFAULTS, Limits

_PORTS = frozenset({"twisted.internet.tcp.Port", "twisted.internet.unix.Port"})


@implementer(ILogObserver)
class FoldedPorts:
    """
    Passes events on, all but most of those of Twisted's ports: of each kind of them
    C{limits.portEventsLogged} in C{limits.portEventsTime}. The others are counted, and how many
    they were is said before the next one that isn't.
    """

    def __init__(
        self,
        observer: ILogObserver,
        limits: Limits = DEFAULTS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param observer: what the events are passed on to.
        @param now: the time in seconds, to compare with others.
        """
        self._observer = observer
        self._limits = limits
        self._now = now
        # By what they say: since when events are counted, and how many there were. Twisted has
        # five of them.
        self._counts: dict[str, tuple[float, int]] = {}

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_namespace") in _PORTS and event.get("log_level") == LogLevel.info:
            self._port(event)
        else:
            self._observer(event)

    def _port(self, event: LogEvent) -> None:
        kind = str(event.get("log_format"))
        now = self._now()
        since, count = self._counts.get(kind, (now, 0))
        most = self._limits.portEventsLogged
        if now - since >= self._limits.portEventsTime:
            if count > most:
                words = f"{{count}} more like this: {kind}"
                self._observer({**event, "log_format": words, "count": count - most})
            since, count = now, 0
        self._counts[kind] = since, count + 1
        if count < most:
            self._observer(event)
