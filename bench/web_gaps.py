"""
How long a list of 2,000 users on the web keeps others waiting: C{python -m bench.web_gaps}.

In one process: the door, a client that asks for each form of the list a few times, first when none
is kept, and a probe that wakes up all the time. It prints the longest gap for each form,
and (work) the longest by the process's own time, which leaves out what a busy machine adds.
"""

from __future__ import annotations

import gc
import time
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater, react
from twisted.python.failure import Failure

from fingerd.directories.given import GivenUsers
from fingerd.doors.http.web_factory import WebFactory
from fingerd.doors.web.site import Site
from fingerd.model.limits import Limits
from fingerd.model.record import Entry
from fingerd.service import FingerService
from fingerd.stores.memory import MemoryStore

_USERS = 2000
_FORMS = (("/", "text/html"), ("/users.json", "*/*"), ("/users.txt", "*/*"), ("/feed.atom", "*/*"))
_TIME = cast(IReactorTime, reactor)


class Client(Protocol):
    """Asks once, and counts what it gets."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.size = 0
        self.done: Deferred[int] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self.size += len(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self.size)


class Probe:
    """Wakes up all the time, and keeps the longest time in which it couldn't."""

    def __init__(self) -> None:
        self.reset()
        self._look()

    def reset(self) -> None:
        """Begin anew."""
        self._last = time.perf_counter(), time.process_time()
        self.longest = self.work = 0.0

    def _look(self) -> None:
        now = time.perf_counter(), time.process_time()
        self.longest = max(self.longest, now[0] - self._last[0])
        self.work = max(self.work, now[1] - self._last[1])
        self._last = now
        _TIME.callLater(0, self._look)


async def _measured(_: object) -> None:
    users = {f"user{number}": f"Status number {number}, and some more" for number in range(_USERS)}
    store = MemoryStore(time.time)
    for login in users:
        await store.set(login, Entry(f"Set by {login}: out to lunch", time.time() - 7000))
    finger = FingerService(_TIME, [GivenUsers(**users)], store, Limits(listKept=0.001))
    factory = WebFactory(Site(finger, None, 20, Limits(), _TIME), None, Limits(), _TIME)
    port = cast(IReactorTCP, reactor).listenTCP(0, cast(Any, factory), 50, "127.0.0.1")
    # As a daemon does when it has started.
    gc.freeze()
    probe = Probe()
    print("| form | bytes | first gap (work) | longest later (work) |\n| --- | --- | --- | --- |")
    for path, accept in _FORMS:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        gaps: list[tuple[float, float]] = []
        size = 0
        for _ in range(6):
            await deferLater(_TIME, 0.05)
            probe.reset()
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", cast(Any, port.getHost()).port)
            client = Client(request.encode("ascii"))
            await connectProtocol(endpoint, client)
            size = await client.done
            gaps.append((probe.longest * 1000, probe.work * 1000))
        later, work = (max(column) for column in zip(*gaps[1:], strict=True))
        first = f"{gaps[0][0]:.0f} ms ({gaps[0][1]:.0f})"
        print(f"| `{path}` | {size:,} | {first} | {later:.0f} ms ({work:.0f}) |")
    port.stopListening()


if __name__ == "__main__":
    react(lambda clock: Deferred.fromCoroutine(_measured(clock)))
