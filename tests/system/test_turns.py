"""Only so many at once: L{fingerd.system.turns}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.errors import DirectoryError
from fingerd.system.turns import Turns


class TurnsTests(SynchronousTestCase):
    """Two turns, and two that wait for three seconds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = Turns(2, 2, 3.0, self.clock)
        self.begun: list[Deferred[str]] = []
        self.cancelled: list[Deferred[str]] = []

    def take(self) -> Deferred[str]:
        def begin() -> Deferred[str]:
            work: Deferred[str] = Deferred(self.cancelled.append)
            self.begun.append(work)
            return work

        return self.turns.take(begin)

    def test_order(self) -> None:
        """Who waits has a turn when another ends, in the order they came."""
        taken = [self.take() for _ in range(4)]
        self.assertEqual(len(self.begun), 2)
        self.begun[1].callback("one")
        self.assertEqual(self.successResultOf(taken[1]), "one")
        self.begun[2].callback("two")
        self.assertEqual(self.successResultOf(taken[2]), "two")
        self.assertEqual(len(self.begun), 4)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """A turn that ends in a failure is over too."""
        taken = [self.take() for _ in range(3)]
        self.begun[0].errback(KeyError("no"))
        self.failureResultOf(taken[0], KeyError)
        self.assertEqual(len(self.begun), 3)

    def test_manyThatAreShort(self) -> None:
        """Turns that are over as soon as they begin lose none, however many of them wait."""
        turns = Turns(1, 300, 3.0, self.clock)
        work: Deferred[str] = Deferred()
        turns.take(lambda: work)
        taken = [turns.take(lambda: fail(KeyError("no"))) for _ in range(300)]
        work.callback("one")
        for each in taken:
            self.failureResultOf(each, KeyError)
        self.assertEqual(self.successResultOf(turns.take(lambda: succeed("two"))), "two")

    def test_tooMany(self) -> None:
        """Who can't even wait is told so at once."""
        taken = [self.take() for _ in range(5)]
        failed = self.failureResultOf(taken[4], DirectoryError)
        self.assertEqual(failed.getErrorMessage(), "busy: 2 at work, and more waiting")

    def test_nobodyMayWait(self) -> None:
        """Where nobody may wait, as many are at work as may be."""
        self.turns = Turns(2, 0, 3.0, self.clock)
        taken = [self.take() for _ in range(3)]
        self.assertEqual(len(self.begun), 2)
        self.failureResultOf(taken[2], DirectoryError)

    def test_tooLong(self) -> None:
        """Nobody waits for long, and then another may wait."""
        taken = [self.take() for _ in range(4)]
        self.clock.advance(3.0)
        for one in taken[2:]:
            failed = self.failureResultOf(one, DirectoryError)
            self.assertEqual(failed.getErrorMessage(), "busy: 2 at work for 3 seconds")
        self.assertNoResult(self.take())

    def test_leaves(self) -> None:
        """Who cancels while waiting has no turn; who cancels at work ends it."""
        taken = [self.take() for _ in range(4)]
        taken[2].cancel()
        self.failureResultOf(taken[2], CancelledError)
        taken[0].cancel()
        self.failureResultOf(taken[0], CancelledError)
        self.assertEqual(self.cancelled, self.begun[:1])
        self.assertEqual(len(self.begun), 3)
        self.assertNoResult(taken[3])
