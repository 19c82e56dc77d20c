"""What a daemon does besides answering."""

from __future__ import annotations

import gc
import os
import shlex
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, cast

from twisted.application.internet import TCPServer
from twisted.application.service import IServiceCollection, MultiService, Service
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IReactorCore,
    IReactorFromThreads,
    IReactorTime,
)
from twisted.logger import Logger

from fingerd.daemon.starting import Shell
from fingerd.doors.finger.quick.reactor import QuickTCP
from fingerd.doors.net.listening import BACKLOG
from fingerd.logs.daemon_log import DaemonLog
from fingerd.model.errors import CannotStart
from fingerd.model.interfaces import IListener
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.service import FingerService
from fingerd.system import privileges
from fingerd.system.addresses import describe, ipAddress
from fingerd.system.going_first import GoingFirst
from fingerd.system.signals import OnSignal, hold
from fingerd.system.systemd import Notifier
from fingerd.text import cleaning

__all__ = ["Upkeep"]

# Where a door listens; None where it doesn't, or not yet.
Where = Callable[[], IAddress | None]


class Daemon(MultiService):
    """
    The services of a daemon. Started by root, it opens its ports and whatever else needs root,
    then becomes a lesser user, and only then starts what meets clients: under twistd and
    under twist, which has no such step of its own.
    """

    def __init__(
        self,
        identity: privileges.Identity,
        becoming: Callable[[privileges.Identity], object] = privileges.become,
        shell: Shell | None = None,
    ) -> None:
        """
        @param identity: the user to become.
        @param becoming: how that is done.
        @param shell: the shell that waits for the start, if one does.
        """
        super().__init__()
        self._identity = identity
        self._becoming = becoming
        self._shell = shell
        self._privilegedStarted = False

    def privilegedStartService(self) -> None:
        self._privilegedStarted = True
        with self._told():
            super().privilegedStartService()

    def startService(self) -> None:
        if not self._privilegedStarted:
            self.privilegedStartService()
        with self._told():
            self._becoming(self._identity)
            super().startService()
        if self._shell is not None:
            self._shell.started()
            self._shell = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell the shell why the daemon can't start."""
        try:
            yield
        except CannotStart as error:
            if self._shell is not None:
                self._shell.failed(str(error))
            raise


class Upkeep(MultiService):
    """
    What a daemon needs besides its service and its doors: an escaped log, a reload on SIGHUP, new
    log files on SIGHUP and SIGUSR1, the word to systemd, its turn before others where users set
    something, and a line in the log that says that the daemon runs.

    It is made before logging begins, and started last.
    """

    def __init__(
        self,
        finger: FingerService,
        reactor: object,
        asked: Sequence[Where],
        set: Sequence[Where] = (),
        measured: Sequence[Where] = (),
        reopen: Callable[[], object] | None = None,
        form: str = "text",
        limits: Limits = DEFAULTS,
    ) -> None:
        """
        @param asked: where the doors are at which users are asked for.
        @param set: where those are at which something is set.
        @param measured: where those are at which the daemon is measured.
        @param reopen: opens the query log anew, when logrotate(8) has moved it away.
        @param form: how the daemon's log is written, C{text} or C{json}.
        """
        super().__init__()
        # In a tac nothing has done so before.
        hold()
        clock = cast(IReactorTime, reactor)
        threads = cast(IReactorFromThreads, reactor)
        logs = [DaemonLog(form, clock, limits).reopen, *([reopen] if reopen else [])]
        notifier = Notifier(clock, os.environ, lambda: f"finger on {addresses(asked)}")
        reload = notifier.reloading(finger.reload)
        OnSignal(signal.SIGHUP, threads, *logs, reload).setServiceParent(self)
        # What logrotate(8) sends.
        OnSignal(signal.SIGUSR1, threads, *logs).setServiceParent(self)
        if set:
            # Their clients may be gone in a moment.
            GoingFirst(clock).setServiceParent(self)
        StartLine(finger, asked, set, measured).setServiceParent(self)
        # Last, so that it says when all of it runs, and is the first to hear of the stop.
        notifier.setServiceParent(self)

    def startService(self) -> None:
        super().startService()
        # What is there by now, code above all, is there to stay. To look through it for garbage
        # would hold the daemon for some 25 ms each time.
        gc.freeze()

    @classmethod
    def of(cls, application: object, finger: FingerService, reactor: object) -> Upkeep:
        """
        The upkeep of an application whose doors are Twisted's own L{TCPServer}s, as in a tac. Their
        ports get as long a queue as those of C{twistd finger}, and the short way for the commonest
        query.
        """
        # Only a tac has need of it.
        from fingerd.doors.setter.setter_protocol import FingerSetterFactory  # noqa: PLC0415

        servers = [
            server for server in IServiceCollection(application) if isinstance(server, TCPServer)
        ]
        asked: list[Where] = []
        set: list[Where] = []
        for server in servers:
            setting = isinstance(server.args[1], FingerSetterFactory)
            (set if setting else asked).append(_whereOf(server))
            server.reactor = QuickTCP(reactor)
            server.kwargs.setdefault("backlog", BACKLOG)
        return cls(finger, cast(IReactorCore, reactor), asked, set)


class Known(Protocol):
    """What is to be said of users when the daemon starts: see L{FingerService}."""

    def count(self) -> int | None:
        """How many there are, or None where that isn't known at once."""

    def someLogin(self) -> str | None:
        """One to ask for, or None."""


class StartLine(Service):
    """
    Says in one line of the log that the daemon runs: where it listens, how many users it has,
    and how to ask it. To be started last.
    """

    _log = Logger()

    def __init__(
        self,
        finger: Known,
        asked: Sequence[Where],
        set: Sequence[Where],
        measured: Sequence[Where] = (),
    ) -> None:
        """
        @param asked: where the doors are at which users are asked for.
        @param set: where those are at which something is set.
        @param measured: where those are at which the daemon is measured.
        """
        self._measured = measured
        self._finger = finger
        self._asked = asked
        self._set = set

    def startService(self) -> None:
        super().startService()
        first = next((where() for where in self._asked), None)
        setters = addresses(self._set)
        count = self._finger.count()
        self._log.info(
            "finger on {ports}; setter {setters}; {metrics}{users}; try: {example}",
            ports=addresses(self._asked),
            setters=f"on {setters}" if setters else "off",
            metrics=f"metrics on {addresses(self._measured)}; " if self._measured else "",
            users="no count of users"
            if count is None
            else f"{count} user{'' if count == 1 else 's'}",
            example=_example(first, self._finger.someLogin() or ""),
        )


def whereOf(listener: IListener) -> Where:
    """Where a door listens."""
    return lambda: listener.address


def _whereOf(server: TCPServer) -> Where:
    def where() -> IAddress | None:
        # The talk's service keeps its port to itself.
        port: IListeningPort | None = server._port
        return None if port is None else port.getHost()

    return where


def addresses(doors: Iterable[Where]) -> str:
    """Where these doors are, in words."""
    found = [where() for where in doors]
    return ", ".join("(not open yet)" if each is None else describe(each) for each in found)


def _example(address: IAddress | None, login: str) -> str:
    """A command for the shell that asks for C{login}."""
    name = shlex.quote(cleaning.cleanLine(login)) if login else ""
    echo = f"echo {name}".rstrip()
    if isinstance(address, UNIXAddress):
        return f"{echo} | nc -U {shlex.quote(describe(address))}"
    ip = ipAddress(address)
    host = "localhost" if ip is None or ip.is_unspecified or ip.is_loopback else str(ip)
    port = getattr(address, "port", 79)
    if port == 79:
        return f"finger {name}@{host}"
    return f"{echo} | nc {host} {port}"
