"""The web door: a port where browsers, feed readers and programs ask."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import IProtocolFactory, IReactorCore, IReactorTime

from fingerd.doors.http.web_factory import WebFactory
from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.layers import LayeredEndpoint
from fingerd.doors.net.listening import Listener, endpoint
from fingerd.doors.net.ports import Ports
from fingerd.doors.net.proxied import ProxiedFactory
from fingerd.doors.net.visited import IVisitedFactory
from fingerd.doors.web.site import Site
from fingerd.doors.web.web_form import baseOf
from fingerd.model.interfaces import IFingerService
from fingerd.model.limits import Limits


def listener(
    service: IFingerService,
    description: str,
    reactor: object,
    limits: Limits,
    balancers: Balancers | None = None,
    url: str | None = None,
    history: int = 20,
) -> Listener:
    """
    A web port.

    @param description: an endpoint string of Twisted's.
    @param balancers: which proxies say where clients are, if any do.
    @param url: the address that people see, if that isn't what their clients call us.
    @param history: how many statuses of a user a feed has; with 0 it has the current one.
    @raise ValueError: when C{description} describes no endpoint, or C{url} no address of a page,
        with what is wrong with it.
    """
    clock = cast(IReactorTime, reactor)
    base = None if url is None else baseOf(url)
    scheme = "https" if description.partition(":")[0] in ("tls", "ssl") else "http"
    site = Site(service, base, history, limits, clock, scheme)
    factory = WebFactory(site, balancers, limits, clock)
    port = endpoint(cast(IReactorCore, Ports(reactor, asksFirst=True)), description)
    if balancers is None:
        return Listener(description, port, cast(IProtocolFactory, factory))

    def before(first: IProtocolFactory, inner: IVisitedFactory) -> ProxiedFactory:
        # A proxy that has no PROXY header to send says it in X-Forwarded-For.
        return ProxiedFactory(first, inner, balancers, limits, clock, required=False)

    return Listener(description, LayeredEndpoint(port, before), cast(IProtocolFactory, factory))
