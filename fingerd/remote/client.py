"""Asking another finger server (RFC 1288)."""

from __future__ import annotations

import os
import re
import socket
from typing import NoReturn, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits
from fingerd.system.sharing import Shared
from fingerd.system.turns import Turns

_UNSENDABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def requestLine(name: str, verbose: bool = False) -> bytes:
    """
    The line that asks for ``name``: a user, a forwarding (``user@host``), or nothing, which is
    the list (2.3).

    @param verbose: ask for all there is to tell (``/W``, 2.5.4).
    @raise ValueError: for a name with control characters, since one could end the line and
        begin another, or with what is not text.
    """
    if _UNSENDABLE.search(name) is not None:
        raise ValueError(f"{name!r} can't be asked for: it has control characters or isn't UTF-8")
    words = ["/W"] if verbose else []
    if name:
        words.append(name)
    return " ".join(words).encode("utf-8") + b"\r\n"


def answerText(data: bytes) -> str:
    """
    The text of a server's answer, with LF between its lines and none behind the last. What is
    not UTF-8 in it is replaced; control characters are still there.
    """
    return data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")


@implementer(IHalfCloseableProtocol)
class FingerClient(Protocol):
    """
    Sends a request line and gathers the answer, until the server closes.

    An answer counts only if the server itself has ended it. Where the connection breaks, or more
    than ``size`` bytes come, the half that is there is thrown away.

    @ivar answer: fires with the answer's bytes, or fails with L{DirectoryError}. Cancelling it
        aborts the connection.
    """

    transport: ITCPTransport

    def __init__(self, line: bytes, size: int) -> None:
        self._line = line
        self._size = size
        self._received = bytearray()
        self._broken = False
        self.answer: Deferred[bytes] = Deferred(lambda _: self.transport.abortConnection())

    def connectionMade(self) -> None:
        # The sending side stays open: some servers think that a client that closes it has gone.
        self.transport.write(self._line)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > self._size:
            self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        # Now and then the system tells of a reset as if the server had closed. Twisted takes that
        # for an end; the socket knows better.
        handle: socket.socket = self.transport.getHandle()  # type: ignore[attr-defined]
        self._broken = handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing is closed by halves from here."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        received = len(self._received)
        if self.answer.called:
            # It was cancelled.
            return
        if received > self._size:
            self.answer.errback(DirectoryError(f"more than {self._size} bytes of answer"))
        elif self._broken or not reason.check(ConnectionDone):
            self.answer.errback(DirectoryError(f"connection lost after {received} bytes of answer"))
        elif received == 0:
            self.answer.errback(DirectoryError("closed without an answer"))
        else:
            self.answer.callback(bytes(self._received))


class FingerClientFactory(Factory):
    """Makes an L{FingerClient} for each connection, and logs nothing, unlike Twisted's own."""

    noisy = False

    def __init__(self, line: bytes, size: int) -> None:
        self._line = line
        self._size = size

    def buildProtocol(self, addr: object) -> FingerClient:
        return FingerClient(self._line, self._size)


def query(
    endpoint: IStreamClientEndpoint, line: bytes, limits: Limits, clock: IReactorTime
) -> Deferred[bytes]:
    """
    Ask one server one thing.

    The query takes ``limits.upstreamTime`` seconds at most, and ``limits.upstreamConnectTime`` of
    them until it is connected, the host's look-up included. Cancelling ends it.

    @param line: from L{requestLine}.
    @return: the whole answer. It fails with L{DirectoryError}, and words, where there is none.
    """
    asked = Deferred.fromCoroutine(_query(endpoint, line, limits, clock))
    return asked.addTimeout(limits.upstreamTime, clock, _noAnswer)


async def _query(
    endpoint: IStreamClientEndpoint, line: bytes, limits: Limits, clock: IReactorTime
) -> bytes:
    connecting = endpoint.connect(FingerClientFactory(line, limits.upstreamSize))
    connecting.addTimeout(limits.upstreamConnectTime, clock, _noConnection)
    try:
        client = cast(FingerClient, await connecting)
    except ConnectingCancelledError:
        raise CancelledError from None
    except ConnectError as error:
        raise DirectoryError(_inWords(error)) from None
    return await client.answer


def _inWords(error: ConnectError) -> str:
    if isinstance(error.osError, int):
        return os.strerror(error.osError).lower()
    return str(error)


def _noConnection(result: object, seconds: float) -> NoReturn:
    raise DirectoryError(f"no connection within {seconds:g} seconds")


def _noAnswer(result: object, seconds: float) -> NoReturn:
    raise DirectoryError(f"no whole answer within {seconds:g} seconds")


class FingerQueries:
    """
    Queries to other servers for many clients. Identical queries that are under way share one
    connection, and only so many connections are open at once.
    """

    def __init__(self, limits: Limits, clock: IReactorTime) -> None:
        self._limits = limits
        self._clock = clock
        self._turns = Turns(
            limits.upstreamQueries, limits.upstreamWaiting, limits.upstreamWait, clock
        )
        self._shared: Shared[tuple[IStreamClientEndpoint, bytes], bytes] = Shared(clock)

    def ask(self, endpoint: IStreamClientEndpoint, line: bytes) -> Deferred[bytes]:
        """
        As L{query}, after ``limits.upstreamWait`` seconds at most of waiting for a turn.

        @param endpoint: one that is equal to another of the same server.
        """
        return self._shared.get(
            (endpoint, line),
            lambda: self._turns.take(lambda: query(endpoint, line, self._limits, self._clock)),
        )
