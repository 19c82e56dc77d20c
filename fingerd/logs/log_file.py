"""A file that a thread adds lines to, and that others may move away or fill the disk of."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Event, Thread
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from fingerd.model.errors import CannotStart, reasonOf
from fingerd.system.privileges import Identity
from fingerd.system.state_directory import giveAway, isRootsAlone, mayGiveAway

# Nothing in the file's place, such as a FIFO, holds up the open.
_OPEN = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_MODE = 0o640
# What to do about a file that can't be opened.
_CURES: dict[int | None, str] = {
    errno.ENOENT: "; make the directory that it is to be in",
    errno.EACCES: "; uid {uid} must be able to write to it, and to its directory",
}
# A disk that is full is tried again after so many seconds.
_AGAIN = 1.0


def openLog(path: str, flags: int = 0) -> int:
    """
    Open a log file for adding to it; where there is none, one is made.

    @param flags: more flags of open(2).
    @raise OSError: when that can't be done, or when what is there is no ordinary file.
    """
    try:
        return _openThere(path, flags)
    except FileNotFoundError:
        # What somebody else makes in this moment is theirs: an error.
        file = os.open(path, _OPEN | flags | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        # Whatever the umask.
        os.fchmod(file, _MODE)
    except BaseException:
        os.close(file)
        raise
    return file


def lookAtLog(path: str, owner: Identity) -> bool:
    """
    Look, before a daemon is started, whether C{LogFile.open} would do. Nothing is made or given
    away.

    @return: whether that has opened it: where root doesn't, the owner does.
    @raise CannotStart: when it wouldn't do, with the reason in words.
    """
    path = os.path.abspath(path)
    handedOver = _isHandedOver(owner)
    if handedOver and not _isRoots(path):
        return False
    with _inWords(path):
        try:
            file = _openThere(path, os.O_NOFOLLOW if handedOver else 0)
        except FileNotFoundError:
            folder = os.path.dirname(path)
            if not os.path.exists(folder):
                raise
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
            return True
        try:
            if handedOver:
                _mayHandOver(file, owner)
        finally:
            os.close(file)
    return True


def _openThere(path: str, flags: int) -> int:
    file = os.open(path, _OPEN | flags)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError("it is no ordinary file")
    return file


def _isHandedOver(owner: Identity) -> bool:
    return os.geteuid() == 0 and owner.uid not in (None, 0)


def _isRoots(path: str) -> bool:
    """Whether nobody but root could have arranged what is there."""
    return isRootsAlone(path) and not os.path.islink(path)


@contextmanager
def _inWords(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cure = _CURES.get(error.errno, "").format(uid=os.geteuid())
        raise CannotStart(f"can't log queries to {path}: {reasonOf(error)}{cure}") from None


class Told(Protocol):
    """Who hears, in the reactor's thread, what becomes of a log file."""

    def written(self, size: int) -> None:
        """So many bytes are in the file."""

    def failed(self, reason: str) -> None:
        """The bytes in hand can't be written now. They are tried again."""

    def stays(self, reason: str) -> None:
        """The file can't be opened again: the one that was open still is."""


class LogFile:
    """
    An ordinary file, written by a thread of its own, since a disk may be stuck for any time. Other
    processes may write to it too: it is locked (flock(2)) until the last line in it has its end.

    Bytes that can't be written are tried again every second, and those behind them wait. A line
    that was written in part is finished; if another file has taken the place by then, the line is
    there as a whole.
    """

    def __init__(
        self, path: str, owner: Identity, reactor: IReactorFromThreads, told: Told
    ) -> None:
        """
        @param owner: the user that the daemon becomes, who must be able to open the file again.
        """
        self.path = os.path.abspath(path)
        self._owner = owner
        self._reactor = reactor
        self._told = told
        self._file: int | None = None
        # What the thread is to write; None ends it.
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._reopening = Event()
        self._stopping = Event()
        self._stopped: Deferred[None] = Deferred()

    def open(self, asRoot: bool) -> None:
        """
        Open the file at the start of the daemon: while the process may still be root, and then
        again.

        Where root is to become another user, root opens the file only where nobody else could
        have arranged what is there, and hands it over. Anywhere else that other user opens it.

        @raise CannotStart: when it can't be opened, with the reason in words.
        """
        if self._file is not None:
            return
        handedOver = asRoot and _isHandedOver(self._owner)
        if handedOver and not _isRoots(self.path):
            return
        with _inWords(self.path):
            file = openLog(self.path, os.O_NOFOLLOW if handedOver else 0)
            if handedOver:
                _handOver(file, self._owner)
            self._file = file

    def start(self) -> None:
        """Let the thread begin."""
        Thread(target=self._run, name="log", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Add ``data``, which is whole lines, when the thread gets to it."""
        self._queue.put(data)

    def reopen(self) -> None:
        """
        Go on in the file that now has the path. Where it can't be opened or made, the file that was
        open still is, and each write tries that again.
        """
        self._reopening.set()
        self._queue.put(b"")

    def stop(self) -> Deferred[None]:
        """
        Close the file when all is written, or when what can't be written was tried once more.
        Fires when that is done, which a stuck disk may prevent for ever.
        """
        self._stopping.set()
        self._queue.put(None)
        return self._stopped

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            self._add(data)
        assert self._file is not None
        os.close(self._file)
        self._reactor.callFromThread(self._stopped.callback, None)

    def _add(self, data: bytes) -> None:
        """Write all of ``data``, however long that takes."""
        done = 0
        while True:
            last = self._stopping.is_set()
            if self._reopening.is_set() and self._reopened():
                # The line that was begun in the old file is whole in the new one.
                done = data.rfind(b"\n", 0, done) + 1
            try:
                if data and not _isTorn(data, done):
                    self._lock()
                while done < len(data):
                    done += self._write(data[done:])
                break
            except OSError as error:
                self._reactor.callFromThread(self._told.failed, reasonOf(error))
            finally:
                if not _isTorn(data, done):
                    self._unlock()
            if last:
                return
            self._stopping.wait(_AGAIN)
        self._reactor.callFromThread(self._told.written, len(data))

    def _lock(self) -> None:
        """
        Wait for others who write to the file. A line without an end is one whose writer is over.

        @raise OSError: when that line can't be ended.
        """
        assert self._file is not None
        # Where files can't be locked, lines of several writers may be torn when the disk is full.
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._write(b"\n")

    def _unlock(self) -> None:
        assert self._file is not None
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _write(self, data: bytes) -> int:
        assert self._file is not None
        return os.write(self._file, data)

    def _reopened(self) -> bool:
        """Whether another file was opened."""
        try:
            file = openLog(self.path)
        except OSError as error:
            self._reactor.callFromThread(self._told.stays, reasonOf(error))
            return False
        self._reopening.clear()
        assert self._file is not None
        if os.path.samestat(os.fstat(file), os.fstat(self._file)):
            os.close(file)
            return False
        os.close(self._file)
        self._file = file
        return True


def _isTorn(data: bytes, done: int) -> bool:
    """Whether so much of the data ends in the middle of a line."""
    return done > 0 and data[done - 1 : done] != b"\n"


def _handOver(file: int, owner: Identity) -> None:
    """
    Give a log file to its owner.

    @raise OSError: when it isn't sure whose it is. The file is then closed.
    """
    try:
        _mayHandOver(file, owner)
        giveAway(file, owner)
    except BaseException:
        os.close(file)
        raise


def _mayHandOver(file: int, owner: Identity) -> None:
    """@raise OSError: when it isn't sure whose the file is."""
    info = os.fstat(file)
    if info.st_uid == 0 and info.st_size:
        # It may be anything.
        raise OSError(f"it is root's and not empty: give it to uid {owner.uid}, or move it")
    mayGiveAway(file, owner)
