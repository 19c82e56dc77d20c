"""
A short way for the commonest query: one name on a line that comes in one piece, and whose answer is
at hand.

It is answered with no transport and no protocol, mostly in the very turn of the reactor in which
the connection is accepted. Whatever isn't as simple goes, with the bytes that have come, the
ordinary way by L{fingerd.doors.finger.finger_protocol}, which gives the same answers.
"""

from __future__ import annotations

import errno
import re
import socket
from typing import Any

from twisted.internet import tcp
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd.doors.finger.finger_protocol import FingerFactory, FingerProtocol
from fingerd.doors.finger.quick.lingering import Answered, Parting
from fingerd.doors.finger.quick.silent import READ, Newcomer
from fingerd.model.outcome import Answer
from fingerd.system.addresses import peerOf

# A line with nothing but one plain name in it: no list, no switch, no second name and no host.
_NAME_ALONE = re.compile(rb"([A-Za-z0-9_.-]+)\r?\n")
# The end goes with the answer, in one segment, where the system can do that.
_SEND = socket.MSG_DONTWAIT | getattr(socket, "MSG_MORE", 0)
# Connections accepted, and seconds spent on them, before others have their turn.
_AT_ONCE = 100
_SLICE = 0.01
# Seconds to wait when there are no descriptors left, and between two lines of the log on that.
_PAUSE = 0.05
# Connections that make room for others each time.
_ROOM = 10
_SAID = 60.0

_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_GONE = frozenset((errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR))

Address = tuple[Any, ...]
# The system's socket as it is, since what Python's own adds to it costs a microsecond or two.
Socket = socket.SocketType


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
        self.finger = factory
        self._clock = factory.clock
        self._admission = factory.admission
        self._parting = Parting(
            factory.clock, factory.admission, self._stays, factory.limits.connectionTime
        )
        # Those are the first to go: they have all that they wait for.
        factory.admission.roomMakers.insert(0, self._parting.makeRoom)
        factory.admission.lookers.append(self._parting.lookFor)
        self._saidAt: float | None = None

    def doRead(self) -> None:
        """Accept clients, and answer those that can be answered at once."""
        now = self._clock.seconds()
        until = now + _SLICE
        self._parting.look(now)
        # What C{socket.accept} does, without what it asks of the listening socket.
        accept, family = self.socket._accept, self.addressFamily  # type: ignore[union-attr]
        for _ in range(_AT_ONCE):
            try:
                descriptor, address = accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                self._cannotAccept(error)
                return
            client = Socket(family, socket.SOCK_STREAM, 0, descriptor)
            try:
                self._accepted(client, address, now)
            except Exception:
                self._log.failure("Answering a query failed")
                client.close()
            now = self._clock.seconds()
            if now > until:
                return

    def _accepted(self, client: Socket, address: Address, now: float) -> None:
        try:
            data = client.recv(READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            Newcomer(client, address, now, self.finger, self.reactor, self.received)
            return
        except OSError:
            # A reset: whoever it was didn't wait.
            client.close()
            return
        peer = peerOf(address[0])
        if not self._admission.enter(peer):
            client.close()
            return
        self.received(client, address, peer, data, now)

    def received(
        self, client: Socket, address: Address, peer: str, data: bytes, began: float
    ) -> None:
        """
        Answer a client, or let it go on the ordinary way.

        @param client: one that has its place.
        @param data: the first bytes that came from it.
        @param began: when it was accepted.
        """
        factory = self.finger
        request = _NAME_ALONE.fullmatch(data)
        if request is None or request.end(1) > factory.limits.queryLength or not self.connected:
            protocol = self._ordinary(client, address, began)
            if data:
                protocol.dataReceived(data)
            return
        line = request[1]
        asked = factory.askUser(peer, line.decode("ascii"))
        if not asked.called or asked.paused:
            protocol = self._ordinary(client, address, began)
            protocol.requestIsWhole()
            protocol.await_(line, asked)
            return
        answer: Answer = asked.result  # type: ignore[assignment]
        data = answer.data
        try:
            sent = client.send(data, _SEND)
            if sent == len(data):
                client.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            sent = 0
        except OSError:
            # It didn't wait either; that the connection is lost is found out on the ordinary way.
            sent = 0
            answer = Answer(b"", "gone")
        if sent == len(data):
            self._parting.add((client, address, self._clock.seconds(), peer, began))
        else:
            protocol = self._ordinary(client, address, began)
            protocol.requestIsWhole()
            protocol.answer(answer.data[sent:])
        factory.answered(address[0], line, answer, began)

    def _stays(self, answered: Answered, late: bytes) -> None:
        """A client that has its answer doesn't close, or sends more."""
        client, address, _, _, began = answered
        protocol = self._ordinary(client, address, began)
        protocol.wasAnswered()
        if late:
            protocol.dataReceived(late)

    def _ordinary(self, client: Socket, address: Address, began: float) -> FingerProtocol:
        """What L{tcp.Port} does for a client: this one has its place, and its deadline."""
        if len(address) == 4 and address[3]:
            # A link-local address is nothing without its interface.
            host = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
            address = (host, *address[1:])
        protocol = self.finger.buildProtocol(self._buildAddr(address))
        protocol.since = began
        self.sessionno += 1
        whole = socket.socket(self.addressFamily, socket.SOCK_STREAM, 0, client.detach())
        transport = self.transport(whole, protocol, address, self, self.sessionno, self.reactor)
        protocol.makeConnection(transport)
        return protocol

    def _cannotAccept(self, error: OSError) -> None:
        now = self._clock.seconds()
        if error.errno not in _NO_ROOM:
            self._log.failure("Accepting a client failed", Failure(error))
        elif self._saidAt is None or now - self._saidAt >= _SAID:
            self._saidAt = now
            self._log.warn("No client can be accepted now, they wait: {error!s}", error=error)
        # The port would be found ready again and again.
        for _ in range(_ROOM):
            any(make() for make in self._admission.roomMakers)
        self.stopReading()
        self._clock.callLater(_PAUSE, self._acceptAgain)

    def _acceptAgain(self) -> None:
        if self.connected and not self.disconnecting:
            self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """The port is closed."""
        super().connectionLost(reason)
        self._admission.roomMakers.remove(self._parting.makeRoom)
        self._admission.lookers.remove(self._parting.lookFor)
        self._parting.close()
