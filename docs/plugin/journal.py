"""Statuses in a file to which lines of JSON are only ever added: ``--state journal:FILE``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.components import proxyForInterface
from zope.interface import implementer

from fingerd.model.errors import CannotStart, SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import Limits
from fingerd.model.plugins import IStoreScheme
from fingerd.model.record import Entry, Part
from fingerd.stores.memory import MemoryStore


class Journal(proxyForInterface(IStore, "memory"), Service):  # type: ignore[misc]
    """
    What shows is in memory, and a store in memory answers for it. What was done is in the file: a
    line each, in the order in which it was, which is done again at the next start.
    """

    _log = Logger()

    def __init__(self, path: str, limits: Limits, now: Callable[[], float] = time.time) -> None:
        """
        @param now: the time, in seconds since the epoch.
        """
        super().__init__(MemoryStore(self._now, limits))
        self._path = path
        self._clock = now
        # When the line was written that is being done again.
        self._then: float | None = None
        self._writing = DeferredLock()

    def _now(self) -> float:
        return self._clock() if self._then is None else self._then

    def privilegedStartService(self) -> None:
        """
        Called once, at the start, and as root where root started the daemon: whatever user the
        daemon becomes can write to what is open already.

        @raise CannotStart: when there can't be such a file, or it is of another kind.
        """
        super().privilegedStartService()
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            for _, line in self._lines():
                self._then = json.loads(line)[0]
                # What was refused then is refused again.
                self._do(line).addErrback(lambda _: None)
        except OSError as error:
            raise CannotStart(f"can't open {self._path}: {error.strerror}") from None
        except (KeyError, TypeError, ValueError):
            raise CannotStart(f"{self._path} is no journal of statuses") from None
        self._then = None

    def set(self, login: str, entry: Entry) -> Deferred[None]:
        """Fires when the entry is on the disk."""
        return self._writing.run(self._keep, login, asdict(entry))

    def undo(self, login: str) -> Deferred[Part | None]:
        """Fires when it is on the disk that the last change never was."""
        return self._writing.run(self._keep, login, None)

    def erase(self, login: str) -> Deferred[None]:
        """Fires when nothing of the user is on the disk."""
        erased = self._writing.run(deferToThread, self._blank, login)
        return erased.addCallback(lambda _: self.memory.erase(login))

    def _keep(self, login: str, fields: dict[str, Any] | None) -> Deferred[Any]:
        line = json.dumps([self._now(), login, fields]).encode("ascii") + b"\n"
        # The disk may take its time, and the reactor has none.
        return deferToThread(self._write, line).addCallback(lambda _: self._do(line))

    def _do(self, line: bytes) -> Deferred[Any]:
        """Do in memory what a line says: set what its fields are, or undo where it has none."""
        _, login, fields = json.loads(line)
        done: Deferred[Any]
        if fields is None:
            done = self.memory.undo(login)
        else:
            entry = Entry(**{**fields, "part": Part(fields["part"])})
            done = self.memory.set(login, entry)
        return done

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines, each with its place in the file. One that was erased begins with a blank."""
        place = 0
        with open(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            for line in lines:
                if not line.startswith(b" "):
                    yield place, line
                place += len(line)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        try:
            if os.pwrite(self._file, line, size) < len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            # Half a line would be the end of all that come after it.
            os.ftruncate(self._file, size)
            raise self._refusal(error) from None

    def _blank(self, login: str) -> None:
        try:
            for place, line in self._lines():
                if json.loads(line)[1] == login:
                    os.pwrite(self._file, b" " * (len(line) - 1), place)
            os.fsync(self._file)
        except OSError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> SettingRefused:
        self._log.error("{path}: {error!s}", path=self._path, error=error)
        return SettingRefused("Not set: statuses can't be kept at the moment")

    def stopService(self) -> Deferred[None]:
        """Fires when what waited to be written is written."""
        super().stopService()
        return self._writing.run(os.close, self._file)


@implementer(IPlugin, IStoreScheme)
class JournalScheme:
    """What ``--state journal:FILE`` means."""

    scheme = "journal"
    # Each has in memory what it has read at its start.
    shared = False

    def store(self, rest: str, reactor: object, limits: Limits) -> Journal:
        """
        Called once, before the daemon starts, and to check what it would do: nothing is opened yet.

        @raise ValueError: when C{rest} can't be right. The daemon doesn't start then, and says so.
        """
        if not rest:
            raise ValueError("it needs a file, as in journal:/var/lib/fingerd/journal")
        return Journal(rest, limits)
