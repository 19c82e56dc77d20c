"""``twistd finger``: from options to services."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.internet import TimerService
from twisted.application.service import IService
from twisted.internet.interfaces import IAddress

from fingerd.daemon.doors import listenerOf
from fingerd.daemon.options import Options
from fingerd.daemon.starting import Shell, named
from fingerd.daemon.stores import storeOf
from fingerd.daemon.upkeep import Daemon, Upkeep, Where, whereOf
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
from fingerd.model.limits import Limits, ofEach
from fingerd.service import FingerService
from fingerd.system.monotonic import useMonotonicTime
from fingerd.system.pid_file import LeftPidFile
from fingerd.system.worker_role import Role, roleOf

if TYPE_CHECKING:
    from fingerd.daemon.workers.measuring import Measuring
    from fingerd.doors.net.balancers import Balancers
    from fingerd.system.shared_table import Column

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
    role = roleOf()
    limits: Limits = ofEach(options["limits"], 1 if role is None else role.of)
    directories = [makeDirectory(url, options, reactor) for url in options["directory"]]
    column = None if role is None else _column(role)
    store = _store(options, reactor, limits)
    asked: list[IListener] = []
    queryLog, reopen = _queryLog(options, reactor, limits)
    finger = FingerService(
        reactor,
        directories,
        store,
        limits,
        options["rules"],
        _forwarder(options, asked, reactor, limits),
        queryLog,
        keyrings=makeKeyrings(options, reactor, limits),
        column=column,
    )
    # twistd goes there when this is done. Under twist there is no such option.
    inBackground = options.parent is not None and not options.parent.get("nodaemon", True)
    shell = Shell() if inBackground else None
    ports = _ports(reactor, role, options["workers"])
    balancers = _balancers(options)

    def opened(
        option: str,
        door: str,
        endpoint: str,
        service: FingerService | Measuring = finger,
        at: Any = ports,
        **chosen: object,
    ) -> IListener:
        def make() -> IListener:
            listener = listenerOf(door, endpoint, service, at, limits, balancers, **chosen)
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
    known = {"state": options["state"], "key": options["ssh-host-key"]}
    remote = [opened("ssh", "ssh", endpoint, **known) for endpoint in options["ssh"]]
    doors = [*asked, *others, *setters, *remote]

    measuring = _measuring(options, role, finger, reactor)
    measured = {
        "kinds": [url.partition(":")[0] for url in options["directory"]],
        "open": lambda: all(door.address is not None for door in doors),
    }
    metrics = [
        opened("metrics", "metrics", each, measuring or finger, reactor, **measured)
        for each in options["metrics"]
        if role is None
    ]
    form, where = options["log-format"], (_where(asked + others), _where(setters), _where(metrics))
    if measuring is not None:
        from fingerd.daemon.workers.making import partsOf
        from fingerd.daemon.workers.prepared import becomeParent

        daemon = Daemon(options["identity"], becomeParent, shell)
        kept, opens = [store, queryLog], doors + metrics
        return _together(
            daemon, options, partsOf(options, reactor, ports, kept, opens, where, measuring)
        )
    parts = [finger, *doors, *metrics, *_timers(options, reactor, finger)]
    if role is None or column is None:
        daemon = Daemon(options["identity"], shell=shell)
        parts.append(Upkeep(finger, reactor, *where, reopen, form, limits))
    else:
        from fingerd.daemon.workers.link import Link
        from fingerd.daemon.workers.prepared import becomeWorker

        daemon = Daemon(options["identity"], becomeWorker)
        parts.append(Link(reactor, role, finger, store, column, ports, reopen, form, limits))
    return _together(daemon, options, parts)


def _timers(options: Options, reactor: Any, finger: FingerService) -> list[IService]:
    """What is done from time to time."""
    timers: list[IService] = [TimerService(options["reload"], _look, finger)]
    if options["metrics"]:
        from fingerd.system.lag import Lag

        timers.append(Lag(reactor, finger.lag))
    return timers


def _measuring(
    options: Options, role: Role | None, finger: FingerService, reactor: Any
) -> Measuring | None:
    """What measures the workers, in the parent of some."""
    if role is not None or options["workers"] == 1:
        return None
    from fingerd.daemon.workers.measuring import Measuring

    return Measuring(finger, options["limits"], reactor)


def _look(finger: FingerService) -> None:
    """Look for changes. No later look waits for one that hangs, as a file's server may."""
    finger.reload()


def _together(daemon: Daemon, options: Options, parts: list[Any]) -> Daemon:
    for part in (LeftPidFile(options.parent or {}), *parts):
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


def _ports(reactor: object, role: Role | None, workers: int) -> Any:
    """The reactor that opens ports: where there are workers, their parent does, and they do not."""
    if role is None and workers == 1:
        return reactor
    from fingerd.doors.net.shared_ports import HandedPorts, KeptPorts

    return KeptPorts(reactor) if role is None else HandedPorts(reactor, role.sockets)


def _column(role: Role) -> Column:
    """The worker's own, of what they share."""
    from fingerd.system.shared_table import Column, SharedTable

    # One that ends, and the one that takes its place, are there at the same time.
    table = SharedTable(role.of + 1, role.peers, role.table)
    # Programs that are started here don't inherit it.
    os.set_inheritable(role.table, False)
    return Column(table, role.column, role.of)


def _balancers(options: Options) -> Balancers | None:
    proxied = options["proxy-from"]
    if not proxied:
        return None
    from fingerd.doors.net.balancers import parseBalancers

    return _made(options, "proxy-from", ", ".join(proxied), lambda: parseBalancers(proxied))


def _where(listeners: list[IListener]) -> list[Where]:
    return [whereOf(each) for each in listeners]


def _store(options: Options, reactor: Any, limits: Limits) -> IStore:
    state = options["state"]
    return _made(
        options,
        "state",
        state or "",
        lambda: storeOf(state, options["owner"], reactor, limits, options["workers"]),
        withoutPassword(state or ""),
    )


def makeKeyrings(options: Options, reactor: Any, limits: Limits) -> list[IKeyring]:
    """Where users' SSH keys are, beside the directories that have some."""
    path = options["ssh-keys"]
    if path is None:
        return []
    from fingerd.directories.key_files import KeyFiles

    return [_made(options, "ssh-keys", path, lambda: KeyFiles(path, reactor, limits))]


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

    where = options["query-log"]
    form, peers = options["query-log-format"], options["log-peers"]
    log = _made(
        options,
        "query-log",
        where,
        lambda: QueryLog(where, reactor, options["owner"], form, peers, limits),
    )
    return log, log.reopen


def _made(
    options: Options, option: str, value: str, make: Callable[[], T], shown: str | None = None
) -> T:
    """
    What an option's value stands for. The option is named where there is no such thing, or where it
    can't start.

    @param shown: what may be shown of the value, if that isn't all of it.
    """
    told = f"{options.command}: {options.told(option, value, shown)}"
    try:
        made = make()
    except ValueError as error:
        raise CannotStart(f"{told}: {error}") from None
    named(made, told)
    return made
