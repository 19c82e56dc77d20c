"""The figures of several workers, as those of one daemon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from itertools import zip_longest

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from fingerd.daemon.workers.worker import Worker
from fingerd.model.counts import LAG_TIMES, Counts, Figures, Readings, Times
from fingerd.model.interfaces import IMeasured
from fingerd.model.limits import Limits
from fingerd.service import FingerService


class _Totals:
    """What is added up: all that only grows."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.lag = Times(LAG_TIMES)
        self.readings: list[Readings | None] = []

    def add(self, figures: Figures) -> None:
        self.counts.merge(figures.counts)
        self.lag.merge(figures.lag)
        self.readings = [
            theirs if own is None else own if theirs is None else _both(own, theirs)
            for own, theirs in zip_longest(self.readings, figures.readings)
        ]


@implementer(IMeasured)
class Measuring:
    """
    Asks the workers what they have counted, and adds it up, with what those had counted that are
    over: what only grows never gets less. Of a worker that was killed, or doesn't answer for
    C{limits.lookupTime}, there is what it has said last.
    """

    def __init__(self, finger: FingerService, limits: Limits, clock: IReactorTime) -> None:
        """
        @param finger: the parent's own, of which nobody asks anything: it counts those who measure.
        @param clock: the reactor.
        """
        self.measurers = finger.measurers
        self._parent = finger
        self._clock = clock
        self._time = limits.lookupTime
        self._workers: dict[Worker, None] = {}
        # Of those that are over.
        self._past = _Totals()

    def began(self, worker: Worker) -> None:
        """There is a worker more."""
        self._workers[worker] = None

    def ended(self, worker: Worker) -> None:
        """A worker is over."""
        del self._workers[worker]
        if worker.figures is not None:
            self._past.add(worker.figures)

    def figures(self) -> Deferred[Figures]:
        """See L{IMeasured}."""
        asked = [each.asks("measure", "measured") for each in self._workers if each.isReady]
        told: Deferred[object] = DeferredList(asked, consumeErrors=True).addCallback(lambda _: None)
        told.addTimeout(self._time, self._clock, lambda result, seconds: None)
        return told.addCallback(lambda _: self._summed())

    def _summed(self) -> Figures:
        own = self._parent.figuresNow()
        present = [each.figures for each in self._workers if each.figures is not None]
        totals = deepcopy(self._past)
        connections: Counter[str] = Counter()
        for each in (own, *present):
            totals.add(each)
            connections.update(each.connections)
        # How it is now, the workers that there are know.
        now = _Totals()
        for each in present:
            now.add(each)
        for total, reading in zip(totals.readings, now.readings, strict=False):
            if total is not None and reading is not None:
                total.at, total.trouble = reading.at, reading.trouble
        return Figures(
            totals.counts,
            connections,
            own.most,
            [_largest(known) for known in zip_longest(*(each.users for each in (own, *present)))],
            totals.readings,
            totals.lag,
            bool(present) and all(each.loaded for each in present),
        )


def _both(one: Readings, other: Readings) -> Readings:
    """The readings of two processes: of their copies the older counts."""
    times = [at for at in (one.at, other.at) if at is not None]
    return Readings(
        one.done + other.done,
        one.failed + other.failed,
        min(times, default=None),
        one.trouble if other.trouble is None else other.trouble,
    )


def _largest(numbers: Sequence[int | None]) -> int | None:
    return max((number for number in numbers if number is not None), default=None)
