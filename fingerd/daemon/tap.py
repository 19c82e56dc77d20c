"""``twistd finger``: from options to services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.internet import TimerService
from twisted.application.service import IService
from twisted.internet.interfaces import IAddress

from fingerd.daemon.doors import listenerOf
from fingerd.daemon.options import Options
from fingerd.daemon.stores import schemeOf, storeOf
from fingerd.daemon.upkeep import Daemon, Upkeep, whereOf
from fingerd.directories.by_url import fromURL
from fingerd.directories.connected.passwords import withoutPassword
from fingerd.model.errors import CannotStart
from fingerd.model.interfaces import (
    IDirectory,
    IForwarder,
    IKeyring,
    IListener,
    IQueryLog,
    IStore,
    ITried,
)
from fingerd.model.limits import Limits
from fingerd.service import FingerService
from fingerd.system.monotonic import useMonotonicTime
from fingerd.system.pid_file import LeftPidFile

__all__ = ["Options", "makeService"]

T = TypeVar("T")

# Modules that aren't chosen aren't imported; the others are now, while the code can be read.


def makeService(options: Options) -> IService:
    """
    The daemon that the options describe.

    @raise CannotStart: when it can't be made, with the reason in words.
    """
    from twisted.internet import reactor

    useMonotonicTime(reactor)
    limits: Limits = options["limits"]
    directories = [makeDirectory(url, options, reactor) for url in options["directory"]]
    asked: list[IListener] = []
    queryLog, reopen = _queryLog(options, reactor, limits)
    finger = FingerService(
        reactor,
        directories,
        _store(options, reactor, limits),
        limits,
        options["rules"],
        _forwarder(options, asked, reactor, limits),
        queryLog,
        keyrings=_keyrings(options, reactor, limits),
    )
    # twistd goes there when this is done. Under twist there is no such option.
    inBackground = options.parent is not None and not options.parent.get("nodaemon", True)
    balancers = None
    if proxied := options["proxy-from"]:
        from fingerd.doors.net.balancers import parseBalancers

        balancers = _made(
            options, "proxy-from", ", ".join(proxied), lambda: parseBalancers(proxied)
        )

    def opened(option: str, door: str, endpoint: str, **chosen: object) -> IListener:
        def make() -> IListener:
            listener = listenerOf(door, endpoint, finger, reactor, limits, balancers, **chosen)
            if inBackground and option != "door":
                from fingerd.doors.net.trying import tryPort

                tryPort(endpoint, reactor)
            return listener

        return _made(options, option, endpoint if option != "door" else f"{door}:{endpoint}", make)

    asked += [opened("listen", "finger", endpoint) for endpoint in options["listen"]]
    others = [opened("door", *text.partition(":")[::2]) for text in options["door"]]
    chosen = {"url": options["web-url"], "history": options["web-history"]}
    others += [opened("web", "web", endpoint, **chosen) for endpoint in options["web"]]
    setters = [opened("setter", "setter", endpoint) for endpoint in options["setter"]]
    state = options["state"]
    if options["ssh"] and state is not None and (scheme := schemeOf(state)):
        raise CannotStart(
            "twistd finger: --ssh keeps its host key in the state directory, and there is none "
            f"with --state {scheme}:"
        )
    remote = [opened("ssh", "ssh", endpoint, state=state) for endpoint in options["ssh"]]
    doors = [*asked, *others, *setters, *remote]
    measured = {
        "kinds": [url.partition(":")[0] for url in options["directory"]],
        "open": lambda: all(door.address is not None for door in doors),
    }
    metrics = [opened("metrics", "metrics", each, **measured) for each in options["metrics"]]
    upkeep = Upkeep(
        finger,
        reactor,
        [whereOf(each) for each in (*asked, *others)],
        [whereOf(each) for each in setters],
        reopen,
        options["log-format"],
        limits,
        [whereOf(each) for each in metrics],
    )
    daemon = Daemon(options["identity"])
    timer = TimerService(options["reload"], finger.reload)
    pidFile = LeftPidFile(options.parent or {})
    for part in (pidFile, finger, *doors, *metrics, timer, upkeep):
        IService(part).setServiceParent(daemon)
    return daemon


def makeDirectory(url: str, options: Options, reactor: object) -> IDirectory:
    """
    The directory that a URL of the options names.

    @raise CannotStart: when there can't be one, with the reason in words.
    """

    def make() -> IDirectory:
        directory = fromURL(url, reactor, options["limits"])
        if ITried.providedBy(directory):
            directory.tryToStart()
        return directory

    return _made(options, "directory", url, make, withoutPassword(url))


def _store(options: Options, reactor: Any, limits: Limits) -> IStore:
    state = options["state"]
    return _made(
        options,
        "state",
        state or "",
        lambda: storeOf(state, options["owner"], reactor, limits),
        withoutPassword(state or ""),
    )


def _keyrings(options: Options, reactor: Any, limits: Limits) -> list[IKeyring]:
    if options["ssh-keys"] is None:
        return []
    from fingerd.directories.key_files import KeyFiles

    return [KeyFiles(options["ssh-keys"], reactor, limits)]


def _forwarder(
    options: Options, asked: list[IListener], reactor: Any, limits: Limits
) -> IForwarder | None:
    hosts = options["forward"]
    if not hosts:
        return None
    from fingerd.remote.forwarding import Forwarder

    def own() -> list[IAddress]:
        return [each.address for each in asked if each.address is not None]

    return _made(
        options, "forward", ", ".join(hosts), lambda: Forwarder(hosts, own, reactor, limits)
    )


def _queryLog(
    options: Options, reactor: Any, limits: Limits
) -> tuple[IQueryLog | None, Callable[[], object] | None]:
    """The query log, and what opens it anew."""
    if options["query-log"] == "none":
        return None, None
    from fingerd.logs.query_log import QueryLog

    log = QueryLog(
        options["query-log"],
        reactor,
        options["owner"],
        options["query-log-format"],
        options["log-peers"],
        limits,
    )
    return log, log.reopen


def _made(
    options: Options, option: str, value: str, make: Callable[[], T], shown: str | None = None
) -> T:
    """
    What an option's value stands for.

    @param shown: what may be shown of the value, if that isn't all of it.
    """
    try:
        return make()
    except ValueError as error:
        told = options.told(option, value, shown)
        raise CannotStart(f"{options.command}: {told}: {error}") from None
