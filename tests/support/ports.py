"""What the tests share: clients of a finger port, and directories that misbehave."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar, cast

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, gatherResults, maybeDeferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IListeningPort,
    IProtocolFactory,
    IReactorTCP,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from fingerd.doors.finger.quick.reactor import QuickTCP
from fingerd.doors.net.exchange import ExchangeFactory
from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from fingerd.service.visits import Visits
from fingerd.system.threads import Threads
from tests.support.service import Finger

T = TypeVar("T")

TIME = cast(IReactorTime, reactor)
TCP = cast(IReactorTCP, reactor)


@implementer(IHalfCloseableProtocol)
class Client(Protocol):
    """A client that keeps what it is sent and says when the server has closed."""

    transport: ITCPTransport

    def __init__(self) -> None:
        self.received = b""
        self.closed: Deferred[bytes] = Deferred()
        # Why the connection ended.
        self.reason = Failure(ConnectionDone())

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def readConnectionLost(self) -> None:
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason
        self.closed.callback(self.received)


class Sockets(TestCase):
    """A test that listens and connects on loopback, and leaves nothing behind."""

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        # Those that listen, in the order in which they began to.
        self.factories: list[ExchangeFactory] = []
        self.ports: list[IListeningPort] = []

    def listen(self, factory: ExchangeFactory, interface: str = "127.0.0.1") -> int:
        """Open a port for the length of the test, and give its number."""
        self.factories.append(factory)
        port = QuickTCP(reactor).listenTCP(0, cast(IProtocolFactory, factory), 50, interface)
        self.addCleanup(visitsAt(factory).drain)
        self.ports.append(port)
        self.addCleanup(self.shut)
        return cast(IPv4Address, port.getHost()).port

    def shut(self) -> Deferred[None]:
        """Close the ports; fires when they are closed."""
        closed = gatherResults([maybeDeferred(port.stopListening) for port in self.ports])
        return closed.addCallback(lambda _: None)

    def serve(
        self,
        *directories: IDirectory,
        limits: Limits = DEFAULTS,
        interface: str = "127.0.0.1",
        **users: str,
    ) -> int:
        """Serve these users on a finger port, and give its number."""
        finger = Finger(TIME, directories, None, limits, **users)
        return self.listen(finger.getFingerFactory(), interface)

    def connect(self, port: int, host: str = "127.0.0.1") -> Deferred[Client]:
        """Connect to a port on loopback."""
        kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
        connected = kind(reactor, host, port).connect(Factory.forProtocol(Client))
        return cast("Deferred[Client]", connected)

    async def ask(
        self,
        port: int,
        *segments: bytes,
        halfClose: bool = False,
        host: str = "127.0.0.1",
    ) -> bytes:
        """Send these, and give all that comes back until the server closes."""
        client = await self.connect(port, host)
        client.transport.setTcpNoDelay(True)
        for segment in segments:
            client.transport.write(segment)
            await turn()
        if halfClose:
            client.transport.loseWriteConnection()
        return await client.closed


def visitsAt(factory: ExchangeFactory) -> Visits:
    """Who is at the ports of ``factory``, and of any other of its service."""
    return cast(Visits, factory.visits)


def until(condition: Callable[[], object]) -> Deferred[None]:
    """Fires once the condition holds; the test's own time limit is the deadline."""
    done: Deferred[None] = Deferred()

    def look() -> None:
        if condition():
            done.callback(None)
        else:
            TIME.callLater(0.001, look)

    look()
    return done


def turn() -> Deferred[None]:
    """Fires in a later turn of the reactor."""
    later: Deferred[None] = Deferred()
    TIME.callLater(0, later.callback, None)
    return later


class HalfCloseTransport(StringTransport):
    """A transport in memory that remembers how it was closed."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(peerAddress=IPv4Address("TCP", host, 12345))
        self.protocol = Protocol()
        self.halfClosed = False
        self.aborted = False

    def loseWriteConnection(self) -> None:
        self.halfClosed = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


def inMemory(
    factory: ExchangeFactory, segments: Iterable[bytes], ends: bool, host: str = "127.0.0.1"
) -> HalfCloseTransport:
    """
    Let a protocol of ``factory`` receive ``segments`` and then, if it ``ends``, the client's
    half-close, as a reactor does that looks at one thing at a time.
    """
    protocol = factory.buildProtocol(None)
    transport = HalfCloseTransport(host)
    transport.protocol = protocol
    protocol.makeConnection(transport)
    for segment in segments:
        if transport.disconnecting:
            break
        protocol.dataReceived(segment)
    if ends and not transport.disconnecting:
        cast(IHalfCloseableProtocol, protocol).readConnectionLost()
    return transport


def temporaryFolder(case: SynchronousTestCase) -> Path:
    """A folder for the length of the test."""
    folder = tempfile.TemporaryDirectory()
    case.addCleanup(folder.cleanup)
    return Path(folder.name)


class TurnClock(Clock):
    """A clock on which "at once" is a turn later, as on a reactor; L{turn} is one turn."""

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> IDelayedCall:
        return super().callLater(max(delay, 0.001), callable, *args, **kwargs)

    def turn(self) -> None:
        self.advance(0.001)


class NoThreads(Threads):
    """What is done in threads, done at once: for a test with a clock of its own."""

    def run(self, key: Hashable, work: Callable[[], T]) -> Deferred[T]:
        return maybeDeferred(work)


@implementer(IDirectory)
class Directory:
    """A directory whose answers a test decides: ``answers`` is asked with the login."""

    def __init__(
        self, answers: Callable[[str], Deferred[User | None]], listed: Sequence[User] = ()
    ) -> None:
        self.asked: list[str] = []
        self._answers = answers
        self._listed = listed

    def getUser(self, login: str) -> Deferred[User | None]:
        self.asked.append(login)
        return self._answers(login)

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed(list(self._listed))


def failing(error: Exception) -> Directory:
    """A directory that fails."""

    def answers(login: str) -> Deferred[User | None]:
        return fail(error)

    return Directory(answers)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """``data`` cut into segments at these places."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]
