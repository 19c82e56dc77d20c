"""The short way for one name: it gives the answers that the ordinary way gives."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.finger.quick.port import QuickPort
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from tests.support.daemon import PATIENCE
from tests.support.ports import Directory, cut, inMemory
from tests.support.service import Finger

LONG = "x" * 200_000
NAMES = [b"moshez", b"radix", b"nobody", b"caf\xc3\xa9", b"/W", b"\xff\xfb\x01", b"x" * 511]
PARTS = [*NAMES, b" ", b",", b"@", b"\r", b"\n", b"\0"]
CLOSED = Failure(ConnectionDone())


class QuickCase(SynchronousTestCase):
    """A quick port on loopback, in a reactor that turns when it is told to."""

    def setUp(self) -> None:
        self.reactor = SelectReactor()
        self.addCleanup(self.close)
        self.clock = Clock()
        self.later: Deferred[User | None] = Deferred()
        self.open(DEFAULTS)

    def open(self, limits: Limits) -> None:
        """Listen, with these limits."""
        directory = Directory(lambda login: self.later)
        finger = Finger(self.clock, [directory], None, limits, moshez="Happy", long=LONG)
        self.factory = finger.getFingerFactory()
        self.port = self.listen(self.factory)

    def listen(self, factory: FingerFactory) -> QuickPort:
        """A port for the length of the test."""
        port = QuickPort(0, factory, 50, "127.0.0.1", self.reactor)
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
        self.reactor.runUntilCurrent()
        self.reactor.doIteration(0)

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
    def handedOn(self) -> int:
        """How many connections went the ordinary way."""
        return len(list(self.factory.exchanges))


class AnswerTests(QuickCase):
    """What is answered, and which way."""

    def test_oneName(self) -> None:
        """A name whose line is there when the client is accepted is answered in that turn."""
        client = self.connect(b"moshez\r\n")
        self.turn()
        self.assertEqual(self.handedOn, 0)
        self.assertEqual(self.read(client), b"Happy\r\n")

    @given(
        st.one_of(
            st.sampled_from(NAMES).map(lambda name: name + b"\r\n"),
            st.binary(max_size=60),
            st.lists(
                st.sampled_from([*NAMES, b" ", b",", b"@", b"\r", b"\n", b"\0"]), max_size=8
            ).map(b"".join),
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
        """An answer that doesn't fit into what the kernel takes at once arrives whole."""
        client = self.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        client.sendall(b"long\r\n")
        self.turn()
        self.assertEqual(self.read(client), LONG.encode() + b"\r\n")

    def test_lateBytes(self) -> None:
        """What a client sends behind its line doesn't cost it the answer, whenever it comes."""
        client = self.connect(b"moshez\r\n")
        self.turn()
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.clock.advance(0.25)
        self.turn()
        # It is not closed, which would reset it.
        self.assertEqual(self.handedOn, 1)
        client.sendall(b"more")
        self.assertEqual(self.read(client), b"Happy\r\n")

    def test_slowReader(self) -> None:
        """A client that reads its answer late, and sends more before, loses nothing of it."""
        for request in (b"moshez\r\n", b""):
            client = self.connect(request)
            self.turn()
            if not request:
                client.sendall(b"moshez\r\n")
                self.turn()
            for _ in range(6):
                self.clock.advance(0.25)
                self.turn()
            self.assertEqual(self.handedOn, 1)
            client.sendall(b"more")
            self.turn()
            self.assertEqual(self.read(client), b"Happy\r\n")
            client.close()
            self.turn()
            self.turn()
            self.assertEqual((self.handedOn, len(self.factory.admission)), (0, 0))

    def test_manyLateBytes(self) -> None:
        """A client that goes on sending after its answer is cut off."""
        client = self.connect(b"moshez\r\n")
        client.setblocking(False)
        self.turn()
        with self.assertRaises(OSError) as caught:
            for _ in range(10_000):
                try:
                    client.send(b"x" * 65536)
                except BlockingIOError:
                    self.clock.advance(0.25)
                self.turn()
        self.assertIn(caught.exception.errno, (errno.ECONNRESET, errno.EPIPE))


class ClosingTests(QuickCase):
    """When the connection is over."""

    def count(self) -> int:
        """How many connections are counted."""
        return len(self.factory.admission)

    def test_clientCloses(self) -> None:
        """A client that has its answer and closes is forgotten."""
        client = self.connect(b"moshez\r\n")
        self.assertEqual(self.read(client), b"Happy\r\n")
        self.assertEqual(self.count(), 1)
        client.close()
        self.clock.advance(0.25)
        self.assertEqual(self.count(), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_seenWhenTheNextComes(self) -> None:
        """Where many ask, none has to wait for a timer to be forgotten."""
        for _ in range(3):
            client = self.connect(b"moshez\r\n")
            self.assertEqual(self.read(client), b"Happy\r\n")
            client.close()
            self.clock.advance(0.01)
        self.assertEqual(self.count(), 1)

    def test_clientStays(self) -> None:
        """A client that never closes is cut off in the end, as on the ordinary way."""
        client = self.connect(b"moshez\r\n")
        self.assertEqual(self.read(client), b"Happy\r\n")
        for _ in range(5):
            self.clock.advance(0.25)
        self.assertEqual(self.handedOn, 1)
        self.clock.advance(DEFAULTS.connectionTime)
        self.turn()
        self.assertEqual(self.count(), 0)
        client.setblocking(True)
        with self.assertRaises(OSError):
            client.sendall(b"x")
            client.sendall(b"x")

    def test_reset(self) -> None:
        """Clients that are gone when they are accepted, or before they have read, leave nothing."""
        reset(self.connect())
        reset(self.connect(b"moshez\r\n"))
        self.turn()
        client = self.connect(b"moshez\r\n")
        self.turn()
        reset(client)
        self.clock.advance(0.25)
        self.assertEqual((self.count(), self.handedOn), (0, 0))

    def test_portCloses(self) -> None:
        """When the port closes, those who have their answers are let go."""
        client = self.connect(b"moshez\r\n")
        self.turn()
        self.port.connectionLost(CLOSED)
        self.assertEqual(self.count(), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.read(client), b"Happy\r\n")


class PlaceTests(QuickCase):
    """Each connection has one place, from its first moment to its last."""

    def settle(self) -> None:
        """Let everything happen that can happen without a client's doing, or a deadline."""
        for _ in range(8):
            self.clock.advance(0.25)
            self.turn()

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
            self.assertLessEqual(len(self.factory.admission), 2)
            for client in (first, second, third, fourth):
                client.close()
            self.settle()
            self.assertEqual((len(self.factory.admission), self.handedOn), (0, 0))

    def test_onePeer(self) -> None:
        """Those who have their answers and stay are their peer's, which has no more than its."""
        self.open(Limits(connections=10, peerConnections=3))
        staying = [self.connect(b"moshez\r\n") for _ in range(8)]
        self.turn()
        self.clock.advance(0.25)
        self.assertEqual(len(self.factory.admission), 3)
        for client in staying:
            client.close()
        # Now: it isn't refused for those who have closed.
        self.clock.advance(0.02)
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
            self.assertEqual((len(self.factory.admission), self.handedOn), (0, 0))

    def test_oneDeadline(self) -> None:
        """A connection's time begins once, whatever is done on it, and whichever way it goes."""
        limits = Limits(connectionTime=10.0)
        for segments in ((b"", b"mos"), (b"", b"moshez\r\n", b"more"), (b"moshez\r\n", b"more")):
            self.open(limits)
            client = self.connect(segments[0])
            self.turn()
            for segment in segments[1:]:
                self.clock.advance(4)
                client.sendall(segment)
                self.turn()
                self.clock.advance(0.25)
                self.turn()
            self.clock.advance(10 - 4.25 * (len(segments) - 1) + 0.1)
            self.settle()
            self.assertEqual((len(self.factory.admission), self.handedOn), (0, 0), segments)


class FairTests(QuickCase):
    """Who comes as they may is answered."""

    def test_oneAfterTheOther(self) -> None:
        """A peer that closes each connection before the next is never refused, however fast."""
        self.open(Limits(peerConnections=2))
        for _ in range(50):
            client = self.connect(b"moshez\r\n")
            self.assertEqual(self.read(client), b"Happy\r\n")
            client.close()

    def test_waitingLookups(self) -> None:
        """However many wait for lookups, who is silent makes room for those who ask."""
        self.open(Limits(connections=130, peerConnections=1000))
        silent = [self.connect() for _ in range(20)]
        self.turn()
        waiting = []
        for _ in range(110):
            waiting.append(self.connect(b"radix\r\n"))
            self.turn()
        self.assertEqual(len(self.factory.admission), 130)
        client = self.connect(b"moshez\r\n")
        self.assertEqual(self.read(client), b"Happy\r\n")
        self.clock.advance(0)
        self.turn()
        self.assertEqual(silent[0].recv(1), b"")
        self.later.callback(None)
        for each in (*silent, *waiting):
            each.close()


class DescriptorTests(QuickCase):
    """When there are no descriptors left."""

    def test_waits(self) -> None:
        """Newcomers wait until there are some, and the log says so once."""
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
        self.clock.advance(0.05)
        for client in waiting:
            self.assertEqual(self.read(client), b"Happy\r\n")


def reset(client: socket.socket) -> None:
    """Close it so that the other end sees a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
