"""Timers and a clock that is set: in one process. For a daemon see tests/daemon."""

from __future__ import annotations

import time

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock
from twisted.python.runtime import seconds
from twisted.trial.unittest import SynchronousTestCase

from fingerd.system.monotonic import useMonotonicTime


class MonotonicTests(SynchronousTestCase):
    """A reactor of the test's own."""

    def setUp(self) -> None:
        self.reactor = EPollReactor()
        self.addCleanup(self.close)
        self.called: list[str] = []

    def close(self) -> None:
        for descriptor in self.reactor.removeAll():
            descriptor.connectionLost(None)
        self.reactor._poller.close()

    def waits(self) -> float:
        """How long it would sleep now."""
        wait = self.reactor.timeout()
        assert wait is not None
        return wait

    def test_time(self) -> None:
        """It has the time that can't be set."""
        useMonotonicTime(self.reactor)
        before = time.monotonic()
        self.assertGreaterEqual(self.reactor.seconds(), before)
        self.assertLessEqual(self.reactor.seconds(), time.monotonic())

    def test_timers(self) -> None:
        """A timer that is set afterwards runs out when it should."""
        useMonotonicTime(self.reactor)
        self.reactor.callLater(3600, self.called.append, "late")
        self.reactor.callLater(0, self.called.append, "now")
        self.reactor.runUntilCurrent()
        self.assertEqual(self.called, ["now"])
        self.assertTrue(3500 < self.waits() <= 3600)

    def test_timersBefore(self) -> None:
        """Those that were set before do too, in their order, cancelled ones aside."""
        calls = [
            self.reactor.callLater(delay, self.called.append, str(delay))
            for delay in (30, 0, 20, 10, 40)
        ]
        self.reactor.timeout()
        calls.append(self.reactor.callLater(0, self.called.append, "new"))
        calls[3].cancel()
        useMonotonicTime(self.reactor)
        self.reactor.runUntilCurrent()
        self.assertEqual(sorted(self.called), ["0", "new"])
        self.assertTrue(10 < self.waits() <= 20)
        left = [call.getTime() - time.monotonic() for call in self.reactor.getDelayedCalls()]
        self.assertEqual([round(seconds, -1) for seconds in sorted(left)], [20, 30, 40])

    def test_again(self) -> None:
        """To do it again changes nothing."""
        useMonotonicTime(self.reactor)
        call = self.reactor.callLater(3600, self.called.append, "late")
        end = call.getTime()
        useMonotonicTime(self.reactor)
        self.assertEqual(call.getTime(), end)

    def test_otherClocks(self) -> None:
        """What has a time of its own keeps it, and so do other reactors."""
        clock = Clock()
        useMonotonicTime(clock)
        clock.advance(5)
        self.assertEqual(clock.seconds(), 5)
        useMonotonicTime(self.reactor)
        self.assertIs(EPollReactor.seconds, seconds)
