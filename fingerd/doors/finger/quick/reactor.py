"""A reactor that opens finger ports with a short way."""

from __future__ import annotations

import socket
from typing import Any, cast

from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorSocket,
    IReactorTCP,
)
from twisted.internet.protocol import ServerFactory

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.finger.quick.port import QuickPort

_Factory = ServerFactory[Any]


class QuickTCP:
    """A reactor whose TCP ports of a L{FingerFactory} are L{QuickPort}s."""

    def __init__(self, reactor: object) -> None:
        self._reactor = reactor

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """See L{IReactorTCP}."""
        if not isinstance(factory, FingerFactory):
            reactor = cast(IReactorTCP, self._reactor)
            return reactor.listenTCP(port, cast(_Factory, factory), backlog, interface)
        return _listening(QuickPort(port, factory, backlog, interface, self._reactor))

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: socket.AddressFamily, factory: IProtocolFactory
    ) -> IListeningPort:
        """See L{IReactorSocket}."""
        if not isinstance(factory, FingerFactory) or addressFamily == socket.AF_UNIX:
            reactor = cast(IReactorSocket, self._reactor)
            return reactor.adoptStreamPort(fileDescriptor, addressFamily, cast(_Factory, factory))
        return _listening(
            QuickPort._fromListeningDescriptor(
                self._reactor, fileDescriptor, addressFamily, factory
            )
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


def _listening(port: QuickPort) -> IListeningPort:
    port.startListening()
    return cast(IListeningPort, port)
