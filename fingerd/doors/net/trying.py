"""
Whether a port could be opened, tried without opening it.

A daemon in the background has left its terminal when it opens its ports: what is wrong with one is
said before that.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, cast

from twisted.internet.abstract import isIPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorCore
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from fingerd.doors.net.listening import endpoint, whyNot
from fingerd.doors.net.ports import isFile, isFree


def tryPort(description: str, reactor: object) -> None:
    """
    Look whether the port that C{description} describes could be opened now. Nobody can connect to
    it meanwhile.

    @param description: an endpoint string of Twisted's.
    @param reactor: the daemon's.
    @raise ValueError: when it couldn't, with the reason in words.
    """
    failures: list[Failure] = []
    trying = cast(IReactorCore, _Trying(reactor))
    endpoint(trying, description).listen(Factory()).addErrback(failures.append)
    if failures:
        raise ValueError(f"can't listen there: {whyNot(description, failures[0].value)}")


class _Trying:
    """A reactor that opens no ports, and fails where they couldn't be opened."""

    def __init__(self, reactor: object) -> None:
        self._reactor = reactor

    def listenTCP(self, port: int, factory: object, backlog: int = 50, interface: str = "") -> None:
        """See L{IReactorTCP}."""
        address: Any = (interface, port)
        family = socket.AF_INET
        try:
            if isIPv6Address(interface):
                family = socket.AF_INET6
                # It may have a scope.
                address = socket.getaddrinfo(interface, port, family, socket.SOCK_STREAM)[0][4]
            with socket.socket(family, socket.SOCK_STREAM) as tried:
                # As Twisted does.
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
        except OSError as error:
            raise CannotListenError(interface, port, error) from None

    def listenSSL(
        self,
        port: int,
        factory: object,
        contextFactory: object,
        backlog: int = 50,
        interface: str = "",
    ) -> None:
        """See L{IReactorSSL}."""
        self.listenTCP(port, factory, backlog, interface)

    def listenUNIX(self, address: str | bytes, *arguments: object, **more: object) -> None:
        """See L{IReactorUNIX}."""
        path = os.fsencode(address)
        if isFile(path) and not isFree(path):
            inUse = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            raise CannotListenError(None, path, inUse)

    def adoptStreamPort(self, *arguments: object) -> None:
        """See L{IReactorSocket}: it is open already."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)
