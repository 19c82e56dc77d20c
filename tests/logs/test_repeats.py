"""What strangers and users can bring about as often as they like, and what the log says of it."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fingerd.logs import audit
from fingerd.logs.failures import Failures
from fingerd.logs.repeats import Like
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits
from fingerd.model.record import Setter
from fingerd.model.user import User
from tests.support.ports import Directory, inMemory
from tests.support.service import Finger
from tests.support.written_log import WrittenLog

LIMITS = Limits(repeatsLogged=3, repeatsTime=60.0)
ALICE, BOB = Setter(1001, "alice", "127.0.0.1:5"), Setter(1002, "bob", "/run/fingerd/set")


class LogCase(SynchronousTestCase):
    """A test with a daemon's log."""

    limits = LIMITS

    def setUp(self) -> None:
        self.written = WrittenLog(self, self.limits)
        self.clock = self.written.clock
        self.log = Logger("test")


class RepeatsTests(LogCase):
    """Lines of several kinds."""

    def test_left(self) -> None:
        """Of one kind a few lines are written; how many more there were is said by a timer."""
        for number in range(9):
            self.log.info("out of {what}", what=number)
        self.log.info("other")
        self.assertEqual(self.written.lines(), ["out of 0", "out of 1", "out of 2", "other"])
        self.clock.advance(59)
        self.assertEqual(self.written.lines(), [])
        self.clock.advance(1)
        self.assertEqual(self.written.lines(), ["6 more lines like this one: out of 0"])
        self.log.info("out of {what}", what="again")
        self.assertEqual(self.written.lines(), ["out of again"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """What was left out is said at the stop, too."""
        for number in range(5):
            self.log.info("out of {what}", what=number)
        self.written.lines()
        self.written.daemonLog._repeats.sum()
        self.assertEqual(self.written.lines(), ["2 more lines like this one: out of 0"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_toldApart(self) -> None:
        """Lines of one statement may be of several kinds, each with a number of its own."""
        for who, most in (("a", 1), ("b", 2), ("a", 1), ("b", 2), ("b", 2)):
            self.log.info("{who} came", who=who, like=Like(who, most))
        self.assertEqual(self.written.lines(), ["a came", "b came", "b came"])
        self.assertEqual(
            self.written.sums(),
            ["1 more lines like this one: a came", "1 more lines like this one: b came"],
        )

    def test_manyKinds(self) -> None:
        """Where there are very many kinds, the last of a few stands for all others."""
        for who in "abcdef":
            self.log.info("{who} came", who=who, like=Like(who, 1))
        self.assertEqual(self.written.lines(), ["a came", "b came", "c came"])
        self.assertEqual(self.written.sums(), ["3 more lines like this one: c came"])


class AuditTests(LogCase):
    """What people have set, and were refused."""

    def test_lines(self) -> None:
        """A change is a line, and so is a refusal: who, from where, whose where that is known."""
        audit.changed(BOB, "bob", "Busy", None)
        audit.changed(BOB, "bob", "", None)
        audit.changed(BOB, "bob", "Busy", 1795370701.0)
        by = "uid 1002 (bob) on /run/fingerd/set"
        self.assertEqual(
            self.written.lines(),
            [
                f"status of 'bob' set by {by}",
                f"status of 'bob' cleared by {by}",
                f"status of 'bob' set until 2026-11-22T18:05:01Z by {by}",
            ],
        )
        audit.refused(BOB, "alice", "Not yours")
        audit.refused(BOB, None, "Two lines are needed")
        self.assertEqual(
            self.written.lines(),
            [f"refused {by}, for 'alice': Not yours", f"refused {by}: Two lines are needed"],
        )

    def test_quoted(self) -> None:
        """What a client calls a user can't drive a terminal, or look like another line."""
        audit.refused(BOB, "a\x1b[2J\nb{by}", "Not yours")
        [line] = self.written.lines()
        self.assertIn(r"for 'a\x1b[2J\nb{by}'", line)

    def test_many(self) -> None:
        """
        A user who is refused very often fills nothing, and hides nobody else's lines; whatever is
        changed has its line.
        """
        for _ in range(1000):
            audit.refused(BOB, "alice", "Not yours")
        audit.refused(ALICE, "bob", "Not yours")
        self.assertEqual(len(self.written.lines()), 4)
        self.assertEqual(
            self.written.sums(),
            [
                "997 more lines like this one: refused uid 1002 (bob) on /run/fingerd/set, "
                "for 'alice': Not yours"
            ],
        )
        for number in range(40):
            audit.changed(Setter(number, "someone", "here"), "someone", "Busy", None)
            audit.changed(BOB, "bob", "Busy", None)
        self.assertEqual(len(self.written.lines()), 80)
        self.assertEqual(self.written.sums(), [])

    def test_unlimited(self) -> None:
        """Who may change as much as they like has a line for some of it, and a sum."""
        root = Setter(0, "root", "here")
        for number in range(40):
            audit.changed(root, f"user{number}", "Busy", None, 30)
        self.assertEqual(len(self.written.lines()), 30)
        self.assertEqual(
            self.written.sums(),
            ["10 more lines like this one: status of 'user0' set by uid 0 (root) on here"],
        )


class FailuresTests(LogCase):
    """Failures of a directory, each with a client who is told a reference."""

    def setUp(self) -> None:
        super().setUp()
        self.failures = Failures(self.log, LIMITS, self.clock)

    def failed(self, error: Exception, what: str = "looking") -> tuple[str, list[str]]:
        """The reference that a client gets, and what is logged."""
        reference = self.failures.reference(Failure(error), what)
        self.flushLoggedErrors()
        self.assertRegex(reference, "^[0-9a-f]{8}$")
        return reference, self.written.lines()

    def test_sameReason(self) -> None:
        """Who fails for the same reason gets the reference of the line that is in the log."""
        reference, lines = self.failed(DirectoryError("down"), "looking up 'a'")
        self.assertEqual(lines, [f"looking up 'a': down (reference {reference})"])
        for _ in range(9):
            self.assertEqual(self.failed(DirectoryError("down"), "b"), (reference, []))
        self.assertEqual(
            self.written.sums(),
            [f"9 more lines like this one: looking up 'a': down (reference {reference})"],
        )
        later, lines = self.failed(DirectoryError("down"), "c")
        self.assertNotEqual(reference, later)
        self.assertEqual(lines, [f"c: down (reference {later})"])

    def test_manyReasons(self) -> None:
        """Whatever the reasons, every reference is in the log, and the log stays small."""
        logged: list[str] = []
        for number in range(1000):
            error = (DirectoryError, RuntimeError)[number % 2](f"reason {number}")
            reference, lines = self.failed(error)
            logged += lines
            self.assertIn(reference, "".join(logged))
        self.assertLessEqual(len(logged), 4)

    def test_anyMoment(self) -> None:
        """Every reference is in the log, whenever the log's own time begins and ends."""
        logged: list[str] = []
        for number in range(200):
            self.clock.advance(7)
            reference, lines = self.failed(DirectoryError(f"reason {number}"))
            logged += lines
            self.assertIn(reference, "".join(logged))


class FloodTests(LogCase):
    """A flood of queries to a daemon whose directory fails."""

    limits = Limits()

    def test_flood(self) -> None:
        """
        A daemon whose directory fails for another reason with every name writes no more into its
        log than a few lines a minute, however many ask.
        """

        def answers(login: str) -> Deferred[User | None]:
            return fail(DirectoryError(f"no connection for {login}"))

        finger = Finger(self.clock, [Directory(answers)])
        factory = finger.getFingerFactory()
        for minute in range(3):
            for number in range(1000):
                query = b"user%d-%d\r\n" % (minute, number)
                answer = inMemory(factory, [query], ends=True).value()
                self.assertTrue(answer.startswith(b"Internal error in server\r\n"))
            self.clock.advance(60)
        written = self.written.lines()
        self.assertLessEqual(len(written), 3 * self.limits.repeatsLogged + 3)
        self.assertLess(sum(map(len, written)), 20_000)
