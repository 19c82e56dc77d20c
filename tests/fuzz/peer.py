"""Another finger server, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConnector,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IReactorTCP,
    IReactorThreads,
)
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.model.limits import DEFAULTS
from fingerd.remote.hosts import IPAddress, Resolver
from tests.support.ports import HalfCloseTransport

ADDRESS = "198.51.100.1"


class PublicResolver(Resolver):
    """
    Finds each host at one address, and asks nobody.

    @ivar asked: the last few that were looked up.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(cast(IReactorThreads, None), DEFAULTS)

    def lookUp(self, host: str) -> Deferred[Sequence[IPAddress]]:
        self.asked = [*self.asked[-9:], host]
        return succeed([ip_address("8.8.8.8")])


class _Handle:
    """A socket, as far as anyone looks: nothing has gone wrong with it."""

    def getsockopt(self, level: int, option: int) -> int:
        return 0


class _Transport(HalfCloseTransport):
    def getHandle(self) -> _Handle:
        return _Handle()


@implementer(IConnector)
class _Connector:
    def __init__(self) -> None:
        self.transport: object = None

    def stopConnecting(self) -> None:
        """It is connected at once."""

    def disconnect(self) -> None:
        """The transport is told that."""

    def connect(self) -> None:
        raise NotImplementedError

    def getDestination(self) -> IPv4Address:
        return IPv4Address("TCP", ADDRESS, 79)


@implementer(IReactorTCP)
class Peer(Clock):
    """
    A reactor whose every connection leads to a server that answers at once.

    @ivar says: the segments of the answer to a request line.
    @ivar breaks: whether the connection then breaks, instead of being closed.
    @ivar requests: the request lines that came.
    """

    def __init__(self, says: Callable[[bytes], Iterable[bytes]]) -> None:
        super().__init__()
        self.says = says
        self.breaks = False
        self.requests: list[bytes] = []

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,
    ) -> _Connector:
        connector = _Connector()
        factory.doStart()
        factory.startedConnecting(connector)
        reason = self._converse(factory)
        factory.clientConnectionLost(connector, reason)
        factory.doStop()
        return connector

    def answerTo(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """As C{connect} of an endpoint: it is connected, and the answer there, at once."""
        connected: Deferred[IProtocol] = Deferred()
        self._converse(factory, connected)
        return connected

    def _converse(
        self, factory: IProtocolFactory, connected: Deferred[IProtocol] | None = None
    ) -> Failure:
        protocol = cast(Protocol, factory.buildProtocol(IPv4Address("TCP", ADDRESS, 79)))
        transport = _Transport(ADDRESS)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if connected is not None:
            connected.callback(protocol)
        self.requests.append(transport.value())
        for segment in self.says(transport.value()):
            if transport.disconnecting:
                break
            protocol.dataReceived(segment)
        if transport.aborted or self.breaks:
            reason = Failure(ConnectionLost())
        else:
            cast(IHalfCloseableProtocol, protocol).readConnectionLost()
            reason = Failure(ConnectionDone())
        protocol.connectionLost(reason)
        return reason

    def listenTCP(self, *args: object, **kwargs: object) -> Any:
        raise NotImplementedError
