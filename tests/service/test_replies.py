"""What the service replies: once for the daemon, whichever door it is asked at."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.doors.plain import answer
from fingerd.doors.plain.encoding import encode
from fingerd.doors.web.text_form import TextForm
from fingerd.model import texts
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import Limits
from fingerd.model.query import parse
from fingerd.model.record import Setter
from fingerd.model.user import User
from tests.doors.web import BASE
from tests.support.ports import Directory, failing, inMemory
from tests.support.service import Finger
from tests.support.written_log import WrittenLog

ROOT = Setter(0, "root", "nowhere")


class Slow(Directory):
    """A directory whose list takes its time."""

    def __init__(self) -> None:
        super().__init__(lambda login: succeed(None))
        self.lists: list[Deferred[list[User]]] = []

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        self.lists.append(Deferred())
        return self.lists[-1]


class Busy(Clock):
    """
    A clock on a machine on which everything takes some milliseconds.

    @ivar turns: how often something was left for later.
    """

    turns = 0

    def seconds(self) -> float:
        self.rightNow += 0.003
        return self.rightNow

    def callLater(self, *call: Any, **keywords: Any) -> IDelayedCall:
        self.turns += 1
        return super().callLater(*call, **keywords)


class ListTests(SynchronousTestCase):
    """The list is made once for all who ask."""

    def test_atOnce(self) -> None:
        """Of fifty who ask for the list at once, a directory hears once; all get the same bytes."""
        directory = Slow()
        finger = Finger(Clock(), [directory])
        ports = [finger.getFingerFactory() for _ in range(2)]
        asked = [finger.asked(b"") for _ in range(50)]
        self.assertEqual(len(directory.lists), 1)
        directory.lists[0].callback([User("moshez", status="Happy")])
        replies = [self.successResultOf(each) for each in asked]
        rendered = {
            id(self.successResultOf(ports[number % 2].renderList(reply)))
            for number, reply in enumerate(replies)
        }
        self.assertEqual(len(rendered), 1)

    def test_others(self) -> None:
        """While a long list is laid out, for the finger port or as a page, others are answered."""
        clock = Busy()
        users = [User(f"user{number}", "Zoë", f"Außer Haus {number}") for number in range(300)]
        directory = Slow()
        finger = Finger(clock, [directory], None, Limits(answerSize=10_000))
        for query in (b"", b"/W"):
            asked = finger.asked(query)
            directory.lists[-1].callback(users)
            reply = self.successResultOf(asked)
            said = encode(answer.of(reply, 10_000), 10_000)
            ports = finger.getFingerFactory()
            forms = [
                ports.renderList(reply),
                Deferred.fromCoroutine(TextForm(10_000).list(reply, BASE, 0.0, clock)),
            ]
            for form in forms:
                self.assertNoResult(form)
            before = clock.turns
            clock.advance(0)
            self.assertGreater(clock.turns - before, 100)
            self.assertEqual([self.successResultOf(form) for form in forms], [said, said])

    def test_oneLeaves(self) -> None:
        """Who leaves while the list is made takes it from nobody; when all do, it is given up."""
        directory = Slow()
        finger = Finger(Clock(), [directory])
        visits = [finger.visit() for _ in range(3)]
        asked = [finger.ask(parse(b""), visit) for visit in visits]
        for visit, each in zip(visits, asked, strict=True):
            self.assertFalse(directory.lists[0].called)
            visit.leave()
            each.cancel()
        self.assertTrue(directory.lists[0].called)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_setMeanwhile(self) -> None:
        """Who asks when a status has been set gets a list with it, also where one is being made."""
        directory = Slow()
        finger = Finger(Clock(), [directory], moshez="Happy")
        first = finger.asked(b"")
        self.successResultOf(finger.setUser("moshez", "Busy", ROOT))
        second = finger.asked(b"")
        self.assertEqual(len(directory.lists), 2)
        for each in directory.lists:
            each.callback([])
        self.successResultOf(first)
        [user] = self.successResultOf(second).users
        self.assertEqual(user.status, "Busy")


class FailureTests(SynchronousTestCase):
    """What is said, and logged, of what fails."""

    def test_oneReference(self) -> None:
        """One trouble of a directory has one reference, at whichever port it is met."""
        finger = Finger(Clock(), [failing(DirectoryError("down"))])
        written = WrittenLog(self)
        answers = {
            bytes(inMemory(finger.getFingerFactory(), [b"moshez\r\n"], False).value())
            for _ in range(2)
        }
        self.assertEqual(len(answers), 1, answers)
        self.assertEqual(len(written.lines()), 1)

    def test_cancelledByItself(self) -> None:
        """A directory that cancels its own work fails: only a client that left is gone."""
        finger = Finger(Clock(), [Directory(lambda login: fail(CancelledError()))])
        reply = self.successResultOf(finger.asked(b"moshez"))
        self.assertEqual(reply.outcome, "failed")
        self.assertTrue(reply.words.startswith("Internal error in server\nReference: "))
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)

    def test_oneOfSeveral(self) -> None:
        """Where one of several names fails, the query has failed, and the others are answered."""

        def look(login: str) -> Deferred[User | None]:
            return fail(DirectoryError("down")) if login == "jp" else succeed(User(login))

        reply = self.successResultOf(Finger(Clock(), [Directory(look)]).asked(b"moshez jp"))
        self.assertEqual(reply.outcome, "failed")
        self.assertEqual([part.outcome for _, part in reply.parts], ["found", "failed"])

    def test_leftAmongSeveral(self) -> None:
        """A client that leaves while several names are looked up leaves no word in the log."""
        finger = Finger(Clock(), [Directory(lambda login: Deferred())])
        visit = finger.visit()
        asked = finger.ask(parse(b"moshez jp"), visit)
        visit.leave()
        asked.cancel()
        self.assertEqual(self.flushLoggedErrors(), [])


class RateTests(SynchronousTestCase):
    """One peer's queries count together."""

    def test_allPorts(self) -> None:
        """A peer that has asked often enough at one port is refused at another one too."""
        finger = Finger(Clock(), (), None, Limits(peerQueries=2), moshez="Happy")
        for outcome in ("found", "found", "limited"):
            reply = self.successResultOf(finger.asked(b"moshez", "192.0.2.1"))
            self.assertEqual(reply.outcome, outcome)
        self.assertEqual(reply.words, texts.TOO_MANY_QUERIES)
        self.assertEqual(
            self.successResultOf(finger.asked(b"moshez", "192.0.2.2")).outcome, "found"
        )

    def test_namesCount(self) -> None:
        """A query for several names counts as so many."""
        finger = Finger(Clock(), (), None, Limits(peerQueries=8), moshez="Happy")
        for names, outcome in ((5, "several"), (4, "limited"), (3, "several"), (1, "limited")):
            line = b" ".join([b"moshez"] * names)
            reply = self.successResultOf(finger.asked(line, "192.0.2.1"))
            self.assertEqual(reply.outcome, outcome)


class TurnTests(SynchronousTestCase):
    """A peer's lookups that take their time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.under: list[Deferred[User | None]] = []

    def look(self, login: str) -> Deferred[User | None]:
        """A slow directory's lookup."""
        self.under.append(Deferred())
        return self.under[-1]

    def finger(self, **limits: int) -> Finger:
        """A service with that directory."""
        return Finger(self.clock, [Directory(self.look)], None, Limits(**limits))

    def test_othersFirst(self) -> None:
        """One peer has so many lookups under way and no more; another one's begins at once."""
        finger = self.finger(peerLookups=2)
        asked = [finger.asked(b"moshez", "192.0.2.1") for _ in range(4)]
        self.assertEqual(len(self.under), 2)
        other = finger.asked(b"moshez", "192.0.2.2")
        self.assertEqual(len(self.under), 3)
        self.under[2].callback(User("moshez"))
        self.assertEqual(self.successResultOf(other).outcome, "found")
        for number in (0, 1, 3, 4):
            self.under[number].callback(User("moshez"))
        for each in asked:
            self.assertEqual(self.successResultOf(each).outcome, "found")

    def test_late(self) -> None:
        """A lookup whose turn doesn't come in time is refused in words, and begins no more."""
        finger = self.finger(peerLookups=1)
        first, second = (finger.asked(b"moshez", "192.0.2.1") for _ in range(2))
        self.clock.advance(4.5)
        self.assertEqual(self.successResultOf(first).outcome, "failed")
        self.assertEqual(self.successResultOf(second).outcome, "limited")
        self.assertEqual(len(self.under), 1)
        self.assertFalse(finger.asked(b"moshez", "192.0.2.1").called)
        self.assertEqual(len(self.under), 2)

    def test_lateAfterItsTurn(self) -> None:
        """The log says how long a client has waited, its wait for a turn included."""
        written = WrittenLog(self)
        finger = self.finger(peerLookups=1)
        first, second = (finger.asked(b"moshez", "192.0.2.1") for _ in range(2))
        self.clock.advance(4.0)
        self.under[0].callback(User("moshez"))
        self.assertEqual(self.successResultOf(first).outcome, "found")
        self.clock.advance(0.5)
        self.assertEqual(self.successResultOf(second).outcome, "failed")
        (line,) = written.lines()
        self.assertIn("took longer than 4.5 seconds", line)

    def test_leaves(self) -> None:
        """A client that leaves while it waits for its turn gives it up."""
        finger = self.finger(peerLookups=1, lookups=2)
        first = finger.asked(b"moshez", "192.0.2.1")
        visit = finger.visit("192.0.2.1")
        second = finger.ask(parse(b"moshez"), visit)
        visit.leave()
        second.cancel()
        third = finger.asked(b"moshez", "192.0.2.1")
        for number in range(2):
            self.under[number].callback(User("moshez"))
        self.assertEqual(self.successResultOf(first).outcome, "found")
        self.assertEqual(self.successResultOf(third).outcome, "found")
        self.assertEqual(len(self.under), 2)

    def test_manyThatAreShort(self) -> None:
        """
        When a slow lookup ends, all that waited behind it are answered, however many of them are
        over as soon as they begin; and nothing of them is left to count against anybody.
        """
        finger = Finger(self.clock, [Directory(self.look)], None, Limits(), moshez="Happy")
        slow = [finger.asked(b" radix" * 8, "192.0.2.1") for _ in range(4)]
        asked = [finger.asked(b" moshez" * 8, "192.0.2.1") for _ in range(33)]
        self.assertEqual(len(self.under), Limits().peerLookups)
        self.under[0].callback(None)
        for each in asked:
            reply = self.successResultOf(each)
            self.assertEqual([part.outcome for _, part in reply.parts], ["found"] * 8)
        for under in self.under[1:]:
            under.callback(None)
        # That somebody isn't known is said a moment later.
        self.clock.pump([Limits().unknownTime / 2] * 3)
        self.assertEqual(
            [self.successResultOf(each).outcome for each in slow], ["several"] * len(slow)
        )
        self.assertEqual(len(finger.visits), 0)
        # As many as ever may wait again.
        again = [finger.asked(b"radix", "192.0.2.1") for _ in range(4)]
        self.assertEqual(len(self.under), Limits().peerLookups + 4)
        for under in self.under[-4:]:
            under.callback(None)
        self.clock.pump([Limits().unknownTime / 2] * 3)
        self.assertEqual([self.successResultOf(each).outcome for each in again], ["unknown"] * 4)
