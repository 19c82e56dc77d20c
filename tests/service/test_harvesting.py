"""Whom a daemon hides can't be told from whom it doesn't know."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.limits import DEFAULTS
from fingerd.model.masking import Mask
from fingerd.model.reply import Reply
from fingerd.model.rules import Rules
from fingerd.model.user import HIDDEN, User
from tests.harvesting import NAMES, WAYS, ask, hiding
from tests.support.ports import Directory, temporaryFolder
from tests.support.service import Finger


class HarvestingTests(SynchronousTestCase):
    """Unknown, hidden and masked users."""

    def test_sameBytes(self) -> None:
        """However they are asked for, and over whichever way, the bytes are the same."""
        with hiding(temporaryFolder(self)) as daemon:
            for segments in (*WAYS.values(), ["/W {}\r\n"], ["{0},{0}\r\n"], [" {}\n"]):
                answers = {
                    ask(daemon.port, segments, name)[0].replace(name.encode(), b"NAME")
                    for name in (*NAMES.values(), NAMES["hidden"].upper(), NAMES["masked"].title())
                }
                self.assertEqual(len(answers), 1, answers)
            for query in (b"\r\n", b"/W\r\n"):
                answer = daemon.ask(query)
                self.assertIn(b"moshez", answer)
                for name in NAMES.values():
                    self.assertNotIn(name.encode(), answer)

    def test_sameWork(self) -> None:
        """For a masked user the same directories are asked as for an unknown one."""
        directories = [Directory(self.knows) for _ in range(3)]
        rules = Rules(mask=Mask(["maskeduser"]))
        finger = Finger(Clock(), directories, None, DEFAULTS, rules)
        for name in ("nobodyatall", "maskeduser"):
            self.assertIsNone(self.successResultOf(finger.getUser(name)))
        for directory in directories:
            self.assertEqual(directory.asked, ["nobodyatall", "maskeduser"])

    def test_sameTime(self) -> None:
        """
        What a source needs more or less time for is said in the same moment: that a user isn't
        known, is hidden or masked. Who is found is told at once.
        """
        clock = Clock()
        rules = Rules(mask=Mask(["maskeduser"]))
        took = {
            "nobodyatall": (0.0041, None),
            "hiddenuser": (0.0002, HIDDEN),
            "maskeduser": (0.0073, User("maskeduser")),
            "moshez": (0.003, User("moshez", status="Happy")),
        }

        def answers(login: str) -> Deferred[User | None]:
            seconds, user = took[login]
            return deferLater(clock, seconds, lambda: user)

        finger = Finger(clock, [Directory(answers)], None, DEFAULTS, rules)
        told: dict[str, list[float]] = {name: [] for name in took}

        def said(reply: Reply, name: str) -> None:
            told[name].append(clock.seconds())

        for name in took:
            finger.asked(name.encode()).addCallback(said, name)
            finger.history(name, finger.visit(), 5).addCallback(said, name)
        clock.pump([0.0001] * 300)
        self.assertLess(max(told.pop("moshez")), 0.0035)
        times = {time for times in told.values() for time in times}
        self.assertEqual((len(times), *map(len, told.values())), (1, 2, 2, 2), told)

    def knows(self, login: str) -> Deferred[User | None]:
        """Directories that know the masked user."""
        return succeed(User(login) if login == "maskeduser" else None)
