"""What strangers can bring about as often as they like, and what the log says of it."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fingerd.logs.failures import Failures
from fingerd.logs.repeats import Repeats
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits
from fingerd.model.user import User
from tests.support.ports import Directory, inMemory
from tests.support.service import Finger

LIMITS = Limits(repeatsLogged=3, repeatsTime=60.0)


class RepeatsTests(SynchronousTestCase):
    """Things of several kinds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.repeats = Repeats(3, 60.0, self.clock, self.more)

    def more(self, known: str, count: int) -> None:
        self.said.append(f"{known}: {count} more")

    def happens(self, kind: str) -> str:
        def say() -> str:
            self.said.append(kind)
            return kind.upper()

        return self.repeats.fold(kind, say)

    def test_folded(self) -> None:
        """Of a kind the first is said; how many more there were, later."""
        self.assertEqual([self.happens(kind) for kind in "aabaa"], ["A", "A", "B", "A", "A"])
        self.assertEqual(self.said, ["a", "b"])
        self.clock.advance(60)
        self.happens("a")
        self.assertEqual(self.said, ["a", "b", "A: 3 more", "a"])

    def test_manyKinds(self) -> None:
        """Of very many kinds a few are said, and the last of them stands for all others."""
        self.assertEqual([self.happens(kind) for kind in "abcdefab"], [*"ABCCCCAB"])
        self.clock.advance(60)
        self.happens("x")
        self.assertEqual(self.said, [*"abc", "C: 3 more", "A: 1 more", "B: 1 more", "x"])


class FailuresTests(SynchronousTestCase):
    """Failures of a directory, each with a client who is told a reference."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.failures = Failures(Logger(), LIMITS, self.clock)

    def failed(self, error: Exception, what: str = "looking") -> tuple[str, list[str]]:
        """The reference that a client gets, and what is logged."""
        with capturedLogs() as events:
            reference = self.failures.reference(Failure(error), what)
        self.flushLoggedErrors()
        self.assertRegex(reference, "^[0-9a-f]{8}$")
        return reference, [str(formatEvent(event)) for event in events]

    def test_sameReason(self) -> None:
        """Who fails for the same reason gets the reference of the line that is in the log."""
        reference, lines = self.failed(DirectoryError("down"), "looking up 'a'")
        self.assertEqual(lines, [f"looking up 'a': down (reference {reference})"])
        for _ in range(9):
            self.assertEqual(self.failed(DirectoryError("down"), "b"), (reference, []))
        self.clock.advance(60)
        later, lines = self.failed(DirectoryError("down"), "c")
        self.assertNotEqual(reference, later)
        self.assertEqual(
            lines,
            [
                f"9 more failures like the one with reference {reference}, or not logged since "
                "there were too many",
                f"c: down (reference {later})",
            ],
        )

    def test_manyReasons(self) -> None:
        """Whatever the reasons, every reference is in the log, and the log stays small."""
        logged: list[str] = []
        for number in range(1000):
            error = (DirectoryError, RuntimeError)[number % 2](f"reason {number}")
            reference, lines = self.failed(error)
            logged += lines
            self.assertIn(reference, "".join(logged))
        self.assertEqual(len(logged), 3)


class FloodTests(SynchronousTestCase):
    """A flood of queries to a daemon whose directory fails."""

    def test_flood(self) -> None:
        """
        A daemon whose directory fails for another reason with every name writes no more into its
        log than a few lines a minute, however many ask.
        """

        def answers(login: str) -> Deferred[User | None]:
            return fail(DirectoryError(f"no connection for {login}"))

        clock = Clock()
        finger = Finger(clock, [Directory(answers)])
        factory = finger.getFingerFactory()
        with capturedLogs() as events:
            for minute in range(3):
                for number in range(1000):
                    query = b"user%d-%d\r\n" % (minute, number)
                    answer = inMemory(factory, [query], ends=True).value()
                    self.assertTrue(answer.startswith(b"Internal error in server\r\n"))
                clock.advance(60)
        written = [line for line in map(formatEvent, events) if line]
        most = Limits().repeatsLogged
        self.assertLessEqual(len(written), 3 * most + 3)
        self.assertLess(sum(map(len, written)), 20_000)
