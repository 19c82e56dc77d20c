"""
twistd's pid file, where the daemon gives up root.

Root writes it, and the lesser user can't take it away from a directory of root's. To let the lesser
user do so would let them put another file there, whose pid root signals. So the file stays behind
at the stop, and the next start takes it away, also where another process has got its pid by then,
be it pid 1 of a container or another twistd.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Set
from contextlib import suppress
from itertools import pairwise
from typing import Any

from twisted.application.service import Service

from fingerd.system.privileges import Identity


class LeftPidFile(Service):
    """Keeps twistd from trying to take away a pid file that the daemon's user can't."""

    def __init__(self, twistd: MutableMapping[str, Any]) -> None:
        """
        @param twistd: twistd's options.
        """
        self._twistd = twistd

    def startService(self) -> None:
        super().startService()
        path = self._twistd.get("pidfile")
        if path and not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
            self._twistd["pidfile"] = ""


def takeAwayStale(path: str, owner: Identity) -> None:
    """
    Take away a pid file whose daemon doesn't run any more, before twistd looks at it: twistd takes
    any process with that pid for the daemon.

    @param owner: the user that the daemon becomes.
    """
    # What can't be read, and a process that isn't there, is twistd's to say.
    with suppress(OSError, ValueError):
        with open(path, encoding="ascii") as file:
            # A full disk may have left it empty; and a pid may have come back to this process.
            pid = int(file.read() or 0)
        if pid in (0, os.getpid()) or not _keeps(pid, path, {0, os.geteuid(), owner.uid}):
            os.unlink(path)


def _keeps(pid: int, path: str, users: Set[int | None]) -> bool:
    """
    Whether the process is twistd's, was told to have its pid file there, and is run by one of
    C{users}: anybody may call a process what they like.
    """
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        uid = next(int(line.split()[1]) for line in status if line.startswith("Uid:"))
    with open(f"/proc/{pid}/cmdline", "rb") as command:
        told = _pidFileOf(command.read())
    if told is None or uid not in users:
        return False
    # Where it was told a relative one, it goes by where it was started.
    where = "" if os.path.isabs(told) else os.readlink(f"/proc/{pid}/cwd")
    return os.path.realpath(os.path.join(where, told)) == os.path.realpath(path)


def _pidFileOf(command: bytes) -> str | None:
    """The pid file of a process with such a command line; None where it isn't twistd's."""
    words = os.fsdecode(command).split("\0")
    if not any("twistd" in word for word in words):
        return None
    told = "twistd.pid"
    for word, after in pairwise([*words, ""]):
        option, equals, value = word.partition("=")
        # Options may be shortened.
        if len(option) > len("--p") and "--pidfile".startswith(option):
            told = value if equals else after
    return told or None
