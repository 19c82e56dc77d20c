"""
Passing a query on to another host (RFC 1288 2.4), for hosts that the administrator has named.

Whoever forwards lends out its own address and its place in the network. So a host that isn't
named isn't asked, and a name doesn't lead to where its owner's DNS points it: an address that
isn't of the public internet must be named itself.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import cast

from twisted.internet.address import IPv4Address as TCP4
from twisted.internet.address import IPv6Address as TCP6
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IReactorFromThreads,
    IReactorTCP,
    IReactorTime,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.logs.repeats import Like
from fingerd.model.errors import DirectoryError
from fingerd.model.interfaces import IForwarder
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.query import Name
from fingerd.remote.client import FingerQueries, answerText, requestLine
from fingerd.remote.hosts import HostEndpoint, IPAddress, Resolver, canonicalHost, hostAndPort
from fingerd.system.addresses import ipAddress

_NAT64 = IPv6Network("64:ff9b::/96")


class _Refused(Exception):
    """None of a host's addresses may be connected to."""


@implementer(IForwarder)
class Forwarder:
    """
    Forwards to the hosts it is given, and to no other; see L{IForwarder}.

    - Names are compared without regard to case and to a dot at the end. ``*.example.com`` is
      every name that ends in ``.example.com``.
    - A host's addresses are looked up once, checked, and those that pass are connected to.
      One that isn't public passes only where it is itself among the hosts; one where this
      daemon listens never does.
    - Two hops at most: the host asked here may be asked for another one.
    """

    _log = Logger()

    def __init__(
        self,
        hosts: Iterable[str],
        listening: Callable[[], Iterable[IAddress]],
        reactor: IReactorTCP,
        limits: Limits = DEFAULTS,
        *,
        resolver: Resolver | None = None,
        port: int = 79,
    ) -> None:
        """
        @param hosts: names, addresses, and names that begin in ``*.``.
        @param listening: gives the addresses where this daemon listens, each time it is asked.
        @param reactor: what connects and has the time.
        @param resolver: what looks up names, if not one of its own.
        @param port: where the other hosts are asked.
        @raise ValueError: for what can't be a host, with what is wrong with it.
        """
        self._hosts: set[str] = set()
        self._domains: tuple[str, ...] = ()
        self._addresses: set[IPAddress] = set()
        for host in hosts:
            self._allow(host)
        self._listening = listening
        self._reactor = reactor
        self._resolver = resolver or Resolver(cast(IReactorFromThreads, reactor), limits)
        self._queries = FingerQueries(limits, cast(IReactorTime, reactor))
        self._port = port

    def forward(self, name: Name, verbose: bool) -> Deferred[str | None]:
        """See L{IForwarder}."""
        host = self.goesTo(name)
        if host is None:
            return succeed(None)
        endpoint = HostEndpoint(
            host,
            self._port,
            self._reactor,
            self._resolver,
            lambda addresses: self._permitted(host, addresses),
        )
        asked = self._queries.ask(endpoint, requestLine(name.user, verbose))
        return asked.addCallback(answerText).addErrback(self._failed, host)

    def goesTo(self, name: Name) -> str | None:
        """The host that is asked for C{name}; None where the query is not forwarded."""
        try:
            host = canonicalHost(name.host or "")
            _checkFurtherHops(name.user)
        except ValueError:
            return None
        return host if host in self._hosts or host.endswith(self._domains) else None

    def _allow(self, host: str) -> None:
        if host.startswith("*."):
            self._domains += ("." + canonicalHost(host[2:]),)
            return
        host = canonicalHost(host)
        self._hosts.add(host)
        try:
            self._addresses.add(_plain(ip_address(host)))
        except ValueError:
            """It is a name."""

    def _permitted(self, host: str, addresses: Sequence[IPAddress]) -> Sequence[IPAddress]:
        listening = tuple(self._listening())
        permitted = []
        for ip in map(_plain, addresses):
            if _isOwn(ip, self._port, listening):
                why = "is this daemon's own"
            elif not isPublic(ip) and ip not in self._addresses:
                why = "is not public: it must be named itself to be forwarded to"
            else:
                permitted.append(ip)
                continue
            # Whoever has the DNS of a named domain can bring these lines about.
            self._log.warn(
                "not forwarding to {host}: its address {ip} {why}",
                host=host,
                ip=str(ip),
                why=why,
                like=Like((ip, why), 1),
            )
        if not permitted:
            raise _Refused
        return permitted

    def _failed(self, failure: Failure, host: str) -> None:
        if failure.check(_Refused):
            return
        failure.trap(DirectoryError)
        where = hostAndPort(host, self._port)
        raise DirectoryError(f"{where}: {failure.getErrorMessage()}") from None


def isPublic(ip: IPAddress) -> bool:
    """
    Whether an address is one of the public internet: not loopback, private, link-local or shared,
    not multicast or reserved, and not an IPv6 form of such an IPv4 address.
    """
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return isPublic(inner)
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _checkFurtherHops(user: str) -> None:
    """@raise ValueError: where what the next host is to be asked takes more than one hop more."""
    _, at, host = user.rpartition("@")
    if at:
        canonicalHost(host)
    if user.count("@") > 1:
        raise ValueError("more than two hops")


def _plain(ip: IPAddress) -> IPAddress:
    """An IPv4 address in IPv6 clothes is an IPv4 address."""
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


def _isOwn(ip: IPAddress, port: int, listening: Iterable[IAddress]) -> bool:
    """Whether a connection to ``ip`` would arrive at one of the addresses ``listening``."""
    for address in listening:
        if isinstance(address, TCP4 | TCP6) and address.port == port:
            at = ipAddress(address)
            if at == ip or (at is not None and at.is_unspecified and _isOfThisMachine(ip)):
                return True
    return False


def _isOfThisMachine(ip: IPAddress) -> bool:
    family = socket.AF_INET6 if isinstance(ip, IPv6Address) else socket.AF_INET
    try:
        # Only an address of one's own can be bound; there is no other quick way to ask.
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError as error:
        # EINVAL is for a link-local address without its interface, which leads nowhere.
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL):
            raise
        return False
    return True
