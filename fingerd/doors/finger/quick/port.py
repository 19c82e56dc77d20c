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
from fingerd.doors.finger.quick.lingering import Answered, Lingering
from fingerd.doors.finger.quick.silent import READ, Silent
from fingerd.model.interfaces import IVisit

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
        self._visits = factory.visits
        self._lingering = Lingering(factory.clock, self._stays)
        factory.visits.lookers.append(self._lingering.lookFor)
        self._saidAt: float | None = None

    def doRead(self) -> None:
        """Accept clients, and answer those that can be answered at once."""
        now = self._clock.seconds()
        until = now + _SLICE
        self._lingering.look(now)
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
            self._accepted(client, address)
            now = self._clock.seconds()
            if now > until:
                return

    def _accepted(self, client: Socket, address: Address) -> None:
        visit = self._visits.enter("tcp", address[0], client.close)
        if visit is None:
            client.close()
            return
        try:
            try:
                data = client.recv(READ, socket.MSG_DONTWAIT)
            except BlockingIOError:
                Silent(client, address, visit, self.reactor, self._clock, self.received)
                return
        except OSError:
            # A reset: whoever it was didn't wait.
            client.close()
            visit.leave()
            return
        self.received(client, address, visit, data)

    def received(self, client: Socket, address: Address, visit: IVisit, data: bytes) -> None:
        """
        Answer a client, or let it go on the ordinary way. This never fails.

        @param visit: the client's, which is this method's from now on.
        @param data: the first bytes that came from it.
        """
        try:
            self._answer(client, address, visit, data)
        except Exception:
            self._log.failure("Answering a query failed")
            client.close()
            visit.close()
            visit.leave()

    def _answer(self, client: Socket, address: Address, visit: IVisit, data: bytes) -> None:
        factory = self.finger
        request = _NAME_ALONE.fullmatch(data)
        reply = None
        if request is not None and request.end(1) <= factory.limits.queryLength and self.connected:
            visit.line = request[1]
            reply = factory.service.askNow(request[1].decode("ascii"), visit)
        if reply is None:
            protocol = self._ordinary(client, address, visit)
            if data:
                protocol.dataReceived(data)
            return
        answer = factory.render(reply)
        try:
            sent = client.send(answer, _SEND)
            if sent == len(answer):
                client.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            sent = 0
        except OSError:
            # It didn't wait either.
            visit.answered("gone", 0)
            client.close()
            visit.leave()
            return
        visit.answered(reply.outcome, len(answer), len(answer) - sent)
        if sent == len(answer):
            self._lingering.add(client, address, visit)
        elif visit.present:
            protocol = self._ordinary(client, address, visit)
            protocol.requestIsWhole()
            protocol.send(answer[sent:])

    def _stays(self, answered: Answered, late: bytes) -> None:
        """A client that has its answer doesn't close, or sends more."""
        client, address, visit, _ = answered
        try:
            protocol = self._ordinary(client, address, visit)
            protocol.wasAnswered()
            if late:
                protocol.dataReceived(late)
        except Exception:
            self._log.failure("Waiting for a client to close failed")
            client.close()
            visit.close()
            visit.leave()

    def _ordinary(self, client: Socket, address: Address, visit: IVisit) -> FingerProtocol:
        """What L{tcp.Port} does for a client: this one has its visit."""
        if len(address) == 4 and address[3]:
            # A link-local address is nothing without its interface.
            host = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
            address = (host, *address[1:])
        protocol = self.finger.buildProtocol(self._buildAddr(address))
        protocol.visit = visit
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
            self._visits.makeRoom()
        self.stopReading()
        self._clock.callLater(_PAUSE, self._acceptAgain)

    def _acceptAgain(self) -> None:
        if self.connected and not self.disconnecting:
            self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """The port is closed."""
        super().connectionLost(reason)
        self._visits.lookers.remove(self._lingering.lookFor)
        self._lingering.close()
