"""
One request, one answer, then the connection is closed (RFC 1288 2.2).

That is all there is to a finger connection and to a setter's; what the lines mean is the business
of L{fingerd.protocol} and L{fingerd.setter}.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from itertools import islice
from operator import attrgetter, methodcaller

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.addresses import peerOf
from fingerd.admission import Admission
from fingerd.deadlines import Deadlines
from fingerd.limits import Limits
from fingerd.telnet import Telnet

# Connections among which one is looked for that can be closed, beside those that may wait for a
# lookup and can't be.
_LOOKED_AT = 100


class Connection(typing.Protocol):
    """What is open: an exchange, or what may become one."""

    @property
    def asking(self) -> bool:
        """Whether nothing has been asked on it, and something may still be."""

    @property
    def spare(self) -> bool:
        """Whether nobody waits on it for an answer that is being worked for."""

    @property
    def answered(self) -> bool:
        """Whether it has an answer that may not have been taken yet."""

    def abort(self) -> None:
        """Close it at once."""


class Counted(Connection, typing.Protocol):
    """
    What is counted as its peer's. Where ``since`` says when the connection began, it has its place
    already.
    """

    peer: str | None
    since: float | None


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


class ExchangeFactory(ServerFactory[ExchangeProtocol]):
    """
    Knows the connections that are open, and what time they have.

    @ivar limits: the daemon's limits.
    @ivar admission: how many connections there may be.
    """

    # The ports say in the log that they open and close; that is enough.
    noisy = False

    def __init__(self, limits: Limits, clock: IReactorTime, admission: Admission) -> None:
        self.limits = limits
        self.clock = clock
        self.admission = admission
        admission.roomMakers.append(self.makeRoom)
        # The bytes of answers that clients have yet to take.
        self._unsent = 0
        self._open: Deadlines[Connection] = Deadlines(
            limits.connectionTime, methodcaller("abort"), clock
        )
        self._emptied: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> ExchangeProtocol | None:
        raise NotImplementedError

    @property
    def exchanges(self) -> Iterable[Connection]:
        """The connections that are open."""
        return self._open

    def makeRoom(self) -> bool:
        """
        Close the connection that has been open longest of those on which nobody waits for an
        answer that is being worked for: who hasn't asked, or doesn't take what they have.
        """
        return self._end(attrgetter("spare"))

    def hold(self, size: int) -> None:
        """
        An answer of so many bytes waits to be taken by its client, or where C{size} is negative,
        doesn't any more. Of too many bytes, those that wait longest are given up.
        """
        self._unsent += size
        while self._unsent > self.limits.unsentAnswers and self._end(attrgetter("answered")):
            pass

    def _end(self, which: Callable[[Connection], bool]) -> bool:
        for exchange in islice(self._open.oldestFirst(), self.limits.lookups + _LOOKED_AT):
            if which(exchange):
                exchange.abort()
                return True
        return False

    def begun(self, exchange: Counted) -> bool:
        """A connection is open: say whether it may stay so."""
        admitted = exchange.since is not None or self.admission.enter(exchange.peer)
        if admitted:
            self._open.add(exchange, exchange.since)
        return admitted

    def over(self, exchange: Counted) -> None:
        """A connection that could stay open is closed."""
        self.admission.leave(exchange.peer)
        self.closed(exchange)

    def opened(self, exchange: Connection) -> None:
        """Know a connection, whose place is taken."""
        self._open.add(exchange)

    def closed(self, exchange: Connection) -> None:
        """Forget it again."""
        self._open.discard(exchange)
        if self._emptied is not None and len(self._open) == 0:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def drain(self) -> Deferred[None]:
        """
        Let the open connections finish, for ``limits.stopTime`` seconds at most and for
        ``limits.stopSilence`` where nothing has been asked; then end them. To be called when
        the ports are closed; fires when no connection is left.
        """
        emptied: Deferred[None] = Deferred()
        if len(self._open) == 0:
            emptied.callback(None)
        else:
            self._emptied = emptied
        timers = [
            self.clock.callLater(self.limits.stopSilence, self._stop, True),
            self.clock.callLater(self.limits.stopTime, self._stop, False),
        ]

        def drained(result: None) -> None:
            self._open.stop()
            for timer in timers:
                if timer.active():
                    timer.cancel()

        return emptied.addCallback(drained)

    def _stop(self, onlyAsking: bool) -> None:
        for exchange in self._open:
            if exchange.asking or not onlyAsking:
                exchange.abort()
