"""
What the daemon's common work costs, in calls.

Seconds can't be had alike on two machines, nor twice on one; calls can. Each bound below is what
was counted when it was set, on CPython 3.11; later versions of it make fewer. When one is
exceeded: find out where the new calls are made (L{calls} with cProfile in place of its own
counting says), and take them away where they aren't worth what they cost everyone who asks. Where
they are, or where they are a new Twisted's, set the bound to what is counted now, and say why in
the commit. When the daemon got cheaper, lower it, so that it stays so.
"""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable
from io import StringIO
from types import FrameType

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger, textFileLogObserver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.users_file import UsersFile
from fingerd.doors.finger.quick.port import QuickPort
from fingerd.doors.setter import owner
from fingerd.doors.setter.setter_protocol import FingerSetterFactory
from fingerd.logs import audit
from fingerd.model.limits import DEFAULTS
from fingerd.model.rules import Rules
from fingerd.system.logins import Logins
from tests.support.ports import inMemory, temporaryFolder
from tests.support.service import Finger

# With the transport in memory that stands for a connection.
QUERY = 145
# The same with real sockets, where all is there when the connection is accepted.
SHORT_WAY = 82
SET = 385
# A user in a users file, through the service.
LOOKUP = 60
# Who has made a TCP connection, by the kernel.
OWNER = 90


def calls(what: Callable[[], object], first: Callable[[], object] = int) -> int:
    """
    How many calls, of Python's functions and of C's, ``what`` makes. What it does only the first
    times, to keep it for the next ones, doesn't count.

    @param first: what is to be done each time before, and doesn't count.
    """
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    for _ in range(3):
        first()
        what()
    first()
    before = sys.getprofile()
    # Others may have callbacks in the collector, which comes when it likes.
    gc.disable()
    sys.setprofile(count)
    try:
        what()
    finally:
        sys.setprofile(before)
        gc.enable()
    return counted


class Served(StringTransport):
    """A server's end of a real connection, as a reactor's transport tells of it."""

    def __init__(self, connection: socket.socket) -> None:
        here, there = connection.getsockname(), connection.getpeername()
        super().__init__(IPv4Address("TCP", *here), IPv4Address("TCP", *there))
        self.fileno = connection.fileno


class KnownLogins(Logins):
    """The system has told who that is."""

    def loginOf(self, uid: int) -> Deferred[str | None]:
        return succeed("user500")


class CostTests(SynchronousTestCase):
    """No more calls than there were."""

    def setUp(self) -> None:
        path = temporaryFolder(self) / "users"
        path.write_text("".join(f"user{number}:status {number}\n" for number in range(1000)))
        self.clock = Clock()
        users = UsersFile(str(path), self.clock)
        logins = KnownLogins(self.clock)
        self.finger = Finger(self.clock, [users], None, DEFAULTS, Rules(), None, None, logins)
        self.finger.startService()
        self.addCleanup(self.finger.stopService)
        # The lines for the log are made as for a file.
        self.log = StringIO()
        self.patch(audit, "_log", Logger(observer=textFileLogObserver(self.log)))

    def check(
        self, what: Callable[[], object], most: int, before: Callable[[], object] = int
    ) -> None:
        counted = calls(what, before)
        self.assertEqual(calls(what, before), counted, "the count isn't the same twice")
        self.assertLessEqual(counted, most)

    def test_query(self) -> None:
        """One user is asked for, by way of the ordinary protocol."""
        factory = self.finger.getFingerFactory()

        def query() -> bytes:
            return bytes(inMemory(factory, [b"user500\r\n"], False).value())

        self.assertEqual(query(), b"status 500\r\n")
        self.check(query, QUERY)

    def test_shortWay(self) -> None:
        """A user is asked for whose line is there when the connection is accepted."""
        reactor = SelectReactor()
        port = QuickPort(0, self.finger.getFingerFactory(), 50, "127.0.0.1", reactor)
        port.startListening()
        self.addCleanup(port.connectionLost, Failure(ConnectionDone()))
        waiting: list[socket.socket] = []

        def connect() -> None:
            waiting.append(socket.create_connection(("127.0.0.1", port.getHost().port)))
            self.addCleanup(waiting[-1].close)
            waiting[-1].sendall(b"user500\r\n")

        connect()
        port.doRead()
        self.assertEqual(waiting[-1].recv(100), b"status 500\r\n")
        self.check(port.doRead, SHORT_WAY, connect)
        for client in waiting:
            self.assertEqual(client.recv(100)[:6], b"status" if client is not waiting[0] else b"")

    def test_set(self) -> None:
        """A status is set, in memory, by somebody who is known; and the log says so."""
        factory = FingerSetterFactory(
            self.finger, DEFAULTS, self.clock, owner=lambda transport: 1000
        )

        def set() -> bytes:
            return bytes(inMemory(factory, [b"user500\nAt lunch\n"], False).value())

        self.assertEqual(set(), b"OK\r\n")
        self.check(set, SET)
        self.assertEqual(len(self.log.getvalue().splitlines()), 9)

    def test_lookup(self) -> None:
        """A user is looked up in a users file."""

        def lookup() -> str:
            user = self.successResultOf(self.finger.getUser("user500"))
            return "" if user is None else user.status

        self.assertEqual(lookup(), "status 500")
        self.check(lookup, LOOKUP)

    def test_owner(self) -> None:
        """The kernel is asked who has made a connection."""
        with (
            socket.create_server(("127.0.0.1", 0)) as listening,
            socket.create_connection(listening.getsockname()),
        ):
            connection, _ = listening.accept()
            with connection:
                served = Served(connection)
                self.check(lambda: owner.owner(served), OWNER)


class CallsTests(SynchronousTestCase):
    """What is counted."""

    def test_calls(self) -> None:
        """Each call counts, of a function of Python's as of one of C's."""

        def nothing() -> None:
            pass

        def some() -> None:
            nothing()
            len("")
            "".join([])

        self.assertEqual(calls(some) - calls(nothing), 3)
