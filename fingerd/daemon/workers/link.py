"""A worker's link to its parent."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, cast

from twisted.application.service import MultiService
from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFromThreads,
    IReactorSocket,
    IReactorTime,
)
from twisted.logger import Logger

from fingerd.daemon.workers.channel import Channel, connect
from fingerd.doors.net.shared_ports import HandedPorts
from fingerd.logs.daemon_log import DaemonLog
from fingerd.model.limits import Limits
from fingerd.service import FingerService
from fingerd.system.signals import OnSignal
from fingerd.system.worker_role import Role


class Link(MultiService):
    """
    Tells the parent that this worker answers, and does what the parent says. Where the parent is
    gone, the worker ends.

    It is made before logging begins, and started last.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: object,
        role: Role,
        finger: FingerService,
        ports: HandedPorts,
        reopen: Callable[[], object] | None,
        form: str,
        limits: Limits,
    ) -> None:
        """
        @param reopen: opens the query log anew.
        @param form: how the daemon's log is written, C{text} or C{json}.
        """
        super().__init__()
        self._reactor = reactor
        self._role = role
        self._finger = finger
        self._ports = ports
        self._reopen = reopen or (lambda: None)
        self._channel = Channel(self._heard, self._lost)
        self._words: dict[str, Callable[..., object]] = {
            "last": self._last,
            "reload": self._reload,
            "reopen": self._reopen,
            "ping": lambda: self._channel.say("pong"),
        }
        DaemonLog(form, cast(IReactorTime, reactor), limits)
        # They are for the parent, and no reason to end.
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            OnSignal(number, cast(IReactorFromThreads, reactor)).setServiceParent(self)

    def startService(self) -> None:
        super().startService()
        connect(self._channel, self._role.channel, cast(IReactorSocket, self._reactor))
        # A reactor that runs answers.
        cast(IReactorTime, self._reactor).callLater(0, self._ready)

    def _ready(self) -> None:
        self._channel.say("ready", self._finger.count(), self._finger.someLogin())

    def _heard(self, word: str, facts: list[Any]) -> None:
        self._words[word](*facts)

    def _last(self) -> None:
        self._ports.lastCall()
        self._channel.say("last")

    def _reload(self) -> None:
        self._finger.reload().addCallback(lambda _: self._channel.say("reloaded"))

    def _lost(self) -> None:
        if self.running:
            self._log.error("the parent of this worker is gone: it ends")
            cast(IReactorCore, self._reactor).stop()
