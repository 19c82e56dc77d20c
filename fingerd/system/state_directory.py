"""The state directory: where a daemon keeps what must outlive it."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from fingerd.model.errors import CannotStart
from fingerd.system.privileges import Identity

_OPEN = os.O_RDONLY | os.O_CLOEXEC
# Nothing that has taken a file's place is followed or waited for.
_OPEN_FILE = _OPEN | os.O_NOFOLLOW | os.O_NONBLOCK


def defaultStateDirectory() -> str:
    """Where state is kept unless the administrator says otherwise."""
    if os.geteuid() == 0:
        return "/var/lib/fingerd"
    base = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.local/state")
    return os.path.join(base, "fingerd")


def makeStateDirectory(path: str, files: Collection[str], owner: Identity) -> None:
    """
    Make the directory C{path}, if there is none, and hand it to ``owner``.

    Called by root, it gives away a directory that root made and the ``files`` in it, and
    nothing else: no symbolic link is followed, and a directory with anything else in it, or
    one that belongs to anybody else, is refused.

    @param files: the names of the files that the daemon may have made in it.
    @param owner: the user that the daemon becomes; None for the present one.
    @raise CannotStart: when it can't be the daemon's, with the reason in words.
    """
    path = os.path.abspath(path)
    try:
        _make(path, files, owner)
    except _Refused as refusal:
        raise CannotStart(f"can't use the state directory {path}: {refusal}") from None
    except OSError as error:
        raise CannotStart(f"can't use the state directory {path}: {error.strerror}") from None


def isRootsAlone(path: str) -> bool:
    """Whether nobody but root can change where the absolute ``path`` is; it may be no file yet."""
    try:
        _checkParents(path)
        _checkParents(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
    except _Refused:
        return False
    return True


class _Refused(Exception):
    """Why the directory can't be used, in words."""


def _make(path: str, files: Collection[str], owner: Identity) -> None:
    root = os.geteuid() == 0
    uid = os.geteuid() if owner.uid is None else owner.uid
    if root:
        _checkParents(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if root:
        _checkParents(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
    made = True
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        made = False
    # What is looked at is what is given away, whatever is done to the path meanwhile. Where
    # there is nothing to give away, a link does no harm; systemd makes one.
    if root and os.path.islink(path):
        raise _Refused("it is a symbolic link")
    directory = os.open(path, _OPEN | os.O_DIRECTORY | (os.O_NOFOLLOW if root else 0))
    try:
        info = os.fstat(directory)
        _checkOwner(info, uid)
        if info.st_mode & stat.S_IWOTH:
            raise _Refused("everyone may write to it")
        if root and uid != 0:
            _handOver(directory, info, files, uid, -1 if owner.gid is None else owner.gid)
        if made:
            _sync(os.path.dirname(path))
    finally:
        os.close(directory)


def _handOver(
    directory: int, info: os.stat_result, files: Collection[str], uid: int, gid: int
) -> None:
    names = os.listdir(directory)
    if info.st_uid == 0 and not set(names).issubset(files):
        raise _Refused("other things are in it: it needs to be one of its own")
    for name in set(names).intersection(files):
        try:
            file = os.open(name, _OPEN_FILE, dir_fd=directory)
        except FileNotFoundError:
            # Another daemon that starts or stops has taken it away: SQLite's files come and go.
            continue
        except OSError as error:
            raise _Refused(f"{name} in it: {error.strerror}") from None
        try:
            found = os.fstat(file)
            # A second name may be that of a file somewhere else.
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise _Refused(f"{name} in it: not an ordinary file")
            _checkOwner(found, uid, f"{name} in it")
            os.fchown(file, uid, gid)
        finally:
            os.close(file)
    if info.st_uid == 0:
        os.fchmod(directory, 0o700)
        os.fchown(directory, uid, gid)


def _checkParents(path: str) -> None:
    """Whoever could move a parent away, or make it a link, could let root give away something."""
    for parent in Path(path).parents:
        try:
            info = os.lstat(parent)
        except FileNotFoundError:
            # Root makes it.
            continue
        if info.st_uid != 0:
            raise _Refused(f"{parent} is uid {info.st_uid}'s, not root's")
        if not stat.S_ISLNK(info.st_mode):
            _checkWritable(info, str(parent))


def _checkWritable(info: os.stat_result, what: str) -> None:
    others = stat.S_IWOTH if info.st_gid == 0 else stat.S_IWOTH | stat.S_IWGRP
    if info.st_mode & others and not info.st_mode & stat.S_ISVTX:
        raise _Refused(f"others than root may write to {what}")


def _checkOwner(info: os.stat_result, uid: int, what: str = "it") -> None:
    if info.st_uid not in (0, uid):
        raise _Refused(f"{what} is uid {info.st_uid}'s, and the daemon is uid {uid}")


def _sync(path: str) -> None:
    """Make sure that a directory's entries are on disk."""
    directory = os.open(path, _OPEN | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
