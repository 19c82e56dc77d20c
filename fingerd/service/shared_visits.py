"""Visits at several workers, whose limits hold for all of them."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import Limits
from fingerd.model.visiting import IVisits
from fingerd.service.visit import Visit
from fingerd.service.visits import Visits
from fingerd.system.shared_table import Column, Row


@implementer(IVisits)
class SharedVisits(Visits):
    """
    Visits of which several workers have C{most} together, and a peer C{perPeer}.

    Each newcomer is counted first, and looked at then: of two that come to two workers at the same
    moment, at least one sees the other. Where there are as many visits as there may be, a worker
    that has less than its part of them lets another end one.
    """

    def __init__(
        self,
        limits: Limits,
        clock: IReactorTime,
        most: int,
        perPeer: int | None = None,
        queryLog: IQueryLog | None = None,
        *,
        column: Column,
        row: Row,
    ) -> None:
        """
        @param column: of what the workers share.
        @param row: where in it these visits are counted.
        """
        super().__init__(limits, clock, most, perPeer, queryLog)
        self._column = column
        self._row = row
        self._inAll = most
        self._part = most // column.workers

    def enter(
        self, door: str, host: str | None, end: Callable[[], object], lookedAt: bool = False
    ) -> Visit | None:
        """See L{IVisits}."""
        if self._column.total(self._row) >= self._inAll and not self._roomIsMade():
            return None
        visit = super().enter(door, host, end, lookedAt)
        if visit is None:
            return None
        self._column.count(self._row, len(self._open))
        if visit.peer is not None and not self._mayStay(visit.peer):
            visit.leave()
            return None
        return visit

    def identify(self, visit: Visit, host: str) -> bool:
        """See L{Visits}."""
        if not super().identify(visit, host):
            return False
        return visit.peer is None or self._mayStay(visit.peer)

    def left(self, visit: Visit) -> None:
        """See L{Visits}."""
        super().left(visit)
        self._column.count(self._row, len(self._open))
        if visit.peer is not None and self._perPeer is not None:
            self._column.setVisits(visit.peer, self._byPeer.get(visit.peer, 0))

    def _mayStay(self, peer: str) -> bool:
        """Count a visit of C{peer} that is here already; whether all of them aren't too many."""
        most, own, column = self._perPeer, self._byPeer[peer], self._column
        if most is None:
            return True
        column.setVisits(peer, own)
        # Where there are few visits at all, nobody has too many.
        return column.total(self._row) <= most or own + column.visits(peer) <= most

    def _roomIsMade(self) -> bool:
        if len(self._open) < self._part:
            self._column.askForRoom()
            return True
        return self.makeRoom()
