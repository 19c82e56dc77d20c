"""What the query log calls the door that a client came to."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory
from zope.interface import implementer

from fingerd.doors.finger.finger_door import listener
from fingerd.doors.net.balancers import parseBalancers
from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import DEFAULTS
from fingerd.model.rules import Rules
from tests.doors.secure import Secure
from tests.doors.test_proxyheader import HEADERS
from tests.doors.tls import End
from tests.support.ports import TIME, Client, temporaryFolder
from tests.support.service import Finger

HAPPY = b"Happy and well\r\n"
# One is answered the short way, where a port has one, and one isn't.
QUERIES = (b"moshez\r\n", b"/W moshez\r\n")


@implementer(IQueryLog)
class Noting:
    """A query log that notes where queries came from and to."""

    def __init__(self) -> None:
        self.noted: list[tuple[str | None, str]] = []

    def asked(
        self, peer: str | None, door: str, query: bytes, outcome: str, size: int, seconds: float
    ) -> None:
        self.noted.append((peer, door))


class DoorTests(Secure):
    """Doors of all kinds, with a balancer before them and without."""

    def setUp(self) -> None:
        super().setUp()
        self.log = Noting()
        self.finger = Finger(
            TIME, (), None, DEFAULTS, Rules(), None, self.log, moshez="Happy and well"
        )

    def door(self, endpoint: str, *listed: str) -> int:
        """Open a door as the daemon does. Its port, where it has one."""
        balancers = parseBalancers(listed) if listed else None
        opened = listener(self.finger, endpoint, reactor, DEFAULTS, balancers)
        opened.startService()
        self.addCleanup(self.finger.visits.drain)
        self.addCleanup(opened.stopService)
        return getattr(opened.address, "port", 0)

    def noted(self) -> set[tuple[str | None, str]]:
        """What the log was told of two queries since this was last asked."""
        noted, self.log.noted = self.log.noted, []
        self.assertEqual(len(noted), len(QUERIES))
        return set(noted)

    async def test_tcp(self) -> None:
        """A TCP port is called tcp, whatever its clients' addresses are."""
        port = self.door("tcp:0:interface=127.0.0.1")
        for query in QUERIES:
            self.assertEqual(await self.ask(port, query), HAPPY)
        self.assertEqual(self.noted(), {("127.0.0.1", "tcp")})

    async def test_tcp6(self) -> None:
        """So is one that takes clients over IPv6 and IPv4."""
        port = self.door("tcp6:0")
        for host in "127.0.0.1", "::1":
            for query in QUERIES:
                self.assertEqual(await self.ask(port, query, host=host), HAPPY)
            [(peer, door)] = self.noted()
            self.assertEqual((str(peer).removeprefix("::ffff:"), door), (host, "tcp"))

    async def test_unix(self) -> None:
        """A UNIX socket is called unix, and its clients have no address."""
        path = f"{temporaryFolder(self)}/finger"
        self.door(f"unix:{path}")
        for query in QUERIES:
            self.assertEqual(await self.unix(path, query), HAPPY)
        self.assertEqual(self.noted(), {(None, "unix")})

    async def test_tls(self) -> None:
        """A TLS port is called tls."""
        for endpoint in self.ssl, self.tls:
            port = self.door(endpoint)
            for query in QUERIES:
                self.assertEqual(await self.client(port, query, End.NOTHING), HAPPY)
            self.assertEqual(self.noted(), {("127.0.0.1", "tls")})

    async def test_balanced(self) -> None:
        """Behind a balancer doors are called the same, and clients have their own addresses."""
        port = self.door("tcp:0:interface=127.0.0.1", "127.0.0.1")
        for query in QUERIES:
            self.assertEqual(await self.ask(port, HEADERS[0] + query), HAPPY)
        self.assertEqual(self.noted(), {("192.0.2.1", "tcp")})
        port = self.door(self.ssl, "127.0.0.1")
        for query in QUERIES:
            self.assertEqual(await self.client(port, query, End.NOTHING, HEADERS[0]), HAPPY)
        self.assertEqual(self.noted(), {("192.0.2.1", "tls")})
        path = f"{temporaryFolder(self)}/finger"
        self.door(f"unix:{path}", "unix")
        for query in QUERIES:
            self.assertEqual(await self.unix(path, HEADERS[0] + query), HAPPY)
        self.assertEqual(self.noted(), {("192.0.2.1", "unix")})

    async def unix(self, path: str, query: bytes) -> bytes:
        """What a client of a UNIX socket is answered."""
        client = await UNIXClientEndpoint(reactor, path).connect(Factory.forProtocol(Client))
        client.transport.write(query)
        return bytes(await client.closed)
