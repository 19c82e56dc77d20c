"""UNIX sockets whose files outlive a daemon."""

from __future__ import annotations

import os
import socket
from typing import cast

from twisted.internet import reactor
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory

from fingerd.doors.finger.finger_door import listener
from fingerd.doors.net.ports import Ports
from fingerd.model.errors import CannotStart
from fingerd.model.interfaces import IListener
from fingerd.model.limits import DEFAULTS
from tests.support.ports import TIME, Client, Sockets, temporaryFolder
from tests.support.service import Finger


class LeftTests(Sockets):
    """A start after every kind of end."""

    def setUp(self) -> None:
        self.path = str(temporaryFolder(self) / "finger")

    def open(self) -> IListener:
        """A door at that path, open until the test ends."""
        finger = Finger(TIME, moshez="Happy")
        door = listener(finger, f"unix:{self.path}", reactor, DEFAULTS)
        door.startService()
        self.addCleanup(finger.visits.drain)
        self.addCleanup(door.stopService)
        return door

    async def answered(self) -> bytes:
        """What moshez is, as a client is told there."""
        connecting = UNIXClientEndpoint(reactor, self.path).connect(Factory.forProtocol(Client))
        client = await connecting
        client.transport.write(b"moshez\r\n")
        return bytes(await client.closed)

    async def test_killed(self) -> None:
        """Where a killed daemon has left its socket, the next one starts."""
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
            left.listen()
        self.open()
        self.assertEqual(await self.answered(), b"Happy\r\n")

    async def test_mayNotRemove(self) -> None:
        """A daemon that may not remove its socket stops all the same, and the next one starts."""
        door = self.open()

        def refuse(path: object) -> None:
            raise PermissionError("not in a folder of root's")

        patch = self.patch(os, "unlink", refuse)
        await door.stopService()  # type: ignore[attr-defined]
        patch.restore()
        self.assertTrue(os.path.exists(self.path))
        self.open()
        self.assertEqual(await self.answered(), b"Happy\r\n")

    def test_alive(self) -> None:
        """Where another daemon listens, there is no start, and that daemon keeps its socket."""
        self.open()
        finger = Finger(TIME)
        second = listener(finger, f"unix:{self.path}", reactor, DEFAULTS)
        self.assertRaises(CannotStart, second.startService)
        self.assertTrue(os.path.exists(self.path))

    def test_noSocket(self) -> None:
        """A file that is no socket is not touched, and there is no start."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("precious")
        door = listener(Finger(TIME), f"unix:{self.path}", reactor, DEFAULTS)
        self.assertRaises(CannotStart, door.startService)
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    async def test_passed(self) -> None:
        """
        A socket that systemd has made is used, whosever its file is, and the file stays as it is,
        also when the daemon has stopped.
        """
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(self.path)
            made.listen()
            made.setblocking(False)
            os.chmod(self.path, 0o640)
            self.patch(os, "chmod", self.refuse)
            finger = Finger(TIME, moshez="Happy")
            self.addCleanup(finger.visits.drain)
            factory = cast(IProtocolFactory, finger.getFingerFactory())
            port = Ports(reactor).adoptStreamPort(made.fileno(), socket.AF_UNIX, factory)
            self.assertEqual(port.getHost(), UNIXAddress(self.path))
            self.assertEqual(await self.answered(), b"Happy\r\n")
            await maybeDeferred(port.stopListening)
            self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o640)

    def refuse(self, *arguments: object) -> None:
        """As the kernel does where a file is somebody else's."""
        raise PermissionError("it is somebody else's")
