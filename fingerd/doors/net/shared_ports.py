"""Ports that one process opens and others read."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence

from twisted.internet.error import CannotListenError

from fingerd.doors.net.ports import Port, Ports, UNIXPort
from fingerd.system import newcomers
from fingerd.system.worker_role import Handed

# What tells apart the ports of a daemon.
_Where = tuple[str, str, int]


class KeptPorts(Ports):
    """A reactor whose ports are opened, and accept nobody: that is for those who inherit them."""

    def __init__(self, reactor: object) -> None:
        super().__init__(reactor)
        self._kept: list[tuple[_Where, Port]] = []
        # By the descriptor that this process was passed.
        self._passed: dict[int, Port] = {}

    def open(self, port: Port) -> None:
        """See L{Ports}."""
        made, where = port.isMade, _where(port)
        port.isRead = False
        port.startListening()
        port.stopReading()
        if made:
            self._kept.append((where, port))
        elif port.passed is not None:
            self._passed[port.passed] = port

    def handed(self) -> list[Handed]:
        """The sockets of the ports that were made here."""
        return [Handed(*where, port.fileno()) for where, port in self._kept]

    def passedOn(self, descriptors: Iterable[int]) -> dict[int, int]:
        """
        The descriptors that this process was passed, and where each is now: that of a port is in
        another place.
        """
        return {
            each: self._passed[each].fileno() if each in self._passed else each
            for each in descriptors
        }

    def keepOut(self) -> None:
        """Let nobody connect any more. Readers must know before: see L{HandedPorts.lastCall}."""
        for _, port in self._kept:
            newcomers.keepOut(port.socket)

    def areWaiting(self) -> bool:
        """Whether there are clients of TCP whom no reader has accepted yet."""
        return any(
            newcomers.areWaiting(port.socket)
            for _, port in self._kept
            if not isinstance(port, UNIXPort)
        )


class HandedPorts(Ports):
    """A reactor whose ports are inherited; clients are accepted when that is said."""

    def __init__(self, reactor: object, sockets: Sequence[Handed]) -> None:
        super().__init__(reactor)
        # Doors take it for the clock, and ask for the time again and again.
        self.seconds, self.callLater = self.reactor.seconds, self.reactor.callLater
        self._handed: dict[_Where, list[int]] = {}
        self._ports: list[Port] = []
        for *where, descriptor in sockets:
            # Programs that are started here don't inherit them.
            os.set_inheritable(descriptor, False)
            self._handed.setdefault(tuple(where), []).append(descriptor)  # type: ignore[arg-type]

    def open(self, port: Port) -> None:
        """
        See L{Ports}.

        @raise CannotListenError: where no such port was inherited.
        """
        if port.isMade:
            where = _where(port)
            if not self._handed.get(where):
                raise CannotListenError(
                    port.interface, port.port, OSError("this port is new: restart the daemon")
                )
            descriptor = self._handed[where].pop(0)
            port.inherit(socket.socket(port.addressFamily, socket.SOCK_STREAM, 0, descriptor))
        port.startListening()
        port.stopReading()
        self._ports.append(port)

    def begin(self) -> None:
        """Accept clients."""
        for port in self._ports:
            port.startReading()

    def knock(self) -> None:
        """Accept those who wait, if any do: another process was woken for them, and is no more."""
        for port in self._ports:
            if port.connected:
                port.doRead()

    def lastCall(self) -> None:
        """From now on, clients may be kept out: see L{newcomers.keepOut}."""
        for port in self._ports:
            port.lastCall()


def _where(port: Port) -> _Where:
    if isinstance(port, UNIXPort):
        return "unix", os.fsdecode(port.path), 0
    return "tcp", port.interface, port.port or 0
