"""Ports that have something put before them, and what their protocols were built for."""

from __future__ import annotations

from typing import cast

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
)

from fingerd.doors.finger.finger_protocol import FingerFactory, FingerProtocol
from fingerd.doors.net.balancers import parseBalancers
from fingerd.doors.net.exchange import ExchangeFactory
from fingerd.doors.net.layers import LayeredEndpoint
from fingerd.doors.net.proxied import ProxiedFactory
from fingerd.doors.net.visited import IVisitedFactory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.system.addresses import describe
from tests.support.ports import TIME, Sockets, visitsAt
from tests.support.service import Finger


class NotingFactory(FingerFactory):
    """
    A finger factory that notes for whom it builds its protocols.

    @ivar clients: where they are.
    @ivar present: who is at its ports, their protocols built or not.
    """

    def __init__(self, finger: Finger, limits: Limits) -> None:
        super().__init__(finger, limits, TIME)
        self.present = finger.visits
        self.clients: list[str] = []

    def buildProtocol(self, addr: IAddress | None) -> FingerProtocol:
        assert addr is not None
        self.clients.append(describe(addr))
        return super().buildProtocol(addr)


class Proxied(Sockets):
    """A test with ports behind balancers."""

    def noting(self, limits: Limits = DEFAULTS) -> NotingFactory:
        """A factory with one user, of a service of its own."""
        return NotingFactory(Finger(TIME, (), None, limits, moshez="Happy and well"), limits)

    async def open(
        self,
        factory: ExchangeFactory,
        *listed: str,
        endpoint: str = "tcp:0:interface=127.0.0.1",
    ) -> IListeningPort:
        """Open a port for the length of the test, for these balancers and everybody else."""
        balancers = parseBalancers(listed)

        def before(first: IProtocolFactory, exchanges: IVisitedFactory) -> ProxiedFactory:
            return ProxiedFactory(first, exchanges, balancers, factory.limits, TIME)

        layered = LayeredEndpoint(serverFromString(reactor, endpoint), before if listed else None)
        port = await layered.listen(factory)
        self.addCleanup(visitsAt(factory).drain)
        self.addCleanup(port.stopListening)
        return port

    async def number(self, factory: ExchangeFactory, *listed: str) -> int:
        """The number of such a TCP port."""
        return numberOf(await self.open(factory, *listed))


def numberOf(port: IListeningPort) -> int:
    """The number of a TCP port."""
    return cast(IPv4Address, port.getHost()).port
