"""The short way for one name: it gives the answers that the ordinary way gives."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import termios
import time
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.finger.quick import port as quick
from fingerd.doors.finger.quick.lingering import Lingering
from fingerd.doors.finger.quick.port import QuickPort
from fingerd.doors.finger.quick.silent import Silent
from fingerd.doors.net.exchange import EndingProtocol, ExchangeProtocol
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from tests.support.daemon import PATIENCE
from tests.support.ports import Directory, cut, inMemory
from tests.support.service import Finger

LONG = "x" * 200_000
NAMES = [b"moshez", b"radix", b"nobody", b"caf\xc3\xa9", b"/W", b"\xff\xfb\x01", b"x" * 511]
PARTS = [*NAMES, b" ", b",", b"@", b"\r", b"\n", b"\0"]
CLOSED = Failure(ConnectionDone())


class Short(socket.SocketType):
    """A socket for whose bytes the kernel has little room."""

    room = 0

    def send(self, data: Any, flags: int = 0) -> int:
        if not self.room:
            raise BlockingIOError
        return super().send(data[: self.room], socket.MSG_DONTWAIT)


class QuickCase(SynchronousTestCase):
    """
    A quick port on loopback, in a reactor that turns when it is told to. Clients are accepted when
    they have connected, unless the port is opened as one where they ask first.
    """

    def setUp(self) -> None:
        self.reactor = SelectReactor()
        self.addCleanup(self.close)
        self.clock = Clock()
        self.later: Deferred[User | None] = Deferred()
        self.open(DEFAULTS)

    def open(self, limits: Limits) -> None:
        """Listen, with these limits."""
        directory = Directory(lambda login: self.later)
        self.finger = Finger(self.clock, [directory], None, limits, moshez="Happy", long=LONG)
        self.factory = self.finger.getFingerFactory()
        self.port = self.listen(self.factory)

    def listen(self, factory: FingerFactory, asksFirst: bool = False) -> QuickPort:
        """A port for the length of the test."""
        port = QuickPort(0, factory, 50, "127.0.0.1", self.reactor)
        port.asksFirst = asksFirst
        port.startListening()
        self.addCleanup(self.shut, port)
        return port

    def shut(self, port: QuickPort) -> None:
        """Close a port that may be closed already."""
        if port.connected:
            port.connectionLost(CLOSED)

    def close(self) -> None:
        """Leave no descriptors behind."""
        for selectable in self.reactor.removeAll():
            selectable.connectionLost(CLOSED)
        for waker in list(self.reactor._internalReaders):
            waker.connectionLost(CLOSED)

    def turn(self) -> None:
        """Do what is to be done now."""
        self.clock.advance(0)
        self.reactor.runUntilCurrent()
        self.reactor.doIteration(0)

    def settle(self) -> None:
        """Let everything happen that can happen without a client's doing, or a deadline."""
        for _ in range(8):
            self.clock.advance(0.25)
            self.turn()

    def connect(self, request: bytes = b"", port: QuickPort | None = None) -> socket.socket:
        """A client that has sent this before it is accepted."""
        client = socket.create_connection(("127.0.0.1", (port or self.port).getHost().port))
        self.addCleanup(client.close)
        client.sendall(request)
        return client

    def read(self, client: socket.socket) -> bytes:
        """All that it is sent, until the server closes its side."""
        client.setblocking(False)
        answer = b""
        patience = time.monotonic() + PATIENCE
        while time.monotonic() < patience:
            self.clock.advance(0)
            self.reactor.runUntilCurrent()
            self.reactor.doIteration(0.001)
            try:
                received = client.recv(65536)
            except BlockingIOError:
                continue
            if not received:
                return answer
            answer += received
        raise AssertionError(f"not closed after {answer[:100]!r}")

    @property
    def visitors(self) -> int:
        """How many clients have a place."""
        return len(self.finger.visits)

    @property
    def ordinary(self) -> int:
        """How many connections went the ordinary way and are there still."""
        return sum(isinstance(reader, tcp.Server) for reader in self.reactor.getReaders())


class AnswerTests(QuickCase):
    """What is answered, and which way."""

    def test_oneName(self) -> None:
        """A name whose line is there when the client is accepted is answered in that turn."""
        client = self.connect(b"moshez\r\n")
        self.turn()
        self.assertEqual((self.visitors, self.ordinary), (0, 0))
        self.assertEqual(self.read(client), b"Happy\r\n")

    def test_oneNameLater(self) -> None:
        """A client that asks some time after it was accepted is answered the same way."""
        client = self.connect()
        self.turn()
        self.assertEqual(self.visitors, 1)
        client.sendall(b"moshez\r\n")
        self.turn()
        self.assertEqual((self.visitors, self.ordinary), (0, 0))
        self.assertEqual(self.read(client), b"Happy\r\n")

    def test_heldUntilItAsks(self) -> None:
        """Where clients ask first, one that has said nothing yet costs the daemon nothing."""
        port = self.listen(self.factory, asksFirst=True)
        client = self.connect(b"", port)
        self.turn()
        self.assertEqual(self.visitors, 0)
        client.sendall(b"moshez\r\n")
        self.assertEqual(self.read(client), b"Happy\r\n")

    def test_emptyAndHalfClosed(self) -> None:
        """A client that only closes its sending side asks for the list, and isn't held back."""
        for asksFirst in (False, True):
            client = self.connect(b"", self.listen(self.factory, asksFirst))
            client.shutdown(socket.SHUT_WR)
            self.assertIn(b"Happy\r\n", self.read(client))

    @given(
        st.one_of(
            st.sampled_from(NAMES).map(lambda name: name + b"\r\n"),
            st.binary(max_size=60),
            st.lists(st.sampled_from(PARTS), max_size=8).map(b"".join),
        ),
        st.lists(st.integers(min_value=0), max_size=3),
        st.booleans(),
    )
    def test_sameAnswers(self, data: bytes, places: list[int], ends: bool) -> None:
        """Any bytes in any segments get the answer that the ordinary way gives."""
        self.later = Deferred()
        self.later.callback(None)
        expected = inMemory(self.factory, [data], ends).value()
        client = self.connect()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for segment in cut(data, places):
                if segment:
                    client.sendall(segment)
                    self.turn()
            if ends:
                client.shutdown(socket.SHUT_WR)
            if expected:
                self.assertEqual(self.read(client), expected)
            else:
                self.turn()
                client.setblocking(False)
                self.assertRaises(BlockingIOError, client.recv, 1)
        finally:
            client.close()
            self.clock.advance(1)
            self.turn()
            self.clock.advance(60)
            self.turn()

    def test_slowDirectory(self) -> None:
        """What is not at hand is waited for, and the client may close its sending side before."""
        client = self.connect(b"radix\r\n")
        client.shutdown(socket.SHUT_WR)
        self.turn()
        self.turn()
        self.later.callback(User("radix", status="Writing"))
        self.assertEqual(self.read(client), b"Writing\r\n")

    def test_clientGoesAway(self) -> None:
        """A client that resets the connection cancels the lookup that has begun for it."""
        cancelled: list[object] = []
        self.later = Deferred(cancelled.append)
        client = self.connect(b"radix\r\n")
        self.turn()
        reset(client)
        self.turn()
        self.clock.advance(0)
        self.assertEqual(len(cancelled), 1)

    def test_longAnswer(self) -> None:
        """An answer of more than a segment arrives whole, also where it doesn't fit at once."""
        client = self.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        client.sendall(b"long\r\n")
        self.turn()
        self.assertEqual(self.read(client), LONG.encode() + b"\r\n")

    def test_noMemory(self) -> None:
        """Where the kernel has no memory for an answer, or for a part of it, it arrives later."""
        for room in (0, 3):
            self.patch(quick, "Socket", type("Short", (Short,), {"room": room}))
            client = self.connect(b"moshez\r\n")
            self.assertEqual(self.read(client), b"Happy\r\n")


class LateTests(QuickCase):
    """Clients that have their answer."""

    def test_lateBytes(self) -> None:
        """What a client sends behind its line doesn't cost it the answer, whenever it comes."""
        client = self.connect(b"moshez\r\n")
        self.turn()
        for _ in range(8):
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.clock.advance(0.25)
            self.turn()
        self.assertEqual(self.read(client), b"Happy\r\n")

    def test_manyLateBytes(self) -> None:
        """A client that goes on sending after its answer is cut off, after so many bytes."""
        client = self.connect(b"moshez\r\n")
        client.setblocking(False)
        self.turn()
        with self.assertRaises(OSError) as caught:
            for _ in range(10_000):
                try:
                    client.send(b"x" * 65536)
                except BlockingIOError:
                    self.clock.advance(0.01)
                    self.clock.advance(0.25)
                self.turn()
        self.assertIn(caught.exception.errno, (errno.ECONNRESET, errno.EPIPE))

    def test_slowlyReadAway(self) -> None:
        """
        However much those send who have their answers, nobody else waits while it is read away: a
        look at one of them reads a piece of it, and later looks the rest.
        """
        lingering = Lingering(self.clock, DEFAULTS)
        self.addCleanup(lingering.close)
        client, ours = socket.socketpair()
        self.addCleanup(client.close)
        client.setblocking(False)
        sent = client.send(b"x" * 150_000)
        lingering.add(ours, self.clock.seconds())
        left = []
        for _ in range(3):
            self.clock.advance(0.25)
            left.append(unread(ours))
        self.assertEqual(left, [sent - 65536, sent - 2 * 65536, 0])

    def test_stays(self) -> None:
        """A client that never closes takes nobody's place, and is closed in the end."""
        client = self.connect(b"moshez\r\n")
        self.assertEqual(self.read(client), b"Happy\r\n")
        self.assertEqual(self.visitors, 0)
        client.setblocking(True)
        client.sendall(b"more")
        for _ in range(22):
            self.clock.advance(0.25)
        cutOff(client)

    def test_closes(self) -> None:
        """A client that closes is forgotten, at the latest when a timer looks for it."""
        before = descriptors()
        client = self.connect(b"moshez\r\n")
        self.assertEqual(self.read(client), b"Happy\r\n")
        client.close()
        self.assertEqual(descriptors(), before + 1)
        self.clock.advance(0.25)
        self.assertEqual(descriptors(), before)

    def test_tooMany(self) -> None:
        """Of more that stay than there may be, the one that has stayed longest is closed."""
        self.open(Limits(lingering=3))
        clients = []
        for _ in range(5):
            clients.append(self.connect(b"moshez\r\n"))
            self.assertEqual(self.read(clients[-1]), b"Happy\r\n")
            self.clock.advance(0.01)
        for client in clients:
            client.setblocking(True)
        for client in clients[:2]:
            cutOff(client)
        for client in clients[2:]:
            client.sendall(b"later")

    def test_portCloses(self) -> None:
        """When the port closes, those who have their answers are let go."""
        before = descriptors()
        client = self.connect(b"moshez\r\n")
        self.turn()
        self.port.connectionLost(CLOSED)
        # The client is one more, the port one less.
        self.assertEqual(descriptors(), before)
        self.assertEqual(self.read(client), b"Happy\r\n")

    def test_reset(self) -> None:
        """Clients that are gone when they are accepted, or before they have read, leave nothing."""
        reset(self.connect())
        reset(self.connect(b"moshez\r\n"))
        self.turn()
        client = self.connect(b"moshez\r\n")
        self.turn()
        reset(client)
        silent = self.connect()
        self.turn()
        reset(silent)
        self.turn()
        self.clock.advance(0.25)
        self.assertEqual((self.visitors, self.ordinary), (0, 0))


class PlaceTests(QuickCase):
    """Each client has one place, until it is answered or leaves."""

    def test_madeRoomWhileItAsked(self) -> None:
        """Who is closed to make room, and has asked in that very moment, leaves one place."""
        self.open(Limits(connections=2))
        for _ in range(5):
            first, second = self.connect(), self.connect()
            self.turn()
            first.sendall(b"moshez\r\n")
            second.sendall(b"mos")
            third = self.connect()
            fourth = self.connect()
            self.settle()
            self.assertLessEqual(self.visitors, 2)
            for client in (first, second, third, fourth):
                client.close()
            self.settle()
            self.assertEqual((self.visitors, self.ordinary), (0, 0))

    def test_onePeer(self) -> None:
        """One peer has as many silent clients as it may, and all the answers it asks for."""
        self.open(Limits(connections=10, peerConnections=3))
        silent = [self.connect() for _ in range(8)]
        self.turn()
        self.assertEqual(self.visitors, 3)
        for client in silent:
            client.close()
        self.settle()
        for _ in range(20):
            # It stays.
            self.assertEqual(self.read(self.connect(b"moshez\r\n")), b"Happy\r\n")

    def test_keptPlace(self) -> None:
        """Who was let in isn't refused when it turns out that it goes the ordinary way."""
        self.open(Limits(connections=2, peerConnections=2))
        for query in (b"moshez radix\r\n", b"radix\r\n"):
            self.later = Deferred()
            newcomer = self.connect()
            self.turn()
            client = self.connect(query)
            self.turn()
            self.turn()
            self.later.callback(User("radix", status="Writing"))
            self.assertIn(b"Writing\r\n", self.read(client))
            for each in (newcomer, client):
                each.close()
            self.settle()
            self.assertEqual((self.visitors, self.ordinary), (0, 0))

    def test_oneDeadline(self) -> None:
        """A connection's time begins once, whatever is done on it, and whichever way it goes."""
        limits = Limits(connectionTime=10.0)
        for segments in ((b"", b"mos"), (b"", b"mos", b"hez radix\r\n", b"more")):
            self.open(limits)
            self.later = Deferred()
            client = self.connect(segments[0])
            self.turn()
            for segment in segments[1:]:
                self.clock.advance(3)
                client.sendall(segment)
                self.turn()
            self.clock.advance(10 - 3 * (len(segments) - 1) - 0.1)
            self.turn()
            self.assertEqual(self.visitors, 1)
            self.clock.advance(0.2)
            self.settle()
            self.assertEqual((self.visitors, self.ordinary), (0, 0), segments)

    def test_waitingLookups(self) -> None:
        """However many wait for lookups, who is silent makes room for those who ask."""
        self.open(Limits(connections=130, peerConnections=1000))
        silent = [self.connect() for _ in range(20)]
        self.turn()
        waiting = []
        for _ in range(110):
            waiting.append(self.connect(b"radix\r\n"))
            self.turn()
        self.assertEqual(self.visitors, 130)
        client = self.connect(b"moshez\r\n")
        self.assertEqual(self.read(client), b"Happy\r\n")
        self.turn()
        self.assertEqual(silent[0].recv(1), b"")
        self.later.callback(None)
        for each in (*silent, *waiting):
            each.close()


class Trouble(Exception):
    """What any step of the way may raise."""


class FailureTests(QuickCase):
    """Wherever the way ends in an exception, the client's place is free and the next is served."""

    def check(self, request: bytes, later: bytes = b"") -> None:
        """
        A client comes to grief; nothing of it stays, and the log says so.

        @param request: what the client has sent when it is accepted.
        @param later: what it sends then.
        """
        client = self.connect(request)
        self.turn()
        if later:
            client.sendall(later)
            self.turn()
        self.settle()
        self.assertEqual((self.visitors, self.ordinary), (0, 0))
        client.setblocking(False)
        # It is closed or reset: there is nothing to wait for.
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65536):
                pass
        self.assertNotEqual(self.flushLoggedErrors(Trouble), [])

    @contextlib.contextmanager
    def trouble(self, where: object, step: str) -> Iterator[None]:
        """Let a step raise, as long as the block lasts; C{where} is what has it itself."""

        def fail(*arguments: object, **more: object) -> None:
            raise Trouble(step)

        patched = self.patch(where, step, fail)
        try:
            yield
        finally:
            patched.restore()

    def test_steps(self) -> None:
        """Each step between the accept and the answer, on either way, may raise."""
        visits = self.finger.visits
        quickly: list[tuple[object, str]] = [
            (visits, "enter"),
            (self.finger, "askNow"),
            (self.factory, "render"),
            (visits, "log"),
            (Lingering, "add"),
        ]
        ordinarily: list[tuple[object, str]] = [
            (visits, "enter"),
            (self.factory, "buildProtocol"),
            (self.port, "_buildAddr"),
            (self.port, "transport"),
            (EndingProtocol, "makeConnection"),
            (ExchangeProtocol, "connectionMade"),
            (ExchangeProtocol, "dataReceived"),
        ]
        for request, steps in ((b"moshez\r\n", quickly), (b"moshez radix\r\n", ordinarily)):
            for where, step in steps:
                with self.trouble(where, step):
                    self.check(request)
                    if step != "enter":
                        self.check(b"", request)
                self.assertEqual(self.read(self.connect(b"moshez\r\n")), b"Happy\r\n", step)
        with self.trouble(Silent, "__init__"):
            self.check(b"")

    def test_longAnswer(self) -> None:
        """What is handed over with a long answer may raise too."""
        for step in ("requestIsWhole", "send"):
            with self.trouble(ExchangeProtocol, step):
                self.check(b"long\r\n")
            self.assertEqual(self.read(self.connect(b"moshez\r\n")), b"Happy\r\n", step)

    def test_sockets(self) -> None:
        """What is done with the socket may raise what it never should."""
        for step in ("recv", "send", "shutdown"):

            def fail(self: object, *arguments: object, step: str = step) -> None:
                raise Trouble(step)

            patched = self.patch(
                quick, "Socket", type("Failing", (socket.SocketType,), {step: fail})
            )
            self.check(b"moshez\r\n")
            patched.restore()
            self.assertEqual(self.read(self.connect(b"moshez\r\n")), b"Happy\r\n", step)

    def test_accept(self) -> None:
        """Where accepting fails, in whatever way, it is tried again a moment later."""
        real = self.port.socket
        for error in (OSError(errno.ENOTSOCK, "no socket"), Trouble("accept")):

            class Failing:
                def _accept(self, error: Exception = error) -> None:
                    raise error

                def __getattr__(self, name: str) -> Any:
                    return getattr(real, name)

            client = self.connect(b"moshez\r\n")
            self.port.socket = Failing()
            self.turn()
            self.port.socket = real
            self.assertEqual(len(self.flushLoggedErrors(OSError, Trouble)), 1)
            self.clock.advance(0.05)
            self.assertEqual(self.read(client), b"Happy\r\n")


class DescriptorTests(QuickCase):
    """When there are no descriptors left."""

    def test_waits(self) -> None:
        """Newcomers wait until there are some, and those that linger make room for them."""
        lingering = self.connect(b"moshez\r\n")
        self.assertEqual(self.read(lingering), b"Happy\r\n")
        waiting = self.connect(b"moshez\r\n"), self.connect(b"moshez\r\n")
        taken: list[int] = []
        with self.assertRaises(OSError):
            while True:
                taken.append(os.dup(0))
        try:
            self.turn()
            self.clock.advance(0.05)
            self.turn()
        finally:
            for descriptor in taken:
                os.close(descriptor)
        for client in waiting:
            self.clock.advance(0.05)
            self.assertEqual(self.read(client), b"Happy\r\n")


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))


def unread(connection: socket.socket) -> int:
    """How many bytes have arrived that nobody has read."""
    (size,) = struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4)))
    return int(size)


def cutOff(client: socket.socket) -> None:
    """Send until the system knows that nobody is there any more."""
    until = time.monotonic() + PATIENCE
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while time.monotonic() < until:
            client.sendall(b"x")
            time.sleep(0.001)
        raise AssertionError("the client is not cut off")


def reset(client: socket.socket) -> None:
    """Close it so that the other end sees a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
