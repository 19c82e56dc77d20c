"""Records in SQLite, for the daemons of one machine."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.stores.database import FILES, Database, tidy
from fingerd.stores.kept import CANT_KEEP, KeptStore
from fingerd.stores.rows import Row, Setting
from fingerd.stores.soundness import damaged, primary
from fingerd.stores.witness import Replaced
from fingerd.system.privileges import Identity
from fingerd.system.state_directory import makeStateDirectory

__all__ = ["SQLiteStore"]

LOCKED = "Not set: another program has locked the statuses, try again"
DISK_FULL = "Not set: the disk is full"

_WORDS = {
    sqlite3.SQLITE_FULL: DISK_FULL,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
}

_PRESENT_USER = Identity(None, None)


class SQLiteStore(KeptStore):
    """Records in a database in the state directory; several daemons may share it."""

    def __init__(
        self,
        directory: str,
        reactor: IReactorTime,
        owner: Identity = _PRESENT_USER,
        limits: Limits = DEFAULTS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        @param directory: the state directory; it is made if there is none.
        @param owner: the user that the daemon becomes, who is to own it; None for the present one.
        @param now: the time, in seconds since the epoch.
        """
        self._database = Database(directory, limits)
        super().__init__(self._database.path, reactor, limits, now)
        self.directory = directory
        self._owner = owner
        self._made = False
        self._pool: ConnectionPool | None = None

    def _turn(self, settings: Sequence[Setting], seen: int) -> Deferred[list[Row]]:
        assert self._pool is not None
        written: Deferred[list[Row]] = self._pool.runInteraction(
            self._database.turn, settings, seen
        )
        return written

    def _history(self, login: str, most: int, whole: bool, after: float) -> Deferred[list[Row]]:
        assert self._pool is not None
        read: Deferred[list[Row]] = self._pool.runInteraction(
            self._database.history, login, after, most, whole
        )
        return read

    def _words(self, error: Exception) -> str | None:
        if not isinstance(error, sqlite3.Error | OSError | Replaced):
            return None
        return _WORDS.get(primary(error), CANT_KEEP)

    def _damaged(self, wrong: str) -> CannotStart:
        return damaged(self._database.path, wrong)

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        makeStateDirectory(self.directory, FILES, self._owner)
        self._made = True

    def startService(self) -> None:
        # By the daemon's own user: SQLite makes files beside the database, with its owner.
        if not self._made:
            self.privilegedStartService()
        connection = self._database.open()
        try:
            self._takeAll(lambda seen: self._database.news(connection.cursor(), seen))
        finally:
            connection.close()
        self._database.opened()
        self._pool = ConnectionPool(
            "sqlite3",
            **self._database.arguments,
            cp_min=1,
            cp_max=1,
            cp_openfun=self._database.prepare,
            cp_reactor=self._reactor,
        )
        super().startService()

    async def _stop(self) -> None:
        """Write what waits to be written, then close the database."""
        await super()._stop()
        if self._pool is not None:
            pool, self._pool = self._pool, None
            # The log is moved in the pool's thread, not when the connection is closed in the
            # reactor's. Where this fails, the next start does it.
            with suppress(sqlite3.Error, Replaced):
                await pool.runInteraction(tidy)
            pool.close()
