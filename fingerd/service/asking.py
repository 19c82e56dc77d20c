"""What holds for every question: how many a peer has, its turn, and what is said without one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from fingerd.logs.failures import Failures
from fingerd.model import texts
from fingerd.model.counts import Counts
from fingerd.model.limits import Limits
from fingerd.model.reply import Reply
from fingerd.model.visiting import IVisit
from fingerd.service.lookups import Lookups, TooManyLookups
from fingerd.service.rates import Rates
from fingerd.system.shared_table import Column

T = TypeVar("T")
Work = Coroutine[Deferred[Any], Any, T] | Deferred[T]


class Asking:
    """
    Questions of all kinds, as far as they are alike.

    A lookup has C{limits.lookupTime} seconds. One that fails or takes longer is answered in words;
    the reason goes into the log and never to the client.
    """

    def __init__(
        self,
        limits: Limits,
        failures: Failures,
        clock: IReactorTime,
        counts: Counts,
        column: Column | None = None,
    ) -> None:
        """
        @param clock: the reactor.
        @param counts: where it is counted who came to a limit.
        @param column: of what several workers share, if there are any.
        """
        self._refusals = counts.refusals
        self._limits = limits
        self._failures = failures
        self._clock = clock
        self._rates = Rates(limits.peerQueries, limits.peersCounted, column)
        self._lookups = Lookups(limits, clock, column)
        self.tooMany = Reply("limited", texts.TOO_MANY_QUERIES)
        self._tooManyLookups = Reply("limited", texts.TOO_MANY_LOOKUPS)
        self._gone = Reply("gone", texts.INTERNAL_ERROR)

    def mayAsk(self, visit: IVisit, names: int = 1) -> bool:
        """Whether the visitor has that many questions left, which are counted as asked then."""
        now, peer = self._clock.seconds(), visit.peer
        if peer is None or self._rates.take(peer, now, names):
            return True
        self._refusals["peerQueries"] += 1
        return False

    def lookUp(self, visit: IVisit, work: Callable[[], Work[T]]) -> Deferred[T]:
        """What C{work} finds, when the visitor's turn has come: see L{Lookups.run}."""
        return self._lookups.run(visit.peer, lambda: ensureDeferred(work()))

    async def lookUpEvenly(self, visit: IVisit, work: Callable[[], Work[T]]) -> T:
        """
        What C{work} finds. Where that is nothing, and takes a while, it takes as long for those
        who are hidden as for those whom nobody knows: some sources tell one of them sooner.
        """
        lookup = self.lookUp(visit, work)
        atOnce = lookup.called
        began = self._clock.seconds()
        found = await lookup
        if not found and not atOnce:
            step = self._limits.unknownTime
            now = self._clock.seconds()
            until = now + step - (now - began) % step
            while now < until:
                # The reactor sleeps whole milliseconds; what is left of one passes in its turns,
                # each of which takes longer than a microsecond.
                await deferLater(self._clock, max(1e-6, until - now - 0.001))
                now = self._clock.seconds()
        return found

    def failed(self, what: str, visit: IVisit) -> Reply:
        """What to say of the exception that is being handled."""
        failure = Failure()
        if failure.check(TooManyLookups):
            self._refusals["lookups"] += 1
            return self._tooManyLookups
        if failure.check(CancelledError) and not visit.present:
            # The client has gone: nothing went wrong, and nobody reads the answer.
            return self._gone
        words = texts.internalError(self._failures.reference(failure, what))
        return Reply("failed", words)
