"""Work that several wait for: L{fingerd.system.sharing}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.system.sharing import Shared


class SharedTests(SynchronousTestCase):
    """Work is begun by the test, and ends when the test says so."""

    def setUp(self) -> None:
        self.begun: list[Deferred[str]] = []
        self.cancelled: list[Deferred[str]] = []
        self.clock = Clock()
        self.shared: Shared[str, str] = Shared(self.clock)

    def begin(self) -> Deferred[str]:
        work: Deferred[str] = Deferred(self.cancelled.append)
        self.begun.append(work)
        return work

    def assertBeginsAnew(self) -> None:
        """Nothing is left of what was begun: who asks now has it begun anew."""
        before = len(self.begun)
        self.shared.get("a", self.begin)
        self.assertEqual(len(self.begun), before + 1)

    def test_once(self) -> None:
        """What is asked for twice is done once, and both have it."""
        first, second = (self.shared.get("a", self.begin) for _ in range(2))
        self.assertEqual(len(self.begun), 1)
        self.begun[0].callback("done")
        self.assertEqual(self.successResultOf(first), "done")
        self.assertEqual(self.successResultOf(second), "done")
        self.assertBeginsAnew()

    def test_keys(self) -> None:
        """Different things are done each for itself."""
        first, second = (self.shared.get(key, self.begin) for key in "ab")
        self.begun[1].callback("b")
        self.assertNoResult(first)
        self.assertEqual(self.successResultOf(second), "b")

    def test_failure(self) -> None:
        """A failure reaches all who wait, and the next one asks anew."""
        asked = [self.shared.get("a", self.begin) for _ in range(2)]
        self.begun[0].errback(KeyError("no"))
        for one in asked:
            self.failureResultOf(one, KeyError)
        self.assertNoResult(self.shared.get("a", self.begin))
        self.assertEqual(len(self.begun), 2)

    def test_atOnce(self) -> None:
        """Work that is done at once is done."""
        self.assertEqual(self.successResultOf(self.shared.get("a", lambda: succeed("x"))), "x")
        self.assertBeginsAnew()

    def test_raises(self) -> None:
        """Work that can't even begin fails, and nothing is left of it."""

        def begin() -> Deferred[str]:
            raise KeyError("no")

        self.failureResultOf(self.shared.get("a", begin), KeyError)
        self.assertBeginsAnew()

    def test_againFromWithin(self) -> None:
        """Who gets a result may ask for the next at once."""
        first = self.shared.get("a", self.begin)
        first.addCallback(lambda _: self.shared.get("a", self.begin))
        self.begun[0].callback("old")
        self.begun[1].callback("new")
        self.assertEqual(self.successResultOf(first), "new")

    def test_oneLeaves(self) -> None:
        """Who cancels gets no result, and the others do."""
        first, second = (self.shared.get("a", self.begin) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.cancelled, [])
        self.begun[0].callback("done")
        self.assertEqual(self.successResultOf(second), "done")

    def test_allLeave(self) -> None:
        """When the last one cancels, the work is cancelled, and the next one begins anew."""
        asked = [self.shared.get("a", self.begin) for _ in range(2)]
        for one in asked:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.assertEqual(self.cancelled, self.begun)
        self.assertBeginsAnew()

    def test_inSlices(self) -> None:
        """
        Where what many do with a result takes long, others have their turns in between; those who
        ask meanwhile have it done anew, and one who leaves then disturbs nobody.
        """
        got: list[int] = []

        def take(_: str, number: int) -> None:
            got.append(number)
            self.clock.rightNow += 0.002

        asked = [self.shared.get("a", self.begin).addCallback(take, number) for number in range(9)]
        self.begun[0].callback("done")
        self.assertEqual(got, [0, 1, 2])
        self.assertBeginsAnew()
        for one in asked[3:5]:
            one.addErrback(lambda failure: failure.trap(CancelledError))
            one.cancel()
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        self.assertEqual(got, [0, 1, 2, 5, 6, 7, 8])
        self.assertEqual(self.cancelled, [])

    def test_oneCancelsAnother(self) -> None:
        """One that gets the result may cancel another that was to get it next."""
        first, second = (self.shared.get("a", self.begin) for _ in range(2))
        first.addCallback(lambda _: second.cancel())
        self.begun[0].callback("done")
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.cancelled, [])
