"""Which user of this machine is at the other end of a connection, as the kernel tells it."""

from __future__ import annotations

import os
import socket
import struct
from functools import cache

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress, ITransport

from fingerd.system import sockdiag
from fingerd.system.addresses import describe, ipAddress

# struct ucred: pid, uid, gid.
_CREDENTIALS = struct.Struct("=iII")
# (uid_t) -1: nobody is meant.
_NO_UID = 0xFFFFFFFF


def owner(transport: ITransport) -> int | None:
    """
    The uid of the user at the other end, or None where that can't be told; it is never guessed.

    On a UNIX socket the owner is the user who connected, and can always be told. On TCP the owner
    is the user who made the client's socket, and can be told only as long as a process holds that
    socket: so ask as early as possible. A client that is not on this machine has no owner here.

    A socket that was handed on, to a child or over another socket, stays its maker's.
    """
    if isinstance(transport.getPeer(), UNIXAddress):
        uid = _unixOwner(transport)
    else:
        uid = _tcpOwner(transport)
    # In a user namespace, everyone from outside it looks like this one user.
    return None if uid == _overflowUid() and not _knowsEveryUser() else uid


def where(transport: ITransport) -> str:
    """Where a client asks from, for people: the socket's path, or the client's address."""
    peer = transport.getPeer()
    return describe(transport.getHost() if isinstance(peer, UNIXAddress) else peer)


def _unixOwner(transport: ITransport) -> int | None:
    try:
        credentials = transport.getHandle().getsockopt(  # type: ignore[attr-defined]
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
    except (OSError, AttributeError):
        # (AttributeError: the system has no SO_PEERCRED.)
        return None
    uid: int = _CREDENTIALS.unpack(credentials)[1]
    return None if uid == _NO_UID else uid


def _tcpOwner(transport: ITransport) -> int | None:
    near, far = _end(transport.getHost()), _end(transport.getPeer())
    if near is None or far is None:
        return None
    try:
        inode = os.fstat(transport.fileno()).st_ino  # type: ignore[attr-defined]
    except (OSError, AttributeError):
        return None
    # A connection may be reset before it is accepted, and another user's client may then have
    # been given its port: what came over the old one would pass as theirs. So our own end must
    # still be there, after the client's was seen. This also tells whether the kernel
    # speaks of our network: a listening socket can be handed in from another namespace.
    theirs, ours = sockdiag.find((far, near), (near, far))
    if theirs is None or ours is None or ours.inode != inode:
        return None
    return theirs.uid


def _end(address: IAddress) -> sockdiag.End | None:
    ip = ipAddress(address)
    return None if ip is None else sockdiag.End(ip.packed, getattr(address, "port", 0))


@cache
def _overflowUid() -> int:
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="utf-8") as file:
            return int(file.read())
    except OSError:
        return 65534


@cache
def _knowsEveryUser() -> bool:
    """Whether each of the system's uids has one here (user_namespaces(7))."""
    try:
        with open("/proc/self/uid_map", encoding="utf-8") as file:
            return sum(int(line.split()[2]) for line in file) >= _NO_UID
    except OSError:
        return False
