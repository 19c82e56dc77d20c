"""Clients that have not been accepted yet: what the kernel does with them."""

from __future__ import annotations

import select
import socket
import sys
from contextlib import suppress

from twisted.internet.epollreactor import EPollReactor

from fingerd.system import sockdiag

# Seconds. Linux counts in retransmissions of its answer to a newcomer, of which the first is due
# then.
_HELD = 1
# From how many hops away a segment may come at most, as what must be left of 255 (RFC 5082). These
# are not among the constants of Python's.
_IP_MINTTL = 21
_IPV6_MINHOPCOUNT = 73


def holdSilent(listening: socket.socket) -> None:
    """
    Let clients be accepted when they have sent something or closed their side, or have been silent
    for a second: over a network, nearly all ask some milliseconds after they have connected. Where
    the system can't do that, they are accepted when they connect.
    """
    if listening.family != socket.AF_UNIX and hasattr(socket, "TCP_DEFER_ACCEPT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _HELD)


def wakeOne(reactor: object, listening: socket.socket) -> None:
    """
    Let the system wake one process for a newcomer, and not all that wait for newcomers at the same
    socket: to be called whenever a reactor has begun to. A reactor without epoll(7) is woken each
    time. (One client after the other costs four workers a third less for that.)
    """
    if isinstance(reactor, EPollReactor):
        # Twisted has no way to say so, and asks for nothing else at a socket that listens.
        reactor._poller.unregister(listening)
        reactor._poller.register(listening, select.EPOLLIN | select.EPOLLEXCLUSIVE)


def keepOut(listening: socket.socket) -> None:
    """
    Let nobody connect any more, while those who have can still be accepted; then L{letIn} is to be
    called for each. Who connects to a UNIX socket is refused; over TCP the segment is dropped, and
    comes again a second later. Where the system can't do that, clients connect as ever.
    """
    if listening.family == socket.AF_UNIX:
        listening.shutdown(socket.SHUT_RD)
    else:
        # Hardly any system sends segments with that much. (A packet filter would need privileges.)
        _limitHops(listening, 255)


def letIn(connection: socket.SocketType) -> None:
    """The connection, which was accepted by a socket that keeps others out, isn't kept out."""
    if connection.family != socket.AF_UNIX:
        _limitHops(connection, 0)


def _limitHops(of: socket.SocketType, left: int) -> None:
    with suppress(OSError):
        if sys.platform == "linux":
            # An IPv6 socket has clients by IPv4, too.
            of.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, left)
            if of.family == socket.AF_INET6:
                of.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, left)


def areWaiting(listening: socket.socket) -> bool:
    """
    Whether there are clients that have connected by TCP and are not accepted yet, or are about to
    have connected. Those that the kernel holds back are among them, and known on Linux alone.
    """
    # In this order: who has just connected is no longer among those who are about to.
    if sockdiag.areConnecting(listening.getsockname()[1]):
        return True
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    return bool(poll.poll(0))
