"""Other machines: what they are called, where they are, and how to connect to them."""

from __future__ import annotations

# Codecs are imported when they are first used: too late, when the daemon is a lesser user by then.
import encodings.idna
import encodings.punycode  # noqa: F401
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, cast

from twisted.internet.address import IPv4Address as TCP4
from twisted.internet.address import IPv6Address as TCP6
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorFromThreads,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from zope.interface import implementer

from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits
from fingerd.system.threads import Threads

IPAddress = IPv4Address | IPv6Address

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_SCOPE = re.compile(r"[A-Za-z0-9_.-]+")
# The seconds until the next of a host's addresses is tried. Twisted waits this long even where the
# one before has refused at once, as with a host that has IPv6 and a server that hasn't.
_NEXT_ADDRESS = 0.1
# The seconds after which Twisted gives a connection up: whoever waits for it does so before.
_GIVES_UP = 3600.0


def canonicalHost(text: str) -> str:
    """
    A host as it is compared and asked for: a name in lower case, in its ASCII form (IDNA) and
    without the dot it may end in; an address, with or without brackets, in its shortest form.

    @raise ValueError: for what can't be a host. That includes labels of more than 63 bytes, which
        would make the look-up raise something else later.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        ip = ip_address(bare)
    except ValueError:
        pass
    else:
        scope = ip.scope_id if isinstance(ip, IPv6Address) else None
        if scope is not None and _SCOPE.fullmatch(scope) is None:
            raise ValueError(f"{text!r} is not an address")
        return str(ip)
    try:
        name = text.removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    if len(name) > 253 or _NAME.fullmatch(name) is None or ".." in name:
        raise ValueError(f"{text!r} is not a host")
    return name


def hostAndPort(host: str, port: int) -> str:
    """Both as people write them: ``example.com:79``, ``[::1]:79``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Resolver:
    """
    Finds the addresses of hosts, by the system's ways (getaddrinfo).

    A look-up blocks for as long as the DNS likes. So look-ups have threads of their own, and not
    the reactor's few, which others need and which a daemon that stops would wait for.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        limits: Limits,
        getaddrinfo: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo,
    ) -> None:
        self._getaddrinfo = getaddrinfo
        # No look-up waits for a thread: where the DNS hangs, that is said at once.
        self._threads = Threads(reactor, limits.nameLookups, 0)

    def lookUp(self, host: str) -> Deferred[Sequence[IPAddress]]:
        """
        The addresses of a host, in the order they are to be tried in; at least one. The look-up
        fails with L{DirectoryError} where there is none, or where C{limits.nameLookups} others go
        on.

        @param host: from L{canonicalHost}.
        """
        try:
            return succeed([ip_address(host)])
        except ValueError:
            return self._threads.run(host, partial(self._find, host))

    def _find(self, host: str) -> Sequence[IPAddress]:
        try:
            infos = self._getaddrinfo(host, None, type=socket.SOCK_STREAM)
            return [ip_address(sockaddr[0]) for *_, sockaddr in infos]
        except Exception as error:
            words = getattr(error, "strerror", None) or repr(error)
            raise DirectoryError(f"looking up {host}: {words}") from None


@implementer(IStreamClientEndpoint)
@dataclass(frozen=True, slots=True)
class HostEndpoint:
    """
    A port of a host. Two of the same host and port are equal.

    To connect, the host is looked up once, and ``choose`` picks from the addresses. These are
    tried, and the quickest wins (RFC 8305). Nobody looks the host up again: a DNS that changes its
    answer in between changes nothing.

    @ivar host: from L{canonicalHost}.
    @ivar choose: picks from the addresses; it may raise.
    """

    host: str
    port: int
    reactor: IReactorTCP = field(compare=False, repr=False)
    resolver: Resolver = field(compare=False, repr=False)
    choose: Callable[[Sequence[IPAddress]], Sequence[IPAddress]] = field(
        default=tuple, compare=False, repr=False
    )

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See L{IStreamClientEndpoint}. It fails also with what ``choose`` raises."""
        found = self.resolver.lookUp(self.host).addCallback(self.choose)
        return found.addCallback(self._connect, protocolFactory)

    def _connect(
        self, addresses: Sequence[IPAddress], protocolFactory: IProtocolFactory
    ) -> Deferred[IProtocol]:
        # The endpoint needs no name, since the addresses are there. A name would make Twisted
        # import idna, too late.
        endpoint = HostnameEndpoint(
            _Found(self.reactor, addresses),
            "::",
            self.port,
            timeout=_GIVES_UP,
            attemptDelay=_NEXT_ADDRESS,
        )
        return endpoint.connect(protocolFactory)


@implementer(IReactorPluggableNameResolver, IHostnameResolver, IHostResolution)
class _Found:
    """As much of a reactor as L{HostnameEndpoint} uses, with the addresses already found."""

    name = ""

    def __init__(self, reactor: IReactorTCP, addresses: Sequence[IPAddress]) -> None:
        self.nameResolver: IHostnameResolver = self
        self._addresses = addresses
        self.connectTCP = reactor.connectTCP
        clock = cast(IReactorTime, reactor)
        self.callLater = clock.callLater
        self.seconds = clock.seconds

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError

    def cancel(self) -> None:
        """There is nothing to wait for."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolutionReceiver.resolutionBegan(self)
        for ip in self._addresses:
            kind = TCP4 if isinstance(ip, IPv4Address) else TCP6
            resolutionReceiver.addressResolved(kind("TCP", str(ip), portNumber))
        resolutionReceiver.resolutionComplete()
        return self
