"""The connections of a port: which are open, what time they have, and who makes room for whom."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from itertools import islice
from operator import attrgetter, methodcaller

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from fingerd.model.limits import Limits
from fingerd.service.admission import Admission
from fingerd.system.deadlines import Deadlines

# Connections among which one is looked for that can be closed, beside those that may wait for a
# lookup and can't be.
_LOOKED_AT = 100


class Connection(typing.Protocol):
    """What is open: an exchange, or what may become one."""

    @property
    def asking(self) -> bool:
        """Whether nothing has been asked on it, and something may still be."""

    @property
    def spare(self) -> bool:
        """Whether nobody waits on it for an answer that is being worked for."""

    @property
    def answered(self) -> bool:
        """Whether it has an answer that may not have been taken yet."""

    def abort(self) -> None:
        """Close it at once."""


class Counted(Connection, typing.Protocol):
    """
    What is counted as its peer's. Where ``since`` says when the connection began, it has its place
    already.
    """

    peer: str | None
    since: float | None


class Connections:
    """
    Knows the connections that are open, and what time they have.

    @ivar limits: the daemon's limits.
    @ivar clock: the reactor.
    @ivar admission: how many connections there may be.
    """

    def __init__(self, limits: Limits, clock: IReactorTime, admission: Admission) -> None:
        self.limits = limits
        self.clock = clock
        self.admission = admission
        admission.roomMakers.append(self.makeRoom)
        # The bytes of answers that clients have yet to take.
        self._unsent = 0
        self._open: Deadlines[Connection] = Deadlines(
            limits.connectionTime, methodcaller("abort"), clock
        )
        self._emptied: Deferred[None] | None = None

    @property
    def exchanges(self) -> Iterable[Connection]:
        """The connections that are open."""
        return self._open

    def makeRoom(self) -> bool:
        """
        Close the connection that has been open longest of those on which nobody waits for an
        answer that is being worked for: who hasn't asked, or doesn't take what they have.
        """
        return self._end(attrgetter("spare"))

    def hold(self, size: int) -> None:
        """
        An answer of so many bytes waits to be taken by its client, or where C{size} is negative,
        doesn't any more. Of too many bytes, those that wait longest are given up.
        """
        self._unsent += size
        while self._unsent > self.limits.unsentAnswers and self._end(attrgetter("answered")):
            pass

    def _end(self, which: Callable[[Connection], bool]) -> bool:
        for exchange in islice(self._open.oldestFirst(), self.limits.lookups + _LOOKED_AT):
            if which(exchange):
                exchange.abort()
                return True
        return False

    def begun(self, exchange: Counted) -> bool:
        """A connection is open: say whether it may stay so."""
        admitted = exchange.since is not None or self.admission.enter(exchange.peer)
        if admitted:
            self._open.add(exchange, exchange.since)
        return admitted

    def over(self, exchange: Counted) -> None:
        """A connection that could stay open is closed."""
        self.admission.leave(exchange.peer)
        self.closed(exchange)

    def opened(self, exchange: Connection) -> None:
        """Know a connection, whose place is taken."""
        self._open.add(exchange)

    def closed(self, exchange: Connection) -> None:
        """Forget it again."""
        self._open.discard(exchange)
        if self._emptied is not None and len(self._open) == 0:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def drain(self) -> Deferred[None]:
        """
        Let the open connections finish, for ``limits.stopTime`` seconds at most and for
        ``limits.stopSilence`` where nothing has been asked; then end them. To be called when
        the ports are closed; fires when no connection is left.
        """
        emptied: Deferred[None] = Deferred()
        if len(self._open) == 0:
            emptied.callback(None)
        else:
            self._emptied = emptied
        timers = [
            self.clock.callLater(self.limits.stopSilence, self._stop, True),
            self.clock.callLater(self.limits.stopTime, self._stop, False),
        ]

        def drained(result: None) -> None:
            self._open.stop()
            for timer in timers:
                if timer.active():
                    timer.cancel()

        return emptied.addCallback(drained)

    def _stop(self, onlyAsking: bool) -> None:
        for exchange in self._open:
            if exchange.asking or not onlyAsking:
                exchange.abort()
