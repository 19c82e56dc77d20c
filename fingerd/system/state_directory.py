"""The state directory: where a daemon keeps what must outlive it. What root gives away, and how."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fingerd.model.errors import CannotStart, reasonOf
from fingerd.system.privileges import Identity, startedByRoot

__all__ = ["defaultStateDirectory"]

# The key by which SSH clients know this host, where there is such a door.
HOST_KEY = "ssh_host_ed25519_key"

# What to do about a directory that can't be used.
_CURES: dict[int | None, str] = {
    errno.ENOTDIR: "; move that file away, or name another directory",
    errno.EACCES: "; it must be uid {uid}'s, or one that uid {uid} can make",
}
_OPEN = os.O_RDONLY | os.O_CLOEXEC
# Nothing that has taken a file's place is followed or waited for.
_OPEN_FILE = _OPEN | os.O_NOFOLLOW | os.O_NONBLOCK


def defaultStateDirectory() -> str:
    """Where state is kept unless the administrator says otherwise."""
    if startedByRoot():
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
    with _inWords(path):
        _make(path, files, owner)


def lookAtStateDirectory(path: str, files: Collection[str], owner: Identity) -> None:
    """
    Look whether L{makeStateDirectory} would do, and make and give away nothing.

    @raise CannotStart: when it wouldn't, with the reason in words.
    """
    path = os.path.abspath(path)
    with _inWords(path):
        _look(path, files, owner)


@contextmanager
def _inWords(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cure = _CURES.get(error.errno, "").format(uid=os.geteuid())
        raise CannotStart(
            f"can't use the state directory {path}: {reasonOf(error)}{cure}"
        ) from None


def isRootsAlone(path: str) -> bool:
    """Whether nobody but root can change where the absolute ``path`` is; it may be no file yet."""
    try:
        _checkParents(path)
    except OSError:
        return False
    return True


def giveAway(file: int, owner: Identity, what: str = "it") -> None:
    """
    Let an open file be ``owner``'s.

    @raise OSError: when it is somebody else's, is no ordinary file, or has a second name, which
        may be that of a file somewhere else.
    """
    uid = mayGiveAway(file, owner, what)
    os.fchown(file, uid, -1 if owner.gid is None else owner.gid)


def mayGiveAway(file: int, owner: Identity, what: str = "it") -> int:
    """
    Look whether C{giveAway} would do.

    @return: the uid that would own the file.
    @raise OSError: when it wouldn't.
    """
    info = os.fstat(file)
    if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
        raise OSError(f"{what} is no ordinary file with one name")
    uid = os.geteuid() if owner.uid is None else owner.uid
    _checkOwner(info, uid, what)
    return uid


def _look(path: str, files: Collection[str], owner: Identity) -> None:
    root = os.geteuid() == 0
    uid = os.geteuid() if owner.uid is None else owner.uid
    if root:
        _checkParents(path)
    if not os.path.lexists(path):
        there = next(parent for parent in Path(path).parents if parent.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    directory = _open(path, root)
    try:
        info = os.fstat(directory)
        _checkDirectory(info, uid)
        if root and uid != 0:
            for name in _mine(directory, info, files):
                with suppress(FileNotFoundError):
                    file = _openIn(directory, name)
                    try:
                        mayGiveAway(file, owner, f"{name} in it")
                    finally:
                        os.close(file)
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    finally:
        os.close(directory)


def _open(path: str, root: bool) -> int:
    # What is looked at is what is given away, whatever is done to the path meanwhile. Where
    # there is nothing to give away, a link does no harm; systemd makes one.
    if root and os.path.islink(path):
        raise OSError("it is a symbolic link")
    return os.open(path, _OPEN | os.O_DIRECTORY | (os.O_NOFOLLOW if root else 0))


def _openIn(directory: int, name: str) -> int:
    """@raise FileNotFoundError: when another daemon, that starts or stops, has taken it away."""
    try:
        return os.open(name, _OPEN_FILE, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OSError(f"{name} in it: {error.strerror}") from None


def _checkDirectory(info: os.stat_result, uid: int) -> None:
    _checkOwner(info, uid, "it")
    if info.st_mode & stat.S_IWOTH:
        raise OSError("everyone may write to it")


def _mine(directory: int, info: os.stat_result, files: Collection[str]) -> set[str]:
    """The names of C{files} that are in the directory. In one of root's there is nothing else."""
    names = set(os.listdir(directory))
    if info.st_uid == 0 and not names.issubset(files):
        raise OSError("other things are in it: it needs to be one of its own")
    return names.intersection(files)


def _make(path: str, files: Collection[str], owner: Identity) -> None:
    root = os.geteuid() == 0
    uid = os.geteuid() if owner.uid is None else owner.uid
    if root:
        _checkParents(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if root:
        # In /tmp, say, somebody may have made one of them just before.
        _checkParents(path)
    made = True
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        made = False
    directory = _open(path, root)
    try:
        info = os.fstat(directory)
        _checkDirectory(info, uid)
        if root and uid != 0:
            _handOver(directory, info, files, owner)
        if made:
            sync(os.path.dirname(path))
    finally:
        os.close(directory)


def _handOver(
    directory: int, info: os.stat_result, files: Collection[str], owner: Identity
) -> None:
    for name in _mine(directory, info, files):
        with suppress(FileNotFoundError):
            file = _openIn(directory, name)
            try:
                giveAway(file, owner, f"{name} in it")
            finally:
                os.close(file)
    if info.st_uid == 0:
        assert owner.uid is not None
        os.fchmod(directory, 0o700)
        os.fchown(directory, owner.uid, -1 if owner.gid is None else owner.gid)


def _checkParents(path: str) -> None:
    """
    Whoever could move a parent away, or make it a link, could let root give away something.

    @raise OSError: when anybody but root could.
    """
    # As the path is written, and where its links lead.
    real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    for parent in (*Path(path).parents, *Path(real).parents):
        try:
            info = os.lstat(parent)
        except FileNotFoundError:
            # Root makes it.
            continue
        if info.st_uid != 0:
            raise OSError(f"{parent} is uid {info.st_uid}'s, not root's")
        others = stat.S_IWOTH if info.st_gid == 0 else stat.S_IWOTH | stat.S_IWGRP
        writable = info.st_mode & others and not info.st_mode & stat.S_ISVTX
        if writable and not stat.S_ISLNK(info.st_mode):
            raise OSError(f"others than root may write to {parent}")


def _checkOwner(info: os.stat_result, uid: int, what: str) -> None:
    if info.st_uid not in (0, uid):
        raise OSError(f"{what} is uid {info.st_uid}'s, and the daemon is uid {uid}")


def sync(path: str) -> None:
    """Make sure that a directory's entries are on disk."""
    directory = os.open(path, _OPEN | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
