"""
A table in memory that the workers of a daemon share, so that its limits hold for all of them.

Each worker has a column, which it alone writes; what holds for the daemon is the sum of a row, or
the latest moment in it. So no worker waits for another, and a worker that is killed in the middle
of anything leaves nothing locked: its column is cleared when it is over. Two workers that count in
the same microsecond don't see each other: the limits are a little soft.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

_WORD = 8
# Of each peer: a hash, the moment at which its bucket will be full, and how many visits it has.
_FACTS = 3
# Peers that may have the same place: of more, those that matter least are forgotten.
_WAYS = 2
_SET = _WAYS * _FACTS
# Peers whose places are remembered.
_PLACES = 4096
# So many sets fill whole pages.
_FEWEST = 1024


# Rows, of what is counted: visits at finger doors and at setters, lookups, and visits by SSH.
VISITS, SETTERS, LOOKUPS, REMOTE_SETTERS = range(4)
# So many rows below a row of visits: those of them that are being ended, to make room.
ENDING = 4
ROWS = range(2 * ENDING)


class SharedTable:
    """
    The table.

    @ivar descriptor: of its memory. Who inherits it has the same table.
    """

    def __init__(self, columns: int, peers: int, descriptor: int | None = None) -> None:
        """
        @param columns: how many there are.
        @param peers: as many as each column is to have room for.
        @param descriptor: of a table that another process has made.
        """
        self.columns, self.peers = columns, peers
        self.sets = max(_FEWEST, 1 << (peers - 1).bit_length())
        self.size = self.sets * _SET
        whole = mmap.PAGESIZE + columns * self.size * _WORD
        if descriptor is None:
            descriptor = os.memfd_create("fingerd")
            os.ftruncate(descriptor, whole)
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, whole)
        # The same memory, as whole numbers and as others.
        self.integers = memoryview(self._memory).cast("q")
        self.reals = memoryview(self._memory).cast("d")

    def counts(self, row: int) -> Sequence[int]:
        """A row, by column."""
        return self.integers[row * self.columns : (row + 1) * self.columns].tolist()

    def start(self, column: int) -> int:
        """Where in the memory the peers of a column are."""
        return mmap.PAGESIZE // _WORD + column * self.size

    def clear(self, column: int) -> None:
        """Forget all that is in a column, whose worker is over."""
        for row in ROWS:
            self.integers[row * self.columns + column] = 0
        self._memory.madvise(mmap.MADV_REMOVE, self.start(column) * _WORD, self.size * _WORD)


class _Place(NamedTuple):
    """A peer's hash, where it is in the own column, and where it may be in the others."""

    name: int
    own: int
    others: Sequence[int]


class Column:
    """
    The column of one worker, and what that sees of the others'.

    @ivar workers: how many workers there are, while none is being replaced.
    @ivar askForRoom: called with a row when another worker is to end a visit that is counted there.
    """

    def __init__(
        self, table: SharedTable, column: int, workers: int, kind: str | None = None
    ) -> None:
        """
        @param kind: see L{apart}.
        """
        self._table = table
        self._integers, self._reals = table.integers, table.reals
        self._columns = table.columns
        self.workers = workers
        self.askForRoom: Callable[[int], object] = lambda row: None
        self._column = column
        self._kind = kind
        self._mask = table.sets - 1
        self._own = table.start(column)
        self._others = [table.start(each) for each in range(table.columns) if each != column]
        # Of the peers that came last: to look for a place takes longer than what is done there.
        self._places: dict[str, _Place] = {}

    def apart(self, kind: str) -> Column:
        """
        The same column, for what is counted apart of peers that may have the same names: of C{kind}
        they are others.
        """
        column = Column(self._table, self._column, self.workers, kind)

        def ask(row: int) -> None:
            # Who hears of it is known later than this.
            self.askForRoom(row)

        column.askForRoom = ask
        return column

    def count(self, row: int, own: int) -> None:
        """This worker has so many now."""
        self._integers[row * self._columns + self._column] = own

    def total(self, row: int) -> int:
        """How many all workers have."""
        first = row * self._columns
        return sum(self._integers[first : first + self._columns].tolist())

    def latest(self, peer: str) -> float:
        """When the bucket of C{peer} will be full, as the other workers have it: 0.0 for never."""
        integers, found = self._integers, 0.0
        name, _, others = self._places.get(peer) or self._placed(peer)
        for at in others:
            if integers[at] == name:
                full = self._reals[at + 1]
            elif integers[at + _FACTS] == name:
                full = self._reals[at + _FACTS + 1]
            else:
                continue
            found = max(found, full)
        return found

    def visits(self, peer: str) -> int:
        """How many visits of C{peer} the other workers have."""
        integers, found = self._integers, 0
        name, _, others = self._places.get(peer) or self._placed(peer)
        for at in others:
            if integers[at] == name:
                found += integers[at + 2]
            elif integers[at + _FACTS] == name:
                found += integers[at + _FACTS + 2]
        return found

    def setFull(self, peer: str, full: float) -> None:
        """The bucket of C{peer} will be full at this moment, as this worker has it."""
        name, own, _ = self._places.get(peer) or self._placed(peer)
        if self._integers[own] == name or (own := self._taken(peer)):
            self._reals[own + 1] = full

    def setVisits(self, peer: str, own: int) -> None:
        """This worker has so many visits of C{peer}."""
        name, at, _ = self._places.get(peer) or self._placed(peer)
        if self._integers[at] == name or (at := self._taken(peer)):
            self._integers[at + 2] = own

    def _name(self, peer: str) -> int:
        return hash(peer if self._kind is None else (self._kind, peer))

    def _placed(self, peer: str) -> _Place:
        """Where a peer is."""
        name = self._name(peer)
        place = (name & self._mask) * _SET
        own = self._own + place
        if self._integers[own + _FACTS] == name:
            own += _FACTS
        if len(self._places) >= _PLACES:
            self._places.clear()
        found = self._places[peer] = _Place(name, own, [start + place for start in self._others])
        return found

    def _taken(self, peer: str) -> int:
        """
        Give the peer a place in the own column: that of the one without visits whose bucket was
        full first. 0 where all have visits.
        """
        integers, reals = self._integers, self._reals
        name = self._name(peer)
        one = self._own + (name & self._mask) * _SET
        ways = range(one, one + _SET, _FACTS)
        at = next((at for at in ways if integers[at] == name), 0)
        if not at:
            at = min(
                (at for at in ways if not integers[at + 2]), key=lambda at: reals[at + 1], default=0
            )
            if not at:
                return 0
            # Nobody takes one peer's facts for the other's.
            integers[at] = 0
            reals[at + 1] = 0.0
            integers[at] = name
        self._places.pop(peer, None)
        return at
