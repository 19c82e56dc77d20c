"""
Asking the Linux kernel for TCP sockets (NETLINK_SOCK_DIAG, sock_diag(7)).

One is asked for by its two addresses: one small message there and one back, whatever the number of
connections, while reading /proc/net/tcp costs as much as there are. Any user may ask. The answer is
in the queue when the question has been sent, so nothing here waits.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NLM_F_DUMP = 0x300
# struct nlmsghdr: length, type, flags, sequence number, port.
_HEADER = struct.Struct("=IHHII")
# struct inet_diag_req_v2, up to its addresses: family, protocol, extensions, padding, states.
_REQUEST = struct.Struct("=BBBBI")
# struct inet_diag_msg, up to its addresses: family, state, timer, retransmissions.
_SOCKET = struct.Struct("=BBBB")
# struct inet_diag_sockid: the ports and the addresses, in network order...
_ENDS = struct.Struct("!HH16s16s")
# ...then the interface and a cookie, here any and none.
_ANY_SOCKET = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
# The rest of struct inet_diag_msg: expiry, bytes to be read and to be sent, uid, inode.
_OWNER = struct.Struct("=IIIII")
_WHOLE = _HEADER.size + _SOCKET.size + _ENDS.size + len(_ANY_SOCKET) + _OWNER.size

# What an IPv6 address begins with that is an IPv4 one.
_MAPPED = bytes(10) + b"\xff\xff"

# The states of a connection that is there: established; half-closed by either side or by both.
# Not among them are one that is only being made, one that is over, and a socket that listens.
_CONNECTED = frozenset({1, 4, 5, 8, 9, 11})
# The states that are asked for, a bit each: all, and TCP_SYN_RECV, which is a connection that is
# only being made.
_ANY_STATE = 0xFFFFFFFF
_CONNECTING = 1 << 3
# Any address.
_NO_IP = bytes(16)


class End(NamedTuple):
    """
    One end of a TCP connection. The address is four bytes or sixteen, in network order; an
    IPv4-mapped one is given as the IPv4 one.
    """

    ip: bytes
    port: int


class Held(NamedTuple):
    """A connected socket that a process holds: the user who made it, and its inode."""

    uid: int
    inode: int


def find(*connections: tuple[End, End]) -> list[Held | None]:
    """
    The sockets of ``connections``, each given by its own address and its peer's, in this
    process's network namespace; looked for one after the other. None where the kernel knows of
    none, where no process holds it any more, or where the kernel can't be asked.
    """
    try:
        with _kernel() as kernel:
            # The kernel takes one after the other, and has one reply to each.
            kernel.sendto(b"".join(request(*ends) for ends in connections), (0, 0))
            return [_reply(kernel, *ends) for ends in connections]
    except (OSError, AttributeError):
        # The last is a system without netlink.
        return [None] * len(connections)


def areConnecting(port: int) -> bool:
    """
    Whether there are connections to ``port`` of this machine that nobody can accept yet: they are
    only being made, or the kernel waits for their first bytes (TCP_DEFER_ACCEPT). False where it
    can't be asked.
    """
    try:
        return any(_connecting(family, port) for family in (socket.AF_INET, socket.AF_INET6))
    except (OSError, AttributeError):
        return False


def request(local: End, remote: End) -> bytes:
    """The message that asks for the one socket between ``local`` and ``remote``."""
    family = socket.AF_INET if len(local.ip) == 4 else socket.AF_INET6
    return _message(family, _NLM_F_REQUEST, _ANY_STATE, local, remote)


def _message(family: int, flags: int, states: int, local: End, remote: End) -> bytes:
    body = (
        _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, states)
        + _ENDS.pack(local.port, remote.port, local.ip, remote.ip)
        + _ANY_SOCKET
    )
    length = _HEADER.size + len(body)
    return _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, flags, 0, 0) + body


def read(reply: bytes, local: End, remote: End) -> Held | None:
    """
    What the kernel's ``reply`` says of the socket that was asked for.

    Where there is no such connection the kernel answers with a socket that listens on the local
    address, whoever's it is; and of one that was closed it says uid 0. Neither is an owner.
    """
    if len(reply) < _WHOLE or _HEADER.unpack_from(reply)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    at = _HEADER.size
    family, state, _, _ = _SOCKET.unpack_from(reply, at)
    at += _SOCKET.size
    localPort, remotePort, localIP, remoteIP = _ENDS.unpack_from(reply, at)
    at += _ENDS.size + len(_ANY_SOCKET)
    *_, uid, inode = _OWNER.unpack_from(reply, at)
    found = (End(_ip(family, localIP), localPort), End(_ip(family, remoteIP), remotePort))
    if found != (local, remote) or state not in _CONNECTED or inode == 0:
        return None
    return Held(uid, inode)


def _connecting(family: int, port: int) -> bool:
    flags = _NLM_F_REQUEST | _NLM_F_DUMP
    asked = _message(family, flags, _CONNECTING, End(_NO_IP, port), End(_NO_IP, 0))
    with _kernel() as kernel:
        kernel.sendto(asked, (0, 0))
        reply, sender = kernel.recvfrom(4096, socket.MSG_DONTWAIT)
    # The list begins with a socket or, where there is none, with its end.
    kind: int = _HEADER.unpack_from(reply)[1]
    return sender[0] == 0 and kind == _SOCK_DIAG_BY_FAMILY


def _kernel() -> socket.socket:
    return socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
    )


def _reply(kernel: socket.socket, local: End, remote: End) -> Held | None:
    reply, sender = kernel.recvfrom(4096, socket.MSG_DONTWAIT)
    return read(reply, local, remote) if sender[0] == 0 else None


def _ip(family: int, ip: bytes) -> bytes:
    if family == socket.AF_INET:
        return ip[:4]
    # An IPv6 socket that talks IPv4 has mapped addresses.
    return ip.removeprefix(_MAPPED)
