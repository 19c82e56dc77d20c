"""Statuses in SQLite: what was acknowledged stays."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from twisted.application.service import Service
from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.model.errors import DirectoryError, SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.record import Status
from fingerd.stores.database import FILES, Database, Replaced, Row, Setting, prepare, primary, tidy
from fingerd.stores.memory import HeldStore
from fingerd.system.privileges import Identity
from fingerd.system.state_directory import makeStateDirectory

NOT_RUNNING = "Not set: the daemon is stopping"
TOO_MANY = "Not set: too many statuses are being set, try again"
LOCKED = "Not set: another program has locked the statuses, try again"
DISK_FULL = "Not set: the disk is full"
CANT_KEEP = "Not set: statuses can't be kept at the moment"

_WORDS = {
    sqlite3.SQLITE_FULL: DISK_FULL,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
}

T = TypeVar("T")

_PRESENT_USER = Identity(None, None)


class _Waiting(NamedTuple):
    setting: Setting
    kept: Deferred[None]


@implementer(IStore)
class SQLiteStore(HeldStore, Service):
    """
    Statuses in a database in the state directory; several daemons may share it.

    What shows is held in memory, so nothing that is read waits for the disk. Statuses that are
    set while others are being written wait for those, and then are written together: one wait
    for the disk serves them all. What other processes have set is taken over with every write,
    and looked for every C{limits.statusesRefresh} seconds.
    """

    _log = Logger()

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
        super().__init__(now, limits)
        self._directory = directory
        self._reactor = reactor
        self._owner = owner
        self._limits = limits
        self._database = Database(directory, limits)
        # The id of the last row that is in memory.
        self._seen = 0
        # What others see, too, before it is acknowledged; see C{share}.
        self._show: Callable[[int], Deferred[None]] | None = None
        self._made = False
        self._pool: ConnectionPool | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._waiting: list[_Waiting] = []
        # How many histories are being read.
        self._reading = 0
        # Fires when the work on the database is done; None while nobody works on it.
        self._working: Deferred[None] | None = None
        # What was last said of the database in the log, so that it's said once.
        self._trouble: str | None = None

    def __len__(self) -> int:
        """How many users have a status."""
        return len(self._showing)

    def share(self, show: Callable[[int], Deferred[None]]) -> None:
        """
        Acknowledge a status when others show it.

        @param show: called with the id of the last that is kept; fires when all up to this one show
            everywhere, and never fails.
        """
        self._show = show

    async def look(self, last: int | None = None) -> int:
        """
        Take over what other processes have set by now.

        @param last: the id of a status that is to be among it: a look is spared if it is there.
        @return: the id of the last that shows here.
        """
        # One that is under way may have begun too early.
        for _ in range(2):
            if self._pool is None or (last is not None and self._seen >= last):
                break
            self._look()
            assert self._working is not None
            await self._working
        return self._seen

    def history(self, login: str, most: int) -> Deferred[Sequence[Status]]:
        if self._pool is None:
            return fail(DirectoryError("the daemon is stopping"))
        if self._reading >= self._limits.historiesWaiting:
            return fail(DirectoryError("too many histories are being read"))
        self._reading += 1
        read = self._pool.runInteraction(self._database.history, login, self._now(), most)
        # Whoever waits may give up, but the database's thread goes on.
        given: Deferred[Sequence[Status]] = Deferred()
        read.addBoth(self._read).addCallbacks(given.callback, given.errback)
        return given

    def _read(self, result: T) -> T:
        self._reading -= 1
        return result

    def setStatus(self, login: str, status: Status) -> Deferred[None]:
        try:
            if not self.running:
                raise SettingRefused(NOT_RUNNING)
            if len(self._waiting) >= self._limits.statusesWaiting:
                raise SettingRefused(TOO_MANY)
            status = self._showing.admit(login, status)
        except SettingRefused:
            return fail()
        kept: Deferred[None] = Deferred()
        self._waiting.append(_Waiting((login, status), kept))
        self._look()
        return kept

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        makeStateDirectory(self._directory, FILES, self._owner)
        self._made = True

    def startService(self) -> None:
        # By the daemon's own user: SQLite makes files beside the database, with its owner.
        if not self._made:
            self.privilegedStartService()
        connection = self._database.open()
        try:
            while self._takeOver(self._database.news(connection.cursor(), self._seen)):
                pass
        finally:
            connection.close()
        self._pool = ConnectionPool(
            "sqlite3",
            **self._database.arguments,
            cp_min=1,
            cp_max=1,
            cp_openfun=prepare,
            cp_reactor=self._reactor,
        )
        super().startService()
        self._looking.start(self._limits.statusesRefresh, now=False)

    def stopService(self) -> Deferred[None]:
        """Write what waits to be written, then close the database."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._looking.running:
            self._looking.stop()
        if self._working is not None:
            await self._working
        if self._pool is not None:
            pool, self._pool = self._pool, None
            # The log is moved in the pool's thread, not when the connection is closed in the
            # reactor's. Where this fails, the next start does it.
            with suppress(sqlite3.Error):
                await pool.runInteraction(tidy)
            pool.close()

    def _look(self) -> None:
        if self._working is None:
            self._working = Deferred.fromCoroutine(self._work()).addBoth(self._rest)

    def _rest(self, result: object) -> None:
        self._working = None
        if isinstance(result, Failure):
            self._log.failure("Keeping statuses", result)
        if self._waiting:
            self._look()

    async def _work(self) -> None:
        """Write what waits and take over what is new, until there is no more of either."""
        assert self._pool is not None
        most = self._limits.statusesAtOnce
        written: list[_Waiting] = []
        # Whether all that is new is in memory: who asks once a status is acknowledged sees it.
        seen = False
        while self._waiting or not seen:
            batch, self._waiting = self._waiting[:most], self._waiting[most:]
            settings = [waiting.setting for waiting in batch]
            turn = self._pool.runInteraction(self._database.turn, settings, self._seen)
            if seen:
                # They are told while the disk is busy with the next ones.
                self._acknowledge(written)
                written = []
            try:
                rows = await turn
            except Exception as error:
                seen = True
                self._refuse(error, batch)
            else:
                seen = not self._takeOver(rows)
                written += batch
        self._acknowledge(written)

    def _takeOver(self, rows: Sequence[Row]) -> bool:
        """Take ``rows`` into memory, and say whether there may be more."""
        for number, login, text, when, by, until in rows:
            self._showing.put(login, Status(text, when, by, until))
            self._seen = number
        if rows:
            self._changed()
        return len(rows) >= self._limits.statusesAtOnce

    def _acknowledge(self, written: Sequence[_Waiting]) -> None:
        if written and self._trouble is not None:
            self._trouble = None
            self._log.info("{path}: statuses are kept again", path=self._database.path)
        if self._show is None or not written:
            _tell(written)
        else:
            self._show(self._seen).addCallback(lambda _: _tell(written))

    def _refuse(self, error: Exception, batch: Sequence[_Waiting]) -> None:
        if not isinstance(error, sqlite3.Error | OSError | Replaced):
            self._log.failure(
                "Keeping statuses in {path}", Failure(error), path=self._database.path
            )
        elif str(error) != self._trouble:
            self._trouble = str(error)
            self._log.error(
                "{path}: statuses can't be kept or read ({error!s}); those read before stay",
                path=self._database.path,
                error=error,
            )
        words = _WORDS.get(primary(error), CANT_KEEP)
        for waiting in batch:
            waiting.kept.errback(SettingRefused(words))


def _tell(written: Sequence[_Waiting]) -> None:
    for waiting in written:
        waiting.kept.callback(None)
