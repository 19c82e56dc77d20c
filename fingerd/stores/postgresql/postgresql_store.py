"""Statuses in PostgreSQL, for the daemons of any number of machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.stores.kept import CANT_KEEP, KeptStore
from fingerd.stores.postgresql.news_thread import NewsThread
from fingerd.stores.postgresql.postgresql_server import Server, Uncertain, Unreachable
from fingerd.stores.rows import Row, Setting
from fingerd.system.postgresql_connection import conninfoOf
from fingerd.system.threads import Threads

UNCERTAIN = "It may be set or not: the database was lost meanwhile. Ask, and try again"

T = TypeVar("T")


class PostgreSQLStore(KeptStore):
    """
    Statuses in a PostgreSQL database. What another machine sets shows here as soon as the server
    tells of it, and C{limits.statusesRefresh} seconds later where it doesn't. While the server
    can't be reached, what shows is what was last read.
    """

    def __init__(
        self,
        url: str,
        reactor: IReactorTime,
        limits: Limits = DEFAULTS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        @param reactor: one that can be called from threads too.
        @param url: C{postgresql://USER@HOST:PORT/DATABASE}, as libpq takes it. With several hosts,
            the one that can be written to is used.
        @param now: the time, in seconds since the epoch.
        @raise ValueError: when the URL makes no sense, in words.
        """
        self._conninfo = conninfoOf(
            url,
            limits,
            target_session_attrs="read-write",
            # A server that has gone without a word is missed after this time.
            keepalives_idle="10",
            keepalives_interval="5",
            keepalives_count="2",
        )
        super().__init__(url.partition("?")[0], reactor, limits, now)
        self._server = Server(self._conninfo, limits)
        self._threaded = cast(IReactorFromThreads, reactor)
        self._number = count()

    def _run(self, work: Callable[[], T]) -> Deferred[T]:
        return self._thread.run(next(self._number), work)

    def _turn(self, settings: Sequence[Setting], seen: int) -> Deferred[list[Row]]:
        return self._run(lambda: self._server.turn(settings, seen))

    def _history(self, login: str, most: int, whole: bool, after: float) -> Deferred[list[Row]]:
        return self._run(lambda: self._server.history(login, after, most, whole))

    def _words(self, error: Exception) -> str | None:
        if isinstance(error, Uncertain):
            return UNCERTAIN
        return CANT_KEEP if isinstance(error, Unreachable) else None

    def _damaged(self, wrong: str) -> CannotStart:
        return CannotStart(f"the statuses in {self._where} are damaged: {wrong}")

    def _told(self) -> None:
        if self.running:
            self._look()

    def startService(self) -> None:
        try:
            self._server.open()
            self._takeAll(self._server.news)
        except CannotStart:
            self._server.close()
            raise
        except Unreachable as error:
            raise CannotStart(f"can't read statuses from {self._where}: {error}") from None
        # One thread: what is set is written in its order.
        self._thread = Threads(self._threaded, 1, self._limits.historiesWaiting + 1)
        self._news = NewsThread(self._conninfo, self._threaded, self._told)
        super().startService()
        self._news.start()

    async def _stop(self) -> None:
        self._news.stop()
        await super()._stop()
        await self._run(self._server.close)
        self._thread.stop()
