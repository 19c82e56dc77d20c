"""
One request, one answer, then the connection is closed (RFC 1288 2.2).

That is all there is to a finger connection and to a setter's; what the lines mean is the business
of L{fingerd.doors.finger.finger_protocol} and L{fingerd.doors.setter.setter_protocol}.
"""

from __future__ import annotations

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.doors.net.connections import Connections
from fingerd.doors.net.telnet import Telnet
from fingerd.system.addresses import peerOf


@implementer(IHalfCloseableProtocol)
class ExchangeProtocol(LineReceiver):
    """
    Takes lines until the request is whole, then sends one answer and closes.

    A line ends in LF, CR LF, CR NUL or where the client closes its sending side; a client that
    has done so still gets its answer. What comes after the request is read and thrown away, up
    to a limit. Whatever happens, the connection ends with its deadline.
    """

    transport: ITCPTransport
    delimiter = b"\n"
    # Bytes that came after the request.
    _surplus = 0
    _ended = False
    _answered = False
    # The bytes of the answer.
    _unsent = 0
    # Nothing more can be sent.
    _over = False
    _admitted = False
    # When the connection began, where that was before this was made: it has its place then.
    since: float | None = None

    def __init__(self, factory: ExchangeFactory, lineLength: int, host: str | None) -> None:
        """
        @param host: the client's IP address, where it has one.
        """
        self.exchanges = factory
        self.MAX_LENGTH = lineLength
        self.host = host
        self.peer = None if host is None else peerOf(host)
        self._telnet = Telnet()

    @property
    def asking(self) -> bool:
        """Whether the request is not whole yet, and may still come."""
        return bool(self.line_mode) and not self._over

    @property
    def answered(self) -> bool:
        """Whether there is an answer, and the client hasn't closed."""
        return self._answered and not self._over

    @property
    def spare(self) -> bool:
        """Whether nobody waits for an answer that is being worked for."""
        return self.asking or self.answered

    def lineTooLong(self, line: bytes) -> None:
        """A line, which begins so, is longer than any may be: the request is over. Answer it."""
        raise NotImplementedError

    def requestEnded(self) -> None:
        """The client closed its sending side, and the lines it sent are not all. Answer it."""
        raise NotImplementedError

    def requestIsWhole(self) -> None:
        """Take no more lines: all that still comes is thrown away."""
        self.setRawMode()
        self.rawDataReceived(self.clearLineBuffer())

    def answer(self, answer: bytes) -> None:
        """Send ``answer`` and close, in a way that lets it arrive."""
        if self._over:
            return
        self._answered = True
        self._unsent = len(answer)
        self.exchanges.hold(self._unsent)
        if self._over:
            # There are too many of them, and this one is as old as any.
            return
        self.transport.write(answer)
        if self._ended or ISSLTransport.providedBy(self.transport):
            # (TLS can't be closed by halves.)
            self.transport.loseConnection()
        else:
            # More may be on its way, and what arrives at a closed socket makes the kernel send a
            # reset, which can overtake the answer. So only our side is closed: the client closes
            # the rest when it has read the answer, or the deadline does.
            self.transport.loseWriteConnection()

    def wasAnswered(self) -> None:
        """Its client has its answer and our side is closed: the client may close the rest."""
        self.requestIsWhole()
        self._answered = True

    def abort(self) -> None:
        """
        Close at once, whatever is still to be sent: unlike C{loseConnection}, without waiting
        for a client that doesn't read its answer.
        """
        self._over = True
        self._taken()
        self.transport.abortConnection()

    def _taken(self) -> None:
        """Nobody waits to take the answer any more, if there was one."""
        size, self._unsent = self._unsent, 0
        self.exchanges.hold(-size)

    def connectionMade(self) -> None:
        self._admitted = self.exchanges.begun(self)
        if not self._admitted:
            self.abort()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._over = True
        self._taken()
        if self._admitted:
            self.exchanges.over(self)

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        if self.line_mode:
            data = self._telnet.receive(data)
        LineReceiver.dataReceived(self, data)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.setRawMode()
        self.rawDataReceived(line)
        self.lineTooLong(line)

    def rawDataReceived(self, data: bytes) -> None:
        self._surplus += len(data)
        if self._surplus > self.exchanges.limits.bytesAfterRequest:
            self.abort()

    def readConnectionLost(self) -> None:
        self._ended = True
        if self.line_mode:
            rest = self.clearLineBuffer()
            if rest:
                LineReceiver.dataReceived(self, rest + self.delimiter)
            if self.line_mode:
                self.requestEnded()
        elif self._answered:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done; L{answer} is what asked for it."""


class ExchangeFactory(Connections, ServerFactory[ExchangeProtocol]):
    """Makes exchanges, and knows those that are open."""

    # The ports say in the log that they open and close; that is enough.
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> ExchangeProtocol | None:
        raise NotImplementedError
