"""What a daemon does besides answering: it becomes a lesser user, and says that it runs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from twisted.application.internet import TCPServer
from twisted.application.service import MultiService, Service
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.logger import Logger

from fingerd.doors.net.listening import Listener
from fingerd.service.finger_service import FingerService
from fingerd.system import privileges
from fingerd.system.addresses import describe, ipAddress
from fingerd.text import cleaning

Server = Listener | TCPServer


class Daemon(MultiService):
    """
    The services of a daemon. Started by root, it opens its ports and whatever else needs root,
    then becomes a lesser user, and only then starts what meets clients: under twistd and
    under twist, which has no such step of its own.
    """

    def __init__(self, identity: privileges.Identity) -> None:
        """
        @param identity: the user to become.
        """
        super().__init__()
        self._identity = identity
        self._privilegedStarted = False

    def privilegedStartService(self) -> None:
        self._privilegedStarted = True
        super().privilegedStartService()

    def startService(self) -> None:
        if not self._privilegedStarted:
            self.privilegedStartService()
        privileges.become(self._identity)
        super().startService()


class StartLine(Service):
    """
    Says in one line of the log that the daemon runs: where it listens, how many users it has,
    and how to ask it. To be started last.
    """

    _log = Logger()

    def __init__(
        self,
        finger: FingerService,
        fingerServers: Sequence[Server],
        setterServers: Sequence[Server],
    ) -> None:
        """
        @param fingerServers: what takes queries.
        @param setterServers: what takes statuses.
        """
        self._finger = finger
        self._fingerServers = fingerServers
        self._setterServers = setterServers

    def startService(self) -> None:
        super().startService()
        ports = [_address(server) for server in self._fingerServers]
        setters = [_address(server) for server in self._setterServers]
        count = self._finger.count()
        self._log.info(
            "finger on {ports}; setter {setters}; {users}; try: {example}",
            ports=", ".join(map(describe, ports)),
            setters=f"on {', '.join(map(describe, setters))}" if setters else "off",
            users="no count of users"
            if count is None
            else f"{count} user{'' if count == 1 else 's'}",
            example=_example(ports[0], self._finger.someLogin() or ""),
        )


def _address(server: Server) -> IAddress:
    if isinstance(server, Listener):
        return server.address
    # The talk's service keeps its port to itself.
    port: IListeningPort = server._port  # type: ignore[assignment]
    return port.getHost()


def _example(address: IAddress, login: str) -> str:
    """A command for the shell that asks for ``login``."""
    name = shlex.quote(cleaning.cleanLine(login)) if login else ""
    echo = f"echo {name}".rstrip()
    if isinstance(address, UNIXAddress):
        return f"{echo} | nc -U {shlex.quote(describe(address))}"
    ip = ipAddress(address)
    host = "localhost" if ip is None or ip.is_unspecified or ip.is_loopback else str(ip)
    port = getattr(address, "port", 79)
    if port == 79:
        return f"finger {name}@{host}"
    return f"{echo} | nc {host} {port}"
