"""``twistd finger``: from options to services."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TypeVar, cast

from twisted.application.internet import TimerService
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from fingerd.daemon.options import Options
from fingerd.daemon.running import Daemon, StartLine
from fingerd.directories.by_url import fromURL
from fingerd.directories.connected.passwords import withoutPassword
from fingerd.doors.finger.ports import fingerEndpoint
from fingerd.doors.net.listening import Listener, endpoint
from fingerd.logs.daemon_log import DaemonLog
from fingerd.model.errors import CannotStart
from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import Limits
from fingerd.service.finger_service import FingerService
from fingerd.system.addresses import describe
from fingerd.system.monotonic import useMonotonicTime
from fingerd.system.signals import OnSignal
from fingerd.system.systemd import Notifier

__all__ = ["Options", "makeService"]

T = TypeVar("T")


def makeService(options: Options) -> IService:
    """
    The daemon that the options describe.

    @raise CannotStart: when it can't be made, with the reason in words.
    """
    from twisted.internet import reactor

    useMonotonicTime(reactor)
    limits: Limits = options["limits"]
    DaemonLog(options["log-format"], reactor, limits)
    directories = [_directory(url, reactor, limits) for url in options["directory"]]
    statuses = None
    # What isn't chosen isn't imported; what is, is imported now, while the code can be read.
    if options["state"] is not None:
        from fingerd.stores.sqlite import SQLiteStatuses

        statuses = SQLiteStatuses(options["state"], reactor, options["owner"], limits)
    balancers = None
    if proxied := options["proxy-from"]:
        from fingerd.doors.net.balancers import parseBalancers

        balancers = _made("proxy-from", ", ".join(proxied), lambda _: parseBalancers(proxied))
    fingerServers: list[Listener] = []
    forwarder = None
    if options["forward"]:
        from fingerd.remote.forwarding import Forwarder

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
    queryLog = None
    if options["query-log"] != "none":
        from fingerd.logs.query_log import QueryLog

        queryLog = QueryLog(
            options["query-log"],
            reactor,
            options["owner"],
            options["query-log-format"],
            options["log-peers"],
            limits,
        )
    finger = FingerService(
        reactor, directories, statuses, limits, options["rules"], forwarder, queryLog
    )
    fingerServers += [
        Listener(
            description,
            _made(
                "listen",
                description,
                lambda text: fingerEndpoint(reactor, text, limits, balancers),
            ),
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
    notifier = Notifier(
        cast(IReactorTime, reactor),
        os.environ,
        lambda: f"finger on {', '.join(describe(server.address) for server in fingerServers)}",
    )
    # What logrotate(8) sends.
    reopening = (signal.SIGHUP, signal.SIGUSR1)
    threads = cast(IReactorFromThreads, reactor)
    daemon = Daemon(options["identity"])
    for part in (
        finger,
        *fingerServers,
        *setterServers,
        TimerService(options["reload"], finger.reload),
        OnSignal(signal.SIGHUP, notifier.reloading(finger.reload), threads),
        *(OnSignal(number, queryLog.reopen, threads) for number in reopening if queryLog),
        StartLine(finger, fingerServers, setterServers),
        # Last, so that it says when all of it runs, and is the first to hear of the stop.
        notifier,
    ):
        part.setServiceParent(daemon)
    return daemon


def _directory(url: str, reactor: object, limits: Limits) -> IDirectory:
    return _made("directory", withoutPassword(url), lambda _: fromURL(url, reactor, limits))


def _made(option: str, text: str, make: Callable[[str], T]) -> T:
    """What an option's value stands for."""
    try:
        return make(text)
    except ValueError as error:
        raise CannotStart(f"twistd finger: --{option} {text}: {error}") from None
