"""A reactor that opens finger ports with a short way."""

from __future__ import annotations

import socket

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.finger.quick.port import QuickPort
from fingerd.doors.net.ports import Ports


class QuickTCP(Ports):
    """A reactor whose TCP ports of a L{FingerFactory} are L{QuickPort}s."""

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """See L{IReactorTCP}."""
        if isinstance(factory, FingerFactory):
            return self.opened(QuickPort(port, factory, backlog, interface, self.reactor))
        return super().listenTCP(port, factory, backlog, interface)

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: socket.AddressFamily, factory: IProtocolFactory
    ) -> IListeningPort:
        """See L{IReactorSocket}."""
        if isinstance(factory, FingerFactory) and addressFamily != socket.AF_UNIX:
            return self.opened(
                QuickPort._fromListeningDescriptor(
                    self.reactor, fileDescriptor, addressFamily, factory
                ),
                fileDescriptor,
            )
        return super().adoptStreamPort(fileDescriptor, addressFamily, factory)
