"""The ssh door: a port where users with a key set what is shown of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.conch.ssh.keys import Key
from twisted.internet.interfaces import (
    IProtocolFactory,
    IReactorCore,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.logger import Logger

from fingerd.doors.net.balancers import Balancers
from fingerd.doors.net.layers import LayeredEndpoint
from fingerd.doors.net.listening import Listener, endpoint
from fingerd.doors.net.ports import Ports
from fingerd.doors.net.proxied import ProxiedFactory
from fingerd.doors.net.visited import IVisitedFactory
from fingerd.doors.ssh.host_key import fingerprint, hostKey, namedHostKey
from fingerd.doors.ssh.ssh_factory import SSHFactory
from fingerd.model.interfaces import IRemoteSetterService
from fingerd.model.limits import Limits
from fingerd.system.addresses import describe


class SSHListener(Listener):
    """An ssh port."""

    _log = Logger()

    def __init__(
        self,
        description: str,
        endpoint: IStreamServerEndpoint,
        factory: SSHFactory,
        key: Callable[[], Key],
    ) -> None:
        """
        @param key: gives the host key; called by the user that the daemon has become.
        """
        super().__init__(description, endpoint, cast(IProtocolFactory, factory))
        self._ssh = factory
        self._key = key

    def startService(self) -> None:
        super().startService()
        key = self._key()
        self._ssh.useHostKey(key)
        self._log.info(
            "ssh on {where}, host key {fingerprint}",
            where=self._description if self.address is None else describe(self.address),
            fingerprint=fingerprint(key),
        )


def listener(
    service: IRemoteSetterService,
    description: str,
    reactor: object,
    limits: Limits,
    balancers: Balancers | None = None,
    *,
    state: str,
    key: str | None,
) -> SSHListener:
    """
    An ssh port.

    @param description: an endpoint string of Twisted's.
    @param balancers: which load balancers say where clients are, if any do.
    @param state: the state directory, where the host key is, unless it is in the file C{key}.
    @raise ValueError: when C{description} describes no endpoint, with what is wrong with it.
    @raise CannotStart: when there is no host key in C{key}, in words.
    """
    named = None if key is None else namedHostKey(key)

    def keyOf() -> Key:
        return hostKey(state) if named is None else named

    clock = cast(IReactorTime, reactor)
    factory = SSHFactory(service, limits, clock)
    # The daemon speaks first.
    port = endpoint(cast(IReactorCore, Ports(reactor)), description)
    if balancers is None:
        return SSHListener(description, port, factory, keyOf)

    def before(first: IProtocolFactory, inner: IVisitedFactory) -> ProxiedFactory:
        return ProxiedFactory(first, inner, balancers, limits, clock)

    return SSHListener(description, LayeredEndpoint(port, before), factory, keyOf)
