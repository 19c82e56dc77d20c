"""Who is at the doors: how many visitors there may be, how long, and who makes room for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from fingerd.model.counts import Counts
from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import ACCEPTED_AT_ONCE, Limits
from fingerd.model.reply import Outcome
from fingerd.model.visiting import IVisits
from fingerd.service.visit import ASKING, State, Visit
from fingerd.system.addresses import peerOf
from fingerd.system.deadlines import Deadlines

# So many visits are searched for one that can be ended, and as many more as may wait for a lookup,
# which can't be ended.
_LOOKED_AT = 100


@implementer(IVisits)
class Visits:
    """
    The visits at all doors of one kind.

    Each visit has C{limits.connectionTime} from its first moment to its last. Where there are as
    many visits as there may be, a newcomer takes the place of the one that has had its answer
    longest or, where none has one, that has been silent longest. A visit that waits for a lookup is
    never ended for another.

    @ivar most: how many visits there may be.
    @ivar limit: the name of the limit that this is.
    """

    def __init__(
        self,
        limits: Limits,
        clock: IReactorTime,
        most: int,
        perPeer: int | None = None,
        queryLog: IQueryLog | None = None,
        counts: Counts | None = None,
        limit: str = "connections",
    ) -> None:
        """
        @param clock: the reactor.
        @param perPeer: how many visits one peer may have at a time; as many as all, if that isn't
            said.
        @param queryLog: where queries are logged, if they are.
        @param counts: where they are counted.
        @param limit: see above.
        """
        self.clock = clock
        self.most = most
        self._limits = limits
        self._perPeer = perPeer
        self._queryLog = queryLog
        self._counts = Counts() if counts is None else counts
        self.limit = limit
        # All visits, oldest first, and those that still have time.
        self._open: dict[Visit, None] = {}
        self._inTime: Deadlines[Visit] = Deadlines(limits.connectionTime, self._late, clock)
        self._byPeer: dict[str, int] = {}
        # How many doors are open.
        self._doors = 0
        # Where places may become scarce, those that came in this turn of the reactor, or in the one
        # before: nothing was looked for yet that they may have sent. And those that were answered
        # then: nothing was sent yet.
        self._newest: set[Visit] = set()
        self._newer: set[Visit] = set()
        # Those that are answered, and the bytes of answers that clients have yet to take; both in
        # the order in which they were answered.
        self._answered: dict[Visit, None] = {}
        self._unsent: dict[Visit, int] = {}
        self._unsentBytes = 0
        # How many such answers a peer has.
        self._unsentOf: defaultdict[str | None, int] = defaultdict(int)
        self._emptied: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Visit]:
        return iter(self._open)

    def opened(self) -> None:
        """See L{IVisits}."""
        self._doors += 1

    def closed(self) -> None:
        """See L{IVisits}."""
        self._doors -= 1
        self._lookWhetherEmpty()

    def enter(
        self,
        door: str,
        host: str | None,
        end: Callable[[], object],
        lookedAt: bool = False,
        peer: str | None = None,
    ) -> Visit | None:
        """See L{IVisits}."""
        if peer is None and host is not None:
            peer = peerOf(host)
        if peer is not None and not self._mayHaveMore(peer):
            return None
        # Until the one that makes room is closed, there may be one too many.
        if len(self._open) >= self.most and not self._isRoom():
            self._counts.refusals[self.limit] += 1
            return None
        visit = Visit(self, door, host, peer, end)
        self._open[visit] = None
        self._inTime.add(visit, visit.began)
        if peer is not None:
            self._byPeer[peer] = self._byPeer.get(peer, 0) + 1
        if not lookedAt:
            self._renew(visit)
        return visit

    def identify(self, visit: Visit, host: str) -> bool:
        """It has turned out that C{visit} is a client from C{host}: say whether it may stay."""
        peer = peerOf(host)
        if not self._mayHaveMore(peer):
            return False
        visit.host, visit.peer = host, peer
        self._byPeer[peer] = self._byPeer.get(peer, 0) + 1
        return True

    def makeRoom(self) -> bool:
        """
        End the visit that matters least, if there is one that nobody works for. Its place is free
        when its connection is closed.
        """
        visit = next(iter(self._answered), None)
        if visit is None or self._isNew(visit):
            some = islice(self._open, self._limits.lookups + _LOOKED_AT)
            silent = (each for each in some if each.state is ASKING)
            visit = next((each for each in silent if not self._isNew(each)), None)
        if visit is None:
            return False
        self._counts.refusals[self.limit] += 1
        self._endForRoom(visit)
        return True

    def answered(self, visit: Visit, outcome: Outcome, size: int, unsent: int) -> None:
        """A visit has its answer: C{size} bytes, of which C{unsent} may wait to be sent."""
        self.log(visit, outcome, size)
        self._answered[visit] = None
        self._renew(visit)
        if unsent:
            self._unsent[visit] = unsent
            self._unsentBytes += unsent
            self._unsentOf[visit.peer] += 1
            while self._unsentBytes > self._limits.unsentAnswers:
                self._counts.refusals["unsentAnswers"] += 1
                self._toGiveUp().close()

    def release(self, visit: Visit) -> None:
        """The answers of this visit, if it has any, count as taken."""
        self._answered.pop(visit, None)
        unsent = self._unsent.pop(visit, 0)
        if unsent:
            self._unsentBytes -= unsent
            self._unsentOf[visit.peer] -= 1
            if not self._unsentOf[visit.peer]:
                del self._unsentOf[visit.peer]

    def left(self, visit: Visit) -> None:
        """A visit is over."""
        if self._answered:
            self.release(visit)
        self._inTime.discard(visit)
        del self._open[visit]
        peer = visit.peer
        if peer is not None:
            count = self._byPeer[peer] - 1
            if count:
                self._byPeer[peer] = count
            else:
                del self._byPeer[peer]
        if self._emptied is not None:
            self._lookWhetherEmpty()

    def log(self, visit: Visit, outcome: Outcome, size: int) -> None:
        """Count what became of a query, and log it."""
        seconds = self.clock.seconds() - visit.began
        self._counts.queries[visit.door, outcome].add(seconds)
        if self._queryLog is not None:
            self._queryLog.asked(visit.host, visit.door, visit.line, outcome, size, seconds)

    def drain(self) -> Deferred[None]:
        """
        Let the visits finish, for C{limits.stopTime} seconds at most and for C{limits.stopSilence}
        where nothing has been asked; then end them. To be called when the doors are being closed;
        fires when they are, or have had that time too, and nobody is left.
        """
        emptied: Deferred[None] = Deferred()
        self._emptied = emptied
        timers = [
            self.clock.callLater(self._limits.stopSilence, self._end, ASKING),
            self.clock.callLater(self._limits.stopTime, self._endAll),
        ]
        self._lookWhetherEmpty()

        def drained(result: None) -> None:
            self._inTime.stop()
            for timer in timers:
                if timer.active():
                    timer.cancel()

        return emptied.addCallback(drained)

    def _isRoom(self) -> bool:
        """Whether there is room for one more than there may be, or is made."""
        return self.makeRoom()

    def _endForRoom(self, visit: Visit) -> None:
        visit.close()

    def _end(self, *states: State) -> None:
        for visit in list(self._open):
            if visit.state in states:
                visit.close()

    def _endAll(self) -> None:
        self._doors = 0
        self._end(*State)
        self._lookWhetherEmpty()

    def _lookWhetherEmpty(self) -> None:
        emptied = self._emptied
        if emptied is not None and not self._open and self._doors <= 0:
            self._emptied = None
            emptied.callback(None)

    def _toGiveUp(self) -> Visit:
        """
        The visit whose answer is given up first: the oldest of a peer's that has several, so that
        those who ask for many and don't read them cost nobody else an answer; or the oldest.
        """
        some = islice(self._unsent, _LOOKED_AT)
        several = (each for each in some if each.peer and self._unsentOf[each.peer] > 1)
        return next(several, next(iter(self._unsent)))

    def _mayHaveMore(self, peer: str) -> bool:
        if self._perPeer is None or self._byPeer.get(peer, 0) < self._perPeer:
            return True
        self._counts.refusals["peerConnections"] += 1
        return False

    def _late(self, visit: Visit) -> None:
        """The time of a visit is over."""
        self._counts.refusals["connectionTime"] += 1
        visit.close()

    def _isNew(self, visit: Visit) -> bool:
        """Whether the reactor may not have seen to this visit yet."""
        return visit in self._newest or visit in self._newer

    def _renew(self, visit: Visit) -> None:
        """Let the reactor see to this visit before its place is needed."""
        # As many may come until then.
        soon = 2 * ACCEPTED_AT_ONCE * (self._doors or 1)
        if len(self._open) + soon > self.most:
            if not self._newest and not self._newer:
                self.clock.callLater(0, self._turned)
            self._newest.add(visit)

    def _turned(self) -> None:
        """Another turn of the reactor begins: it has looked at those who came before the last."""
        self._newer, self._newest = self._newest, set()
        if self._newer:
            self.clock.callLater(0, self._turned)
