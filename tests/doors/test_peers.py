"""Which user is at the other end of a connection: real sockets, real users, the real kernel."""

from __future__ import annotations

import os
import pwd
import random
import socket
import struct
import subprocess
import sys

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fingerd.doors.setter.owner import owner, where
from tests.support.real_users import NOT_ROOT, acting, commonDirectory, makeUser

# On closing, the connection is reset.
RESET = struct.pack("ii", 1, 0)


class Asking(Protocol):
    """Asks who is there, as early as can be, and reads nothing."""

    transport: ITCPTransport

    def __init__(self, server: Server) -> None:
        self._server = server

    def connectionMade(self) -> None:
        self.transport.pauseProducing()  # type: ignore[attr-defined]
        self._server.clients.append(self.transport)
        self._server.told.put((owner(self.transport), where(self.transport)))


class Server(Factory):
    """Tells who connected, in the order in which they did."""

    noisy = False

    def __init__(self) -> None:
        self.told: DeferredQueue[tuple[int | None, str]] = DeferredQueue()
        self.clients: list[ITCPTransport] = []

    def buildProtocol(self, addr: IAddress | None) -> Asking:
        return Asking(self)

    def end(self) -> Deferred[None]:
        """Close every connection."""
        for client in self.clients:
            client.abortConnection()
        return deferLater(reactor, 0)


class OwnerTests(TestCase):
    """Clients of this process's own user, or of another that it acts as."""

    user: pwd.struct_passwd | None = None

    @classmethod
    def setUpClass(cls) -> None:
        if os.geteuid() == 0:
            cls.user = makeUser("fd-alice-", cls.addClassCleanup)

    def setUp(self) -> None:
        self.server = Server()
        self.addCleanup(self.server.end)

    async def listen(self, description: str) -> int:
        """Open a port for the server; its number, where it has one."""
        port = await serverFromString(reactor, description).listen(self.server)
        self.addCleanup(port.stopListening)
        return getattr(port.getHost(), "port", 0)

    def connect(self, family: int, address: str | tuple[str, int], port: int = 0) -> socket.socket:
        """
        A client that is somebody else's, where this is run by root.

        @param port: its own; 0 for one that the system chooses.
        """
        if self.user is None:
            return self._connect(family, address, port)
        with acting(self.user):
            return self._connect(family, address, port)

    def _connect(self, family: int, address: str | tuple[str, int], port: int = 0) -> socket.socket:
        client = socket.socket(family)
        self.addCleanup(client.close)
        if port:
            client.bind(("127.0.0.1", port))
        client.connect(address)
        return client

    @property
    def uid(self) -> int:
        """The uid that clients have."""
        return os.getuid() if self.user is None else self.user.pw_uid

    async def test_unix(self) -> None:
        """On a UNIX socket the user is told, and where it was asked is the socket's path."""
        path = os.path.join(commonDirectory(self.addCleanup), "set")
        await self.listen(f"unix:{path}")
        self.connect(socket.AF_UNIX, path)
        self.assertEqual(await self.server.told.get(), (self.uid, path))

    async def test_unixClosed(self) -> None:
        """There the user is told also when they have sent and gone already."""
        path = os.path.join(commonDirectory(self.addCleanup), "set")
        await self.listen(f"unix:{path}")
        client = self.connect(socket.AF_UNIX, path)
        client.sendall(b"moshez\nGone\n")
        client.close()
        self.assertEqual((await self.server.told.get())[0], self.uid)

    async def test_tcp(self) -> None:
        """On loopback TCP the user is told, and where they asked from is their address."""
        port = await self.listen("tcp:0:interface=127.0.0.1")
        client = self.connect(socket.AF_INET, ("127.0.0.1", port))
        told = await self.server.told.get()
        self.assertEqual(told, (self.uid, f"127.0.0.1:{client.getsockname()[1]}"))

    async def test_tcp6(self) -> None:
        """So they are over IPv6."""
        port = await self.listen("tcp6:0:interface=\\:\\:1")
        client = self.connect(socket.AF_INET6, ("::1", port))
        told = await self.server.told.get()
        self.assertEqual(told, (self.uid, f"[::1]:{client.getsockname()[1]}"))

    async def test_mapped(self) -> None:
        """So they are where an IPv6 port takes IPv4 clients, whatever their own sockets are."""
        port = await self.listen("tcp6:0:interface=\\:\\:")
        self.connect(socket.AF_INET, ("127.0.0.1", port))
        self.assertEqual((await self.server.told.get())[0], self.uid)
        self.connect(socket.AF_INET6, ("::ffff:127.0.0.1", port))
        self.assertEqual((await self.server.told.get())[0], self.uid)

    async def test_halfClosed(self) -> None:
        """A client that has closed its sending side, as nc -N does, is told."""
        port = await self.listen("tcp:0:interface=127.0.0.1")
        client = self.connect(socket.AF_INET, ("127.0.0.1", port))
        client.sendall(b"moshez\nWaiting\n")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual((await self.server.told.get())[0], self.uid)

    async def test_closed(self) -> None:
        """A client that has sent and gone before it was accepted isn't taken for anybody."""
        port = await self.listen("tcp:0:interface=127.0.0.1")
        for option in (b"", RESET):
            client = self.connect(socket.AF_INET, ("127.0.0.1", port))
            client.sendall(b"moshez\nGone\n")
            if option:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
            client.close()
            self.assertIsNone((await self.server.told.get())[0])

    async def test_portTakenOver(self) -> None:
        """
        A client that resets its connection isn't taken for the user who gets its port after it.
        """
        port = await self.listen("tcp:0:interface=127.0.0.1")
        address = ("127.0.0.1", port)
        # The system gives nobody one of these, and so this one to no other test meanwhile.
        own = random.randrange(10_000, 20_000)
        client = self.connect(socket.AF_INET, address, own)
        client.sendall(b"moshez\nThis is not from root\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        name = client.getsockname()
        client.close()
        other = socket.socket()
        self.addCleanup(other.close)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(name)
        other.connect(address)
        described = f"127.0.0.1:{name[1]}"
        self.assertEqual(await self.server.told.get(), (None, described))
        self.assertEqual(await self.server.told.get(), (os.getuid(), described))
        # Nor later, when that user's connection has been accepted too.
        self.assertIsNone(owner(self.server.clients[0]))
        self.assertEqual(owner(self.server.clients[1]), os.getuid())

    async def test_manyConnections(self) -> None:
        """Among many connections each client is told apart from the others."""
        port = await self.listen("tcp:0:interface=127.0.0.1")
        address = ("127.0.0.1", port)
        expected = []
        for _ in range(20):
            self.connect(socket.AF_INET, address)
            self._connect(socket.AF_INET, address)
            expected += [self.uid, os.getuid()]
        told = [(await self.server.told.get())[0] for _ in expected]
        self.assertEqual(told, expected)

    async def test_descriptorHandedOn(self) -> None:
        """A socket belongs to the user who made it, whoever writes to it later."""
        port = await self.listen("tcp:0:interface=127.0.0.1")
        client = self.connect(socket.AF_INET, ("127.0.0.1", port))
        duplicate = socket.socket(fileno=os.dup(client.fileno()))
        self.addCleanup(duplicate.close)
        client.close()
        duplicate.sendall(b"moshez\nHanded on\n")
        self.assertEqual((await self.server.told.get())[0], self.uid)


class NoOwnerTests(SynchronousTestCase):
    """Transports of which no user is known."""

    def test_elsewhere(self) -> None:
        """A client that isn't on this machine, and a transport without a socket, have no owner."""
        addresses: list[IAddress] = [
            IPv4Address("TCP", "192.0.2.1", 4242),
            IPv4Address("TCP", "127.0.0.1", 1),
        ]
        for address in addresses:
            transport = StringTransport(
                hostAddress=IPv4Address("TCP", "127.0.0.1", 1079), peerAddress=address
            )
            self.assertIsNone(owner(transport))


# A server on the socket that is its standard input: it says who connects first.
_SERVER = """
import socket, sys
from fingerd.doors.setter.owner import owner
from twisted.internet import protocol, reactor

class Asking(protocol.Protocol):
    def connectionMade(self):
        print(owner(self.transport), flush=True)
        reactor.stop()

factory = protocol.Factory.forProtocol(Asking)
factory.noisy = False
reactor.adoptStreamPort(0, getattr(socket, sys.argv[1]), factory)
print("ready", flush=True)
reactor.run()
"""


class NamespaceTests(SynchronousTestCase):
    """A daemon in a namespace of its own, with a socket that was handed in from outside."""

    if os.geteuid() != 0:
        skip = NOT_ROOT

    def told(self, listening: socket.socket, *unshare: str) -> str:
        """What such a daemon takes a client of ours for."""
        user = makeUser("fd-alice-", self.addCleanup)
        daemon = subprocess.Popen(
            [*unshare, sys.executable, "-c", _SERVER, listening.family.name],
            stdin=listening.fileno(),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(daemon.communicate)
        self.addCleanup(daemon.kill)
        assert daemon.stdout is not None
        self.assertEqual(daemon.stdout.readline(), "ready\n")
        with acting(user), socket.socket(listening.family) as client:
            client.connect(listening.getsockname())
            told = daemon.stdout.readline().strip()
        return "alice" if told == str(user.pw_uid) else told

    def listening(self, family: int) -> socket.socket:
        """A socket that listens."""
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        if family == socket.AF_INET:
            listening.bind(("127.0.0.1", 0))
        else:
            path = os.path.join(commonDirectory(self.addCleanup), "set")
            listening.bind(path)
            os.chmod(path, 0o666)
        listening.listen()
        return listening

    def test_none(self) -> None:
        """In no namespace of its own it knows them, on both kinds of socket."""
        self.assertEqual(self.told(self.listening(socket.AF_INET)), "alice")
        self.assertEqual(self.told(self.listening(socket.AF_UNIX)), "alice")

    def test_network(self) -> None:
        """In another network it can't tell who a TCP client is, and says so."""
        listening = self.listening(socket.AF_INET)
        self.assertEqual(self.told(listening, "unshare", "--net"), "None")

    def test_users(self) -> None:
        """Where a user has no uid it isn't taken for nobody, who may be the daemon's own user."""
        for family in (socket.AF_INET, socket.AF_UNIX):
            alone = ["unshare", "--user", "--map-root-user"]
            self.assertEqual(self.told(self.listening(family), *alone), "None")
