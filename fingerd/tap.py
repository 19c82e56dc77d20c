"""``twistd finger``: from options to services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

from twisted.application.internet import TimerService
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorFromThreads

from fingerd.directories.urls import fromURL
from fingerd.limits import DEFAULTS
from fingerd.listening import Listener, endpoint
from fingerd.options import Options
from fingerd.running import Daemon, ReloadOnHangup, StartLine
from fingerd.service import FingerService
from fingerd.starting import CannotStart

__all__ = ["Options", "makeService"]

T = TypeVar("T")


def makeService(options: Options) -> IService:
    """
    The daemon that the options describe.

    @raise CannotStart: when it can't be made, with the reason in words.
    """
    from twisted.internet import reactor

    limits = replace(DEFAULTS, statusHistory=options["history"])
    directories = [
        _made("directory", url, lambda url: fromURL(url, reactor, limits))
        for url in options["directory"]
    ]
    statuses = None
    # What isn't chosen isn't imported; what is, is imported now, while the code can be read.
    if options["state"] is not None:
        from fingerd.statuses.sqlite import SQLiteStatuses

        statuses = SQLiteStatuses(options["state"], reactor, options["owner"], limits)
    fingerServers: list[Listener] = []
    forwarder = None
    if options["forward"]:
        from fingerd.forwarding import Forwarder

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
            _made("listen", description, lambda text: endpoint(reactor, text)),
            finger.getFingerFactory(),
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
