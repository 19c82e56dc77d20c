"""The metrics door: a port where Prometheus, and whoever starts daemons, asks how this one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry
from twisted.application.service import IService, MultiService
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorCore, IReactorTime
from zope.interface import implementer

from fingerd.doors.http.web_factory import WebFactory
from fingerd.doors.metrics.figures_collector import FiguresCollector
from fingerd.doors.metrics.metrics_site import MetricsSite
from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.listening import Listener, endpoint
from fingerd.doors.net.ports import Ports
from fingerd.model.interfaces import IListener, IMeasured
from fingerd.model.limits import Limits
from fingerd.system.lag import Lag


@implementer(IListener)
class MetricsListener(MultiService):
    """A port, and what has to go on as long as it is open."""

    def __init__(self, port: Listener, lag: Lag) -> None:
        super().__init__()
        self._port = port
        for part in (port, lag):
            IService(part).setServiceParent(self)

    @property
    def address(self) -> IAddress | None:
        """Where it listens, or None where it doesn't, or not yet."""
        return self._port.address


def listener(
    service: IMeasured,
    description: str,
    reactor: object,
    limits: Limits,
    balancers: Balancers | None = None,
    kinds: Sequence[str] = (),
    open: Callable[[], bool] = lambda: True,
) -> MetricsListener:
    """
    A port where the daemon is measured.

    @param description: an endpoint string of Twisted's.
    @param balancers: no load balancer stands before it: who measures a daemon asks that one.
    @param kinds: what kind each directory is of, in a word.
    @param open: whether all doors are open.
    @raise ValueError: when C{description} describes no endpoint, with what is wrong with it.
    """
    clock = cast(IReactorTime, reactor)
    lag = Lag(clock)

    def ready() -> bool:
        return service.figures().loaded and open()

    # Of its own, and not the library's one for the whole process.
    registry = CollectorRegistry()
    registry.register(FiguresCollector(service.figures, kinds, ready, lag.times))
    ProcessCollector(registry=registry)
    site = MetricsSite(service.measurers, registry, ready)
    factory = cast(IProtocolFactory, WebFactory(site, None, limits, clock))
    port = endpoint(cast(IReactorCore, Ports(reactor, asksFirst=True)), description)
    return MetricsListener(Listener(description, port, factory), lag)
