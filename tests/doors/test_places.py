"""The place of a client: whose it becomes when all are taken, and that none is lost for good."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import NamedTuple, NoReturn
from unittest.mock import patch

from fingerd.doors.finger.finger_protocol import FingerFactory, FingerProtocol
from fingerd.doors.net import proxied
from fingerd.doors.net.exchange import ExchangeProtocol
from fingerd.doors.net.telnet import Telnet
from fingerd.doors.setter import grammar, owner, setter_protocol
from fingerd.doors.setter.setter_protocol import FingerSetterProtocol
from fingerd.model.limits import Limits
from fingerd.service.visit import Visit
from fingerd.service.visits import Visits
from tests.doors.proxying import numberOf
from tests.doors.secure import Secure
from tests.doors.test_proxyheader import HEADERS
from tests.doors.tls import End
from tests.support.ports import TIME, Client, Sockets, until
from tests.support.service import Finger

HAPPY = b"Happy and well\r\n"
LOOPBACK = "127.0.0.0/8"


class Broken(RuntimeError):
    """What happens where nothing should."""


class Step(NamedTuple):
    """A step on the way of a query, and what is sent to get there."""

    of: object
    name: str
    sent: bytes
    halfClose: bool = False


QUERY = (
    Step(FingerProtocol, "connectionMade", b"/W moshez\r\n"),
    Step(FingerProtocol, "dataReceived", b"/W moshez\r\n"),
    Step(Telnet, "receive", b"/W moshez\r\n"),
    Step(FingerProtocol, "lineReceived", b"/W moshez\r\n"),
    Step(FingerProtocol, "lineTooLong", b"x" * 600),
    Step(FingerProtocol, "readConnectionLost", b"mos", halfClose=True),
    Step(FingerProtocol, "requestEnded", b"", halfClose=True),
    Step(ExchangeProtocol, "requestIsWhole", b"/W moshez\r\n"),
    Step(Finger, "ask", b"/W moshez\r\n"),
    Step(Visit, "waits", b"/W moshez\r\n"),
    Step(FingerFactory, "render", b"/W moshez\r\n"),
    Step(ExchangeProtocol, "answer", b"/W moshez\r\n"),
    Step(Visit, "answered", b"/W moshez\r\n"),
    Step(ExchangeProtocol, "send", b"/W moshez\r\n"),
)
# What the short way does of that, for clients that send this at once.
SHORT = (
    Step(Finger, "askNow", b"moshez\r\n"),
    Step(FingerFactory, "render", b"moshez\r\n"),
    Step(Visit, "served", b"moshez\r\n"),
)
SETTING = (
    Step(FingerSetterProtocol, "connectionMade", b""),
    Step(owner, "where", b""),
    Step(setter_protocol, "isLocal", b""),
    Step(grammar, "linesOf", b"moshez\n"),
    Step(grammar, "parse", b"moshez\nBusy\n"),
    Step(Finger, "set", b"moshez\nBusy\n"),
    Step(Finger, "refused", b"moshez\n\xff\n"),
    Step(setter_protocol, "encode", b"moshez\nBusy\n"),
    Step(FingerSetterProtocol, "_done", b"moshez\nBusy\n"),
    Step(FingerSetterProtocol, "_notSet", b"nobody\nBusy\n"),
)
HEADER = (
    Step(Visits, "enter", b""),
    Step(proxied.Waiting, "connectionMade", b""),
    Step(proxied, "parse", b""),
    Step(proxied, "addressIn", b""),
    Step(Visit, "arrived", b""),
    Step(proxied.ProxiedFactory, "buildInner", b""),
)


class BrokenTests(Secure):
    """Whatever step of the daemon's own code raises, the client's connection ends, and no more."""

    async def breakEach(
        self, steps: Sequence[Step], port: int, present: Visits, before: bytes = b""
    ) -> None:
        """Break each of the steps in turn, for a client of C{port} that gets there."""
        for step in steps:

            def broken(*asked: object, **more: object) -> NoReturn:
                raise Broken

            # (Unlike Trial's, this patch leaves nothing behind where a class inherits the step.)
            with patch.object(step.of, step.name, broken):
                client = await self.connect(port)
                client.transport.write(before + step.sent)
                if step.halfClose:
                    client.transport.loseWriteConnection()
                # The short way sends its answer before it says so.
                self.assertIn(await client.closed, (b"", HAPPY), step)
                await until(lambda: not len(present))
            self.assertEqual(len(self.flushLoggedErrors(Broken)), 1, step)

    async def test_query(self) -> None:
        """So it is at a finger port, with a short way for most queries and without one."""
        finger = Finger(TIME, moshez="Happy and well")
        quick = self.listen(finger.getFingerFactory())
        ordinary = await self.number(finger.getFingerFactory())
        for port in ordinary, quick:
            await self.breakEach(QUERY, port, finger.visits)
        await self.breakEach(SHORT, quick, finger.visits)
        for port in ordinary, quick:
            self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)

    async def test_setting(self) -> None:
        """So it is at a setter port."""
        finger = Finger(TIME, moshez="Happy and well")
        port = self.listen(finger.getFingerSetterFactory())
        await self.breakEach(SETTING, port, finger.setters)
        self.assertEqual(await self.ask(port, b"moshez\nBusy\n"), b"OK\r\n")

    async def test_header(self) -> None:
        """So it is behind a balancer, before the header has been read and after it."""
        finger = Finger(TIME, moshez="Happy and well")
        port = await self.number(finger.getFingerFactory(), LOOPBACK)
        await self.breakEach((*HEADER, *QUERY), port, finger.visits, HEADERS[0])
        self.assertEqual(await self.ask(port, HEADERS[0] + b"moshez\r\n"), HAPPY)

    async def test_tls(self) -> None:
        """So it is on a TLS port."""
        finger = Finger(TIME, moshez="Happy and well")
        port = numberOf(await self.open(finger.getFingerFactory(), endpoint=self.ssl))
        for step in QUERY:
            if step.halfClose or not step.sent:
                continue

            def broken(*asked: object) -> NoReturn:
                raise Broken

            with patch.object(step.of, step.name, broken):
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    await self.client(port, step.sent, End.NOTHING)
                await until(lambda: not len(finger.visits))
            self.assertEqual(len(self.flushLoggedErrors(Broken)), 1, step)
        self.assertEqual(await self.client(port, b"moshez\r\n", End.NOTHING), HAPPY)


class RoomTests(Sockets):
    """Where all places of the daemon are taken, whichever ports their clients have come to."""

    async def begin(self, port: int) -> Client:
        """A client that has begun to ask: else it might not be accepted yet."""
        client = await self.connect(port)
        client.transport.write(b"m")
        return client

    async def test_oldestFirst(self) -> None:
        """The client goes that has been silent longest, and no other, whatever its port."""
        finger = Finger(TIME, (), None, Limits(connections=3), moshez="Happy and well")
        first, second = (self.listen(finger.getFingerFactory()) for _ in range(2))
        clients = []
        for port in second, first, second:
            clients.append(await self.begin(port))
            await until(lambda: len(finger.visits) == len(clients))
        for oldest in list(clients):
            clients.append(await self.begin(first))
            self.assertEqual(await oldest.closed, b"")
            clients.remove(oldest)
            self.assertFalse(any(client.closed.called for client in clients))
        for client in clients:
            client.transport.abortConnection()

    async def test_answeredFirst(self) -> None:
        """Who has had an answer goes before anybody who may still ask, and again the oldest one."""
        finger = Finger(TIME, (), None, Limits(connections=3), moshez="x" * 200_000)
        first, second = (self.listen(finger.getFingerFactory()) for _ in range(2))
        silent = await self.begin(first)
        await until(lambda: len(finger.visits))
        readers = []
        for port in second, first:
            readers.append(await self.connect(port))
            readers[-1].transport.pauseProducing()  # type: ignore[attr-defined]
            readers[-1].transport.write(b"moshez\r\n")
            await until(lambda: len(finger.visits) == 1 + len(readers))
            await until(lambda: list(finger.visits)[-1].state.name == "ANSWERED")
        _, oldest, other = finger.visits
        newcomer = await self.begin(first)
        await until(lambda: oldest not in list(finger.visits))
        self.assertIn(other, list(finger.visits))
        self.assertFalse(silent.closed.called)
        for client in silent, newcomer, *readers:
            client.transport.abortConnection()
