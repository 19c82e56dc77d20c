"""Clients that have not been accepted yet: what the kernel does with them."""

from __future__ import annotations

import select
import socket
import struct
import sys
from array import array
from contextlib import suppress

from fingerd.system import sockdiag

# Seconds. Linux counts in retransmissions of its answer to a newcomer, of which the first is due
# then.
_HELD = 1
# Not among the constants of Python's.
_SO_ATTACH_FILTER = 26
# A program of the kernel's packet filter, see Documentation/networking/filter.rst: of the 14th
# byte of the TCP header take the bits SYN and ACK; where that is SYN alone, drop the segment.
_NO_NEW_CONNECTION = (
    (0x30, 0, 0, 13),
    (0x54, 0, 0, 0x12),
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def holdSilent(listening: socket.socket) -> None:
    """
    Let clients be accepted when they have sent something or closed their side, or have been silent
    for a second: over a network, nearly all ask some milliseconds after they have connected. Where
    the system can't do that, they are accepted when they connect.
    """
    if listening.family != socket.AF_UNIX and hasattr(socket, "TCP_DEFER_ACCEPT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _HELD)


def keepOut(listening: socket.socket) -> None:
    """
    Let nobody connect any more, while those who have can still be accepted. Who connects to a UNIX
    socket is refused; over TCP it tries again a second later, as if its segment had been lost.
    Where the system can't do that, or doesn't let this user, clients connect as ever.
    """
    if listening.family == socket.AF_UNIX:
        listening.shutdown(socket.SHUT_RD)
    elif sys.platform == "linux":
        program = array("B", b"".join(struct.pack("HBBI", *each) for each in _NO_NEW_CONNECTION))
        where = struct.pack("HP", len(_NO_NEW_CONNECTION), program.buffer_info()[0])
        # EPERM, on Linux 6.18, for a user without privileges.
        with suppress(OSError):
            listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)


def areWaiting(listening: socket.socket) -> bool:
    """
    Whether there are clients that have connected by TCP and are not accepted yet, or are about to
    have connected. Those that the kernel holds back are among them, and known on Linux alone.
    """
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    return bool(poll.poll(0)) or sockdiag.areConnecting(listening.getsockname()[1])
