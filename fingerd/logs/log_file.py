"""A file that lines are added to, and that others may move away, cut off or fill the disk of."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from fingerd.model.errors import CannotStart
from fingerd.system.privileges import Identity
from fingerd.system.state_directory import isRootsAlone

# A link or a FIFO in the file's place doesn't hold up the open.
_OPEN = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_MODE = 0o640


class Added(NamedTuple):
    """How many bytes of what was to be added are no longer needed, and why the others are."""

    size: int
    error: OSError | None


class LogFile:
    """
    An ordinary file, open for adding lines to it. Its methods may block: they are for a thread,
    one at a time, and for the start.

    A line that could be written only in part is finished by the next one to be written; if by then
    another file has taken its place, it is there as a whole.
    """

    def __init__(self, path: str, owner: Identity) -> None:
        """
        @param owner: the user that the daemon becomes, who must be able to open it again.
        """
        self.path = os.path.abspath(path)
        self._owner = owner
        self._file: int | None = None
        # What is in the file of a line that isn't whole, where it was written here.
        self._begun = b""
        # Whether somebody's last line has no end.
        self._torn = False

    def open(self, asRoot: bool) -> None:
        """
        Open it at the start: where the process may still be root, and then again.

        Where root is to become another user, it opens the file only where nobody else could have
        arranged what is there, and hands it over. Anywhere else that other user opens it.

        @raise CannotStart: when it can't be opened, with the reason in words.
        """
        if self._file is not None:
            return
        try:
            if not asRoot or os.geteuid() != 0 or self._owner.uid in (None, 0):
                self._take(_open(self.path))
            elif isRootsAlone(self.path) and not os.path.islink(self.path):
                self._take(_handedOver(self.path, self._owner))
        except OSError as error:
            raise CannotStart(
                f"can't log queries to {self.path}: {error.strerror or error}"
            ) from None

    def reopen(self) -> None:
        """
        Open the file that now has the path, or make it.

        @raise OSError: when that can't be done. The one that was open then still is.
        """
        self._take(_open(self.path))

    def add(self, data: bytes) -> Added:
        """Write ``data``, as much of it as can be."""
        assert self._file is not None
        count = 0
        try:
            if self._torn:
                os.write(self._file, b"\n")
                self._torn = False
            while count < len(data):
                count += os.write(self._file, data[count:] if count else data)
        except OSError as error:
            self._begun = (self._begun + data[:count]).rpartition(b"\n")[2]
            return Added(count, error)
        self._begun = b""
        return Added(count, None)

    def close(self) -> None:
        """Close it."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _take(self, file: int) -> None:
        """Let ``file`` be the one that is written."""
        try:
            info = os.fstat(file)
            if self._file is not None and os.path.samestat(info, os.fstat(self._file)):
                os.close(file)
                return
            torn = info.st_size > 0 and os.pread(file, 1, info.st_size - 1) != b"\n"
            begun = self._begun
            if begun:
                os.write(file, b"\n" * torn + begun)
                torn = False
        except BaseException:
            os.close(file)
            raise
        self.close()
        self._file, self._torn = file, torn


def _open(path: str) -> int:
    """@raise OSError: where it isn't an ordinary file, too."""
    file, made = _opened(path, 0)
    try:
        _check(file)
        if made:
            # Whatever the umask.
            os.fchmod(file, _MODE)
    except BaseException:
        os.close(file)
        raise
    return file


def _handedOver(path: str, owner: Identity) -> int:
    """The file, which is then its owner's."""
    assert owner.uid is not None
    file, made = _opened(path, os.O_NOFOLLOW)
    try:
        info = _check(file)
        if made:
            os.fchmod(file, _MODE)
        elif info.st_uid not in (0, owner.uid):
            raise OSError(f"it is uid {info.st_uid}'s, and the daemon is uid {owner.uid}")
        elif info.st_nlink != 1:
            raise OSError("it has another name too")
        elif info.st_uid == 0 and info.st_size:
            # It may be anything.
            raise OSError(f"it is root's and not empty: give it to uid {owner.uid}, or move it")
        if info.st_uid != owner.uid:
            os.fchown(file, owner.uid, -1 if owner.gid is None else owner.gid)
    except BaseException:
        os.close(file)
        raise
    return file


def _opened(path: str, flags: int) -> tuple[int, bool]:
    """The file, and whether it wasn't there before."""
    try:
        return os.open(path, _OPEN | flags), False
    except FileNotFoundError:
        # What somebody else makes in this moment is theirs: an error.
        return os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, _MODE), True


def _check(file: int) -> os.stat_result:
    info = os.fstat(file)
    if not stat.S_ISREG(info.st_mode):
        raise OSError("it is no ordinary file")
    return info
