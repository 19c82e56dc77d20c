"""Where queries are taken: which way a finger port of each kind goes."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import (
    IProtocolFactory,
    IReactorCore,
    IReactorTime,
    IStreamServerEndpoint,
)

from fingerd.doors.finger.quick.reactor import QuickTCP
from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.exchange import ExchangeFactory
from fingerd.doors.net.listening import endpoint
from fingerd.model.limits import Limits

# Kinds of port that have no TLS in them.
_PLAIN = ("tcp", "tcp6", "unix", "systemd")


def fingerEndpoint(
    reactor: IReactorCore, description: str, limits: Limits, balancers: Balancers | None = None
) -> IStreamServerEndpoint:
    """
    The endpoint for a finger port: one with a short way for plain TCP,
    with half-closed clients for TLS, and with the headers of ``balancers`` where there are any.

    @raise ValueError: when ``description`` describes none, with what is wrong with it.
    """
    if balancers is None:
        quick = endpoint(cast(IReactorCore, QuickTCP(reactor)), description)
        if description.partition(":")[0] in _PLAIN:
            return quick
        # What isn't chosen isn't imported: TLS is large.
        from fingerd.doors.net.layers import LayeredEndpoint  # noqa: PLC0415

        return LayeredEndpoint(quick)
    from fingerd.doors.net.layers import LayeredEndpoint  # noqa: PLC0415
    from fingerd.doors.net.proxied import ProxiedFactory  # noqa: PLC0415

    clock = cast(IReactorTime, reactor)

    def before(first: IProtocolFactory, exchanges: ExchangeFactory) -> ProxiedFactory:
        return ProxiedFactory(first, exchanges, balancers, limits, clock)

    # The short way knows nothing of headers.
    return LayeredEndpoint(endpoint(reactor, description), before)
