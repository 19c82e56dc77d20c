"""Ordinary files: opening one that may have been swapped for something else, and its state."""

from __future__ import annotations

import os
import stat

from fingerd.model.errors import DirectoryError

# What tells one state of a file from another: when it was changed, its size, and which file it is.
State = tuple[int, int, int]


def openRegular(path: str) -> int:
    """
    A descriptor to read the file at ``path``.

    @raise OSError: where it can't be opened.
    @raise DirectoryError: where it is not an ordinary file.
    """
    # Without O_NONBLOCK, opening a FIFO that has taken the file's place would stop everything.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DirectoryError("not a regular file")
    return descriptor


def stateOf(info: os.stat_result) -> State:
    """The state of the file that ``info`` is about."""
    return info.st_mtime_ns, info.st_size, info.st_ino
