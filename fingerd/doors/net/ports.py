"""
Ports as Twisted has them, but for how they take clients in: in turns that leave time for those who
are there already, and to the last one who came before the port was closed.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from typing import Any, cast

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLContextFactory,
    IProtocolFactory,
    IReactorTime,
)
from twisted.python.failure import Failure

from fingerd.model.limits import ACCEPTED_AT_ONCE
from fingerd.system import newcomers

# Seconds that a port stays open for those who came before it was to be closed: the kernel holds
# a silent client back for one. And how often to look whether they are in.
_LAST = 1.1
_LOOK = 0.02

_DONE = Failure(ConnectionDone())


class Port(tcp.Port):
    """What is the same for all ports."""

    # Whether clients speak first, and nothing is to be done for one that has said nothing.
    asksFirst = False
    # What fires when it is closed, from when it is to be.
    stopped: Deferred[None] | None = None
    # Whether those who are accepted may have been kept out.
    isLast = False
    # Which descriptor its socket had when this process was passed it, if it was.
    passed: int | None = None
    # Whether other processes accept clients at the same socket.
    isShared = False
    # Whether clients are accepted here, and not by others who have the socket.
    isRead = True
    _prefix = ""

    @property
    def isMade(self) -> bool:
        """Whether its socket is this port's own, and not one that somebody else has made."""
        return self._preexistingSocket is None

    def inherit(self, listening: socket.socket) -> None:
        """Take this socket, which others read too, instead of making one. To be called first."""
        listening.setblocking(False)
        self.isShared = True
        self._preexistingSocket = listening

    def startListening(self) -> None:
        """Open the port."""
        super().startListening()
        # It is asked for in every turn, and to find it out takes as long as all else in there.
        self._prefix = super().logPrefix()
        if self.asksFirst:
            newcomers.holdSilent(self.socket)

    def startReading(self) -> None:
        """Accept clients, beside others who have the socket."""
        super().startReading()
        if self.passed is not None or self.isShared:
            newcomers.wakeOne(self.reactor, self.socket)

    def logPrefix(self) -> str:
        """What the port is called in the log."""
        return self._prefix

    def doRead(self) -> None:
        """Accept some clients."""
        self.numberAccepts = ACCEPTED_AT_ONCE
        super().doRead()

    def loseConnection(self, connDone: Failure = _DONE) -> Deferred[None]:
        """
        Close the port when those are accepted who have connected, or are about to; whoever comes
        now is kept out.

        @return: fires when it is closed.
        """
        if self.stopped is None:
            self.stopped = Deferred()
            if self._shouldShutdown:
                self.lastCall()
                newcomers.keepOut(self.socket)
            # (Other sockets are somebody else's too, who may go on with them.)
            clock = cast(IReactorTime, self.reactor)
            self._stopWhenEmpty(clock, clock.seconds() + _LAST, connDone)
        return self.stopped

    stopListening = loseConnection

    def lastCall(self) -> None:
        """From now on, let in everyone who is accepted: newcomers are, or will be, kept out."""
        self.isLast = True
        self.transport = self._letIn  # type: ignore[assignment]

    def _stopWhenEmpty(self, clock: IReactorTime, until: float, connDone: Failure) -> None:
        assert self.stopped is not None
        if not self.connected:
            self.stopped.callback(None)
        elif clock.seconds() < until and self._areWaiting():
            clock.callLater(_LOOK, self._stopWhenEmpty, clock, until, connDone)
        else:
            super().loseConnection(connDone).chainDeferred(self.stopped)

    def _letIn(self, client: socket.socket, *more: Any) -> Any:
        """A transport for one of the last clients."""
        newcomers.letIn(client)
        return type(self).transport(client, *more)

    def _areWaiting(self) -> bool:
        """Whether there are clients still to be accepted."""
        raise NotImplementedError


class TCPPort(Port):
    """A TCP port."""

    def _areWaiting(self) -> bool:
        return newcomers.areWaiting(self.socket)


class UNIXPort(Port, unix.Port):
    """
    A UNIX socket.

    Its file may outlive the daemon, which can't always take it away: it was killed, or has become a
    user who may not. A file that nobody listens at any more is in nobody's way.
    """

    def startListening(self) -> None:
        """Open the socket, and take away what a daemon before has left."""
        # Twisted's own lock would stay behind too, with the number of a process that may live
        # again.
        self.wantPID = 0
        made = self.isMade
        if made and isFile(self._bindPath) and not isFree(self._bindPath):
            inUse = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            raise CannotListenError(None, self._bindPath, inUse)
        if not made:
            # The file is that of whoever has made the socket, who has set its mode and takes it
            # away: a name in no folder is left alone.
            self._bindPath = b"\0" + self._bindPath
        super().startListening()
        self._shouldShutdown = made

    @property
    def path(self) -> bytes:
        """Where it is."""
        path: bytes = self._bindPath
        return path

    def connectionLost(self, reason: Failure) -> None:
        """The socket is closed."""
        if isFile(self._bindPath):
            with suppress(OSError):
                os.unlink(self._bindPath)
        tcp.Port.connectionLost(self, reason)

    def _areWaiting(self) -> bool:
        if not self.isRead:
            return False
        # It can't be asked. As many as may be accepted in one turn: there may be more.
        self.doRead()
        return self.numberAccepts > ACCEPTED_AT_ONCE


def isFile(path: bytes) -> bool:
    """Whether a socket has a file: those of Linux's abstract names have none."""
    return path[:1] not in (b"", b"\0")


def isFree(path: bytes) -> bool:
    """
    Whether there is no file, or there was only the socket of somebody who listens no more: that is
    removed.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            probe.connect(path)
    except ConnectionRefusedError:
        os.unlink(path)
        return True
    except FileNotFoundError:
        return True
    except BlockingIOError:
        # Somebody listens there, whose queue is full.
        return False
    return False


class Ports:
    """A reactor that opens such ports."""

    def __init__(self, reactor: object, asksFirst: bool = False) -> None:
        """
        @param reactor: a reactor, or one of these, which then has a say in how ports are opened.
        @param asksFirst: whether clients of all these ports speak first, see L{Port.asksFirst}.
        """
        self.reactor: Any = reactor
        self._asksFirst = asksFirst
        if isinstance(reactor, Ports):
            self.reactor = reactor.reactor
            self.open = reactor.open  # type: ignore[method-assign]

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """See L{IReactorTCP}."""
        return self.opened(TCPPort(port, factory, backlog, interface, self.reactor))

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: IOpenSSLContextFactory,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """See L{IReactorSSL}."""
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415

        tls = TLSMemoryBIOFactory(contextFactory, False, factory)
        return self.listenTCP(port, cast(IProtocolFactory, tls), backlog, interface)

    def listenUNIX(
        self,
        address: bytes,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: int = 0,
    ) -> IListeningPort:
        """See L{IReactorUNIX}."""
        return self.opened(UNIXPort(address, factory, backlog, mode, self.reactor, wantPID))

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: socket.AddressFamily, factory: IProtocolFactory
    ) -> IListeningPort:
        """See L{IReactorSocket}."""
        if addressFamily == socket.AF_UNIX:
            return self.opened(
                UNIXPort._fromListeningDescriptor(self.reactor, fileDescriptor, factory),
                fileDescriptor,
            )
        return self.opened(
            TCPPort._fromListeningDescriptor(self.reactor, fileDescriptor, addressFamily, factory),
            fileDescriptor,
        )

    def opened(self, port: Port, passed: int | None = None) -> IListeningPort:
        """
        Open a port that is made.

        @param passed: the descriptor of its socket in the process that is passed it.
        """
        port.passed = passed
        port.asksFirst = port.asksFirst or self._asksFirst
        self.open(port)
        return cast(IListeningPort, port)

    def open(self, port: Port) -> None:
        """How each port is opened."""
        port.startListening()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reactor, name)
