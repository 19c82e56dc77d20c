"""
One request, one answer, then the connection is closed (RFC 1288 2.2).

That is all there is to a finger connection and to a setter's. What the lines mean is the business
of L{fingerd.doors.finger} and L{fingerd.doors.setter}.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.tcp import Server
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.doors.net.telnet import Telnet
from fingerd.doors.net.visited import IVisited, IVisitedFactory
from fingerd.model.limits import Limits
from fingerd.model.reply import Outcome
from fingerd.model.visiting import IVisit, IVisits
from fingerd.system.sending import isReceived


class EndingProtocol(Protocol):
    """A protocol whose connection ends where it can't begin: Twisted would leave it open."""

    transport: ITCPTransport

    def makeConnection(self, transport: ITransport) -> None:
        try:
            super().makeConnection(transport)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """
        Close at once, whatever is still to be sent: unlike C{loseConnection}, without waiting
        for a client that doesn't read its answer.
        """
        self.transport.abortConnection()


@implementer(IHalfCloseableProtocol, IVisited)
class ExchangeProtocol(EndingProtocol, LineReceiver):
    """
    Takes lines until the request is whole, then sends one answer and closes.

    A line ends in LF, CR LF, CR NUL or where the client closes its sending side; a client that
    has done so still gets its answer. What comes after the request is read and thrown away, up
    to a limit. Whatever happens, the connection ends when the visit does.

    @ivar visit: the client's, from when the connection is made. A connection that changes hands
        brings its visit along: it is set here before that.
    """

    _log = Logger()
    delimiter = b"\n"
    visit: IVisit | None = None
    # Whom the client counts as, where that isn't the host.
    peer: str | None = None
    # Bytes that came after the request.
    _surplus = 0
    # The client sends no more.
    _ended = False
    _answered = False
    # All of the answer was given to the system, and our side is closed.
    _sent = False

    def __init__(self, factory: ExchangeFactory, lineLength: int, host: str | None) -> None:
        """
        @param lineLength: how many bytes a line has at most, its end not counted.
        @param host: the client's IP address, where it has one.
        """
        self.exchanges = factory
        self.MAX_LENGTH = lineLength
        self.host = host
        self._telnet = Telnet()

    @property
    def asking(self) -> bool:
        """Whether the request is not whole yet, and may still come."""
        return bool(self.line_mode) and self._isPresent()

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

    def answer(self, answer: bytes, outcome: Outcome) -> None:
        """Send C{answer} and close, in a way that lets it arrive."""
        visit = self.visit
        if visit is not None and visit.answered(outcome, len(answer), len(answer)):
            self.send(answer)

    def send(self, answer: bytes) -> None:
        """Send what is the answer, or the rest of it, and close."""
        self._answered = True
        self.transport.write(answer)
        if self._ended or ISSLTransport.providedBy(self.transport):
            # (TLS can't be closed by halves.)
            self.transport.loseConnection()
        else:
            # More may be on its way, and what arrives at a closed socket makes the kernel send a
            # reset, which can overtake the answer. So only our side is closed: the client closes
            # the rest when it has read the answer, or the deadline does.
            self.transport.loseWriteConnection()

    def failed(self, failure: Failure) -> None:
        """What should be answered can't be, since something is wrong with the daemon itself."""
        self._log.failure("A client gets no answer", failure)
        self.abort()

    def abort(self) -> None:
        # A client whose system has all of its answer isn't reset: that would only come between the
        # answer and whoever is about to read it.
        if self._sent and isReceived(cast(Server, self.transport).getHandle()):
            self.transport.loseConnection()
        else:
            super().abort()

    def connectionMade(self) -> None:
        if self.visit is None:
            self.visit = self.exchanges.visits.enter(
                self.exchanges.doorOf(self.host), self.host, self.abort, peer=self.peer
            )
        else:
            self.visit.end = self.abort
        if self.visit is None:
            self.abort()

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self.visit is not None:
            self.visit.leave()

    def dataReceived(self, data: bytes) -> None:
        if not self._isPresent():
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
        if self._surplus > self.exchanges.limits.bytesAfterRequest and self.visit is not None:
            self.visit.close()

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
        self._sent = True

    def _isPresent(self) -> bool:
        return self.visit is not None and self.visit.present


@implementer(IVisitedFactory)
class ExchangeFactory(ServerFactory[ExchangeProtocol]):
    """
    Makes exchanges.

    @ivar visits: where their clients are let in.
    @ivar limits: the daemon's limits.
    @ivar clock: the reactor.
    @ivar door: what the port is called in the query log, for clients with an IP address.
    """

    # The ports say in the log that they open and close; that is enough.
    noisy = False
    door = "tcp"

    def __init__(self, visits: IVisits, limits: Limits, clock: IReactorTime) -> None:
        self.visits = visits
        self.limits = limits
        self.clock = clock

    def startFactory(self) -> None:
        """A port is open."""
        self.visits.opened()

    def stopFactory(self) -> None:
        """The last port is closed."""
        self.visits.closed()

    def doorOf(self, host: str | None) -> str:
        """What the door is called for a client at C{host}: one without comes by a UNIX socket."""
        return "unix" if host is None else self.door

    def buildProtocol(self, addr: IAddress | None) -> ExchangeProtocol:
        raise NotImplementedError
