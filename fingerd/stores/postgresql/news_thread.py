"""Waits for the server to say that somebody has written something (LISTEN), in a thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import psycopg
from twisted.internet.interfaces import IReactorFromThreads

CHANNEL = "fingerd"

# How often the thread looks whether it is to end, in seconds.
_LOOK = 1.0


class NewsThread:
    """
    Says when there may be news: on each notification, and after each new connection, since what
    was written before it was listened was not notified. It promises nothing: between client and
    server may be one that passes no notifications on, such as pgbouncer.
    """

    def __init__(
        self,
        conninfo: str,
        reactor: IReactorFromThreads,
        told: Callable[[], object],
    ) -> None:
        """
        @param told: called in the reactor's thread, when there may be news.
        """
        self._conninfo = conninfo
        self._reactor = reactor
        self._told = told
        self._ended = Event()
        # The process's end doesn't wait for it.
        self._thread = Thread(target=self._run, name="news", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def stop(self) -> None:
        """End within a second or so, which isn't waited for."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    self._listen(connection)
            except psycopg.Error:
                # The store says in the log that the server can't be reached.
                self._ended.wait(_LOOK)

    def _listen(self, connection: psycopg.Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self._tell()
        while not self._ended.is_set():
            # One is enough: whoever is told reads all there is.
            for _ in connection.notifies(timeout=_LOOK, stop_after=1):
                self._tell()

    def _tell(self) -> None:
        self._reactor.callFromThread(self._told)
