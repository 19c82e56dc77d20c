"""Doors that are opened and closed with the daemon."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer

from fingerd.doors.net.listening import Listener, endpoint
from fingerd.model.errors import CannotStart
from tests.doors.proxying import numberOf
from tests.support.ports import TIME, Sockets
from tests.support.service import Finger

HAPPY = b"Happy and well\r\n"
LOOPBACK = "tcp:0:interface=127.0.0.1"


@implementer(IStreamServerEndpoint)
class Slow:
    """An endpoint such as a plugin may have: its port is open some time after it was asked for."""

    def __init__(self) -> None:
        self.opening: Deferred[IListeningPort] = Deferred()
        self._factory: IProtocolFactory | None = None

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        self._factory = factory
        return self.opening

    async def open(self) -> int:
        """Open the port. Its number."""
        assert self._factory is not None
        port = await serverFromString(reactor, LOOPBACK).listen(self._factory)
        number = numberOf(port)
        self.opening.callback(port)
        return number


class AtOnceTests(Sockets):
    """Twisted's endpoints, which open or fail at once."""

    def listener(self, description: str) -> Listener:
        finger = Finger(TIME, moshez="Happy and well")
        where = endpoint(reactor, description)
        listener = Listener(description, where, finger.getFingerFactory())
        self.addCleanup(finger.visits.drain)
        self.addCleanup(listener.stopService)
        return listener

    async def test_open(self) -> None:
        """The door is open, and tells where, from its start to its stop, and may start again."""
        listener = self.listener(LOOPBACK)
        self.assertIsNone(listener.address)
        for _ in range(2):
            listener.startService()
            port = getattr(listener.address, "port", 0)
            self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)
            await maybeDeferred(listener.stopService)
            self.assertIsNone(listener.address)
            with self.assertRaises(ConnectionRefusedError):
                await self.connect(port)

    def test_taken(self) -> None:
        """A port that is somebody else's ends the start, with the reason in words."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            description = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            listener = self.listener(description)
            error = self.assertRaises(CannotStart, listener.startService)
        said = "Address already in use; ss -ltnp says who has it"
        self.assertEqual(str(error), f"can't listen on {description}: {said}")
        self.assertIsNone(listener.address)
        # When it is free, the door can be opened.
        listener.startService()
        self.assertIsNotNone(listener.address)


class LaterTests(Sockets):
    """A plugin's endpoint, which opens its port later."""

    def setUp(self) -> None:
        self.endpoint = Slow()
        finger = Finger(TIME, moshez="Happy and well")
        self.listener = Listener("onion:79", self.endpoint, finger.getFingerFactory())
        self.listener.privilegedStartService()
        self.listener.startService()
        self.addCleanup(finger.visits.drain)
        self.addCleanup(self.listener.stopService)

    async def test_opens(self) -> None:
        """It is nowhere until it is open, and then it tells where."""
        self.assertIsNone(self.listener.address)
        port = await self.endpoint.open()
        self.assertEqual(getattr(self.listener.address, "port", 0), port)
        self.assertEqual(await self.ask(port, b"moshez\r\n"), HAPPY)

    async def test_fails(self) -> None:
        """That it can't be opened is said in the log."""
        with capturedLogs() as events:
            error = CannotListenError("", 79, OSError(13, "Permission denied"))
            self.endpoint.opening.errback(error)
        self.assertIn(
            "can't listen on onion:79: Permission denied", [formatEvent(event) for event in events]
        )
        self.assertIsNone(self.listener.address)
        # There is nothing to close.
        self.assertIsNone(self.listener.stopService())

    async def test_stopped(self) -> None:
        """A door that opens when the daemon has been stopped is closed."""
        self.assertIsNone(self.listener.stopService())
        port = await self.endpoint.open()
        self.assertIsNone(self.listener.address)
        await self.endpoint.opening
        with self.assertRaises(ConnectionRefusedError):
            await self.connect(port)

    async def test_stoppedAndFails(self) -> None:
        """Nor is anything said where it fails then."""
        self.listener.stopService()
        with capturedLogs() as events:
            self.endpoint.opening.errback(CannotListenError("", 79, OSError(13, "no")))
        self.assertEqual(events, [])
