"""Ports, by Twisted's endpoint strings."""

from __future__ import annotations

import errno
from importlib.util import find_spec

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

__all__ = ["Listener", "endpoint"]

# Twisted's own default, 50, makes clients of a burst wait for seconds.
BACKLOG = 4096
_HAVE_BACKLOG = ("tcp", "tcp6", "unix", "ssl", "tls")
_INTERNET = ("tcp", "tcp6", "ssl", "tls")
_KINDS = (*_HAVE_BACKLOG, "systemd")
# What needs more than a plain installation has.
_TLS = ("ssl", "tls")
# What to do about a port that can't be opened.
_CURES: dict[int | None, str] = {
    errno.EADDRINUSE: "; ss -ltnp says who has it",
    errno.EACCES: "; ports below 1024 are for root, or for a socket of systemd's",
    errno.EADDRNOTAVAIL: "; ip address says which this machine has",
}
_FILE_CURES: dict[int | None, str] = {
    errno.EADDRINUSE: "; ss -lxp says who has it",
    errno.ENOENT: "; make the directory that it is to be in",
    errno.EACCES: "; whoever starts the daemon must be able to write to its directory",
}


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
        return f"can't listen on {self._description}: {whyNot(self._description, failure.value)}"


def whyNot(description: str, error: BaseException | None) -> str:
    """Why the port that C{description} describes can't be opened, and what to do about that."""
    if isinstance(error, CannotListenError):
        error = error.socketError
    number = error.errno if isinstance(error, OSError) else None
    kind = description.partition(":")[0]
    cures = _CURES if kind in _INTERNET else _FILE_CURES if kind == "unix" else {}
    return reasonOf(error) + cures.get(number, "")


def endpoint(reactor: IReactorCore, description: str) -> IStreamServerEndpoint:
    """
    The endpoint that ``description`` describes, as in ``tcp:79:interface=192.0.2.1``, with a
    longer queue of waiting clients than Twisted's, unless it says how long.

    @raise ValueError: when it describes none, with what is wrong with it.
    """
    kind, colon, rest = description.partition(":")
    if kind.isdigit() and not colon:
        raise ValueError(f"a port is written tcp:{kind}")
    if kind in _TLS and not _hasTLS():
        raise ValueError("it needs an extra: pip install 'fingerd[tls]'")
    if kind in ("tcp", "tcp6") and not (port := rest.partition(":")[0]).isdigit() and port:
        raise ValueError(f"{port!r} is not the number of a port, as in {kind}:79")
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
    except OSError as error:
        # Of a certificate or a key.
        raise ValueError(f"{error.filename}: {reasonOf(error)}") from error
    except Exception as error:
        if str(error).startswith("Unknown endpoint type"):
            known = ", ".join(_KINDS)
            raise ValueError(
                f"there is no kind of port called {kind!r}; there are {known}"
            ) from None
        # Twisted's parsers and those of plugins raise all kinds of things.
        raise ValueError(reasonOf(error)) from error
    return found


def _hasTLS() -> bool:
    try:
        return find_spec("OpenSSL.SSL") is not None
    except ImportError:
        return False
