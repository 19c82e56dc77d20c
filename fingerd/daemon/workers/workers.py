"""The parent of the workers: it keeps as many as there are to be, and answers nothing itself."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from typing import Any, cast

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList, gatherResults, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorCore, IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from fingerd.daemon.workers.announcing import Announcing
from fingerd.daemon.workers.measuring import Measuring
from fingerd.daemon.workers.room import Room
from fingerd.daemon.workers.sightings import Sightings
from fingerd.daemon.workers.spawning import Spawner
from fingerd.daemon.workers.worker import Worker
from fingerd.doors.net.shared_ports import KeptPorts
from fingerd.model.errors import reasonOf
from fingerd.model.interfaces import IListener
from fingerd.model.limits import Limits

# Seconds until a worker that has died is replaced: at first, and at most, where its successors
# die too. One that has lived so long is no such successor.
_AGAIN, _AT_MOST, _WELL = 0.1, 30.0, 60.0
# Seconds that workers have to say that they let everyone in, and then to let the last ones in.
_ANSWER, _LAST, _LOOK = 1.0, 1.1, 0.02
# Times as long a worker may be silent at its start: a million users take a while to be read.
_STARTING = 10
# Seconds for a worker that hangs to say where.
_ABORT = 2.0


class Workers(MultiService):
    """
    Keeps workers, which accept clients at the ports that are opened here.

    It opens the ports and does whatever else needs root, and starts the workers when it is root no
    more. One that dies is replaced; one that says nothing for C{limits.workerSilence} is ended,
    and replaced. On SIGUSR2 each worker is replaced by a new one, with the code and the files of
    now, one after the other, and nobody who has connected notices.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: object,
        ports: KeptPorts,
        spawner: Spawner,
        listeners: Sequence[IListener],
        announcing: Announcing,
        measuring: Measuring,
        limits: Limits,
    ) -> None:
        """
        @param listeners: the doors, at C{ports}.
        @param measuring: adds up what workers have counted.
        @param announcing: what says that they all run.
        """
        super().__init__()
        self._number = spawner.number
        self._clock = cast(IReactorTime, reactor)
        self._ports = ports
        self._table = spawner.table
        self._spawner = spawner
        self._listeners = [IService(each) for each in listeners]
        self._announcing = announcing
        self._measuring = measuring
        self._limits = limits
        self._columns = list(range(spawner.table.columns))
        # By place: the worker that answers, or is about to; None where one is still to be started.
        self._places: list[Worker | None] = [None] * spawner.number
        # All that live.
        self._alive: dict[Worker, None] = {}
        self._later: dict[int, IDelayedCall] = {}
        self._pause = [_AGAIN] * spawner.number
        self._isAnnounced = self._isStopping = self._isFailed = False
        self._rolling: Deferred[None] | None = None
        self._sightings = Sightings()
        self._room = Room(spawner.table, limits)
        self._watch = LoopingCall(self._lookAtThem)
        self._watch.clock = self._clock
        announcing.passOn(self)
        announcing.setServiceParent(self)

    def count(self) -> int | None:
        """How many users there are, or None where that isn't known."""
        return next((each.count for each in self._alive if each.isReady), None)

    def someLogin(self) -> str | None:
        """A user to ask for, to show how it is done: None where none is known."""
        return next((each.someLogin for each in self._alive if each.isReady), None)

    def reload(self) -> Deferred[None]:
        """Let all workers look for changes; fires when they have."""
        asked = [each.asks("reload", "reloaded") for each in self._alive if each.isReady]
        return gatherResults(asked).addCallback(lambda _: None)

    def reopen(self) -> None:
        """Let all workers go on in new log files."""
        for worker in self._alive:
            worker.say("reopen")

    def roll(self) -> None:
        """Replace the workers by new ones, one after the other."""
        if self._rolling is None and self._isAnnounced:
            self._rolling = Deferred.fromCoroutine(self._roll())
            self._rolling.addErrback(lambda failure: self._log.failure("Replacing", failure))
            self._rolling.addBoth(self._rolled)

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        for listener in self._listeners:
            listener.privilegedStartService()

    def startService(self) -> None:
        super().startService()
        for listener in self._listeners:
            listener.startService()
        for place in range(self._number):
            self._fill(place)
        self._watch.start(self._limits.workerSilence / 3, now=False)

    def stopService(self) -> Deferred[None]:
        """Let the workers finish what they answer, and end them."""
        self._isStopping = True
        stopped = maybeDeferred(super().stopService)
        return stopped.addCallback(lambda _: Deferred.fromCoroutine(self._stop()))

    def said(self, worker: Worker, word: str, facts: list[Any]) -> None:
        """See L{Keeper}."""
        if word == "set":
            others = [each for each in self._alive if each is not worker and each.isReady]
            self._sightings.set(worker, facts[0], others)
        elif word == "seen":
            self._sightings.seen(worker, facts[0])
        elif word == "full":
            self._room.needed(facts[0], list(self._alive))
        elif word == "made":
            self._room.made(worker, facts[0])

    def ended(self, worker: Worker) -> None:
        """See L{Keeper}."""
        del self._alive[worker]
        self._measuring.ended(worker)
        self._table.clear(worker.column)
        self._columns.append(worker.column)
        self._sightings.left(worker)
        self._room.left(worker)
        for other in self._alive:
            if other.isReady:
                other.say("knock")
        if worker in self._places and not self._isStopping:
            place = self._places.index(worker)
            self._places[place] = None
            if not self._isAnnounced:
                self._log.error("a worker has ended at its start ({reason})", reason=worker.reason)
                self._fail()
            else:
                self._replace(place, worker)

    def _fill(self, place: int) -> None:
        """Start a worker."""
        self._later.pop(place, None)
        worker = self._places[place] = self._start()
        if worker is not None:
            worker.ready.addCallback(self._lookWhetherAllAre)
        elif self._isAnnounced:
            self._later[place] = self._clock.callLater(_AT_MOST, self._fill, place)
        else:
            self._fail()

    def _start(self) -> Worker | None:
        worker = Worker(self, self._columns.pop(0), self._clock)
        try:
            worker.start(self._spawner)
        except OSError as error:
            self._columns.append(worker.column)
            self._log.error("a worker can't be started: {reason}", reason=reasonOf(error))
            return None
        self._alive[worker] = None
        self._measuring.began(worker)
        return worker

    def _lookWhetherAllAre(self, ready: bool) -> None:
        if self._isAnnounced or self._isStopping:
            return
        if all(each is not None and each.isReady for each in self._places):
            self._isAnnounced = True
            self._announcing.begin(self)

    def _replace(self, place: int, worker: Worker) -> None:
        lived = self._clock.seconds() - worker.beganAt
        pause = _AGAIN if lived > _WELL else self._pause[place]
        self._pause[place] = min(2 * pause, _AT_MOST)
        self._log.error(
            "the worker with pid {pid} has ended ({reason}): another is started in {pause} seconds",
            pid=worker.pid,
            reason=worker.reason,
            pause=pause,
        )
        self._later[place] = self._clock.callLater(pause, self._fill, place)

    def _fail(self) -> None:
        """A worker can't be started: nor can the daemon."""
        if not self._isFailed:
            self._isFailed = True
            # There is no other way to end twistd with a status of one's own once it runs.
            atexit.register(_exit)
            self._clock.callLater(0, cast(IReactorCore, self._clock).stop)

    def _lookAtThem(self) -> None:
        """End those that hang."""
        now = self._clock.seconds()
        for worker in list(self._alive):
            silence = now - worker.heardAt
            most = self._limits.workerSilence * (1 if worker.isReady else _STARTING)
            if silence > most and not worker.isStopping:
                self._log.error(
                    "the worker with pid {pid} has said nothing for {silence:.0f} seconds",
                    pid=worker.pid,
                    silence=silence,
                )
                worker.abort(_ABORT)
            worker.say("ping")

    async def _roll(self) -> None:
        self._log.info("the workers are replaced, one after the other")
        for place in range(self._number):
            # What is started while the daemon stops, nobody would end.
            if self._isStopping:
                return
            new = self._start()
            isReady = new is not None and await new.ready
            if self._isStopping:
                return
            if not isReady:
                self._log.error("a new worker can't be started: the others go on as they are")
                return
            old, self._places[place] = self._places[place], new
            if later := self._later.pop(place, None):
                later.cancel()
            if old is not None:
                await old.stop(self._patience)
        self._log.info("all workers are new")

    def _rolled(self, result: None) -> None:
        self._rolling = None

    @property
    def _patience(self) -> float:
        """Seconds that a worker has to end: for answers in flight, and then for what it keeps."""
        return 2 * self._limits.stopTime + _LAST

    async def _stop(self) -> None:
        if self._watch.running:
            self._watch.stop()
        for later in self._later.values():
            later.cancel()
        asked = [each.asks("last", "last") for each in self._alive if each.isReady]
        told = DeferredList(asked, consumeErrors=True)
        told.addTimeout(_ANSWER, self._clock, lambda result, seconds: None)
        await told
        self._ports.keepOut()
        until = self._clock.seconds() + _LAST
        while self._alive and self._ports.areWaiting() and self._clock.seconds() < until:
            await deferLater(self._clock, _LOOK)
        await gatherResults([each.stop(self._patience) for each in self._alive])
        await gatherResults([maybeDeferred(each.stopService) for each in self._listeners])


def _exit() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
