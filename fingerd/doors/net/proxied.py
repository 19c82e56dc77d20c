"""
Clients behind a load balancer: their addresses come in a PROXY header, from those who are
listed, and from nobody else.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from twisted.internet.address import IPv4Address as TCP4
from twisted.internet.address import IPv6Address as TCP6
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.exchange import EndingProtocol
from fingerd.doors.net.proxy_header import Header, parse
from fingerd.doors.net.visited import IVisited, IVisitedFactory
from fingerd.logs.repeats import Like
from fingerd.model.limits import Limits
from fingerd.model.visiting import IVisit
from fingerd.system.addresses import describe, hostOf
from fingerd.system.deadlines import Deadlines


class Waiting(EndingProtocol):
    """
    A balancer's connection until its header is there. Then the connection is handed to a protocol
    that was built for the client, with the bytes that came behind the header.
    """

    visit: IVisit | None = None
    _received = b""
    _decided = False

    def __init__(self, factory: ProxiedFactory, peer: IAddress) -> None:
        self._factory = factory
        self.peer = peer

    def connectionMade(self) -> None:
        # The client is nobody, until the balancer says who it is.
        self.visit = self._factory.visits.enter(self._factory.doorOf(self.peer), None, self.abort)
        if self.visit is None:
            self.abort()
        else:
            self._factory.waiting.add(self)

    def dataReceived(self, data: bytes) -> None:
        if self._decided or self.visit is None or not self.visit.present:
            return
        self._received += data
        try:
            header = parse(self._received, self._factory.limits.proxyHeaderSize)
        except ValueError as error:
            self.without(str(error))
        else:
            if header is not None:
                address = addressIn(header) or self.peer
                host = hostOf(address)
                if host is None or self.visit.arrived(host):
                    self._handOn(address, header.size)
                else:
                    self._decide()
                    self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._decide()
        if self.visit is not None:
            self.visit.leave()

    def without(self, reason: str) -> None:
        """
        There is no header, for that reason. Where one must be, close at once, and tell the log why;
        elsewhere the balancer's own words follow, and the client is nobody until they name it.
        """
        if not self._factory.required:
            self._handOn(self.peer, 0)
            return
        self._decide()
        self._factory.complain(self.peer, reason)
        self.abort()

    def _handOn(self, address: IAddress, header: int) -> None:
        """The client is at C{address}; its own bytes follow the C{header}, which has so many."""
        visit = self.visit
        assert visit is not None
        self._decide()
        protocol = self._factory.buildInner(address, visit)
        # From now on the transport knows the client's protocol only, half-close and all. That is
        # how a connection changes to TLS, too.
        self.transport.protocol = protocol  # type: ignore[attr-defined]
        # If this fails, the transport knows this protocol no more, and nobody else would leave.
        try:
            protocol.makeConnection(self.transport)
        except BaseException:
            visit.leave()
            raise
        behind, self._received = self._received[header:], b""
        if behind:
            protocol.dataReceived(behind)

    def _decide(self) -> None:
        """The connection waits for its header no longer."""
        if not self._decided:
            self._decided = True
            self._factory.waiting.discard(self)


def addressIn(header: Header) -> IAddress | None:
    """The client's address that C{header} tells, or None where it tells none."""
    if header.source is None:
        return None
    ip, port = header.source
    kind = TCP4 if isinstance(ip, IPv4Address) else TCP6
    return kind("TCP", str(ip), port)


@implementer(IProtocolFactory)
class ProxiedFactory:
    """
    Between a port and the factory of its protocols: a client that comes by way of a listed
    balancer gets the protocol that it would have got by itself, with its own address.

    Balancers always send the header, and before anything else, TLS included; so whoever is
    listed and sends something else, or nothing for ``limits.proxyHeaderTime``, is closed, but at
    doors whose own protocol has other words for where a client is. Who is not listed has no
    header to send: one that comes is the client's own strange query.
    """

    _log = Logger()

    def __init__(
        self,
        factory: IProtocolFactory,
        inner: IVisitedFactory,
        balancers: Balancers,
        limits: Limits,
        clock: IReactorTime,
        required: bool = True,
    ) -> None:
        """
        @param factory: what builds the protocols: for a TLS port, those that speak TLS.
        @param inner: what builds the innermost of them, which takes the visit over.
        @param balancers: who is listed.
        @param clock: the reactor.
        @param required: whether who is listed must send a header.
        """
        self.visits = inner.visits
        self.required = required
        self._inner = inner
        self.limits = limits
        self.waiting: Deadlines[Waiting] = Deadlines(limits.proxyHeaderTime, self._late, clock)
        self._factory = factory
        self._balancers = balancers

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        # The port is closed. The service ends the visits of those who still wait.
        self.waiting.stop()
        self._factory.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        if addr not in self._balancers:
            return self._factory.buildProtocol(addr)
        return Waiting(self, addr)

    def doorOf(self, peer: IAddress) -> str:
        """What the door is called that the balancer at C{peer} has come to."""
        return self._inner.doorOf(hostOf(peer))

    def buildInner(self, address: IAddress, visit: IVisit) -> IProtocol:
        """The protocol of the client at C{address}, which takes over its C{visit}."""
        protocol = self._factory.buildProtocol(address)
        assert protocol is not None
        inner = protocol
        while not IVisited.providedBy(inner):
            # A protocol that speaks TLS is around it.
            inner = inner.wrappedProtocol  # type: ignore[attr-defined]
        inner.visit = visit
        return protocol

    def complain(self, peer: IAddress, reason: str) -> None:
        """Tell the log of a balancer that sent no header; not each time, it may be many."""
        self._log.warn(
            "no PROXY header from {peer}, which is listed to send one: {reason}",
            peer=describe(peer),
            reason=reason,
            like=Like(hostOf(peer), 1),
        )

    def _late(self, waiting: Waiting) -> None:
        waiting.without(f"none within {self.limits.proxyHeaderTime:g} seconds")
