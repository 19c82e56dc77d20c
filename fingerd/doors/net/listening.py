"""Ports, by Twisted's endpoint strings."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet import endpoints
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReactorCore,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.model.errors import CannotStart, reasonOf
from fingerd.model.interfaces import IListener

# Twisted's own default, 50, makes clients of a burst wait for seconds.
BACKLOG = 4096
_HAVE_BACKLOG = ("tcp", "tcp6", "unix", "ssl", "tls")


@implementer(IListener)
class Listener(Service):
    """
    A listening port, open as long as the service runs.

    Unlike L{StreamServerEndpointService<twisted.application.internet>} it ends the start when
    the port can't be opened, and tells where it listens.
    """

    _log = Logger()

    def __init__(
        self, description: str, endpoint: IStreamServerEndpoint, factory: IProtocolFactory
    ):
        """
        @param description: the endpoint in words, for people.
        """
        self._description = description
        self._endpoint = endpoint
        self._factory = factory
        # What stands for the opening of the port, until the service is stopped.
        self._opening: object = None
        self._port: IListeningPort | None = None
        self._failure: Failure | None = None

    @property
    def address(self) -> IAddress | None:
        """Where it listens, or None where it doesn't, or not yet."""
        return None if self._port is None else self._port.getHost()

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        # Every server endpoint of Twisted listens, or fails, at once; one of a plugin may not.
        opening = self._opening = object()
        listening = self._endpoint.listen(self._factory)
        listening.addCallbacks(self._opened, self._failed, callbackArgs=(opening,))
        failure, self._failure = self._failure, None
        if failure is not None:
            self._opening = None
            raise CannotStart(self._trouble(failure))

    def startService(self) -> None:
        if self._opening is None:
            self.privilegedStartService()
        super().startService()

    def stopService(self) -> Deferred[None] | None:
        super().stopService()
        port, self._port = self._port, None
        self._opening = None
        return None if port is None else port.stopListening()

    def _opened(self, port: IListeningPort, opening: object) -> Deferred[None] | None:
        if opening is not self._opening:
            # The service has been stopped meanwhile. (To cancel would lose the port, where an
            # endpoint can't be cancelled.)
            return port.stopListening()
        self._port = port
        return None

    def _failed(self, failure: Failure) -> None:
        self._failure = failure
        if self.running:
            self._log.error("{trouble}", trouble=self._trouble(failure))

    def _trouble(self, failure: Failure) -> str:
        error = failure.value
        if isinstance(error, CannotListenError):
            error = error.socketError
        return f"can't listen on {self._description}: {reasonOf(error)}"


def endpoint(reactor: IReactorCore, description: str) -> IStreamServerEndpoint:
    """
    The endpoint that ``description`` describes, as in ``tcp:79:interface=192.0.2.1``, with a
    longer queue of waiting clients than Twisted's, unless it says how long.

    @raise ValueError: when it describes none, with what is wrong with it.
    """
    kind, colon, _ = description.partition(":")
    if kind == "stdio":
        raise ValueError("a daemon's standard input is no port")
    if kind in _HAVE_BACKLOG and colon and "backlog=" not in description:
        description += f":backlog={BACKLOG}"
    try:
        found: IStreamServerEndpoint = endpoints.serverFromString(reactor, description)
    except (IndexError, KeyError) as error:
        raise ValueError("systemd has passed no such socket") from error
    except TypeError as error:
        raise ValueError(f"that is not how {kind}: is written") from error
    except Exception as error:
        # Twisted's parsers and those of plugins raise all kinds of things.
        raise ValueError(reasonOf(error)) from error
    return found
