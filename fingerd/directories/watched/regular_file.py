"""Ordinary files: opening one that may have been swapped for something else, and its state."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import partial
from io import FileIO
from typing import TypeVar

from fingerd.model.errors import DirectoryError
from fingerd.system.slices import Steps

T = TypeVar("T")

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


def reading(path: str, understand: Callable[[FileIO], Steps[T]]) -> Steps[T]:
    """
    Open the file at ``path``, have it read by C{understand} in steps, and close it.

    @return: what C{understand} returns.
    """
    file: FileIO = yield partial(_open, path)
    try:
        result = yield from understand(file)
    except Exception:
        yield file.close
        raise
    except GeneratorExit:
        file.close()
        raise
    yield file.close
    return result


def _open(path: str) -> FileIO:
    return open(openRegular(path), "rb", buffering=0)
