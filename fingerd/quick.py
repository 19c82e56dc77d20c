"""
A short way for the commonest query: one name, whose line has come by the time the connection is
accepted, and whose answer is at hand.

It is answered in the turn of the reactor in which it is accepted, with no transport, no protocol
and no entry in the reactor's poll for it. Whatever isn't as simple goes, with the bytes that have
come, the ordinary way by L{FingerProtocol<fingerd.protocol>}, which gives the same answers.
"""

from __future__ import annotations

import errno
import re
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from twisted.internet import tcp
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
    IReactorSocket,
    IReactorTCP,
)
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd.addresses import peerOf
from fingerd.outcome import Answer
from fingerd.protocol import FingerFactory, FingerProtocol

# A line with nothing but one name in it: no list, no switch, no second name and no host.
_NAME_ALONE = re.compile(rb"([^\x00-\x20,/@\x7f\xff]+)\r?\n")
# Never read more at once than what is in one segment or two; the rest is the ordinary way's.
_READ = 2048
# Connections accepted, and seconds spent on them, before others have their turn.
_AT_ONCE = 100
_SLICE = 0.01
# Seconds after the answer: when it is worth a look whether the client has closed, how often
# those who hadn't are looked at again, and when the reactor is to tell.
_SOON = 0.001
_AGAIN = 0.25
_LATE = 1.0
# Seconds to wait when there are no descriptors left, and between two lines of the log on that.
_PAUSE = 0.05
_SAID = 60.0

_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_GONE = frozenset((errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR))

Address = tuple[Any, ...]
_Factory = ServerFactory[Any]


class Answered(NamedTuple):
    """
    A client that has its answer, and hasn't closed yet. Until it has, the socket stays open: what
    arrives at a closed one makes the kernel send a reset, which can overtake the answer.
    """

    socket: socket.socket
    address: Address
    since: float


class QuickPort(tcp.Port):
    """A TCP port of a L{FingerFactory}."""

    _log = Logger()

    def __init__(
        self,
        port: int,
        factory: FingerFactory,
        backlog: int,
        interface: str,
        reactor: object,
    ) -> None:
        super().__init__(port, factory, backlog, interface, reactor)
        self._finger = factory
        factory.spares.append(self._spare)
        self._clock = factory.clock
        # Those answered a moment ago, and those who were looked at and hadn't closed.
        self._answered: deque[Answered] = deque()
        self._waiting: deque[Answered] = deque()
        self._look: IDelayedCall | None = None
        self._saidAt: float | None = None

    def doRead(self) -> None:
        """Accept clients, and answer those that can be answered at once."""
        now = self._clock.seconds()
        until = now + _SLICE
        if self._answered:
            self._lookAt(self._answered, now, _SOON, self._waiting.append)
        accept, family = cast(Any, self.socket)._accept, self.addressFamily
        for _ in range(_AT_ONCE):
            try:
                # What C{socket.accept} does, without what it asks of the listening socket.
                descriptor, address = accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                self._cannotAccept(error)
                return
            client = socket.socket(family, socket.SOCK_STREAM, 0, descriptor)
            try:
                self._accepted(client, address, now)
            except Exception:
                self._log.failure("Answering a query failed")
                client.close()
            now = self._clock.seconds()
            if now > until:
                return

    def _accepted(self, client: socket.socket, address: Address, now: float) -> None:
        try:
            data = client.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._ordinary(client, address)
            return
        except OSError:
            # A reset: whoever it was didn't wait.
            client.close()
            return
        request = _NAME_ALONE.fullmatch(data)
        if request is not None and request.end(1) <= self._finger.limits.queryLength:
            self._ask(client, address, request[1], now)
            return
        protocol = self._ordinary(client, address)
        if data:
            protocol.dataReceived(data)

    def _ask(self, client: socket.socket, address: Address, line: bytes, now: float) -> None:
        factory = self._finger
        host: str = address[0]
        peer = peerOf(host)
        if not factory.admit(peer, kept=False):
            client.close()
            return
        asked = factory.ask(peer, line)
        if not asked.called or asked.paused:
            factory.admission.leave(None)
            protocol = self._ordinary(client, address)
            protocol.requestIsWhole()
            protocol.await_(line, asked)
            return
        answer = cast(Answer, asked.result)
        data = answer.data
        try:
            # The end goes with the answer, in one segment.
            sent = client.send(data, socket.MSG_DONTWAIT | socket.MSG_MORE)
            if sent == len(data):
                client.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            sent = 0
        except OSError:
            factory.answered(host, line, Answer(b"", "gone"), now)
            factory.admission.leave(None)
            client.close()
            return
        factory.answered(host, line, answer, now)
        answered = Answered(client, address, now)
        if sent == len(data):
            self._answered.append(answered)
            if self._look is None:
                self._look = self._clock.callLater(_AGAIN, self._lookAgain)
        else:
            self._goOn(answered, answer.data[sent:])

    def _lookAt(
        self,
        those: deque[Answered],
        now: float,
        after: float,
        stillOpen: Callable[[Answered], object],
    ) -> None:
        """
        Close those whose clients have closed.

        @param after: whom to look at: seconds since they were answered.
        @param stillOpen: what to do with the others.
        """
        while those and now - those[0].since >= after:
            answered = those.popleft()
            try:
                late = answered.socket.recv(_READ, socket.MSG_DONTWAIT)
            except BlockingIOError:
                stillOpen(answered)
                continue
            except OSError:
                late = b""
            if late:
                self._goOn(answered, b"").dataReceived(late)
            else:
                self._finger.admission.leave(None)
                answered.socket.close()

    def _lookAgain(self) -> None:
        self._look = None
        now = self._clock.seconds()
        self._lookAt(self._answered, now, _SOON, self._waiting.append)
        waiting, self._waiting = self._waiting, deque()
        late = 0

        def stillOpen(answered: Answered) -> None:
            nonlocal late
            if now - answered.since < _LATE or late == _AT_ONCE:
                self._waiting.append(answered)
            else:
                late += 1
                self._goOn(answered, b"")

        self._lookAt(waiting, now, 0.0, stillOpen)
        if self._waiting or self._answered:
            self._look = self._clock.callLater(_AGAIN, self._lookAgain)

    def _goOn(self, answered: Answered, rest: bytes) -> FingerProtocol:
        """Leave it to the ordinary way to send the ``rest`` and to wait for the client's close."""
        self._finger.admission.leave(None)
        protocol = self._ordinary(answered.socket, answered.address)
        protocol.requestIsWhole()
        if rest:
            protocol.answer(rest)
        else:
            # To write nothing would be to write to a side that is closed: an error, and the end.
            protocol.wasAnswered()
        return protocol

    def _ordinary(self, client: socket.socket, address: Address) -> FingerProtocol:
        """What L{tcp.Port} does for a client."""
        if len(address) == 4 and address[3]:
            # A link-local address is nothing without its interface.
            host = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
            address = (host, *address[1:])
        protocol = self._finger.buildProtocol(self._buildAddr(address))
        self.sessionno += 1
        transport = self.transport(client, protocol, address, self, self.sessionno, self.reactor)
        protocol.makeConnection(transport)
        return protocol

    def _spare(self) -> bool:
        """Close the connection that has had its answer longest, to make room for a newcomer."""
        for those in (self._waiting, self._answered):
            if those:
                self._finger.admission.leave(None)
                those.popleft().socket.close()
                return True
        return False

    def _cannotAccept(self, error: OSError) -> None:
        now = self._clock.seconds()
        if error.errno not in _NO_ROOM:
            self._log.failure("Accepting a client failed", Failure(error))
        elif self._saidAt is None or now - self._saidAt >= _SAID:
            self._saidAt = now
            self._log.warn("No client can be accepted now, they wait: {error!s}", error=error)
        # The port would be found ready again and again.
        self._finger.makeRoom()
        self.stopReading()
        self._clock.callLater(_PAUSE, self._acceptAgain)

    def _acceptAgain(self) -> None:
        if self.connected and not self.disconnecting:
            self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """The port is closed. Those who have their answers have all that they wait for."""
        super().connectionLost(reason)
        if self._look is not None:
            self._look.cancel()
            self._look = None
        for those in (self._answered, self._waiting):
            while those:
                answered = those.popleft()
                self._finger.admission.leave(None)
                answered.socket.close()


class QuickTCP:
    """A reactor whose TCP ports of a L{FingerFactory} are L{QuickPort}s."""

    def __init__(self, reactor: object) -> None:
        self._reactor = reactor

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """See L{IReactorTCP}."""
        if not isinstance(factory, FingerFactory):
            reactor = cast(IReactorTCP, self._reactor)
            return reactor.listenTCP(port, cast(_Factory, factory), backlog, interface)
        return _listening(QuickPort(port, factory, backlog, interface, self._reactor))

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: socket.AddressFamily, factory: IProtocolFactory
    ) -> IListeningPort:
        """See L{IReactorSocket}."""
        if not isinstance(factory, FingerFactory) or addressFamily == socket.AF_UNIX:
            reactor = cast(IReactorSocket, self._reactor)
            return reactor.adoptStreamPort(fileDescriptor, addressFamily, cast(_Factory, factory))
        return _listening(
            QuickPort._fromListeningDescriptor(
                self._reactor, fileDescriptor, addressFamily, factory
            )
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


def _listening(port: QuickPort) -> IListeningPort:
    port.startListening()
    return cast(IListeningPort, port)
