"""Records that are kept in a database: what was acknowledged stays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.model.errors import CannotStart, DirectoryError, SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import Limits
from fingerd.model.record import Entry, Part
from fingerd.stores.memory import HeldStore
from fingerd.stores.rows import Row, Setting, TakingBack
from fingerd.stores.soundness import unsound
from fingerd.stores.troubles import Troubles

NOT_RUNNING = "Not set: the daemon is stopping"
TOO_MANY = "Not set: too many statuses are being set, try again"
CANT_KEEP = "Not set: statuses can't be kept at the moment"

T = TypeVar("T")


class _Waiting(NamedTuple):
    setting: Setting
    kept: Deferred[None]


@implementer(IStore)
class KeptStore(HeldStore, Service):
    """
    Records in a database, which several daemons may share.

    What shows is held in memory, so nothing that is read waits for the database. What is set while
    something is being written waits for that, and then is written together with all that waits: one
    wait for the disk serves all of it. What other processes have set is taken over with every
    write, and looked for every C{limits.statusesRefresh} seconds.
    """

    _log = Logger()

    def __init__(
        self, where: str, reactor: IReactorTime, limits: Limits, now: Callable[[], float]
    ) -> None:
        """
        @param where: the database, for the log.
        @param now: the time, in seconds since the epoch.
        """
        super().__init__(now, limits)
        self._where = where
        self._reactor = reactor
        self._limits = limits
        # The id of the last row that is in memory.
        self._seen = 0
        self._starting = False
        # What others see, too, before it is acknowledged; see C{share}.
        self._show: Callable[[int], Deferred[None]] | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._waiting: list[_Waiting] = []
        # Whether others may have written what isn't in memory yet.
        self._unseen = False
        # How many histories are being read.
        self._reading = 0
        # Fires when the work on the database is done; None while nobody works on it.
        self._working: Deferred[None] | None = None
        self._troubles = Troubles(self._log, where)

    def __len__(self) -> int:
        """How many users have set something."""
        return len(self._showing)

    @abstractmethod
    def _turn(self, settings: Sequence[Setting], seen: int) -> Deferred[list[Row]]:
        """
        Write C{settings} durably, and give back the first rows behind the one with the id C{seen},
        these among them: fewer than C{limits.statusesAtOnce} when there are no more.
        """

    @abstractmethod
    def _history(self, login: str, most: int, whole: bool, after: float) -> Deferred[list[Row]]:
        """
        Read a history, whoever waits for it, without what had expired at the time C{after}.
        """

    @abstractmethod
    def _words(self, error: Exception) -> str | None:
        """What a client is told whose status wasn't set; None of an error that wasn't foreseen."""

    @abstractmethod
    def _damaged(self, wrong: str) -> CannotStart:
        """What ends the start, where one row is C{wrong}."""

    def _isSound(self, row: Row) -> bool:
        """
        Whether there is nothing wrong with a row. While the daemon runs, one that has something
        costs nobody else theirs.

        @raise CannotStart: where it doesn't run yet.
        """
        wrong = unsound(row)
        if wrong is not None:
            if self._starting:
                raise self._damaged(wrong)
            self._log.error("{where}: {wrong}, and is left out", where=self._where, wrong=wrong)
        return wrong is None

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
            if not self.running or (last is not None and self._seen >= last):
                break
            self._look()
            assert self._working is not None
            await self._working
        return self._seen

    def history(
        self, login: str, most: int, whole: bool = False, ended: bool = False
    ) -> Deferred[Sequence[Entry]]:
        if not self.running:
            return fail(DirectoryError("the daemon is stopping"))
        if self._reading >= self._limits.historiesWaiting:
            return fail(DirectoryError("too many histories are being read"))
        self._reading += 1
        rows = self._history(login, most, whole, 0.0 if ended else self._now())
        read = rows.addCallback(self._entries)
        # Whoever waits may give up, but the database's thread goes on.
        given: Deferred[Sequence[Entry]] = Deferred()
        read.addBoth(self._read).addCallbacks(given.callback, given.errback)
        return given

    def _entries(self, rows: Sequence[Row]) -> list[Entry]:
        return [Entry(*row[2:6], Part(row[6])) for row in rows if self._isSound(row)]

    def _read(self, result: T) -> T:
        self._reading -= 1
        return result

    def set(self, login: str, entry: Entry) -> Deferred[None]:
        return self._write(login, entry)

    def undo(self, login: str) -> Deferred[Part | None]:
        wanted = TakingBack(False, self._now())
        return self._write(login, wanted).addCallback(lambda _: wanted.part)

    def erase(self, login: str) -> Deferred[None]:
        return self._write(login, TakingBack(True, self._now()))

    def _write(self, login: str, what: Entry | TakingBack) -> Deferred[None]:
        try:
            if not self.running:
                raise SettingRefused(NOT_RUNNING)
            if len(self._waiting) >= self._limits.statusesWaiting:
                raise SettingRefused(TOO_MANY)
            if isinstance(what, Entry):
                what = self._showing.admit(login, what)
        except SettingRefused:
            return fail()
        kept: Deferred[None] = Deferred()
        self._waiting.append(_Waiting((login, what), kept))
        self._begin()
        return kept

    def startService(self) -> None:
        super().startService()
        self._looking.start(self._limits.statusesRefresh, now=False)

    def stopService(self) -> Deferred[None]:
        """Write what waits to be written."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._looking.running:
            self._looking.stop()
        while self._working is not None:
            await self._working

    def _look(self) -> None:
        """Take over what others have written up to now."""
        self._unseen = True
        self._begin()

    def _begin(self) -> None:
        if self._working is None:
            self._working = Deferred.fromCoroutine(self._work()).addBoth(self._rest)

    def _rest(self, result: object) -> None:
        self._working = None
        if isinstance(result, Failure):
            self._log.failure("Keeping statuses", result)
        if self._waiting or self._unseen:
            self._begin()

    async def _work(self) -> None:
        """Write what waits and take over what is new, until there is no more of either."""
        most = self._limits.statusesAtOnce
        written: list[_Waiting] = []
        while self._waiting or self._unseen:
            # Who asks once a status is acknowledged sees what was written before it.
            seen, self._unseen = not self._unseen, False
            batch, self._waiting = self._waiting[:most], self._waiting[most:]
            settings = [waiting.setting for waiting in batch]
            turn = self._turn(settings, self._seen)
            if seen:
                # They are told while the disk is busy with the next ones.
                self._acknowledge(written)
                written = []
            try:
                rows = await turn
            except Exception as error:
                self._refuse(error, batch)
            else:
                self._unseen = self._takeOver(rows) or self._unseen
                self._troubles.over(bool(batch))
                written += batch
        self._acknowledge(written)

    def _takeAll(self, read: Callable[[int], list[Row]]) -> None:
        """
        Take all that is kept into memory, before the daemon runs.

        @param read: gives the first rows behind the one with an id.
        @raise CannotStart: where there is something wrong with one.
        """
        self._starting = True
        try:
            while self._takeOver(read(self._seen)):
                pass
        finally:
            self._starting = False

    def _takeOver(self, rows: Sequence[Row]) -> bool:
        """Take ``rows`` into memory, and say whether there may be more."""
        for row in rows:
            if self._isSound(row):
                self._showing.take(*row[1:])
            self._seen = row[0]
        if rows:
            self._changed()
        return len(rows) >= self._limits.statusesAtOnce

    def _acknowledge(self, written: Sequence[_Waiting]) -> None:
        if self._show is None or not written:
            _tell(written)
        else:
            self._show(self._seen).addCallback(lambda _: _tell(written))

    def _refuse(self, error: Exception, batch: Sequence[_Waiting]) -> None:
        words = self._words(error)
        self._troubles.had(error, foreseen=words is not None, wrote=bool(batch))
        for waiting in batch:
            waiting.kept.errback(SettingRefused(words or CANT_KEEP))


def _tell(written: Sequence[_Waiting]) -> None:
    for waiting in written:
        waiting.kept.callback(None)
