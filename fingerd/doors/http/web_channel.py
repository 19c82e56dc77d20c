"""
A connection on which HTTP/1.1 is spoken (RFC 9112), and which is a visit.

Twisted's channel reads the requests. What is different here: no body is taken, headers and pauses
have deadlines, what is refused is refused in words that reach the client, and the next request of a
client waits until it has taken enough of the last answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from fingerd.doors.http.web_request import WebRequest
from fingerd.doors.net.visited import IVisited
from fingerd.model.reply import Outcome
from fingerd.model.visiting import IVisit
from fingerd.system.addresses import hostOf

if TYPE_CHECKING:
    from fingerd.doors.http.web_factory import WebFactory

# RFC 9112 3.2 and RFC 3986 3.2.2: a name or an address, perhaps with a port.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


@implementer(IHalfCloseableProtocol, IVisited)
class WebChannel(HTTPChannel):
    """
    Takes the requests of one client one after the other.

    @ivar visit: see L{IVisited}.
    @ivar address: where the client is, as far as the connection tells.
    """

    transport: ITCPTransport
    requestFactory = WebRequest
    # Deadlines are the factory's.
    timeOut = None
    visit: IVisit | None = None
    # Whether anything has come yet; whether the client has its answer, and may ask again; whether
    # all that still comes is thrown away, and how much did.
    _begun = False
    _idle = False
    _over = False
    _surplus = 0
    # The client sends no more.
    _ended = False
    # A request that is answered, whose answer the client takes slowly.
    _held: WebRequest | None = None

    def __init__(self, factory: WebFactory, address: IAddress | None) -> None:
        super().__init__()
        self.factory = factory
        self.address = address
        # Memory for one client, and time for all others.
        self.totalHeadersSize = self.MAX_LENGTH = factory.limits.webHeaders
        self.maxHeaders = 100

    def connectionMade(self) -> None:
        host = hostOf(self.address)
        if self.visit is None:
            # Who says where the client is, says so in the first request.
            known = None if self.factory.isBalancer(self.address) else host
            self.visit = self.factory.visits.enter(self.factory.doorOf(host), known, self.abort)
        else:
            self.visit.end = self.abort
        if self.visit is None:
            self.abort()
            return
        super().connectionMade()
        self._opened = self.factory.clock.seconds()
        self.factory.asking.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.asking.discard(self)
        self.factory.idle.discard(self)
        if self.visit is not None:
            self.visit.leave()
        super().connectionLost(reason)

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self.visit is None or not self.visit.present:
            return
        self._begun = True
        LineReceiver.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:
        if self._idle and line and self.visit is not None:
            self._idle = False
            self.factory.idle.discard(self)
            self.factory.asking.add(self)
            self.visit.again()
        # (The way through super() takes a part of the time of each line.)
        HTTPChannel.lineReceived(self, line)

    def rawDataReceived(self, data: bytes) -> None:
        if not self._over:
            super().rawDataReceived(data)
            return
        self._surplus += len(data)
        if self._surplus > self.factory.limits.bytesAfterRequest and self.visit is not None:
            self.visit.close()

    def lineLengthExceeded(self, line: bytes) -> None:
        if self.requests:
            self._refuse(431)
        else:
            self._refuse(414, line)

    def _respondToBadRequestAndDisconnect(self) -> None:
        long = self._receivedHeaderSize > self.totalHeadersSize
        self._refuse(431 if long or self._receivedHeaderCount > self.maxHeaders else 400)

    def allHeadersReceived(self) -> None:
        request = self.requests[-1]
        headers = request.requestHeaders
        hosts = headers.getRawHeaders(b"Host", [])
        self.persistent = self.checkPersistence(request, self._version)
        if (
            len(hosts) > 1
            or (not hosts and self._version == b"HTTP/1.1")
            or (hosts and _HOST.fullmatch(hosts[0]) is None)
        ):
            self._refuse(400)
        elif self.length != 0 or headers.hasHeader(b"Transfer-Encoding"):
            self._refuse(413)

    def checkPersistence(self, request: WebRequest, version: bytes) -> bool:
        """Whether the client may ask again: not where its time is half over (RFC 9112 9.6)."""
        factory = self.factory
        if version != b"HTTP/1.1" or factory.stopping:
            return False
        said = request.requestHeaders.getRawHeaders(b"Connection")
        if said and b"close" in re.split(rb"[\s,]+", b",".join(said).lower()):
            return False
        age = factory.clock.seconds() - self._opened
        return bool(age < factory.limits.connectionTime / 2)

    def allContentReceived(self) -> None:
        self.factory.asking.discard(self)
        if not self._over:
            super().allContentReceived()

    def requestDone(self, request: WebRequest) -> None:
        """The answer to C{request} is written."""
        if self._waitingForTransport and self.persistent:
            # One answer waits to be sent, and not one for each request that came with this one.
            self._held = request
            self._networkProducer.pauseProducing()
        else:
            self._next(request)

    def resumeProducing(self) -> None:
        """The client has taken what was written."""
        super().resumeProducing()
        if self._held is not None:
            request, self._held = self._held, None
            self._next(request)

    def late(self) -> None:
        """The request isn't there, and its time is over."""
        if self._begun:
            self._refuse(408)
        else:
            self.loseConnection()

    def readConnectionLost(self) -> None:
        """The client sends no more; what it has asked is answered."""
        self._ended = True
        if self._handlingRequest:
            self.persistent = False
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done; L{_end} is what asked for it."""

    def _next(self, request: WebRequest) -> None:
        if self.persistent:
            self._idle = True
            self.factory.idle.add(self)
            super().requestDone(request)
        else:
            del self.requests[0]
            self._handlingRequest = False
            self._end()

    def _refuse(self, status: int, line: bytes = b"") -> None:
        """Say why there is no answer to what came, and take no more of it."""
        if self._over or self.visit is None:
            return
        self.factory.asking.discard(self)
        visit = self.visit
        visit.line = line or b" ".join(
            (getattr(self, "_command", b""), getattr(self, "_path", b""))
        )
        answer = self.factory.refusal(status)
        outcome: Outcome = "too-long" if status in (414, 431) else "refused"
        if visit.answered(outcome, len(answer), len(answer)):
            self.transport.write(answer)
            self._end()

    def _end(self) -> None:
        """Close our side, in a way that lets the answer arrive: see L{ExchangeProtocol.send}."""
        self._over = True
        self.setRawMode()
        cast(IConsumer, self._networkProducer).unregisterProducer()
        self._networkProducer.resumeProducing()
        if self._ended or ISSLTransport.providedBy(self.transport):
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
