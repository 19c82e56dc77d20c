"""A file with users, of whatever format, that is read again when it has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from io import FileIO

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.directories.watched.looks import Looks
from fingerd.directories.watched.reader import Malformed, Reader
from fingerd.directories.watched.regular_file import State, openRegular, reading, stateOf
from fingerd.directories.watched.table import Table
from fingerd.model.counts import Readings
from fingerd.model.errors import CannotStart, DirectoryError, reasonOf
from fingerd.model.interfaces import ICounted, IHeldDirectory, ITried, IWatching
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import HIDDEN, User
from fingerd.system.slices import Steps, atOnce

# So many bytes are understood in one go: of TOML, less than three milliseconds' work.
_PIECE = 4 * 1024
# So many are read in one go, in a thread.
_BLOCK = 64 * _PIECE
# A first reading that takes longer than this many seconds says how far it is, every second.
_PATIENCE = 2.0


@implementer(IHeldDirectory, IWatching, ICounted, ITried)
class WatchedFile(Service):
    """
    The users in a file. A subclass says what its format is.

    The file is read first when the service is started, while the daemon may still have root's
    privileges, and then it must be readable. From then on a new table is built in full, in
    slices between which the daemon does its work, and then takes the old one's place. As long
    as the file can't be read, or may still be being written, the old users stay. They stay as well
    where the file is empty or binary by then: that is an accident, and nobody's wish.

    After the start, L{Looks} does all that: where the file is on a server that hangs, the old users
    stay, and only a thread waits.
    """

    _log = Logger()
    # What the reader skips where it is malformed.
    _parts = "lines"

    def __init__(
        self,
        path: str,
        clock: IReactorTime,
        limits: Limits = DEFAULTS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        @param clock: the reactor.
        @param now: the time in seconds since the epoch, as files have it.
        """
        self._path = os.path.abspath(path)
        self._clock = clock
        self._limits = limits
        self._now = now
        self._table = Table(limits.listedUsers)
        # The state of the file that is in the table: None before the first one is.
        self._state: State | None = None
        # The state in which the file was malformed.
        self._malformed: State | None = None
        self.readings = Readings()
        self._looks: Looks | None = None

    def __str__(self) -> str:
        return self._path

    def __len__(self) -> int:
        return len(self._table)

    def tryToStart(self) -> None:
        """See L{ITried}."""
        if not os.path.lexists(self._path):
            raise ValueError("there is no such file")

    def held(self, login: str) -> User | None:
        text = self._table.get(login)
        if text is None:
            return HIDDEN if login in self._table else None
        return self._user(login, text)

    def getUser(self, login: str) -> Deferred[User | None]:
        return succeed(self.held(login))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed([self._user(login, text) for login, text in self._table.first(limit)])

    def _reader(self, table: Table) -> Reader:
        """What reads this format into ``table``."""
        raise NotImplementedError

    def _user(self, login: str, text: str) -> User:
        """A user, from the text that the reader put into the table."""
        raise NotImplementedError

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        try:
            atOnce(self._read())
        except (OSError, DirectoryError) as error:
            raise CannotStart(
                f"can't read the users file {self._path}: {reasonOf(error)}"
            ) from None

    def startService(self) -> None:
        if self._state is None:
            self.privilegedStartService()
        super().startService()
        try:
            os.close(openRegular(self._path))
        except (OSError, DirectoryError) as error:
            self._say("can't be read again by this daemon's user", reasonOf(error))
        hangs = partial(self._say, "can't be read")
        self._looks = Looks(self._look, hangs, self._clock, self._limits)

    def stopService(self) -> None:
        super().stopService()
        if self._looks is not None:
            self._looks.stop()
            self._looks = None

    def reload(self) -> Deferred[None]:
        """Read the file again if it has changed: see L{IWatching}. To look costs a stat."""
        return succeed(None) if self._looks is None else self._looks.ask()

    def _look(self) -> Steps[None]:
        try:
            yield from self._readIfNew()
        except Exception as error:
            if not isinstance(error, OSError | DirectoryError):
                self._log.failure("Reading {path}", Failure(), path=self._path)
            self._say("can't be read", reasonOf(error))

    def _readIfNew(self) -> Steps[None]:
        """Read the file if there is anything new in it that should be read now."""
        info: os.stat_result = yield partial(os.stat, self._path)
        state = stateOf(info)
        if state == self._state:
            # The file is as it was before whatever befell it.
            self.readings.trouble = self._malformed = None
            return
        age = self._now() - info.st_mtime
        if 0 <= age < self._limits.usersFileQuiet:
            assert self._looks is not None
            self._looks.askLater(self._limits.usersFileQuiet - age)
        elif state != self._malformed:
            yield from self._read()

    def _say(self, trouble: str, reason: str) -> None:
        readings = self.readings
        readings.failed += 1
        # The log says it once.
        if reason != readings.trouble:
            readings.trouble = reason
            self._log.warn(
                "{path} {trouble} ({reason}): the users read before ({count}) stay",
                path=self._path,
                trouble=trouble,
                reason=reason,
                count=len(self._table),
            )

    def _read(self) -> Steps[None]:
        """Read the file in steps, and take over what is in it."""
        table = Table(self._limits.listedUsers)
        reader = self._reader(table)
        try:
            state = yield from reading(self._path, partial(self._fill, table, reader))
        except Exception:
            yield from table.letGo()
            raise
        self._state, old, self._table = state, self._table, table
        self._malformed = None
        self.readings.taken(self._now())
        count = len(table)
        users = "1 user" if count == 1 else f"{count} users"
        self._log.info("{path}: {users}", path=self._path, users=users)
        for reason in reader.reasons:
            self._log.warn("{path}, {reason}: skipped", path=self._path, reason=reason)
        if reader.skipped > len(reader.reasons):
            self._log.warn(
                "{path}: {count} {parts} skipped",
                path=self._path,
                count=reader.skipped,
                parts=self._parts,
            )
        yield from old.letGo()

    def _fill(self, table: Table, reader: Reader, file: FileIO) -> Steps[State]:
        """Read the file in steps, and return the state that it was in."""
        info: os.stat_result = yield partial(os.fstat, file.fileno())
        state = stateOf(info)
        speakAt = self._clock.seconds() + _PATIENCE
        # At the start there are no users who could stay: whatever is in the file is taken.
        first = self._state is None
        empty = not first
        done = 0
        try:
            while block := (yield partial(file.read, _BLOCK)):
                for start in range(0, len(block), _PIECE):
                    piece = block[start : start + _PIECE]
                    if b"\0" in piece and not first:
                        raise Malformed("it is binary: there is a NUL byte in it")
                    empty = empty and piece.isspace()
                    reader.feed(piece)
                    done += len(piece)
                    if first and (moment := self._clock.seconds()) >= speakAt:
                        speakAt = moment + 1.0
                        self._sayHowFar(done / max(info.st_size, 1), len(table))
                    yield None
            if empty:
                raise Malformed("it is empty: a comment in it, or none:, stands for nobody")
            reader.end()
        except Malformed:
            self._malformed = state
            raise
        # Another file may have taken its place: the next reload sees to that.
        if not first and stateOf((yield partial(os.fstat, file.fileno()))) != state:
            raise DirectoryError("it is being written")
        return state

    def _sayHowFar(self, share: float, count: int) -> None:
        self._log.info(
            "{path}: {percent} % read, {count} users so far",
            path=self._path,
            percent=int(100 * share),
            count=count,
        )
