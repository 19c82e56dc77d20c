"""What the channels of a port share: their deadlines, their heads, and who is a balancer."""

from __future__ import annotations

import time
from ipaddress import ip_address
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.web.http import Request, datetimeToString
from twisted.web.http_headers import Headers
from zope.interface import implementer

from fingerd.doors.http.web_channel import WebChannel
from fingerd.doors.http.web_page import Answer, Page
from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.visited import IVisitedFactory
from fingerd.model.limits import Limits
from fingerd.model.visiting import IVisit, IVisits
from fingerd.system.addresses import hostOf
from fingerd.system.deadlines import Deadlines

_CACHED = b"HTTP/1.1 304 Not Modified\r\n"


class Answering(Protocol):
    """
    What there is to be asked for.

    @ivar door: what the door is called in the query log.
    @ivar visits: where visitors are let in.
    """

    door: str
    visits: IVisits

    def answer(
        self, method: bytes, target: bytes, headers: Headers, visit: IVisit
    ) -> Answer | Deferred[Answer]:
        """
        What is at an address, or will be when it has been asked for. It never fails; to cancel it
        cancels the work done for it.
        """

    def refusal(self, status: int) -> Page:
        """What is said to what is no request, by its status."""


@implementer(IVisitedFactory)
class WebFactory(ServerFactory[WebChannel]):
    """
    Makes the channels of a port where HTTP is spoken.

    @ivar site: what is asked for pages.
    @ivar asking: the channels whose request isn't whole yet.
    @ivar idle: those that may ask again.
    @ivar stopping: whether no more is taken.
    """

    noisy = False
    stopping = False

    def __init__(
        self, site: Answering, balancers: Balancers | None, limits: Limits, clock: IReactorTime
    ) -> None:
        """
        @param balancers: who says where clients are, if any do.
        @param clock: the reactor.
        """
        self.site = site
        self.visits = site.visits
        self.limits = limits
        self.clock = clock
        self.asking: Deadlines[WebChannel] = Deadlines(limits.webRequest, WebChannel.late, clock)
        self.idle: Deadlines[WebChannel] = Deadlines(
            limits.webIdle, WebChannel.loseConnection, clock
        )
        self._balancers = balancers
        self._second = 0
        self._date = b""

    def buildProtocol(self, addr: IAddress | None) -> WebChannel:
        return WebChannel(self, addr)

    def startFactory(self) -> None:
        self.stopping = False
        self.visits.opened()

    def stopFactory(self) -> None:
        # Who is answered leaves; who still asks has a moment for that.
        self.stopping = True
        for channel in list(self.idle):
            channel.loseConnection()
        self.idle.stop()
        self.asking.stop()
        self.visits.closed()

    def doorOf(self, host: str | None) -> str:
        """What the door is called in the query log."""
        return self.site.door

    def log(self, request: Request) -> None:
        """The log of queries has it all: this is Twisted's own."""

    def isBalancer(self, address: IAddress | None) -> bool:
        """Whether who connects from there is believed to say where clients are."""
        return self._balancers is not None and address is not None and address in self._balancers

    def clientOf(self, headers: Headers, address: IAddress | None) -> str | None:
        """
        Where the client of a balancer at C{address} is: what X-Forwarded-For says last that is no
        balancer itself, since anybody can write what stands before that; else the balancer.
        """
        said = b",".join(headers.getRawHeaders(b"X-Forwarded-For", [])).split(b",")
        for text in reversed(said):
            try:
                ip = ip_address(text.strip().decode("ascii"))
            except ValueError:
                break
            if self._balancers is None or not self._balancers.listed(ip):
                return str(ip)
        return hostOf(address)

    def head(self, page: Page, cached: bool, persistent: bool) -> bytes:
        """
        The status line and all headers.

        @param cached: whether the client has the page.
        @param persistent: whether it may ask again on this connection.
        """
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._date = b"Date: %b\r\n" % datetimeToString(now)
        # In the second in which a page changes it may change again.
        modified = page.modified if now - page.since >= 1 else b""
        close = b"\r\n" if persistent else b"Connection: close\r\n\r\n"
        if cached:
            return b"".join((_CACHED, self._date, page.headers, modified, close))
        return b"".join((page.first, self._date, page.headers, modified, page.length, close))

    def refusal(self, status: int) -> bytes:
        """The whole answer to what is no request that can be taken."""
        page = self.site.refusal(status)
        return self.head(page, False, False) + page.body
