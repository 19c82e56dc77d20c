"""
TLS that can be closed by halves.

A client that closes its sending side behind its query, as ``ncat --ssl`` does when its input
ends and as a relay does for a client of its own, still gets its answer, also one that takes a
second to come. Twisted's TLS takes that for the end of the connection.
"""

from __future__ import annotations

from typing import Any, cast

from OpenSSL.SSL import Connection, WantReadError, ZeroReturnError
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport, ITransport
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from zope.interface import implementer

from fingerd.doors.net.exchange import ExchangeProtocol


@implementer(IHalfCloseableProtocol)
class HalfClosingTLS(BufferingTLSTransport):
    """
    Tells an L{ExchangeProtocol} that the client sends no more, instead of closing.

    A client says so with close_notify (RFC 8446 6.1). A client that only closes its side of the TCP
    connection doesn't say that its line was whole: anyone on the way could have cut the line short.
    So that client is answered only where its request was whole.
    """

    transport: ITCPTransport
    wrappedProtocol: ExchangeProtocol
    _inputOver = False

    def makeConnection(self, transport: ITransport) -> None:
        super().makeConnection(transport)
        self._tlsConnection = cast(Connection, _HalfClosing(self._tlsConnection, self))

    def inputEnded(self) -> None:
        """The client has said that it sends no more."""
        if self._inputOver:
            return
        self._inputOver = True
        if self.disconnecting:
            # Both sides have said so.
            self.transport.loseConnection()
        else:
            self.wrappedProtocol.readConnectionLost()

    def readConnectionLost(self) -> None:
        """The client closed its side of the TCP connection."""
        if not self._inputOver and self.wrappedProtocol.asking:
            self.abortConnection()
        else:
            self.inputEnded()

    def writeConnectionLost(self) -> None:
        """Nobody closes our side alone."""

    def loseConnection(self) -> None:
        super().loseConnection()
        if self._inputOver:
            # TLS would wait for the client to say that it is done: it has said so, or never will.
            self.transport.loseConnection()


def closeByHalves(factory: TLSMemoryBIOFactory) -> None:
    """Let the protocols that ``factory`` will build be L{HalfClosingTLS}."""
    factory.protocol = HalfClosingTLS


class _HalfClosing:
    """An OpenSSL connection that tells of the end of what it receives, instead of raising it."""

    def __init__(self, connection: Connection, tls: HalfClosingTLS) -> None:
        self._connection = connection
        self._tls = tls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def recv(self, size: int) -> bytes:
        try:
            return self._connection.recv(size)
        except ZeroReturnError:
            self._tls.inputEnded()
            raise WantReadError from None
