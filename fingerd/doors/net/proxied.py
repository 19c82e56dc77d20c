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
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.exchange import ExchangeFactory
from fingerd.doors.net.proxy_header import Header, parse
from fingerd.logs.repeats import Like
from fingerd.model.limits import Limits
from fingerd.system.addresses import describe, hostOf
from fingerd.system.deadlines import Deadlines


class Waiting(Protocol):
    """
    A balancer's connection, as long as its header is not there. When it is, the connection is
    handed to a protocol that was built for the client, with what came behind the header.
    """

    transport: ITCPTransport
    # Nothing has been asked on it (see L{fingerd.doors.net.connections.Connection}).
    asking = True
    answered = False
    _received = b""
    _decided = False

    def __init__(self, factory: ProxiedFactory, peer: IAddress) -> None:
        self._factory = factory
        self.peer = peer

    @property
    def spare(self) -> bool:
        """Nobody waits for an answer: nothing was asked."""
        return self.asking and not self._decided

    def connectionMade(self) -> None:
        self._factory.begun(self)

    def dataReceived(self, data: bytes) -> None:
        if self._decided:
            return
        self._received += data
        try:
            header = parse(self._received, self._factory.limits.proxyHeaderSize)
        except ValueError as error:
            self.refuse(str(error))
        else:
            if header is not None:
                self._handOn(header)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._decide()
        self._factory.over(self)

    def refuse(self, reason: str) -> None:
        """Close at once, and tell the log why."""
        self._decide()
        self._factory.complain(self.peer, reason)
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.asking = False
        self.transport.abortConnection()

    def _handOn(self, header: Header) -> None:
        self._decide()
        protocol = self._factory.buildInner(self.peer, header)
        if protocol is None:
            self.abort()
            return
        # From now on the transport knows the client's protocol only, half-close and all. That is
        # how a connection changes to TLS, too.
        self.transport.protocol = protocol  # type: ignore[attr-defined]
        try:
            protocol.makeConnection(self.transport)
        finally:
            # Not before: those who wait for the last connection to end see this one go on.
            self._factory.over(self)
        behind, self._received = self._received[header.size :], b""
        if behind:
            protocol.dataReceived(behind)

    def _decide(self) -> None:
        """It waits no longer, if it still did."""
        if not self._decided:
            self._decided = True
            self._factory.decided(self)


@implementer(IProtocolFactory)
class ProxiedFactory:
    """
    Between a port and the factory of its protocols: a client that comes by way of a listed
    balancer gets the protocol that it would have got by itself, with its own address.

    Balancers always send the header, and before anything else, TLS included; so whoever is
    listed and sends something else, or nothing for ``limits.proxyHeaderTime``, is closed. Who
    is not listed has no header to send: one that comes is the client's own strange query.
    """

    _log = Logger()

    def __init__(
        self,
        factory: IProtocolFactory,
        exchanges: ExchangeFactory,
        balancers: Balancers,
        limits: Limits,
        clock: IReactorTime,
    ) -> None:
        """
        @param factory: what builds the protocols: for a TLS port, those that speak TLS.
        @param exchanges: where the connections that wait for their header are counted, and known.
            The protocols that ``factory`` builds count themselves.
        @param balancers: who is listed.
        @param clock: the reactor.
        """
        self.limits = limits
        self._factory = factory
        self._exchanges = exchanges
        self._balancers = balancers
        self._clock = clock
        self._waiting: Deadlines[Waiting] = Deadlines(limits.proxyHeaderTime, self._late, clock)

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        # The port is closed. Who still waits is now the business of those who stop the daemon.
        self._waiting.stop()
        self._factory.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        if addr not in self._balancers:
            return self._factory.buildProtocol(addr)
        return Waiting(self, addr) if self._exchanges.admission.enter(None) else None

    def buildInner(self, peer: IAddress, header: Header) -> IProtocol | None:
        """
        The protocol of the client that ``header`` tells of: without an address it is ``peer``.
        """
        if header.source is None:
            return self._factory.buildProtocol(peer)
        ip, port = header.source
        kind = TCP4 if isinstance(ip, IPv4Address) else TCP6
        return self._factory.buildProtocol(kind("TCP", str(ip), port))

    def begun(self, waiting: Waiting) -> None:
        """A connection waits for its header."""
        self._waiting.add(waiting)
        self._exchanges.opened(waiting)

    def decided(self, waiting: Waiting) -> None:
        """It waits no longer."""
        self._waiting.discard(waiting)
        self._exchanges.admission.leave(None)

    def over(self, waiting: Waiting) -> None:
        """It is closed, or the client's protocol has it."""
        self._exchanges.closed(waiting)

    def complain(self, peer: IAddress, reason: str) -> None:
        """Tell the log of a balancer that sent no header; not each time, it may be many."""
        self._log.warn(
            "no PROXY header from {peer}, which is listed to send one: {reason}",
            peer=describe(peer),
            reason=reason,
            like=Like(hostOf(peer), 1),
        )

    def _late(self, waiting: Waiting) -> None:
        waiting.refuse(f"none within {self.limits.proxyHeaderTime:g} seconds")
