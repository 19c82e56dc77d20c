"""Statuses in a file to which lines of JSON are only ever added: ``--state journal:FILE``."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict

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
from fingerd.model.record import Status
from fingerd.stores.memory import MemoryStore


class Journal(proxyForInterface(IStore, "memory"), Service):  # type: ignore[misc]
    """
    What shows is in memory, and a store in memory answers for it. What was set is in the file, in
    the order in which it was.
    """

    _log = Logger()

    def __init__(self, path: str, limits: Limits) -> None:
        super().__init__(MemoryStore(time.time, limits))
        self._path = path
        self._writing = DeferredLock()

    def privilegedStartService(self) -> None:
        """
        Called once, at the start, and as root where root started the daemon: whatever user the
        daemon becomes can write to what is open already.

        @raise CannotStart: when there can't be such a file, or it is of another kind.
        """
        super().privilegedStartService()
        try:
            self._file = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
            with open(os.dup(self._file), "rb") as lines:
                for line in lines:
                    login, fields = json.loads(line)
                    # What was refused then is refused again.
                    self.memory.setStatus(login, Status(**fields)).addErrback(lambda _: None)
        except OSError as error:
            raise CannotStart(f"can't open {self._path}: {error.strerror}") from None
        except (TypeError, ValueError):
            raise CannotStart(f"{self._path} is no journal of statuses") from None

    def setStatus(self, login: str, status: Status) -> Deferred[None]:
        """Fires when the status is on the disk."""
        return self._writing.run(self._keep, login, status)

    def _keep(self, login: str, status: Status) -> Deferred[None]:
        line = json.dumps([login, asdict(status)]).encode("ascii") + b"\n"
        # The disk may take its time, and the reactor has none.
        written = deferToThread(self._write, line)
        return written.addCallback(lambda _: self.memory.setStatus(login, status))

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            # Half a line would be the end of all that come after it.
            os.ftruncate(self._file, size)
            self._log.error("{path}: {error!s}", path=self._path, error=error)
            raise SettingRefused("Not set: statuses can't be kept at the moment") from None

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
