"""Clients that have their answer, and haven't closed yet."""

from __future__ import annotations

import math
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from fingerd.model.interfaces import IVisit

# Seconds after the answer: when it is worth a look whether the client has closed, how often
# those who hadn't are looked at again, and for how long.
_SOON = 0.001
_AGAIN = 0.25
_LATE = 1.0
# Of those who stay longer, so many are handed on before others have their turn.
_AT_ONCE = 100
_READ = 2048


class Answered(NamedTuple):
    """A client's socket and address, its visit, and when it was answered."""

    client: socket.SocketType
    address: tuple[Any, ...]
    visit: IVisit
    at: float


class Lingering:
    """
    Keeps the sockets open until the clients close: what arrives at a closed one makes the kernel
    send a reset, which can overtake the answer. Most have closed when they are looked at first,
    so they need no place in the reactor's poll.
    """

    def __init__(self, clock: IReactorTime, goOn: Callable[[Answered, bytes], object]) -> None:
        """
        @param goOn: takes a client over that stays, or sends more, and what it has sent.
        """
        self._clock = clock
        self._goOn = goOn
        # In the order of their answers: the latest, and those who were looked at once.
        self._latest: deque[Answered] = deque()
        self._staying: deque[Answered] = deque()
        self._timer: IDelayedCall | None = None
        # When those of one peer may be looked at again.
        self._lookAt = -math.inf

    def add(self, client: socket.SocketType, address: tuple[Any, ...], visit: IVisit) -> None:
        """A client has its answer."""
        visit.end = partial(_end, client, visit)
        self._latest.append(Answered(client, address, visit, self._clock.seconds()))
        if self._timer is None:
            self._timer = self._clock.callLater(_AGAIN, self._again)

    def look(self, now: float) -> None:
        """Let those go who have closed. To be called when there is nothing to wait for."""
        latest = self._latest
        while latest and now - latest[0].at >= _SOON:
            answered = latest.popleft()
            if not self._over(answered):
                self._staying.append(answered)

    def lookFor(self, peer: str) -> None:
        """Let those clients of C{peer} go who have closed."""
        now = self._clock.seconds()
        if now < self._lookAt and len(self._latest) + len(self._staying) > _AT_ONCE:
            return
        for those in (self._latest, self._staying):
            kept = [each for each in those if each.visit.peer != peer or not self._over(each)]
            those.clear()
            those.extend(kept)
        # Where there are many, that takes a tenth of the time at most.
        end = self._clock.seconds()
        self._lookAt = end + 10 * (end - now)

    def close(self) -> None:
        """Let all of them go: they have all that they wait for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for those in (self._latest, self._staying):
            while those:
                client, _, visit, _ = those.popleft()
                _end(client, visit)

    def _again(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        self.look(now)
        staying, self._staying = self._staying, deque()
        handedOn = 0
        for answered in staying:
            if self._over(answered):
                continue
            if now - answered.at < _LATE or handedOn == _AT_ONCE:
                self._staying.append(answered)
            else:
                handedOn += 1
                self._goOn(answered, b"")
        if self._timer is None and (self._staying or self._latest):
            self._timer = self._clock.callLater(_AGAIN, self._again)

    def _over(self, answered: Answered) -> bool:
        """Whether that client needs no more looking after."""
        if not answered.visit.present:
            # Its place was needed, or its time is over.
            return True
        try:
            late = answered.client.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            late = b""
        if late:
            self._goOn(answered, late)
        else:
            _end(answered.client, answered.visit)
        return True


def _end(client: socket.SocketType, visit: IVisit) -> None:
    client.close()
    visit.leave()
