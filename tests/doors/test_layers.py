"""What is put before a port, whatever kind of port it is."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from fingerd.doors.net.balancers import parseBalancers
from fingerd.doors.net.layers import LayeredEndpoint
from fingerd.doors.net.listening import Listener
from fingerd.doors.net.proxied import ProxiedFactory
from fingerd.doors.net.visited import IVisitedFactory
from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS
from tests.doors.proxying import NotingFactory, Proxied, numberOf
from tests.doors.test_proxyheader import HEADERS
from tests.support.ports import TIME

HAPPY = b"Happy and well\r\n"


def before(factory: IProtocolFactory, exchanges: IVisitedFactory) -> ProxiedFactory:
    """What is put before a port for balancers on loopback."""
    balancers = parseBalancers(["127.0.0.1"])
    return ProxiedFactory(factory, exchanges, balancers, DEFAULTS, TIME)


@implementer(IListeningPort)
class ForeignPort:
    """A port that no part of Twisted has made."""

    open = True

    def startListening(self) -> None:
        raise NotImplementedError

    def stopListening(self) -> None:
        self.open = False

    def getHost(self) -> IAddress:
        raise NotImplementedError


@implementer(IStreamServerEndpoint)
class ForeignEndpoint:
    """An endpoint such as a plugin may have."""

    def __init__(self) -> None:
        self.port = ForeignPort()

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        return succeed(self.port)


class LayersTests(Proxied):
    """Layers are put between the port and its factory."""

    async def test_none(self) -> None:
        """Where nothing is to be put before it, a port stays as it is."""
        factory = self.noting()
        port = numberOf(await self.open(factory))
        self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)
        self.assertIn(b"No such user", await self.ask(port, HEADERS[0] + b"moshez\r\n"))

    async def test_adopted(self) -> None:
        """A port that systemd has opened takes headers as any other."""
        factory = self.noting()
        with socket.create_server(("127.0.0.1", 0)) as opened:
            endpoint = AdoptedStreamServerEndpoint(reactor, opened.detach(), socket.AF_INET)
            port = await LayeredEndpoint(endpoint, before).listen(factory)
        self.addCleanup(factory.present.drain)
        self.addCleanup(port.stopListening)
        self.assertEqual(await self.ask(numberOf(port), HEADERS[0] + b"moshez\r\n"), HAPPY)
        self.assertEqual(factory.clients, ["192.0.2.1:4660"])

    async def test_stops(self) -> None:
        """The factory behind is told when the port opens and when it closes."""
        factory = self.noting()
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        port = await LayeredEndpoint(endpoint, before).listen(factory)
        self.assertEqual(factory.numPorts, 1)
        stopping = port.stopListening()
        assert stopping is not None
        await stopping
        self.assertEqual(factory.numPorts, 0)

    def test_foreign(self) -> None:
        """A port of a kind that isn't Twisted's ends the start, unless nothing is put before it."""
        factory: NotingFactory = self.noting()
        foreign = ForeignEndpoint()
        listener = Listener("onion:79", LayeredEndpoint(foreign), factory)
        listener.privilegedStartService()
        self.assertTrue(foreign.port.open)
        listener = Listener("onion:79", LayeredEndpoint(foreign, before), factory)
        error = self.assertRaises(CannotStart, listener.privilegedStartService)
        self.assertIn("can't listen on onion:79: no PROXY header can be taken", str(error))
        self.assertFalse(foreign.port.open)
