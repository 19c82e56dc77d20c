"""Clients behind a load balancer, by real sockets."""

from __future__ import annotations

import socket
from typing import cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from fingerd.daemon.options import Options
from fingerd.daemon.tap import makeService
from fingerd.doors.net.balancers import parseBalancers
from fingerd.doors.net.exchange import ExchangeFactory
from fingerd.doors.net.proxied import ProxiedFactory, Waiting
from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from tests.doors.proxying import NotingFactory, Proxied, numberOf
from tests.doors.test_proxyheader import HEADERS, IPV4, SIGNATURE, v2
from tests.support.daemon import ROOT, Daemon
from tests.support.ports import (
    TIME,
    Client,
    Directory,
    HalfCloseTransport,
    temporaryFolder,
    turn,
    until,
)
from tests.support.service import Finger
from tests.support.written_log import WrittenLog

HAPPY = b"Happy and well\r\n"
NO_SUCH_USER = b"No such user\r\n"
HEADER = HEADERS[0]
CLIENT = "192.0.2.1:4660"
LOOPBACK = "127.0.0.0/8"


class HeaderTests(Proxied):
    """What a listed balancer sends."""

    async def test_clients(self) -> None:
        """The client's address is what the header says, in both versions and both families."""
        factory = self.noting()
        port = await self.number(factory, LOOPBACK)
        for header in HEADERS[0], HEADERS[1], HEADERS[3], HEADERS[4]:
            self.assertEqual(await self.ask(port, header + b"moshez\r\n"), HAPPY)
        ipv6 = "[2001:db8::1]:4660"
        self.assertEqual(factory.clients, [CLIENT, ipv6, CLIENT, ipv6])

    async def test_noAddress(self) -> None:
        """A header without an address is the balancer's own connection, as a health check."""
        factory = self.noting()
        port = await self.number(factory, LOOPBACK)
        for header in HEADERS[2], HEADERS[5], v2(0x21, 0x31, b"x" * 216):
            self.assertEqual(await self.ask(port, header + b"moshez\r\n"), HAPPY)
        self.assertEqual([client.split(":")[0] for client in factory.clients], ["127.0.0.1"] * 3)

    async def test_byteByByte(self) -> None:
        """Header and query may come in any segments, a byte each too."""
        factory = self.noting()
        port = await self.number(factory, LOOPBACK)
        for header in HEADERS:
            data = header + b"moshez\r\n"
            answer = await self.ask(port, *(data[i : i + 1] for i in range(len(data))))
            self.assertEqual(answer, HAPPY, header)
        self.assertEqual(await self.ask(port, HEADER, b"moshez\r\n"), HAPPY)

    async def test_halfClose(self) -> None:
        """Header, query and end in one segment get an answer, also one that takes its time."""
        await self.inOneSegment(HEADER + b"radix\r\n")
        await self.inOneSegment(HEADER + b"radix")

    async def inOneSegment(self, data: bytes) -> None:
        """Send this and the end of it before the daemon reads a byte, and look at the answer."""
        looked: Deferred[User | None] = Deferred()
        directory = Directory(lambda login: looked)
        factory = NotingFactory(Finger(TIME, [directory]), DEFAULTS)
        port = await self.number(factory, LOOPBACK)
        with socket.create_connection(("127.0.0.1", port)) as client:
            # The daemon, which is this process, has not so much as accepted it yet.
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            await until(lambda: directory.asked)
            await turn()
            looked.callback(User("radix", status="Writing"))
            await until(lambda: not len(factory.present))
            self.assertEqual(client.recv(100), b"Writing\r\n")
            self.assertEqual(client.recv(100), b"")

    async def test_surplus(self) -> None:
        """A header behind the header is a query, and a strange one."""
        port = await self.number(self.noting(), LOOPBACK)
        answer = await self.ask(port, HEADER + b"PROXY UNKNOWN\r\nmoshez\r\n")
        self.assertEqual(answer, b"[PROXY]\r\nNo such user\r\n\r\n[UNKNOWN]\r\nNo such user\r\n")

    async def test_unlisted(self) -> None:
        """Who is not listed is asked for no header, and one that they send is a strange query."""
        factory = self.noting()
        port = await self.number(factory, "192.0.2.0/24", "::1", "unix")
        self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)
        self.assertIn(NO_SUCH_USER, await self.ask(port, HEADER + b"moshez\r\n"))
        self.assertTrue(all(client.startswith("127.0.0.1:") for client in factory.clients))

    async def test_mapped(self) -> None:
        """An IPv4 balancer that comes to an IPv6 socket is listed as the IPv4 address it has."""
        factory = self.noting()
        port = await self.open(factory, "127.0.0.1", endpoint="tcp6:0")
        self.assertEqual(await self.ask(numberOf(port), HEADER + b"moshez\r\n"), HAPPY)
        self.assertEqual(factory.clients, [CLIENT])

    async def test_unix(self) -> None:
        """Who connects to a UNIX socket is a balancer, if that is listed."""
        path = f"{temporaryFolder(self)}/finger"
        factory = self.noting()
        await self.open(factory, "unix", endpoint=f"unix:{path}")
        endpoint = UNIXClientEndpoint(reactor, path)
        client = await endpoint.connect(Factory.forProtocol(Client))
        client.transport.write(HEADER + b"moshez\r\n")
        self.assertEqual(await client.closed, HAPPY)
        self.assertEqual(factory.clients, [CLIENT])

    async def test_malformed(self) -> None:
        """A balancer that sends something else is closed at once, without an answer."""
        factory = self.noting()
        port = await self.number(factory, LOOPBACK)
        for data in (
            b"moshez\r\n",
            b"\r\n",
            b"PROXY TCP4 1 2 3 4\r\nmoshez\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 1 " + b" " * 107,
            v2(0x21, 0x11, IPV4[:-1]) + b"moshez\r\n",
            SIGNATURE + b"\x21\x11\xff\xff",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
        ):
            client = await self.connect(port)
            client.transport.write(data)
            self.assertEqual(await client.closed, b"", data)
            self.assertIsNotNone(client.reason.check(ConnectionLost), data)
        self.assertEqual(factory.clients, [])
        self.assertEqual(len(factory.present), 0)

    async def test_endsEarly(self) -> None:
        """A balancer that closes before its header is whole, as some checks do, does no harm."""
        factory = self.noting()
        port = await self.number(factory, LOOPBACK)
        for data in b"", HEADER[:-1]:
            self.assertEqual(await self.ask(port, data, halfClose=True), b"")
        self.assertEqual(factory.clients, [])
        self.assertEqual(len(factory.present), 0)

    async def test_refused(self) -> None:
        """A client for whom there is no place is closed, and its connection forgotten."""
        factory = self.noting(Limits(peerConnections=1))
        port = await self.number(factory, LOOPBACK)
        first = await self.connect(port)
        first.transport.write(HEADER)
        await until(lambda: factory.clients)
        self.assertEqual(await self.ask(port, HEADER + b"moshez\r\n"), b"")
        self.assertEqual(len(factory.present), 1)
        # Another client of the same balancer has a place of its own.
        self.assertEqual(await self.ask(port, HEADERS[1] + b"moshez\r\n"), HAPPY)
        first.transport.write(b"moshez\r\n")
        self.assertEqual(await first.closed, HAPPY)


class CountTests(Proxied):
    """Connections that wait for their header count."""

    async def test_places(self) -> None:
        """Each takes a place, until it ends, however it does."""
        factory = self.noting()
        port = numberOf(await self.open(factory, LOOPBACK))
        taken = factory.present
        waiting = [await self.connect(port) for _ in range(2)]
        await until(lambda: len(taken) == 2)
        waiting[0].transport.write(HEADER)
        waiting[0].transport.write(b"moshez\r\n")
        self.assertEqual(await waiting[0].closed, HAPPY)
        await until(lambda: len(taken) == 1)
        client = await self.connect(port)
        await until(lambda: len(taken) == 2)
        client.transport.write(b"nonsense")
        await client.closed
        await until(lambda: len(taken) == 1)
        waiting[1].transport.abortConnection()
        await until(lambda: len(taken) == 0)

    async def test_room(self) -> None:
        """Where all places are taken, who has waited longest makes room."""
        factory = self.noting(Limits(connections=2))
        port = numberOf(await self.open(factory, LOOPBACK))
        waiting = [await self.connect(port) for _ in range(2)]
        await until(lambda: len(factory.present) == 2)
        client = await self.connect(port)
        client.transport.write(HEADER + b"moshez\r\n")
        self.assertEqual(await client.closed, HAPPY)
        self.assertEqual(await waiting[0].closed, b"")
        self.assertFalse(waiting[1].closed.called)
        waiting[1].transport.abortConnection()

    async def test_drain(self) -> None:
        """A daemon that stops gives them as long as those who have asked nothing, and no longer."""
        limits = Limits(stopSilence=0.01)
        factory = self.noting(limits)
        port = await self.open(factory, LOOPBACK)
        client = await self.connect(numberOf(port))
        await until(lambda: len(factory.present))
        await maybeDeferred(port.stopListening)
        await factory.present.drain()
        self.assertEqual(await client.closed, b"")

    async def test_headerWhileStopping(self) -> None:
        """A header that comes in this time is in time: what is asked is still answered."""
        looked: Deferred[User | None] = Deferred()
        directory = Directory(lambda login: looked)
        factory = NotingFactory(Finger(TIME, [directory]), DEFAULTS)
        port = await self.open(factory, LOOPBACK)
        client = await self.connect(numberOf(port))
        await until(lambda: len(factory.present))
        await maybeDeferred(port.stopListening)
        drained = factory.present.drain()
        client.transport.write(HEADER)
        await until(lambda: factory.clients)
        await turn()
        self.assertFalse(drained.called)
        client.transport.write(b"radix\r\n")
        await until(lambda: directory.asked)
        looked.callback(User("radix", status="Writing"))
        self.assertEqual(await client.closed, b"Writing\r\n")
        await drained


class DeadlineTests(SynchronousTestCase):
    """The header comes in time, or not at all."""

    def setUp(self) -> None:
        self.clock = Clock()
        finger = Finger(self.clock, moshez="Happy and well")
        self.inner: ExchangeFactory = finger.getFingerFactory()
        balancers = parseBalancers(["127.0.0.1"])
        self.factory = ProxiedFactory(self.inner, self.inner, balancers, DEFAULTS, self.clock)
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def waiting(self) -> HalfCloseTransport:
        """The transport of a balancer's connection."""
        transport = HalfCloseTransport()
        protocol = self.factory.buildProtocol(transport.getPeer())
        assert isinstance(protocol, Waiting)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport

    def said(self) -> list[str]:
        """What the log was told."""
        return [formatEvent(event) for event in self.events]

    def test_silent(self) -> None:
        """A balancer that sends no header is closed after 3 seconds, whatever it sends slowly."""
        silent, slow = self.waiting(), self.waiting()
        for byte in HEADER[:29]:
            slow.protocol.dataReceived(bytes([byte]))
            self.clock.advance(0.1)
        self.assertFalse(silent.aborted or slow.aborted)
        self.clock.advance(0.2)
        self.assertTrue(silent.aborted and slow.aborted)

    def test_tooLate(self) -> None:
        """What comes after that isn't looked at."""
        transport = self.waiting()
        self.clock.advance(3)
        transport.protocol.dataReceived(HEADER + b"moshez\r\n")
        self.assertEqual(transport.value(), b"")
        self.assertIsInstance(transport.protocol, Waiting)

    def test_inTime(self) -> None:
        """Once it is there the connection has what is left of the time that any has."""
        transport = self.waiting()
        self.clock.advance(2.9)
        transport.protocol.dataReceived(HEADER + b"mos")
        self.clock.advance(27)
        self.assertFalse(transport.aborted)
        self.clock.advance(0.1)
        self.assertTrue(transport.aborted)

    def test_oneTimer(self) -> None:
        """A thousand that wait cost a timer for the header and one for the connection."""
        for _ in range(1000):
            self.waiting()
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)

    def test_portCloses(self) -> None:
        """When the port has closed no timer for headers is left."""
        self.factory.doStart()
        self.waiting()
        self.factory.doStop()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_complaint(self) -> None:
        """The log is told of a balancer without header once a minute, and how many there were."""
        written = WrittenLog(self)
        self.waiting().protocol.dataReceived(b"moshez\x1b[2J\r\n")
        for _ in range(3):
            self.waiting().protocol.dataReceived(b"moshez\r\n")
        complaint = "no PROXY header from 127.0.0.1:12345, which is listed to send one: "
        first = f"{complaint}it doesn't begin with a PROXY header"
        self.assertEqual(written.lines(), [first])
        self.assertEqual(written.sums(), [f"3 more lines like this one: {first}"])
        self.waiting()
        self.clock.advance(3)
        self.assertEqual(written.lines(), [f"{complaint}none within 3 seconds"])


class OptionTests(SynchronousTestCase):
    """What ``--proxy-from`` takes."""

    def test_listed(self) -> None:
        """Networks, addresses and UNIX sockets, of both families."""
        balancers = parseBalancers(["192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "unix"])
        self.assertEqual(
            list(map(str, balancers.networks)),
            ["192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32"],
        )
        self.assertTrue(balancers.unix)
        self.assertFalse(parseBalancers([]).unix)

    def test_nonsense(self) -> None:
        """Anything else is refused in words."""
        for text, words in (
            ("balancer.example.com", "'balancer.example.com' does not appear to be an IPv4 or"),
            ("192.0.2.1/24", "192.0.2.1/24 has host bits set"),
            ("", "it is a network, as 192.0.2.0/24, or unix"),
            ("::ffff:192.0.2.0/120", "to be written as an IPv4 network"),
        ):
            error = self.assertRaises(ValueError, parseBalancers, [text])
            self.assertIn(words, str(error))


class DaemonTests(SynchronousTestCase):
    """The whole daemon, behind a balancer."""

    def test_option(self) -> None:
        """With --proxy-from the clients of a balancer are counted one by one; it must be listed."""
        arguments = ("-n", "--pidfile=", "finger", "--listen=tcp:0:interface=127.0.0.1")
        users = f"--users={ROOT / 'etc' / 'users.example'}"
        more = ("--no-setter", "--proxy-from=127.0.0.0/8", "--limit=peerQueries=1")
        with Daemon(*arguments, users, *more) as daemon:
            answers = [
                daemon.ask(b"PROXY TCP4 192.0.2.%d 192.0.2.9 5000 79\r\nmoshez\r\n" % client)
                for client in (1, 2, 1)
            ]
            self.assertEqual(answers[:2], [b"Happy and very well\r\n"] * 2)
            self.assertIn(b"Too many queries", answers[2])
            with self.assertRaises(OSError):
                daemon.ask(b"moshez\r\n")
            daemon.says("no PROXY header from 127.0.0.1")
        with Daemon(*arguments, users, "--no-setter") as daemon:
            answer = daemon.ask(b"PROXY TCP4 192.0.2.1 192.0.2.9 5000 79\r\nmoshez\r\n")
            self.assertIn(b"No such user", answer)

    def test_mistake(self) -> None:
        """What is no network ends the start with one line."""
        options = Options()
        options.parseOptions(["--no-setter", "--proxy-from=somewhere"])
        error = self.assertRaises(CannotStart, makeService, options)
        self.assertIn("--proxy-from somewhere: 'somewhere' does not appear", str(error))
