"""
The one right of root's that the parent of workers keeps: to read any file (CAP_DAC_READ_SEARCH, see
capabilities(7)).

The program may lie in root's home, and so may the key of a TLS port: a worker that is started later
could read neither. So its parent, which reads nothing from a client, passes this right on, and the
worker gives it up when it has read what it needs, before it meets a client. Where the system has no
such right to give, nothing is kept.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

# Python has none of these.
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_VERSION_3 = 0x20080522
_DAC_READ_SEARCH = 2
_READING = 1 << _DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


@contextmanager
def keepReading() -> Iterator[None]:
    """In the block, root becomes another user: it keeps that right, and its children get it."""
    libc = ctypes.CDLL(None, use_errno=True)
    may = os.geteuid() == 0 and _permitted(libc) & _READING
    if may:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    yield
    if may:
        _set(libc, _READING)
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _DAC_READ_SEARCH, 0, 0)


def giveUp() -> None:
    """
    Have no such right any more, for good. To be called before there are threads: each has its own.

    @raise OSError: when the system doesn't allow it.
    """
    _set(ctypes.CDLL(None, use_errno=True), 0)


def _permitted(libc: ctypes.CDLL) -> int:
    sets = (_Sets * 2)()
    _check(libc.capget(ctypes.byref(_Header(_VERSION_3, 0)), sets))
    return int(sets[0].permitted)


def _set(libc: ctypes.CDLL, rights: int) -> None:
    sets = (_Sets * 2)(_Sets(rights, rights, rights))
    _check(libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), sets))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
