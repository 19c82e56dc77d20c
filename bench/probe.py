"""
What only the daemon itself can tell, as a service in it: for how long its reactor did nothing
else, when a reload is done, and how many statuses were written together.

It listens on a UNIX socket for commands, a line each, and answers each with a line of JSON.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

from fingerd.service.finger_service import FingerService
from fingerd.stores.database import Database

_TICK = 0.001


class _Commands(LineOnlyReceiver):
    delimiter = b"\n"

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def lineReceived(self, line: bytes) -> None:
        done = Deferred.fromCoroutine(self._probe.commands[line.decode()]())
        done.addCallback(lambda said: self.sendLine(json.dumps(said).encode()))


class Probe(Service):
    """
    Answers to these commands:

     - C{begin}: wake up every millisecond from now on, and note the gaps
     - C{end}: enough of that; the longest gap, in seconds, on the clock and, which tells the
       daemon's own work from that of a busy machine, of the processor; and how many seconds
       after the beginning the latter was over
     - C{reload}: what it takes, in seconds
     - C{batches}: the numbers of statuses in each commit since the last time
    """

    def __init__(self, path: str, finger: FingerService, reactor: Any) -> None:
        """
        @param path: where to listen.
        """
        self._path = path
        self._finger = finger
        self._reactor: Any = reactor
        self._clock: IReactorTime = reactor
        self._port: IListeningPort | None = None
        self._next: IDelayedCall | None = None
        self._batches: list[int] = []
        self.commands: dict[str, Callable[[], Any]] = {
            "begin": self._begin,
            "end": self._end,
            "reload": self._reload,
            "batches": self._written,
        }

    def startService(self) -> None:
        super().startService()
        factory = Factory.forProtocol(lambda: _Commands(self))
        self._port = self._reactor.listenUNIX(self._path, factory)
        write = Database.turn

        def turn(database: Database, cursor: Any, settings: Sequence[Any], seen: int) -> Any:
            if settings:
                self._batches.append(len(settings))
            return write(database, cursor, settings, seen)

        Database.turn = turn  # type: ignore[assignment, method-assign]

    def stopService(self) -> Any:
        super().stopService()
        if self._next is not None:
            self._next.cancel()
        return None if self._port is None else self._port.stopListening()

    async def _begin(self) -> None:
        self._longest = self._longestWork = self._at = 0.0
        self._began = time.perf_counter()
        self._last, self._lastWork = time.perf_counter(), time.thread_time()
        self._next = self._clock.callLater(_TICK, self._tick)

    def _tick(self) -> None:
        now, work = time.perf_counter(), time.thread_time()
        self._longest = max(self._longest, now - self._last)
        if work - self._lastWork > self._longestWork:
            self._longestWork, self._at = work - self._lastWork, now - self._began
        self._last, self._lastWork = now, work
        self._next = self._clock.callLater(_TICK, self._tick)

    async def _end(self) -> dict[str, float]:
        if self._next is not None:
            # Also what is still going on.
            self._next.cancel()
            self._tick()
            assert self._next is not None
            self._next.cancel()
            self._next = None
        return {"gap": self._longest, "work": self._longestWork, "at": self._at}

    async def _reload(self) -> float:
        began = time.perf_counter()
        await self._finger.reload()
        return time.perf_counter() - began

    async def _written(self) -> list[int]:
        written, self._batches = self._batches, []
        return written
