"""Sockets whose clients have their answer, and haven't closed yet."""

from __future__ import annotations

import socket
from collections import deque

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from fingerd.model.limits import Limits

# Seconds after the answer when it is worth a look whether the client has closed; how often those
# that hadn't are looked at again, and for how long.
_SOON = 0.001
_AGAIN = 0.25
_LONGEST = 5.0
# Bytes that are read away in one look: a thousand clients may have sent as many.
_READ = 65536

# A socket, when its client was answered, and how many bytes have come since.
_Answered = tuple[socket.SocketType, float, int]


class Lingering:
    """
    Keeps sockets open until their clients close: what arrives at a closed one makes the kernel
    send a reset, which can overtake the answer. Most clients have closed when they are looked at
    first, so these sockets need no place in the reactor's poll.

    They are no visits any more, and hold nobody's place. There are C{limits.lingering} of them at
    most, of more the oldest is closed; and so is one whose client sends more than
    C{limits.bytesAfterRequest}, or doesn't close for some seconds.
    """

    def __init__(self, clock: IReactorTime, limits: Limits) -> None:
        self._clock = clock
        self._most = limits.lingering
        self._bytes = limits.bytesAfterRequest
        # In the order of their answers: the latest, and those that were looked at.
        self._latest: deque[_Answered] = deque()
        self._staying: deque[_Answered] = deque()
        self._timer: IDelayedCall | None = None

    def add(self, client: socket.SocketType, now: float) -> None:
        """C{client} has its answer, and our side of the connection is closed."""
        latest, staying = self._latest, self._staying
        latest.append((client, now, 0))
        if len(latest) + len(staying) > self._most:
            self.makeRoom()
        if self._timer is None:
            self._timer = self._clock.callLater(_AGAIN, self._again)

    def look(self, now: float) -> None:
        """Let the latest go whose clients have closed."""
        latest = self._latest
        while latest and now - latest[0][1] >= _SOON:
            self._keep(latest.popleft())

    def makeRoom(self) -> bool:
        """Close the oldest; whether there was one."""
        for those in (self._staying, self._latest):
            if those:
                those.popleft()[0].close()
                return True
        return False

    def close(self) -> None:
        """Close all of them: they have all that they wait for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self.makeRoom():
            pass

    def _again(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for _ in range(len(self._staying)):
            answered = self._staying.popleft()
            if now - answered[1] < _LONGEST:
                self._keep(answered)
            else:
                answered[0].close()
        self.look(now)
        if self._staying or self._latest:
            self._timer = self._clock.callLater(_AGAIN, self._again)

    def _keep(self, answered: _Answered) -> None:
        """Read away what the client has sent since, and keep its socket unless that is over."""
        client, at, late = answered
        try:
            size = len(client.recv(_READ, socket.MSG_DONTWAIT))
            late += size
            if not size or late > self._bytes:
                client.close()
                return
        except BlockingIOError:
            pass
        except OSError:
            # A reset: the client has what it wanted, or never did.
            client.close()
            return
        self._staying.append((client, at, late))
