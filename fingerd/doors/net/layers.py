"""What lies between a port and the factory of its exchanges: the PROXY header, then TLS."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.tcp import Port
from zope.interface import implementer

from fingerd.doors.net.exchange import ExchangeFactory
from fingerd.doors.net.visited import IVisitedFactory

try:
    from twisted.protocols.tls import TLSMemoryBIOFactory

    from fingerd.doors.net.half_closing import closeByHalves
except ImportError:
    # Without the extra there are no TLS ports.
    TLSMemoryBIOFactory = None  # type: ignore[assignment,misc]

# Makes, of a port's own factory and that of its innermost protocols, the one put before both.
Before = Callable[[IProtocolFactory, IVisitedFactory], IProtocolFactory]


@implementer(IStreamServerEndpoint)
class LayeredEndpoint:
    """
    An endpoint whose port lets exchanges close TLS by halves, and has another factory put before
    its own where there is one: balancers send their header before TLS begins, and only the port
    knows which factory meets the client first.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, before: Before | None = None) -> None:
        """
        @param before: gives the factory that meets the clients first.
        """
        self._endpoint = endpoint
        self._before = before

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Open the port. ``factory`` is an L{IVisitedFactory}."""
        listening: Deferred[IListeningPort] = self._endpoint.listen(factory)
        return listening.addCallback(self._layered, cast(IVisitedFactory, factory))

    def _layered(self, port: IListeningPort, inner: IVisitedFactory) -> IListeningPort:
        # No client has been accepted: that takes a turn of the reactor.
        if not isinstance(port, Port):
            # An endpoint of somebody's plugin, perhaps.
            if self._before is None:
                return port
            port.stopListening()
            raise ValueError("no PROXY header can be taken on this kind of port")
        secure = TLSMemoryBIOFactory is not None and isinstance(port.factory, TLSMemoryBIOFactory)
        if secure and isinstance(inner, ExchangeFactory):
            closeByHalves(cast(TLSMemoryBIOFactory, port.factory))
        if self._before is not None:
            first = self._before(cast(IProtocolFactory, port.factory), inner)
            port.factory = first  # type: ignore[assignment]
        return port
