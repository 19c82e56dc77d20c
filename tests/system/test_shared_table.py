"""Tests for L{fingerd.system.shared_table}, and of what counts by it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.daemon.workers.room import Room
from fingerd.daemon.workers.worker import Worker
from fingerd.model.limits import Limits
from fingerd.service.rates import Rates
from fingerd.service.shared_visits import SharedVisits
from fingerd.service.visit import Visit
from fingerd.system.shared_table import ENDING, LOOKUPS, SETTERS, VISITS, Column, SharedTable

WORKERS = 3
# All that have one place in a table of 1024 sets: small numbers are their own hashes.
RIVALS = [1 + 1024 * number for number in range(4)]


class TableCase(SynchronousTestCase):
    """A table, and a column of it for each of three workers."""

    def setUp(self) -> None:
        self.table = SharedTable(WORKERS + 1, 1000)
        self.addCleanup(os.close, self.table.descriptor)
        self.columns = [Column(self.table, number, WORKERS) for number in range(WORKERS)]


class ColumnTests(TableCase):
    """What workers see of each other."""

    def test_sums(self) -> None:
        """What each counts is in the sum, and no row is another's."""
        for number, column in enumerate(self.columns):
            column.count(VISITS, 10 + number)
        self.assertEqual([column.total(VISITS) for column in self.columns], [33] * WORKERS)
        self.assertEqual(self.columns[0].total(LOOKUPS), 0)
        self.assertEqual(list(self.table.counts(VISITS)), [10, 11, 12, 0])

    def test_peers(self) -> None:
        """A worker sees what the others have of a peer, and not what it has itself."""
        one, two, three = self.columns
        for number, column in enumerate(self.columns, 1):
            column.setVisits("192.0.2.7", number)
            column.setFull("192.0.2.7", 100.0 * number)
        self.assertEqual([one.visits("192.0.2.7"), three.visits("192.0.2.7")], [5, 3])
        self.assertEqual([one.latest("192.0.2.7"), three.latest("192.0.2.7")], [300.0, 200.0])
        self.assertEqual((two.visits("192.0.2.8"), two.latest("192.0.2.8")), (0, 0.0))

    def test_apart(self) -> None:
        """What a peer does by SSH is counted apart of what it asks, and by all workers together."""
        one, two = self.columns[0], self.columns[1]
        one.setVisits("192.0.2.7", 5)
        one.apart("ssh").setVisits("192.0.2.7", 2)
        one.apart("user").setFull("192.0.2.7", 70.0)
        self.assertEqual(two.visits("192.0.2.7"), 5)
        self.assertEqual(two.apart("ssh").visits("192.0.2.7"), 2)
        self.assertEqual(two.apart("user").latest("192.0.2.7"), 70.0)
        self.assertEqual(two.latest("192.0.2.7"), 0.0)

    def test_over(self) -> None:
        """Of a worker that is over nothing is left, as any process sees that has the table."""
        another = SharedTable(WORKERS + 1, 1000, self.table.descriptor)
        one, two = self.columns[0], Column(another, 1, WORKERS)
        one.count(VISITS, 7)
        one.setVisits("192.0.2.7", 7)
        self.assertEqual((two.total(VISITS), two.visits("192.0.2.7")), (7, 7))
        self.table.clear(0)
        self.assertEqual((two.total(VISITS), two.visits("192.0.2.7")), (0, 0))
        # Its successor has the same column.
        Column(self.table, 0, WORKERS).setVisits("192.0.2.7", 2)
        self.assertEqual(two.visits("192.0.2.7"), 2)

    def test_rivals(self) -> None:
        """
        Of more peers than have room in one place, one without visits is forgotten whose bucket was
        full first. No peer is taken for another, and one with visits is never forgotten.
        """
        one, two = self.columns[0], self.columns[1]
        first, second, third, fourth = (_Peer(number) for number in RIVALS)
        one.setFull(first, 100.0)
        one.setFull(second, 50.0)
        one.setFull(third, 70.0)
        self.assertEqual([two.latest(peer) for peer in (first, second, third)], [100.0, 0.0, 70.0])
        one.setVisits(first, 3)
        one.setVisits(third, 4)
        one.setVisits(fourth, 5)
        one.setFull(fourth, 500.0)
        seen = [(two.visits(peer), two.latest(peer)) for peer in (first, third, fourth)]
        self.assertEqual(seen, [(3, 100.0), (4, 70.0), (0, 0.0)])
        one.setVisits(first, 0)
        one.setVisits(fourth, 5)
        self.assertEqual([two.visits(peer) for peer in (first, third, fourth)], [0, 4, 5])


class RateTests(TableCase):
    """A bucket that several workers take from."""

    def test_together(self) -> None:
        """Whichever workers are asked, a peer has what it may have in all, within a tenth."""
        for pattern in ([0], [0, 1, 2], [0, 0, 0, 1]):
            with self.subTest(pattern):
                self.setUp()
                rates = [Rates(300, 1000, column) for column in self.columns]
                taken = sum(
                    rates[pattern[turn % len(pattern)]].take("192.0.2.7", 1000.0)
                    for turn in range(1000)
                )
                self.assertGreaterEqual(taken, 300)
                self.assertLessEqual(taken, 330)
                # And it fills again, for all of them.
                again = sum(each.take("192.0.2.7", 1010.0) for each in rates for _ in range(100))
                self.assertLessEqual(abs(again - 50), 15)


class VisitTests(TableCase):
    """Visits at several workers."""

    def test_together(self) -> None:
        """A peer and all peers have as many visits as they may in all, within a tenth or so."""
        clock = Clock()
        visits = [
            SharedVisits(Limits(), clock, 60, 20, column=column, row=VISITS)
            for column in self.columns
        ]

        def enter(number: int, peer: str, lookedAt: bool = False) -> None:
            made: list[Visit] = []
            visit = visits[number].enter("tcp", peer, lambda: made.pop().leave(), lookedAt)
            if visit is not None:
                made.append(visit)
            # The reactor turns: none of them is new any more.
            clock.pump([0.001, 0.001])

        for column in self.columns:
            column.askForRoom = lambda row: max(visits, key=len).makeRoom()
        for turn in range(60):
            enter(turn % WORKERS, "192.0.2.7", lookedAt=turn % 2 == 0)
        self.assertLessEqual(abs(sum(map(len, visits)) - 20), WORKERS)
        for turn in range(100):
            enter(0 if turn < 50 else turn % WORKERS, f"198.51.100.{turn}")
        self.assertLessEqual(abs(sum(map(len, visits)) - 60), 6)

    def test_room(self) -> None:
        """
        Where all places are taken, and whoever is to make room takes a while to go, those who come,
        ask and go meanwhile need that one place and no other, whichever workers they come to.
        """
        clock = Clock()
        ended: list[int] = []
        asked: list[int] = []
        visits = []
        for column in self.columns:
            column.askForRoom = asked.append
            visits.append(SharedVisits(Limits(), clock, 30, column=column, row=SETTERS))
        held = []
        for number in range(30):
            host = f"192.0.2.{number}"
            held.append(visits[number % WORKERS].enter("tcp", host, lambda: ended.append(1)))
        clock.pump([0.001, 0.001])
        for turn in range(30):
            visit = visits[turn % WORKERS].enter("tcp", "198.51.100.1", ended.clear)
            assert visit is not None
            visit.leave()
        self.assertEqual((ended, asked), ([1], []))
        # When it has gone there is room, and where it was, the worker has less than its part.
        for visit in held:
            if visit is not None and not visit.present:
                visit.leave()
        visits[1].enter("tcp", "198.51.100.2", ended.clear)
        self.assertEqual((ended, asked), ([1], []))
        visits[0].enter("tcp", "198.51.100.2", ended.clear)
        self.assertEqual((ended, asked), ([1], [SETTERS]))


class RoomTests(TableCase):
    """What the parent lets workers do where there are too many visits."""

    def test_asked(self) -> None:
        """However often room is asked for, workers end no more visits than there are too many."""
        room = Room(self.table, Limits(connections=30, setterConnections=30))
        workers = [_Worker(number) for number in range(WORKERS)]
        for column, count in zip(self.columns, (18, 14, 0), strict=True):
            column.count(VISITS, count)
        everyone = cast(Sequence[Worker], workers)
        for row in (VISITS, VISITS, SETTERS):
            room.needed(row, everyone)
        self.assertEqual([each.said for each in workers], [[("room", VISITS)] * 2, [], []])
        # One that has begun to end them is counted once.
        self.columns[0].count(VISITS + ENDING, 2)
        for _ in range(2):
            room.made(everyone[0], VISITS)
        room.needed(VISITS, everyone)
        self.assertEqual(len(workers[0].said), 2)
        # One that was told, and is over, is waited for no more.
        self.columns[0].count(VISITS + ENDING, 0)
        room.needed(VISITS, everyone)
        self.table.clear(0)
        room.left(everyone[0])
        self.columns[1].count(VISITS, 31)
        room.needed(VISITS, everyone[1:])
        self.assertEqual([len(each.said) for each in workers], [4, 1, 0])


class _Worker:
    """A worker, and what it was told."""

    def __init__(self, column: int) -> None:
        self.column = column
        self.said: list[tuple[object, ...]] = []

    def say(self, *words: object) -> None:
        """See L{Worker}."""
        self.said.append(words)


class _Peer(str):
    """A name of a peer, which is a number and has that for its hash."""

    __slots__ = ()

    def __hash__(self) -> int:
        return int(self)

    __eq__ = str.__eq__
