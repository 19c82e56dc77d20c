"""Clients that have sent nothing yet: over a network, that is everyone at first."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.doors.net.connections import Connections
from fingerd.system.addresses import peerOf

# No more at once than is in one segment or two; what goes beyond is not for the short way.
READ = 2048


@implementer(IReadDescriptor)
class Newcomer:
    """
    Waits for the first bytes of one, with less memory and work than a transport and a protocol
    take. See L{fingerd.doors.net.connections.Connection}.
    """

    __slots__ = (
        "_address",
        "_began",
        "_descriptor",
        "_factory",
        "_over",
        "_reactor",
        "_received",
        "_socket",
        "peer",
        "since",
    )

    def __init__(
        self,
        client: socket.SocketType,
        address: tuple[Any, ...],
        began: float,
        factory: Connections,
        reactor: IReactorFDSet,
        received: Callable[[socket.SocketType, tuple[Any, ...], str, bytes, float], None],
    ) -> None:
        """
        @param began: when it was accepted.
        @param factory: where it is counted, and known.
        @param received: goes on with it when it has sent something, or closed its sending
            side. From then on its place is theirs.
        """
        self._socket = client
        self._descriptor = client.fileno()
        self._address = address
        self.peer: str | None = peerOf(address[0])
        self.since: float | None = None
        self._began = began
        self._factory = factory
        self._reactor = reactor
        self._received = received
        self._over = False
        if factory.begun(self):
            reactor.addReader(self)
        else:
            client.close()

    @property
    def asking(self) -> bool:
        """Whether it may still send something."""
        return not self._over

    @property
    def spare(self) -> bool:
        """Nobody waits for an answer: nothing was asked."""
        return not self._over

    @property
    def answered(self) -> bool:
        """It has no answer."""
        return False

    def fileno(self) -> int:
        """Its descriptor, also when that has become somebody else's, as the reactor wants it."""
        return self._descriptor

    def logPrefix(self) -> str:
        """What it is called in the log."""
        return "Newcomer"

    def doRead(self) -> None:
        """It has sent something, or closed."""
        try:
            data = self._socket.recv(READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            self.connectionLost(None)
            return
        self._over = True
        self._reactor.removeReader(self)
        try:
            self._received(self._socket, self._address, self.peer or "", data, self._began)
        finally:
            # Not before: those who wait for the last connection to end see this one go on.
            self._factory.closed(self)

    def abort(self) -> None:
        """
        Close it, in a turn of its own: while the reactor has events in hand, its number must not
        become somebody else's.
        """
        if not self._over:
            self._over = True
            # What it has sent meanwhile is not looked at any more.
            self._reactor.removeReader(self)
            self._factory.clock.callLater(0, self._close)

    def connectionLost(self, reason: Failure | None) -> None:
        """It is gone."""
        if not self._over:
            self._over = True
            self._reactor.removeReader(self)
            self._close()

    def _close(self) -> None:
        self._socket.close()
        self._factory.over(self)
