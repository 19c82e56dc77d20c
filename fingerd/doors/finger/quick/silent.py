"""
Clients that are accepted before they have sent anything: where the kernel doesn't hold them back
until they have, or has held them for as long as it does.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReactorTime, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.model.visiting import IVisit

# No more at once than is in one segment or two; what goes beyond is not for the short way.
READ = 2048

Received = Callable[[socket.SocketType, tuple[Any, ...], IVisit, bytes], None]


@implementer(IReadDescriptor)
class Silent:
    """
    Waits for the first bytes of a client, with less memory and work than a transport and a protocol
    take.
    """

    __slots__ = ("_address", "_clock", "_descriptor", "_reactor", "_received", "_socket", "visit")

    def __init__(
        self,
        client: socket.SocketType,
        address: tuple[Any, ...],
        visit: IVisit,
        reactor: IReactorFDSet,
        clock: IReactorTime,
        received: Received,
    ) -> None:
        """
        @param received: goes on with the client when it has sent something, or closed its sending
            side. From then on the visit is theirs.
        """
        self._socket = client
        self._descriptor = client.fileno()
        self._address = address
        self._reactor = reactor
        self._clock = clock
        self._received = received
        self.visit = visit
        visit.end = self.abort
        reactor.addReader(self)

    def fileno(self) -> int:
        """Its descriptor, also when that has become somebody else's, as the reactor wants it."""
        return self._descriptor

    def logPrefix(self) -> str:
        """What it is called in the log."""
        return "Silent"

    def doRead(self) -> None:
        """The client has sent something, or closed."""
        try:
            data = self._socket.recv(READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            self.connectionLost(None)
            return
        self._reactor.removeReader(self)
        self.visit.end = self._socket.close
        self._received(self._socket, self._address, self.visit, data)

    def abort(self) -> None:
        """
        Close it, in a turn of its own: while the reactor has events in hand, its number must not
        become somebody else's.
        """
        # What the client has sent meanwhile is not looked at any more.
        self._reactor.removeReader(self)
        self._clock.callLater(0, self._close)

    def connectionLost(self, reason: Failure | None) -> None:
        """The client is gone."""
        self._reactor.removeReader(self)
        self._close()

    def _close(self) -> None:
        self._socket.close()
        self.visit.leave()
