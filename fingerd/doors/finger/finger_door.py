"""The finger door: a port of any kind, with the short way where that kind has one."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import (
    IProtocolFactory,
    IReactorCore,
    IReactorTime,
    IStreamServerEndpoint,
)

from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.finger.quick.reactor import QuickTCP
from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.listening import Listener, endpoint
from fingerd.doors.net.ports import Ports
from fingerd.doors.net.visited import IVisitedFactory
from fingerd.model.interfaces import IFingerService
from fingerd.model.limits import Limits

# Kinds of port that have no TLS in them.
_PLAIN = ("tcp", "tcp6", "unix", "systemd")
_TLS = ("ssl", "tls")


def listener(
    service: IFingerService,
    description: str,
    reactor: object,
    limits: Limits,
    balancers: Balancers | None = None,
) -> Listener:
    """
    A finger port.

    @param description: an endpoint string of Twisted's.
    @param balancers: which load balancers say where clients are, if any do.
    @raise ValueError: when C{description} describes no endpoint, with what is wrong with it.
    """
    factory = FingerFactory(service, limits, cast(IReactorTime, reactor))
    kind = description.partition(":")[0]
    if kind in _TLS:
        factory.door = "tls"
    where = _endpoint(cast(IReactorCore, reactor), description, kind, limits, balancers)
    return Listener(description, where, factory)


def _endpoint(
    reactor: IReactorCore, description: str, kind: str, limits: Limits, balancers: Balancers | None
) -> IStreamServerEndpoint:
    """
    The endpoint: one with a short way for plain TCP, with half-closed clients for TLS, and with the
    headers of C{balancers} where there are any.
    """
    if balancers is None:
        quick = endpoint(cast(IReactorCore, QuickTCP(reactor, asksFirst=True)), description)
        if kind in _PLAIN:
            return quick
        # What isn't chosen isn't imported: TLS is large.
        from fingerd.doors.net.layers import LayeredEndpoint  # noqa: PLC0415

        return LayeredEndpoint(quick)
    from fingerd.doors.net.layers import LayeredEndpoint  # noqa: PLC0415
    from fingerd.doors.net.proxied import ProxiedFactory  # noqa: PLC0415

    def before(first: IProtocolFactory, inner: IVisitedFactory) -> ProxiedFactory:
        return ProxiedFactory(first, inner, balancers, limits, cast(IReactorTime, reactor))

    # The short way knows nothing of headers.
    ports = cast(IReactorCore, Ports(reactor, asksFirst=True))
    return LayeredEndpoint(endpoint(ports, description), before)
