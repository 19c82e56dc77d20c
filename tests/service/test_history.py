"""What users have set before: it is shown after the same rules as what they set last."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.given import GivenUsers
from fingerd.model import texts
from fingerd.model.errors import DirectoryError
from fingerd.model.fields import parseViews
from fingerd.model.limits import Limits
from fingerd.model.masking import Mask
from fingerd.model.record import Entry, Setter
from fingerd.model.reply import Reply
from fingerd.model.rules import Rules
from fingerd.stores.memory import MemoryStore
from fingerd.text.replacing import parseReplacements
from tests.support.service import Finger

ROOT = Setter(0, "root", "nowhere")


class HistoryTests(SynchronousTestCase):
    """Questions for a history."""

    def setUp(self) -> None:
        self.now = 1000.0

    def finger(self, *texts: str, **options: Any) -> Finger:
        """A service with moshez, who has set these one after the other."""
        store = options.pop("store", None) or MemoryStore(lambda: self.now)
        limits, rules = options.pop("limits", Limits()), options.pop("rules", Rules())
        finger = Finger(
            Clock(), [], store, limits, rules, None, None, None, lambda: self.now, moshez="Hi"
        )
        for text in texts:
            self.now += 1
            self.successResultOf(store.set("moshez", Entry(text, self.now, "uid 0 (root)")))
        return finger

    def history(self, finger: Finger, login: str = "moshez", host: str | None = None) -> Reply:
        visit = finger.visit(host)
        reply = self.successResultOf(finger.history(login, visit, 20))
        visit.leave()
        return reply

    def test_newestFirst(self) -> None:
        """The newest comes first, with when it was set, and not who set it."""
        reply = self.history(self.finger("Writing", "Reading"))
        self.assertEqual(reply.outcome, "found")
        self.assertEqual(reply.users[0].status, "Reading")
        self.assertEqual(reply.history, [Entry("Reading", 1002.0), Entry("Writing", 1001.0)])

    def test_cleared(self) -> None:
        """What was cleared is in no history."""
        self.assertEqual(self.history(self.finger("Writing", "")).history, [])

    def test_nobody(self) -> None:
        """A user who is unknown or masked, and what is no login, have no history."""
        finger = self.finger("Writing", rules=Rules(mask=Mask(["moshez"])))
        for login in ("moshez", "shawn", "", "a b", "x@y"):
            reply = self.history(finger, login)
            self.assertEqual((reply.outcome, reply.words), ("unknown", texts.NO_SUCH_USER))
            self.assertEqual((reply.users, reply.history), ((), ()))

    def test_statusNotShown(self) -> None:
        """Where the administrator shows no status of a user, no earlier one shows either."""
        reply = self.history(self.finger("Writing", rules=Rules(parseViews(user="plan"))))
        self.assertEqual((reply.outcome, reply.history), ("found", []))

    def test_shown(self) -> None:
        """An earlier status is cleaned, and its texts are replaced, as the present one is."""
        rules = Rules(replacements=parseReplacements(["Microsoft=a monopoly"]))
        reply = self.history(self.finger("At Microsoft\x1b[2J\u202e", "Out", rules=rules))
        self.assertEqual(reply.history[1].text, "At a monopoly[2J")

    def test_rate(self) -> None:
        """To ask for a history counts as a query of the peer."""
        finger = self.finger("Writing", limits=Limits(peerQueries=1))
        self.assertEqual(self.history(finger, host="192.0.2.1").outcome, "found")
        reply = self.history(finger, host="192.0.2.1")
        self.assertEqual((reply.outcome, reply.words), ("limited", texts.TOO_MANY_QUERIES))

    def test_lookups(self) -> None:
        """A history that is waited for counts as a lookup, and has no longer than one."""
        asked: list[Deferred[Any]] = []

        class Slow(MemoryStore):
            def history(
                self, login: str, most: int, whole: bool = False, ended: bool = False
            ) -> Deferred[Any]:
                asked.append(Deferred())
                return asked[-1]

        clock = Clock()
        finger = Finger(clock, [], Slow(lambda: 0.0), Limits(lookups=1), moshez="Hi")
        first = finger.history("moshez", finger.visit(), 20)
        second = self.successResultOf(finger.history("moshez", finger.visit(), 20))
        self.assertEqual((second.outcome, second.words), ("limited", texts.TOO_MANY_LOOKUPS))
        clock.advance(Limits().lookupTime)
        self.assertEqual(self.successResultOf(first).outcome, "failed")

    def test_storeFails(self) -> None:
        """A store that can't be read is an internal error, and not an empty history."""

        class Broken(MemoryStore):
            def history(
                self, login: str, most: int, whole: bool = False, ended: bool = False
            ) -> Deferred[Any]:
                return fail(DirectoryError("the disk is gone"))

        reply = self.history(self.finger(store=Broken(lambda: 0.0)))
        self.assertEqual(reply.outcome, "failed")
        self.assertNotIn("disk", reply.words)

    def test_directory(self) -> None:
        """A user of any directory has a history; one who has set nothing has an empty one."""
        finger = Finger(Clock(), [GivenUsers(moshez="Hi")])
        self.assertEqual(self.history(finger).history, [])
