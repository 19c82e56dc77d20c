"""The metrics door: a port where Prometheus, and whoever starts daemons, asks how this one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry
from twisted.internet.interfaces import IProtocolFactory, IReactorCore, IReactorTime

from fingerd.doors.http.web_factory import WebFactory
from fingerd.doors.metrics.figures_collector import FiguresCollector
from fingerd.doors.metrics.metrics_site import MetricsSite
from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.listening import Listener, endpoint
from fingerd.doors.net.ports import Ports
from fingerd.model.counts import Figures
from fingerd.model.interfaces import IMeasured
from fingerd.model.limits import Limits


def listener(
    service: IMeasured,
    description: str,
    reactor: object,
    limits: Limits,
    balancers: Balancers | None = None,
    kinds: Sequence[str] = (),
    open: Callable[[], bool] = lambda: True,
) -> Listener:
    """
    A port where the daemon is measured.

    @param description: an endpoint string of Twisted's.
    @param balancers: no load balancer stands before it: who measures a daemon asks that one.
    @param kinds: what kind each directory is of, in a word.
    @param open: whether all doors are open.
    @raise ValueError: when C{description} describes no endpoint, with what is wrong with it.
    """
    clock = cast(IReactorTime, reactor)

    def ready(figures: Figures) -> bool:
        return figures.loaded and open()

    # Of its own, and not the library's one for the whole process.
    registry = CollectorRegistry()
    collector = FiguresCollector(kinds, ready)
    registry.register(collector)
    ProcessCollector(registry=registry)
    site = MetricsSite(service, collector, registry, ready)
    factory = cast(IProtocolFactory, WebFactory(site, None, limits, clock))
    port = endpoint(cast(IReactorCore, Ports(reactor, asksFirst=True)), description)
    return Listener(description, port, factory)
