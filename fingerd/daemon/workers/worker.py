"""One worker, as its parent sees it."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import (
    IDelayedCall,
    IProcessTransport,
    IReactorSocket,
    IReactorTime,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from fingerd.daemon.workers.channel import Channel, connect
from fingerd.daemon.workers.spawning import Spawner
from fingerd.daemon.workers.telling import figuresOf
from fingerd.logs.worker_lines import WorkerLines
from fingerd.model.counts import Figures

# Seconds for what an ended worker has written to be read.
_PIPES = 0.5


class Keeper(Protocol):
    """Who keeps workers."""

    def said(self, worker: Worker, word: str, facts: list[Any]) -> None:
        """A worker has said something that is not about itself alone."""

    def ended(self, worker: Worker) -> None:
        """A worker's process is no more."""


class Worker(ProcessProtocol):
    """
    A process that answers.

        starting ──▶ ready ──▶ stopping ──▶ ended

    From every state it may come to its end at once: it may be killed, or fail at its start.

    @ivar column: its own, of what the workers share.
    @ivar ready: fires with whether it has come to answer, when that is known.
    @ivar over: fires when the process has ended.
    @ivar heardAt: when it last said anything.
    @ivar seen: the id of the last status that it has.
    @ivar figures: what it had counted when it last said that.
    """

    transport: IProcessTransport

    def __init__(self, keeper: Keeper, column: int, clock: IReactorTime) -> None:
        self.column = column
        self.ready: Deferred[bool] = Deferred()
        self.over: Deferred[None] = Deferred()
        self.isReady = False
        self.isStopping = False
        self.isOver = False
        self.pid = 0
        # How many users it has when it is ready, and one of them.
        self.count: int | None = None
        self.someLogin: str | None = None
        self.figures: Figures | None = None
        self.beganAt = self.heardAt = clock.seconds()
        self.reason = ""
        self._keeper = keeper
        self._clock = clock
        self._lines = WorkerLines()
        self._channel = Channel(self._heard, self._left)
        self._kill: IDelayedCall | None = None
        self._answers: dict[str, list[Deferred[None]]] = {}

    def start(self, spawner: Spawner) -> None:
        """
        Start the process.

        @raise OSError: when the system doesn't allow it.
        """
        descriptor = spawner.spawn(self, self.column)
        self.pid = cast(int, self.transport.pid)
        connect(self._channel, descriptor, cast(IReactorSocket, self._clock))

    def say(self, word: str, *facts: object) -> None:
        """Say something to it."""
        self._channel.say(word, *facts)

    def asks(self, word: str, answer: str) -> Deferred[None]:
        """Say something to it; fires when it has answered, or can't any more."""
        answered: Deferred[None] = Deferred()
        if self.isOver:
            answered.callback(None)
        else:
            self._answers.setdefault(answer, []).append(answered)
            self.say(word)
        return answered

    def stop(self, patience: float) -> Deferred[None]:
        """
        Let it finish what it answers; fires when the process has ended.

        @param patience: after so many seconds it is killed.
        """
        if not self.isStopping:
            self.isStopping = True
            self.signal(signal.SIGTERM)
            if not self.isOver:
                self._kill = self._clock.callLater(patience, self.signal, signal.SIGKILL)
        return self.over

    def abort(self, patience: float) -> None:
        """End it, which doesn't answer any more, and let it say in the log where it hung."""
        self.signal(signal.SIGABRT)
        if not self.isOver and self._kill is None:
            self._kill = self._clock.callLater(patience, self.signal, signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if not self.isOver:
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess(number)

    def processExited(self, reason: Failure) -> None:
        """See L{ProcessProtocol}. What a program that it has started still has open is let go."""
        self._clock.callLater(_PIPES, self.transport.loseConnection)

    def outReceived(self, data: bytes) -> None:
        """See L{ProcessProtocol}."""
        self._lines.add(data)

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """See L{ProcessProtocol}."""
        self.isOver = True
        value: Any = reason.value
        self.reason = (
            f"killed by {signal.Signals(value.signal).name}"
            if getattr(value, "signal", None)
            else f"status {value.exitCode}"
        )
        if self._kill is not None and self._kill.active():
            self._kill.cancel()
        self._lines.end()
        self._channel.close()
        answers, self._answers = self._answers, {}
        for each in answers.values():
            for answered in each:
                answered.callback(None)
        self._keeper.ended(self)
        if not self.isReady:
            self.ready.callback(False)
        self.over.callback(None)

    def _heard(self, word: str, facts: list[Any]) -> None:
        self.heardAt = self._clock.seconds()
        if word == "ready":
            self.isReady = True
            self.count, self.someLogin = facts
            # From now on it is told of statuses; it looks for those of before when it begins.
            self.say("begin")
            self.ready.callback(True)
            return
        if word in ("measured", "pong", "over") and facts:
            self.figures = figuresOf(facts[0]) or self.figures
        if word in self._answers:
            for answered in self._answers.pop(word):
                answered.callback(None)
        elif word == "over":
            self.say("noted")
        elif word not in ("measured", "pong"):
            self._keeper.said(self, word, facts)

    def _left(self) -> None:
        """The worker has closed its end: either it ends, or it is of no use any more."""
        if not self.isOver and not self.isStopping:
            self.signal(signal.SIGTERM)
