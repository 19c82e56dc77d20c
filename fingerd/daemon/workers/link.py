"""A worker's link to its parent."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from typing import Any, cast

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFromThreads,
    IReactorSocket,
    IReactorTime,
)
from twisted.logger import Logger

from fingerd.daemon.workers.channel import Channel, connect
from fingerd.daemon.workers.telling import factsOf
from fingerd.doors.net.shared_ports import HandedPorts
from fingerd.logs.daemon_log import DaemonLog
from fingerd.model.interfaces import IStore
from fingerd.model.limits import Limits
from fingerd.service import FingerService
from fingerd.stores.kept import KeptStore
from fingerd.system.shared_table import REMOTE_SETTERS, SETTERS, VISITS, Column
from fingerd.system.signals import OnSignal
from fingerd.system.worker_role import Role

# Seconds that the parent has, at the end, to note what was counted.
_NOTED = 1.0


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
        store: IStore,
        column: Column,
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
        self._store = store if isinstance(store, KeptStore) else None
        self._ports = ports
        self._clock = cast(IReactorTime, reactor)
        self._limits = limits
        # By the id of a status that was set here: what fires when all show it.
        self._showing: dict[int, Deferred[None]] = {}
        self._reopen = reopen or (lambda: None)
        self._noted: Deferred[None] = Deferred()
        self._channel = Channel(self._heard, self._lost)
        self._words: dict[str, Callable[..., object]] = {
            "begin": lambda: Deferred.fromCoroutine(self._begin()),
            "knock": self._ports.knock,
            "look": lambda status: Deferred.fromCoroutine(self._look(status)),
            "shown": self._shown,
            "room": self._makeRoom,
            "last": self._last,
            "reload": self._reload,
            "reopen": self._reopen,
            "ping": lambda: self._tell("pong"),
            "measure": lambda: self._tell("measured"),
            "noted": self._isNoted,
        }
        column.askForRoom = lambda row: self._channel.say("full", row)
        if self._store is not None:
            self._store.share(self._show)
        DaemonLog(form, self._clock, limits)
        # They are for the parent, and no reason to end.
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            OnSignal(number, cast(IReactorFromThreads, reactor)).setServiceParent(self)

    def startService(self) -> None:
        super().startService()
        connect(self._channel, self._role.channel, cast(IReactorSocket, self._reactor))
        # A reactor that runs answers.
        self._clock.callLater(0, self._ready)

    def stopService(self) -> Deferred[Any]:
        """Say what was counted, when the last visitor has left."""
        told = Deferred.fromCoroutine(self._over())
        return gatherResults([maybeDeferred(super().stopService), told])

    async def _over(self) -> None:
        await self._finger.drained
        self._tell("over")
        await self._noted.addTimeout(_NOTED, self._clock, lambda result, seconds: None)

    def _ready(self) -> None:
        self._channel.say("ready", self._finger.count(), self._finger.someLogin())

    def _heard(self, word: str, facts: list[Any]) -> None:
        self._words[word](*facts)

    async def _begin(self) -> None:
        if self._store is not None:
            await self._store.look()
        self._ports.begin()
        # As in the upkeep of a daemon of one process.
        gc.freeze()

    async def _look(self, status: int) -> None:
        if self._store is not None and await self._store.look(status) >= status:
            self._channel.say("seen", status)

    def _show(self, status: int) -> Deferred[None]:
        """Let all workers show what was set up to this id; fires when they do, or time is over."""
        shown = self._showing.get(status)
        if shown is None:
            shown = self._showing[status] = Deferred()
            self._channel.say("set", status)
            shown.addTimeout(self._limits.statusesShown, self._clock, self._notShown)
            shown.addBoth(self._forget, status)
        return shown

    def _shown(self, status: int) -> None:
        if status in self._showing:
            self._showing[status].callback(None)

    def _notShown(self, result: object, seconds: float) -> None:
        self._log.warn(
            "a status that was set doesn't show in all workers after {seconds} seconds",
            seconds=seconds,
        )

    def _forget(self, result: None, status: int) -> None:
        del self._showing[status]

    def _tell(self, word: str) -> None:
        self._channel.say(word, factsOf(self._finger.figuresNow()))

    def _isNoted(self) -> None:
        if not self._noted.called:
            self._noted.callback(None)

    def _makeRoom(self, row: int = VISITS) -> None:
        finger = self._finger
        of = {VISITS: finger.visits, SETTERS: finger.setters, REMOTE_SETTERS: finger.remoteSetters}
        of[row].makeRoom()
        self._channel.say("made", row)

    def _last(self) -> None:
        self._ports.lastCall()
        self._channel.say("last")

    def _reload(self) -> None:
        self._finger.reload().addCallback(lambda _: self._channel.say("reloaded"))

    def _lost(self) -> None:
        self._isNoted()
        if self.running:
            self._log.error("the parent of this worker is gone: it ends")
            cast(IReactorCore, self._reactor).stop()
