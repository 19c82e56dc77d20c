"""Visits at several workers, whose limits hold for all of them."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from fingerd.model.counts import Counts
from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import Limits
from fingerd.model.visiting import IVisits
from fingerd.service.visit import Visit
from fingerd.service.visits import Visits
from fingerd.system.shared_table import ENDING, Column

# All workers together let in this part of the visits that there may be, before they count them.
_SHARE = 20


@implementer(IVisits)
class SharedVisits(Visits):
    """
    Visits of which several workers have C{most} together, and a peer C{perPeer}.

    Each newcomer is counted first, and looked at then: of two that come to two workers at the same
    moment, at least one sees the other. One that may have asked already is counted when the next
    one comes, if it is still there: so each worker may have one visit more than it should.

    Where there are as many visits as there may be, a worker that has less than its part of them
    lets another end one. Those that are being ended already, whichever worker does so, are room
    for the newcomers of all.
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
        *,
        column: Column,
        row: int,
    ) -> None:
        """
        @param column: of what the workers share.
        @param row: where in it these visits are counted.
        """
        super().__init__(limits, clock, most, perPeer, queryLog, counts, limit)
        self._column = column
        self._row = row
        self._inAll = most
        self._part = most // column.workers
        # How many are let in before all are counted: to count them each time would take long.
        self._soon = max(most // (_SHARE * column.workers), 1)
        self._uncounted = 0
        # The latest visit, where its client may have asked already: nearly all of these have their
        # answer before the next one comes, and no other worker needs to know of them.
        self._latest: Visit | None = None
        # Those that are being ended to make room.
        self._ending: set[Visit] = set()

    def enter(
        self,
        door: str,
        host: str | None,
        end: Callable[[], object],
        lookedAt: bool = False,
        peer: str | None = None,
    ) -> Visit | None:
        """See L{IVisits}."""
        latest, self._latest = self._latest, None
        if latest is not None and not self._mayStay(latest):
            latest.close()
        self._uncounted += 1
        if self._uncounted >= self._soon and not self._isRoomInAll():
            self._counts.refusals[self.limit] += 1
            return None
        visit = super().enter(door, host, end, lookedAt, peer)
        if visit is None or lookedAt:
            self._latest = visit
        elif not self._mayStay(visit):
            self._counts.refusals["peerConnections"] += 1
            visit.leave()
            return None
        return visit

    def identify(self, visit: Visit, host: str) -> bool:
        """See L{Visits}."""
        return super().identify(visit, host) and self._mayStay(visit)

    def left(self, visit: Visit) -> None:
        """See L{Visits}."""
        super().left(visit)
        if visit in self._ending:
            self._ending.discard(visit)
            self._column.count(self._row + ENDING, len(self._ending))
        if visit is self._latest:
            self._latest = None
            return
        self._column.count(self._row, len(self._open))
        if visit.peer is not None and self._perPeer is not None:
            self._column.setVisits(visit.peer, self._byPeer.get(visit.peer, 0))

    def _mayStay(self, visit: Visit) -> bool:
        """Let the other workers know of a visit; whether its peer hasn't too many in all."""
        most, peer, column = self._perPeer, visit.peer, self._column
        column.count(self._row, len(self._open))
        if most is None or peer is None:
            return True
        own = self._byPeer[peer]
        column.setVisits(peer, own)
        return own + column.visits(peer) <= most

    def _isRoom(self) -> bool:
        """Room was looked for when all were counted, unless this worker itself may have fewer."""
        return self.most >= self._inAll or self.makeRoom()

    def _endForRoom(self, visit: Visit) -> None:
        self._ending.add(visit)
        self._column.count(self._row + ENDING, len(self._ending))
        visit.close()

    def _isRoomInAll(self) -> bool:
        """Count all visits; whether there is room for one more, or is made."""
        left = self._inAll - self._column.total(self._row)
        if left <= 0:
            left += self._column.total(self._row + ENDING)
        if left > 0:
            # The fewer places there are left, the sooner they are counted again.
            self._uncounted = max(self._soon - left // self._column.workers, 0)
            return True
        if len(self._open) < self._part:
            self._column.askForRoom(self._row)
            return True
        return self.makeRoom()
