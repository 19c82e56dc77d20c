"""
twistd's pid file, where the daemon gives up root.

Root writes it, and the lesser user can't take it away from a directory of root's. To let the lesser
user do so would let them put another file there, whose pid root signals. So the file stays behind
at the stop, and the next start takes it away, also where another process has got its pid by then.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from twisted.application.service import Service


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


def takeAwayStale(path: str) -> None:
    """
    Take away a pid file whose process isn't twistd, before twistd looks at it: twistd takes any
    process with that pid for a daemon that runs.
    """
    # What can't be read is twistd's to say.
    with suppress(OSError, ValueError):
        with open(path, encoding="ascii") as file:
            pid = int(file.read())
        if pid != os.getpid():
            with open(f"/proc/{pid}/cmdline", "rb") as command:
                if b"twistd" in command.read():
                    return
        os.unlink(path)
