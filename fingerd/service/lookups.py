"""Lookups that take their time: how many there may be, how long they last, whose turn it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NoReturn, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from fingerd.logs.failures import tookTooLong
from fingerd.model.limits import Limits
from fingerd.system.shared_table import LOOKUPS, Column

T = TypeVar("T")


class TooManyLookups(Exception):
    """As many lookups as may wait do so already, or the turn of this one never came."""


class Lookups:
    """
    Bounds the lookups that have no result at once: C{limits.lookups} in all, and
    C{limits.lookupTime} seconds for each. Of one peer C{limits.peerLookups} are under way at a
    time, and its others wait until one of these is over: a source that is slow has turns left for
    other peers.
    """

    def __init__(self, limits: Limits, clock: IReactorTime, column: Column | None = None) -> None:
        """
        @param clock: the reactor.
        @param column: of what several workers share, if there are any: they have C{limits.lookups}
            together.
        """
        self._limits = limits
        self._clock = clock
        self._column = column
        # How many lookups have no result yet, those that wait for a turn included.
        self._count = 0
        self._underWay: dict[str, int] = {}
        self._waiting: dict[str, deque[Deferred[None]]] = {}
        # Whose lookups are over, one each, and still have to give their turns to others.
        self._ended: deque[str] = deque()

    def run(self, peer: str | None, begin: Callable[[], Deferred[T]]) -> Deferred[T]:
        """
        What C{begin} gives, when its turn has come.

        The Deferred fails with L{TooManyLookups} where there is no room for the lookup, and with
        L{fingerd.model.errors.DirectoryError} where it lasts too long. Cancelling it cancels the
        work done for it.

        @param peer: whose lookup it is; None is nobody's, which waits for no other.
        """
        if peer is not None and self._underWay.get(peer, 0) >= self._limits.peerLookups:
            return self._later(peer, begin)
        lookup = begin()
        # Most lookups have their result by now, and need neither a timer nor to be counted.
        if lookup.called and not lookup.paused:
            return lookup
        if self._areMany():
            lookup.addErrback(lambda _: None)
            lookup.cancel()
            return fail(TooManyLookups())
        self._add(1)
        self._begun(peer)
        lookup.addTimeout(self._limits.lookupTime, self._clock, tookTooLong)
        return lookup.addBoth(self._over, peer)

    def _later(self, peer: str, begin: Callable[[], Deferred[T]]) -> Deferred[T]:
        if self._areMany():
            return fail(TooManyLookups())
        self._add(1)
        until = self._clock.seconds() + self._limits.lookupTime
        turns = self._waiting.setdefault(peer, deque())
        turn: Deferred[None] = Deferred()
        turns.append(turn)

        def came(_: None) -> Deferred[T]:
            self._begun(peer)
            left = until - self._clock.seconds()
            if left <= 0:
                lookup: Deferred[T] = fail(TooManyLookups())
            else:
                lookup = begin().addTimeout(left, self._clock, late)
            return lookup.addBoth(self._over, peer)

        def late(result: object, _: float) -> NoReturn:
            # The wait for its turn counts.
            tookTooLong(result, self._limits.lookupTime)

        def never(failure: Failure) -> Failure:
            self._add(-1)
            if turn in turns:
                turns.remove(turn)
            return failure

        turn.addTimeout(self._limits.lookupTime, self._clock, _noTurn)
        return turn.addCallbacks(came, never)

    def _areMany(self) -> bool:
        """Whether there are as many as there may be."""
        column = self._column
        count = self._count if column is None else column.total(LOOKUPS)
        return count >= self._limits.lookups

    def _add(self, change: int) -> None:
        self._count += change
        if self._column is not None:
            self._column.count(LOOKUPS, self._count)

    def _begun(self, peer: str | None) -> None:
        if peer is not None:
            self._underWay[peer] = self._underWay.get(peer, 0) + 1

    def _over(self, result: T, peer: str | None) -> T:
        self._add(-1)
        if peer is not None:
            self._ended.append(peer)
            # A lookup that is over as soon as it begins ends in here too. Were it to begin the next
            # one itself, a queue of such lookups would be nested deeper than Python can go.
            if len(self._ended) == 1:
                while self._ended:
                    self._handOn(self._ended[0])
                    self._ended.popleft()
        return result

    def _handOn(self, peer: str) -> None:
        """A lookup of this peer is over: the turn is that of the next one that waits."""
        self._underWay[peer] -= 1
        turns = self._waiting.get(peer)
        if turns:
            turns.popleft().callback(None)
        if not turns:
            self._waiting.pop(peer, None)
            if not self._underWay[peer]:
                del self._underWay[peer]


def _noTurn(result: object, seconds: float) -> Failure:
    return Failure(TooManyLookups())
