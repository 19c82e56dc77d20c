"""``twistd finger``: from options to services."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from twisted.application.internet import TimerService
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads

from fingerd.directories.urls import fromURL
from fingerd.forwarding import Forwarder
from fingerd.limits import Limits
from fingerd.listening import Listener, endpoint
from fingerd.options import Options
from fingerd.quick import QuickTCP
from fingerd.running import Daemon, ReloadOnHangup, StartLine
from fingerd.service import FingerService
from fingerd.starting import CannotStart
from fingerd.statuses.sqlite import SQLiteStatuses

__all__ = ["Options", "makeService"]

T = TypeVar("T")


def makeService(options: Options) -> IService:
    """
    The daemon that the options describe.

    @raise CannotStart: when it can't be made, with the reason in words.
    """
    from twisted.internet import reactor

    limits: Limits = options["limits"]
    directories = [
        _made("directory", url, lambda url: fromURL(url, reactor, limits))
        for url in options["directory"]
    ]
    statuses = None
    if options["state"] is not None:
        statuses = SQLiteStatuses(options["state"], reactor, options["owner"], limits)
    quick = cast(IReactorCore, QuickTCP(reactor))
    fingerServers: list[Listener] = []
    forwarder = None
    if options["forward"]:
        forwarder = _made(
            "forward",
            ", ".join(options["forward"]),
            lambda _: Forwarder(
                options["forward"],
                lambda: [server.address for server in fingerServers],
                reactor,
                limits,
            ),
        )
    finger = FingerService(reactor, directories, statuses, limits, options["rules"], forwarder)
    fingerServers += [
        Listener(
            description,
            _made("listen", description, lambda text: endpoint(quick, text)),
            finger.getFingerFactory(description.partition(":")[0]),
        )
        for description in options["listen"]
    ]
    setterServers = [
        Listener(
            description,
            _made("setter", description, lambda text: endpoint(reactor, text)),
            finger.getFingerSetterFactory(),
        )
        for description in options["setter"]
    ]
    daemon = Daemon(options["identity"])
    for part in (
        finger,
        *fingerServers,
        *setterServers,
        TimerService(options["reload"], finger.reload),
        ReloadOnHangup(finger.reload, cast(IReactorFromThreads, reactor)),
        StartLine(finger, fingerServers, setterServers),
    ):
        part.setServiceParent(daemon)
    return daemon


def _made(option: str, text: str, make: Callable[[str], T]) -> T:
    """What an option's value stands for."""
    try:
        return make(text)
    except ValueError as error:
        raise CannotStart(f"twistd finger: --{option} {text}: {error}") from None
