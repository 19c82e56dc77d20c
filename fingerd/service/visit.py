"""One client at one door."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from zope.interface import implementer

from fingerd.model.reply import Outcome
from fingerd.model.visiting import IVisit

if TYPE_CHECKING:
    from fingerd.service.visits import Visits


class State(Enum):
    """How far a visit is; see L{Visit}."""

    ASKING = "nothing is asked yet, and something may still be"
    WAITING = "the service is asked, and has not replied"
    ANSWERED = "the client has been sent its answer"
    ENDING = "the connection is to be closed, and is not closed yet"
    LEFT = "the client has left"


# By name, since the way through their class costs more than all else that is done with them here.
ASKING, WAITING, ANSWERED, ENDING, LEFT = State


@implementer(IVisit)
class Visit:
    """
    One client at one door, and its place among those that there may be.

        ASKING ──▶ WAITING ──▶ ANSWERED ──▶ LEFT
           ▲                      │
           └──────────────────────┘  where a door takes several queries of one client

    From every state a visit may go to LEFT, when its client leaves, and to ENDING, when its time is
    over or its place is needed. See L{IVisit}.
    """

    __slots__ = ("_book", "began", "door", "end", "host", "line", "peer", "state")

    def __init__(
        self,
        book: Visits,
        door: str,
        host: str | None,
        peer: str | None,
        end: Callable[[], object],
    ) -> None:
        self._book = book
        self.door = door
        self.host = host
        self.peer = peer
        self.end = end
        self.began = book.clock.seconds()
        self.line = b""
        self.state = ASKING

    @property
    def present(self) -> bool:
        """Whether the client can still be answered."""
        state = self.state
        return state is not LEFT and state is not ENDING

    def arrived(self, host: str) -> bool:
        """See L{IVisit}."""
        return self._book.identify(self, host)

    def again(self) -> None:
        """See L{IVisit}."""
        if self.state is ANSWERED:
            self.state = ASKING
            self.began = self._book.clock.seconds()
            self._book.release(self)

    def waits(self) -> None:
        """See L{IVisit}."""
        if self.present:
            if self.state is ANSWERED:
                # The door takes another query when the client has taken the answer before.
                self._book.release(self)
            self.state = WAITING

    def answered(self, outcome: Outcome, size: int, unsent: int = 0) -> bool:
        """See L{IVisit}."""
        if not self.present:
            return False
        self.state = ANSWERED
        self._book.answered(self, outcome, size, unsent)
        return not unsent or self.present

    def served(self, outcome: Outcome, size: int) -> None:
        """See L{IVisit}."""
        if self.state is not LEFT:
            self._book.log(self, outcome, size)
            self.state = LEFT
            self._book.left(self)

    def leave(self) -> None:
        """See L{IVisit}."""
        if self.state is not LEFT:
            if self.state is WAITING:
                self._book.log(self, "gone", 0)
            self.state = LEFT
            self._book.left(self)

    def close(self) -> None:
        """See L{IVisit}."""
        if self.present:
            if self.state is WAITING:
                self._book.log(self, "gone", 0)
            self.state = ENDING
            self._book.release(self)
            self.end()
