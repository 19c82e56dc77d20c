"""The users file: ``user:status`` lines, read again when they change."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Cooperator, SchedulerStopped
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.directories.lines import LineReader
from fingerd.directories.table import Table
from fingerd.directories.users_format import UsersReader
from fingerd.interfaces import DirectoryError, ICounted, IDirectory, IReloadable
from fingerd.limits import DEFAULTS, Limits
from fingerd.starting import CannotStart
from fingerd.user import User

_PIECE = 64 * 1024


@implementer(IDirectory, IReloadable, ICounted)
class UsersFile(Service):
    """
    The users in a file; see L{fingerd.directories.users_format} for its format.

    The file is read first when the service is started, while the daemon may still have root's
    privileges, and then it must be readable. From then on a new table is built in full, in
    slices between which the daemon does its work, and then takes the old one's place. As long
    as the file can't be read, or may still be being written, the old users stay.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        clock: IReactorTime,
        limits: Limits = DEFAULTS,
        now: Callable[[], float] = time.time,
        reader: Callable[[Table, int], LineReader] = UsersReader,
    ) -> None:
        """
        @param clock: the reactor.
        @param now: the time in seconds since the epoch, as files have it.
        @param reader: what reads the file into a table, its lines of so many bytes at most.
        """
        self._path = os.path.abspath(path)
        self._clock = clock
        self._limits = limits
        self._now = now
        self._reader = reader
        self._cooperator = Cooperator(
            terminationPredicateFactory=lambda: _Slice(limits.reloadSlice).isOver,
            scheduler=lambda work: clock.callLater(0, work),
        )
        self._table = Table(limits.listedUsers)
        # The state of the file that is in the table: None before the first one is.
        self._state: tuple[int, int, int] | None = None
        # What was last said of the file in the log, so that it's said once.
        self._trouble: str | None = None
        self._reloading: Deferred[None] | None = None
        # Asked to reload while it was reloading.
        self._again = False
        self._later: IDelayedCall | None = None

    def __str__(self) -> str:
        return self._path

    def __len__(self) -> int:
        return len(self._table)

    def getText(self, login: str) -> str | None:
        """What the file has of ``login``, or None."""
        return self._table.get(login)

    def getTexts(self, limit: int) -> Iterable[tuple[str, str]]:
        """The first logins of the file, ``limit`` at most, and what it has of them."""
        return self._table.first(limit)

    def getUser(self, login: str) -> Deferred[User | None]:
        status = self.getText(login)
        return succeed(None if status is None else User(login, status=status))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed([User(login, status=text) for login, text in self.getTexts(limit)])

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        try:
            for _ in self._read():
                pass
        except (OSError, DirectoryError) as error:
            raise CannotStart(f"can't read the users file {self._path}: {_reason(error)}") from None

    def startService(self) -> None:
        if self._state is None:
            self.privilegedStartService()
        super().startService()
        try:
            os.close(self._open())
        except (OSError, DirectoryError) as error:
            self._say(f"can't be read again by this daemon's user ({_reason(error)})")

    def stopService(self) -> None:
        super().stopService()
        self._cooperator.stop()
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def reload(self) -> Deferred[None]:
        """
        Read the file again if it has changed: see L{IReloadable}. One that hasn't costs a stat.
        """
        if self._reloading is not None:
            self._again = True
            return succeed(None)
        try:
            info = os.stat(self._path)
        except OSError as error:
            self._say(f"can't be read ({_reason(error)})")
            return succeed(None)
        if _state(info) == self._state:
            return succeed(None)
        age = self._now() - info.st_mtime
        if 0 <= age < self._limits.usersFileQuiet:
            if self._later is None:
                wait = self._limits.usersFileQuiet - age
                self._later = self._clock.callLater(wait, self._reloadLater)
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._reloading = done
        reading = self._cooperator.cooperate(self._read()).whenDone()
        reading.addErrback(self._kept).addBoth(self._reloaded)
        return done

    def _reloadLater(self) -> None:
        self._later = None
        self.reload()

    def _reloaded(self, result: object) -> None:
        done, self._reloading = self._reloading, None
        again, self._again = self._again, False
        if again and self.running:
            self.reload()
        if done is not None:
            done.callback(None)

    def _kept(self, failure: Failure) -> None:
        if failure.check(SchedulerStopped):
            # The daemon stops.
            return
        if not failure.check(OSError, DirectoryError, _Changed):
            self._log.failure("Reading {path}", failure, path=self._path)
        self._say(f"can't be read ({_reason(failure.value)})")

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._log.warn(
                "{path} {trouble}: the {count} users read before stay",
                path=self._path,
                trouble=trouble,
                count=len(self._table),
            )

    def _open(self) -> int:
        # Without O_NONBLOCK, opening a FIFO that has taken the file's place would stop everything.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DirectoryError("not a regular file")
        return descriptor

    def _read(self) -> Iterator[None]:
        """Read the file in steps, and take over what is in it."""
        table = Table(self._limits.listedUsers)
        reader = self._reader(table, self._limits.usersFileLine)
        with open(self._open(), "rb", buffering=0) as file:
            state = _state(os.fstat(file.fileno()))
            while piece := file.read(_PIECE):
                reader.feed(piece)
                yield
            reader.end()
            # At the start there is nothing older to keep: the next reload sees to the rest.
            if self._state is not None and _state(os.stat(self._path)) != state:
                raise _Changed("it is being written")
        self._state, old, self._table = state, self._table, table
        self._trouble = None
        self._log.info("{path}: {count} users", path=self._path, count=len(table))
        for reason in reader.reasons:
            self._log.warn("{path}, {reason}: skipped", path=self._path, reason=reason)
        if reader.skipped > len(reader.reasons):
            self._log.warn("{path}: {count} lines skipped", path=self._path, count=reader.skipped)
        yield from old.letGo()


class _Changed(Exception):
    """The file changed while it was read."""


class _Slice:
    """The time for which work may go on before others have their turn."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    def isOver(self) -> bool:
        return time.perf_counter() >= self._end


def _state(info: os.stat_result) -> tuple[int, int, int]:
    """What tells one state of a file from another."""
    return info.st_mtime_ns, info.st_size, info.st_ino


def _reason(error: BaseException | None) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
