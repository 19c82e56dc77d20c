"""
Starts that fail: which option it is that can't be obeyed, and whom to tell.

Once twistd is in the background it hands the shell that waits for it a hundred bytes at most of
what went wrong. Here the shell is told all of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from twisted.application.service import IService

from fingerd.model.errors import CannotStart, reasonOf

# The two steps of a service's start.
_STEPS = ("privilegedStartService", "startService")
# More than any reason has, and less than any pipe holds.
_MOST = 4096


def named(part: object, told: str) -> None:
    """
    Say before each reason why a part of the daemon can't start which option it is of.

    @param part: what an option stands for; one that is no service is never started.
    @param told: the option, as whoever gave it wrote it.
    """
    if IService.providedBy(part):
        for step in _STEPS:
            setattr(part, step, _naming(getattr(part, step), f"{told}: "))


def _naming(step: Callable[[], object], before: str) -> Callable[[], object]:
    def start() -> object:
        try:
            return step()
        except CannotStart as error:
            reason = str(error)
            # One step may have taken the other.
            raise CannotStart(reason if reason.startswith(before) else before + reason) from None

    return start


class Shell:
    """
    The shell that waits while twistd goes to the background. To be made before twistd forks, in the
    process that the shell has started.

    That process hears here how the start has ended, before it asks twistd's own pipe. Where the
    daemon couldn't start, it waits until the daemon has ended and has taken away its pid file.
    """

    def __init__(self) -> None:
        self._waiting = os.getpid()
        self._read, self._write = os.pipe()
        os.register_at_fork(after_in_parent=self._forked)

    def failed(self, reason: str) -> None:
        """The daemon can't start. It is about to end, and the shell is told the reason then."""
        os.write(self._write, reason.encode("utf-8", "replace")[:_MOST])

    def started(self) -> None:
        """The daemon runs."""
        os.close(self._write)
        os.close(self._read)

    def _forked(self) -> None:
        # twistd forks twice, and the daemon may fork, too.
        if os.getpid() != self._waiting:
            return
        os.close(self._write)
        with open(self._read, encoding="utf-8", errors="replace") as said:
            reason = said.read()
        # Otherwise twistd says what there is to say.
        if reason:
            _endWith(reason)


def _endWith(reason: str) -> NoReturn:
    """End a process that is about to end, without what belongs to its child."""
    error = sys.__stderr__
    if error is not None:
        error.write(f"{reason}\n")
        error.flush()
    os._exit(1)


def checkFiles(twistd: Mapping[str, Any]) -> None:
    """
    Look whether twistd can write its two files. It ends with a traceback where it can't.

    @param twistd: its options.
    @raise CannotStart: when one can't be written, with the reason in words.
    """
    if twistd.get("chroot"):
        # Its files will be others.
        return
    log = twistd.get("logfile") or ("" if twistd.get("nodaemon", True) else "twistd.log")
    if log not in ("", "-") and not twistd.get("syslog") and not twistd.get("logger"):
        _check("logfile", log, "say another")
    if twistd.get("pidfile"):
        _check("pidfile", twistd["pidfile"], "say another, or --pidfile= for none")


def _check(option: str, path: str, cure: str) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    try:
        if not os.path.isdir(folder):
            raise NotADirectoryError(f"there is no directory {folder}")
        if os.path.exists(path):
            os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        elif not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"no file can be made in {folder}")
    except OSError as error:
        raise CannotStart(f"twistd: --{option} {path}: {reasonOf(error)}; {cure}") from None
