"""Where to listen, and where a client is."""

from __future__ import annotations

import errno
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from twisted.internet.address import IPv4Address as TCP4
from twisted.internet.address import IPv6Address as TCP6
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress

__all__ = ["everyInterface"]


def everyInterface() -> list[str]:
    """
    What to bind so that a port is open to IPv4 and IPv6 on all of this machine's addresses: one
    interface where an IPv6 socket takes IPv4 clients too, as is usual on Linux, else two; and
    IPv4 alone on a machine without IPv6.
    """
    if not socket.has_ipv6:
        return ["0.0.0.0"]
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
            if probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
                return ["0.0.0.0", "::"]
            return ["::"]
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT):
            raise
        return ["0.0.0.0"]


def ipAddress(address: IAddress | None) -> IPv4Address | IPv6Address | None:
    """The IP address of a TCP client, or None where it has none (a UNIX socket)."""
    return parseIP(address.host) if isinstance(address, TCP4 | TCP6) else None


# The same few, several times for each client.
@lru_cache(maxsize=1024)
def parseIP(host: str) -> IPv4Address | IPv6Address:
    """
    The IP address that a text is. An IPv4 client of an IPv6 socket (``::ffff:192.0.2.1``) is an
    IPv4 client.

    @raise ValueError: when the text is no IP address.
    """
    # A link-local address may carry its interface: fe80::1%eth0.
    ip = ip_address(host.partition("%")[0])
    return (isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip


@lru_cache(maxsize=4096)
def peerOf(host: str) -> str:
    """
    Whom a client counts as, where clients are counted: its IPv4 address, or the network of 64
    bits that its IPv6 address is in, since that is what one customer gets. Neighbours, who have
    link-local addresses, count one by one.

    @param host: the client's IP address as text.
    """
    ip = parseIP(host)
    if isinstance(ip, IPv4Address) or ip.is_link_local:
        return str(ip)
    return str(ip_network((ip, 64), strict=False))


def hostOf(address: IAddress | None) -> str | None:
    """The IP address of a TCP client as text, or None for another."""
    return address.host if isinstance(address, TCP4 | TCP6) else None


def isLocal(address: IAddress | None) -> bool:
    """Whether a client is on this machine: on loopback, or on a UNIX socket."""
    if isinstance(address, UNIXAddress):
        return True
    ip = ipAddress(address)
    return ip is not None and ip.is_loopback


def describe(address: IAddress) -> str:
    """An address as people write it: ``127.0.0.1:79``, ``[::1]:79``, or a socket's path."""
    if isinstance(address, TCP6):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, TCP4):
        return f"{address.host}:{address.port}"
    if isinstance(address, UNIXAddress):
        return str(address.name, "utf-8", "backslashreplace") if address.name else "(unnamed)"
    return str(address)
