"""
What users say of themselves in files of their home directory.

A home is its user's: whatever is in it may have been put there to find out what the daemon can
read and the user can't, or to make the daemon wait. So

 - the home is a directory, not a symbolic link to one, and it belongs to its user, or to root as
   the homes of users in a chroot do. Links further up the path are the administrator's.
 - Files are opened relative to the home once that is open, so nothing that is renamed meanwhile
   leads elsewhere; links are not followed.
 - A file is a regular one that belongs to the user. A hard link to another's file is another's
   file, as its owner tells; how many links it has doesn't matter, since users may well give
   several names to what is theirs.
 - What is larger than is allowed isn't read, and opening never waits: neither for the other end of
   a pipe nor for the end of a lease.
 - Root reads nothing.

Any other home or file is as if it were not there. Where the system can't tell what is there, since
it is out of descriptors or its disk fails, that is an L{OSError}.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

# Where there is O_PATH, a home needs no more than to be entered: it needn't be listed.
_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# With these the system says that there is no such file, that it is none, or that it is not for us.
# EAGAIN is for a file on which its user has a lease.
_ABSENT = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
        errno.ENXIO,
        errno.ENODEV,
        errno.EAGAIN,
    }
)

# ...and with these that this process may not go in there.
_CLOSED = frozenset({errno.EACCES, errno.EPERM})


class Home:
    """
    The home directory of one user, open: see L{openHome}.

    Its methods raise L{OSError} when the system can't tell what is there.

    @ivar closed: whether this process can't look into it, and so can't tell whether there is a
        ``.nofinger``: it may not go in there, or sees no home there that is the user's. It is known
        once that was looked for.
    """

    def __init__(self, directory: int | None, uid: int) -> None:
        """
        @param directory: its descriptor, or None where there is none to be read.
        """
        self._directory = directory
        self._uid = uid
        self.closed = directory is None

    def hides(self) -> bool:
        """
        Whether its user is not to be fingered: whether there is a ``.nofinger``, of any kind and
        anyone's. As nothing is read for that, root looks too. Where the home is C{closed}, it is as
        if there were none.
        """
        if self._directory is None:
            return False
        try:
            os.stat(".nofinger", dir_fd=self._directory, follow_symlinks=False)
        except OSError as error:
            self.closed = error.errno in _CLOSED
            return _isThere(error)
        return True

    def read(self, name: str, size: int) -> str:
        """
        The text of the file called ``name``, ``size`` bytes at most; empty where there is none.
        """
        if self._directory is None or os.geteuid() == 0:
            return ""
        try:
            # To open a pipe or a device may do something by itself.
            info = os.stat(name, dir_fd=self._directory, follow_symlinks=False)
            if not self._isTheirs(info):
                return ""
            file = os.open(name, _FILE, dir_fd=self._directory)
        except OSError as error:
            _isThere(error)
            return ""
        try:
            # It may be another file by now.
            if not self._isTheirs(os.fstat(file)):
                return ""
            data = b""
            while len(data) <= size and (piece := os.read(file, size + 1 - len(data))):
                data += piece
        finally:
            os.close(file)
        return data.decode("utf-8", "replace") if len(data) <= size else ""

    def _isTheirs(self, info: os.stat_result) -> bool:
        return stat.S_ISREG(info.st_mode) and info.st_uid == self._uid


@contextmanager
def openHome(path: str, uid: int) -> Iterator[Home]:
    """
    Open a home directory for the length of a C{with} statement. One that doesn't exist, or isn't
    its user's, is an empty one. It may have to wait for a disk or a file server: it is to be
    done in a thread.

    @param path: the directory as passwd(5) has it, with "surrogateescape" for UTF-8.
    @param uid: its user.
    @raise OSError: when the system can't tell what is there.
    """
    directory = _open(path)
    try:
        if directory is not None and os.fstat(directory).st_uid not in (uid, 0):
            yield Home(None, uid)
        else:
            yield Home(directory, uid)
    finally:
        if directory is not None:
            os.close(directory)


def _open(path: str) -> int | None:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    # With a slash or a dot at its end, the last part could be a link after all; and what comes
    # after ".." isn't below what is before it.
    if not path.startswith("/") or ".." in parts:
        return None
    whole = "/" + "/".join(parts)
    try:
        return os.open(whole.encode("utf-8", "surrogateescape"), _DIRECTORY)
    except OSError as error:
        _isThere(error)
        return None


def _isThere(error: OSError) -> bool:
    """
    Nothing is there, says ``error``: give False.

    @raise OSError: when it says something else.
    """
    if error.errno not in _ABSENT:
        raise error
    return False
