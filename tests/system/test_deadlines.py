"""Many deadlines on one timer."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.system.deadlines import Deadlines


class DeadlinesTests(SynchronousTestCase):
    """Deadlines run out in time, and cost one timer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines: Deadlines[str] = Deadlines(10, self.expired.append, self.clock)

    def test_expires(self) -> None:
        """What lasts as long as it may expires, and not before."""
        self.deadlines.add("a")
        self.clock.advance(9.9)
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.assertEqual(self.expired, ["a"])
        self.assertEqual(len(self.deadlines), 0)

    def test_inTheirOrder(self) -> None:
        """Each has its own time, whatever happens to the others."""
        self.deadlines.add("a")
        self.clock.advance(1)
        self.deadlines.add("b")
        self.clock.advance(1)
        self.deadlines.add("c")
        self.deadlines.discard("b")
        self.clock.advance(8)
        self.assertEqual(self.expired, ["a"])
        self.clock.advance(1)
        self.assertEqual(self.expired, ["a"])
        self.clock.advance(1)
        self.assertEqual(self.expired, ["a", "c"])

    def test_overInTime(self) -> None:
        """What is over in time never expires."""
        self.deadlines.add("a")
        self.deadlines.discard("a")
        self.clock.advance(100)
        self.assertEqual(self.expired, [])

    def test_oneTimer(self) -> None:
        """A thousand deadlines cost one timer, and none is left when nothing is."""
        for number in range(1000):
            self.deadlines.add(str(number))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([10, 0, 0, 0, 0])
        self.assertEqual(len(self.expired), 1000)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_manyInOneMoment(self) -> None:
        """When very many run out in one moment, others have their turn in between."""
        for number in range(1000):
            self.deadlines.add(str(number))
        others: list[int] = []
        self.clock.callLater(10, lambda: others.append(len(self.expired)))
        self.clock.advance(10)
        self.assertEqual(others, [250])

    def test_expiringOneEndsAnother(self) -> None:
        """What is over by the time its turn comes doesn't expire."""

        def expire(thing: str) -> None:
            self.expired.append(thing)
            deadlines.discard("b")

        deadlines: Deadlines[str] = Deadlines(10, expire, self.clock)
        deadlines.add("a")
        deadlines.add("b")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["a"])

    def test_failing(self) -> None:
        """Where something fails with one, all others expire as ever, in that moment and later."""

        def expire(thing: str) -> None:
            self.expired.append(thing)
            if thing == "a":
                raise RuntimeError(thing)

        deadlines: Deadlines[str] = Deadlines(10, expire, self.clock)
        for thing in "a", "b":
            deadlines.add(thing)
        self.clock.advance(1)
        deadlines.add("c")
        self.clock.advance(9)
        self.assertEqual(self.expired, ["a", "b"])
        self.clock.advance(1)
        self.assertEqual(self.expired, ["a", "b", "c"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_stop(self) -> None:
        """Once stopped there is no timer left."""
        self.deadlines.add("a")
        self.deadlines.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(list(self.deadlines), [])
