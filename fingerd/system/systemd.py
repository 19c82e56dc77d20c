"""
Telling systemd how the daemon is: sd_notify(3), for a service with ``Type=notify``.

When anything else has started the daemon, ``NOTIFY_SOCKET`` is not set, and nothing is done.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from fingerd.model.errors import reasonOf

T = TypeVar("T")


class Notifier(Service):
    """
    Tells systemd when the daemon answers, while it reloads, when it begins to stop and, where
    systemd wants to hear that (``WatchdogSec=``), that its reactor turns.

    To be the last of a daemon's services: it is then started when all others have been, and
    stopped, as services are stopped in reverse order, before any of them is.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        environ: Mapping[str, str] = os.environ,
        status: Callable[[], str] = str,
    ) -> None:
        """
        @param clock: the reactor.
        @param environ: what systemd has said: its address and what it wants to hear.
        @param status: what ``systemctl status`` is to show, in one line: asked for when the
            daemon is ready, and after each reload.
        """
        self._clock = clock
        self._status = status
        self._address = _address(environ)
        self._watchdog = _watchdog(environ)
        self._pings = LoopingCall(self._say, "WATCHDOG=1")
        self._pings.clock = clock
        self._socket: socket.socket | None = None
        self._starting: IDelayedCall | None = None
        self._reloads = 0
        # Why systemd can't be told, as was last said in the log, so that it's said once.
        self._trouble: str | None = None

    def startService(self) -> None:
        super().startService()
        if self._address is None:
            return
        # Kept open, since a daemon that has run out of descriptors is not one that hangs. Only
        # sending needs the address: systemd's is there for every user.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        # Called by a reactor that runs, and so answers.
        self._starting = self._clock.callLater(0, self._started)

    def stopService(self) -> None:
        super().stopService()
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        if self._pings.running:
            self._pings.stop()
        if self._socket is not None:
            self._say("STOPPING=1")
            # Of a reload that ends from now on, systemd isn't told.
            self._socket.close()
            self._socket = None

    def reloading(self, reload: Callable[[], Deferred[T]]) -> Callable[[], Deferred[T]]:
        """``reload``, with systemd told when it begins, and when its Deferred has fired."""

        def told() -> Deferred[T]:
            # Before it is ready, being ready is all that systemd waits for.
            if self._socket is None or self._starting is not None:
                return reload()
            self._reloads += 1
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._say("RELOADING=1", f"MONOTONIC_USEC={now}")
            return maybeDeferred(reload).addBoth(self._reloaded)

        return told

    def _started(self) -> None:
        self._starting = None
        self._ready()
        if self._watchdog is not None:
            self._pings.start(self._watchdog / 2)

    def _reloaded(self, result: T) -> T:
        self._reloads -= 1
        if self._reloads == 0:
            self._ready()
        return result

    def _ready(self) -> None:
        status = " ".join(self._status().split())
        self._say("READY=1", f"STATUS={status}")

    def _say(self, *assignments: str) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto("\n".join(assignments).encode(), self._address)
        except OSError as error:
            # systemd acts by itself on what it doesn't hear; clients get their answers anyway.
            reason = reasonOf(error)
            if reason != self._trouble:
                self._trouble = reason
                self._log.warn(
                    "systemd can't be told {what} at {address!r}: {reason}",
                    what=assignments[0],
                    address=self._address,
                    reason=reason,
                )
        else:
            self._trouble = None


def _address(environ: Mapping[str, str]) -> bytes | None:
    """Where systemd listens: a path, or where it begins with @ a name that is in no folder."""
    address = os.fsencode(environ.get("NOTIFY_SOCKET", ""))
    if address.startswith(b"@"):
        return b"\0" + address[1:]
    return address or None


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """The seconds of silence after which systemd takes this process for hung."""
    time, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    if pid not in (None, str(os.getpid())) or not (time.isascii() and time.isdigit()):
        return None
    return int(time) / 1e6 or None
