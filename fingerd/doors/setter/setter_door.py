"""The setter door: a port where users of this machine set what is shown of them."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import IReactorCore, IReactorTime

from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.listening import Listener, endpoint
from fingerd.doors.net.ports import Ports
from fingerd.doors.setter.setter_protocol import FingerSetterFactory
from fingerd.model.interfaces import IFingerSetterService
from fingerd.model.limits import Limits


def listener(
    service: IFingerSetterService,
    description: str,
    reactor: object,
    limits: Limits,
    balancers: Balancers | None = None,
) -> Listener:
    """
    A setter port.

    @param description: an endpoint string of Twisted's.
    @param balancers: no load balancer stands before a setter: all who set something are here.
    @raise ValueError: when C{description} describes no endpoint, with what is wrong with it.
    """
    factory = FingerSetterFactory(service, limits, cast(IReactorTime, reactor))
    # Clients are accepted before they have asked: while they are there, it is known whose they are.
    ports = cast(IReactorCore, Ports(reactor))
    return Listener(description, endpoint(ports, description), factory)
