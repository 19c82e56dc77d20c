"""
A short way for the commonest query: one name, known in memory, whose line arrives whole.

Such a client is answered as soon as it is accepted, without a transport or a protocol of
Twisted's, which cost most of what a query does. Whatever isn't as simple goes, with the bytes that
have come, the ordinary way by L{fingerd.doors.finger.finger_protocol}, which gives the same
answers.
"""

from __future__ import annotations

import errno
import re
import socket
from typing import Any, cast

from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd.doors.finger.finger_protocol import FingerFactory, FingerProtocol
from fingerd.doors.finger.quick.lingering import Lingering
from fingerd.doors.finger.quick.silent import READ, Silent
from fingerd.doors.net.ports import TCPPort
from fingerd.model.limits import ACCEPTED_AT_ONCE
from fingerd.model.visiting import IVisit
from fingerd.system.newcomers import letIn

# A line with nothing but one plain name in it: no list, no switch, no second name and no host.
_NAME_ALONE = re.compile(rb"([A-Za-z0-9_.-]+)\r?\n")
# The end goes with the answer, in one segment, where the system can do that...
_SEND = socket.MSG_DONTWAIT | getattr(socket, "MSG_MORE", 0)
# ...if the answer is no longer than one segment has room for, on every network.
_SHORT = 1200
# Seconds spent on clients that are accepted before others have their turn.
_SLICE = 0.01
# Seconds to wait when there are no descriptors left, and between two lines of the log on that.
_PAUSE = 0.05
_SAID = 60.0
# Connections that make room for others each time.
_ROOM = 10

_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_GONE = frozenset((errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR))

Address = tuple[Any, ...]
# The system's socket as it is, since what Python's own adds to it costs a microsecond or two.
Socket = socket.SocketType


class QuickPort(TCPPort):
    """A TCP port of a L{FingerFactory}."""

    _log = Logger()

    # Over a network, clients ask some time after they have connected.
    asksFirst = True

    def __init__(
        self,
        port: int | None,
        factory: FingerFactory,
        backlog: int | None,
        interface: str,
        reactor: object,
    ) -> None:
        super().__init__(
            cast(int, port), cast(IProtocolFactory, factory), cast(int, backlog), interface, reactor
        )
        self._finger = factory
        self._clock = factory.clock
        self._visits = factory.visits
        self._queryLength = factory.limits.queryLength
        self._lingering = Lingering(factory.clock, factory.limits)
        self._saidAt: float | None = None

    def doRead(self) -> None:
        """Accept clients, and answer those that can be answered at once."""
        seconds = self._clock.seconds
        now = seconds()
        until = now + _SLICE
        self._lingering.look(now)
        # What C{socket.accept} does, without what it asks of the listening socket.
        accept, family = self.socket._accept, self.addressFamily  # type: ignore[union-attr]
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                descriptor, address = accept()
            except BlockingIOError:
                return
            except Exception as error:
                if not isinstance(error, OSError) or error.errno not in _GONE:
                    self._cannotAccept(error)
                    return
                continue
            self._accepted(Socket(family, socket.SOCK_STREAM, 0, descriptor), address)
            now = seconds()
            if now > until:
                return

    def _accepted(self, client: Socket, address: Address) -> None:
        """Let a client in, and answer it if it has asked. This never fails."""
        visit = None
        try:
            if self.isLast:
                letIn(client)
            try:
                data = client.recv(READ, socket.MSG_DONTWAIT)
            except BlockingIOError:
                data = None
            except OSError:
                # A reset: whoever it was didn't wait.
                client.close()
                return
            visit = self._visits.enter("tcp", address[0], client.close, lookedAt=True)
            if visit is None:
                client.close()
            elif data is not None:
                self._answer(client, address, visit, data)
            else:
                Silent(client, address, visit, self.reactor, self._clock, self._received)
        except Exception:
            self._failed(client, visit)

    def _received(self, client: Socket, address: Address, visit: IVisit, data: bytes) -> None:
        """A client that was silent has sent C{data}. This never fails."""
        try:
            self._answer(client, address, visit, data)
        except Exception:
            self._failed(client, visit)

    def _answer(self, client: Socket, address: Address, visit: IVisit, data: bytes) -> None:
        """Answer a client whose first bytes are C{data}, or let it go on the ordinary way."""
        request = _NAME_ALONE.fullmatch(data)
        reply = None
        # When the port is closed, nobody looks after sockets that linger.
        if request is not None and request.end(1) <= self._queryLength and self.connected:
            visit.line = request[1]
            reply = self._finger.service.askNow(request[1].decode("ascii"), visit)
        if reply is None:
            protocol = self._ordinary(client, address, visit)
            if data:
                protocol.dataReceived(data)
            return
        answer = self._finger.render(reply)
        size, sent = len(answer), 0
        short = size <= _SHORT
        try:
            sent = client.send(answer, _SEND if short else socket.MSG_DONTWAIT)
            if short and sent == size:
                client.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            # The kernel is short of memory.
            pass
        except OSError:
            # It didn't wait either.
            client.close()
            visit.served("gone", 0)
            return
        if short and sent == size:
            self._lingering.add(client, self._clock.seconds())
            visit.served(reply.outcome, size)
            return
        protocol = self._ordinary(client, address, visit)
        protocol.requestIsWhole()
        if visit.answered(reply.outcome, size, size - sent):
            protocol.send(answer[sent:])

    def _ordinary(self, client: Socket, address: Address, visit: IVisit) -> FingerProtocol:
        """What L{tcp.Port} does for a client: this one has its visit."""
        if len(address) == 4 and address[3]:
            # A link-local address is nothing without its interface.
            host = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
            address = (host, *address[1:])
        protocol = self._finger.buildProtocol(self._buildAddr(address))
        protocol.visit = visit
        self.sessionno += 1
        whole = socket.socket(self.addressFamily, socket.SOCK_STREAM, 0, client.detach())
        visit.end = whole.close
        transport = self.transport(whole, protocol, address, self, self.sessionno, self.reactor)
        visit.end = transport.abortConnection
        protocol.makeConnection(transport)
        return protocol

    def _failed(self, client: Socket, visit: IVisit | None) -> None:
        """An exception, which is being handled, is the end of a client."""
        self._log.failure("Answering a query failed")
        client.close()
        if visit is not None:
            visit.close()
            visit.leave()

    def _cannotAccept(self, error: Exception) -> None:
        now = self._clock.seconds()
        if not isinstance(error, OSError) or error.errno not in _NO_ROOM:
            self._log.failure("Accepting a client failed", Failure(error))
        elif self._saidAt is None or now - self._saidAt >= _SAID:
            self._saidAt = now
            self._log.warn("No client can be accepted now, they wait: {error!s}", error=error)
        # The port would be found ready again and again.
        for _ in range(_ROOM):
            if not self._lingering.makeRoom():
                self._visits.makeRoom()
        self.stopReading()
        self._clock.callLater(_PAUSE, self._acceptAgain)

    def _acceptAgain(self) -> None:
        if self.connected and not self.disconnecting:
            self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """The port is closed."""
        super().connectionLost(reason)
        self._lingering.close()
