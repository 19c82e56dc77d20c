"""What the log says of refusals."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from fingerd.logs.audit import Refusals
from fingerd.model.limits import Limits
from fingerd.model.record import Setter

BOB = Setter(1002, "bob", "/run/fingerd/set")


class RefusalsTests(SynchronousTestCase):
    """Refusals, few and many."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.refusals = Refusals(Limits(refusalsLogged=3, refusalsTime=60.0), self.clock)

    def refused(self, count: int = 1, login: str | None = "alice") -> list[str | None]:
        """What is logged of so many refusals."""
        with capturedLogs() as events:
            for _ in range(count):
                self.refusals.refused(BOB, login, "Not yours")
        return [formatEvent(event) for event in events]

    def test_line(self) -> None:
        """A refusal is a line: who, from where, whose where that is known, and why."""
        by = "refused uid 1002 (bob) on /run/fingerd/set"
        self.assertEqual(self.refused(), [f"{by}, for 'alice': Not yours"])
        self.assertEqual(self.refused(login=None), [f"{by}: Not yours"])

    def test_quoted(self) -> None:
        """What a client calls a user can't drive a terminal, or look like another line."""
        [line] = self.refused(login="a\x1b[2J\nb{by}")
        assert line is not None
        self.assertIn(r"for 'a\x1b[2J\nb{by}'", line)

    def test_many(self) -> None:
        """Of many, only the first are logged; the others are counted, and that is said later."""
        self.assertEqual(len(self.refused(10)), 3)
        self.clock.advance(59.9)
        self.assertEqual(self.refused(), [])
        self.clock.advance(0.1)
        said = self.refused()
        self.assertEqual(said[0], "8 more refusals to set a status")
        self.assertEqual(len(said), 2)
        self.clock.advance(60)
        self.assertEqual(len(self.refused(3)), 3)
