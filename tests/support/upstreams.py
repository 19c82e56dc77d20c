"""Finger servers on loopback that behave and misbehave, as other servers do."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from threading import Event

from twisted.internet.defer import DeferredQueue
from twisted.internet.interfaces import IAddress, IListeningPort, ITCPTransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.support.ports import TCP

# What is done when a request has come. What it gives is done every 2 ms as long as the connection
# lasts.
Behaviour = Callable[[ITCPTransport], LoopingCall | None]


class Upstream(ServerFactory):
    """
    A port of 127.0.0.1, and what is seen there.

    @ivar requests: the request lines that came.
    @ivar asked: gets a transport for each of them.
    @ivar lost: gets a reason for each connection that ended.
    """

    noisy = False

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.asked: DeferredQueue[ITCPTransport] = DeferredQueue()
        self.lost: DeferredQueue[str] = DeferredQueue()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Conversation(self)

    def listen(self, test: TestCase, interface: str = "127.0.0.1", port: int = 0) -> int:
        """Open the port until the test ends, and give it back."""
        opened = TCP.listenTCP(port, self, interface=interface)
        test.addCleanup(opened.stopListening)
        return portOf(opened)


class _Conversation(Protocol):
    transport: ITCPTransport
    _goingOn: LoopingCall | None = None

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._received = b""

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\n"):
            self._upstream.requests.append(self._received)
            self._goingOn = self._upstream.behaviour(self.transport)
            if self._goingOn is not None:
                self._goingOn.start(0.002)
            self._upstream.asked.put(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._goingOn is not None:
            self._goingOn.stop()
        self._upstream.lost.put(reason.getErrorMessage())


def portOf(port: IListeningPort) -> int:
    """The number of a port."""
    return int(port.getHost().port)  # type: ignore[attr-defined]


def says(data: bytes) -> Behaviour:
    """Answers, and closes."""

    def answer(transport: ITCPTransport) -> None:
        transport.write(data)
        transport.loseConnection()

    return answer


def silent(transport: ITCPTransport) -> None:
    """Says nothing, and stays."""


def closing(transport: ITCPTransport) -> None:
    """Closes without an answer."""
    transport.loseConnection()


def reset(transport: ITCPTransport) -> None:
    """Resets the connection."""
    handle: socket.socket = transport.getHandle()  # type: ignore[attr-defined]
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abortConnection()


def endless(transport: ITCPTransport) -> LoopingCall:
    """Answers, and goes on answering."""
    return LoopingCall(transport.write, b"and so on\r\n" * 1000)


def dribbling(data: bytes) -> Behaviour:
    """Answers a byte a segment, and closes when all is said."""

    def dribble(transport: ITCPTransport) -> LoopingCall:
        left = iter(data)

        def say() -> None:
            byte = next(left, None)
            if byte is None:
                transport.loseConnection()
            else:
                transport.write(bytes([byte]))

        return LoopingCall(say)

    return dribble


def refusingPort(test: TestCase) -> int:
    """A port where nobody listens, nor will as long as the test lasts."""
    holder = socket.socket()
    test.addCleanup(holder.close)
    holder.bind(("127.0.0.1", 0))
    return int(holder.getsockname()[1])


def deafPort(test: TestCase) -> int:
    """A port that doesn't even let a connection begin: its queue is full."""
    listening = socket.socket()
    test.addCleanup(listening.close)
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    for _ in range(4):
        waiting = socket.socket()
        test.addCleanup(waiting.close)
        waiting.setblocking(False)
        waiting.connect_ex(listening.getsockname())
    return int(listening.getsockname()[1])


class Names:
    """
    Names that a test knows the addresses of, in the place of the DNS.

    @ivar addresses: what there is.
    @ivar asked: what was looked up.
    @ivar answering: cleared, a look-up waits until it is set again.
    """

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        self.addresses = dict(addresses)
        self.asked: list[str] = []
        self.answering = Event()
        self.answering.set()

    def getaddrinfo(self, host: str, port: None, type: int) -> list[tuple[object, ...]]:
        """As C{socket.getaddrinfo}, in a thread."""
        self.asked.append(host)
        self.answering.wait()
        if host not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, type, 6, "", (ip, 0)) for ip in self.addresses[host]]
