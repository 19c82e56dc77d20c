"""What users publish of themselves lies over what the directories say, and who hides is nobody."""

from __future__ import annotations

import tracemalloc

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.given import GivenUsers
from fingerd.doors.plain import answer
from fingerd.model import texts
from fingerd.model.errors import SettingRefused
from fingerd.model.fields import parseViews
from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import DEFAULTS
from fingerd.model.policy import NOT_YOURS, SetPolicy
from fingerd.model.record import YES, Change, Entry, Part, Record, Setter
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.stores.memory import MemoryStore
from tests.support.ports import Directory
from tests.support.service import Finger

NOW = 1e9
ROOT = Setter(0, "root", "here")
MOSHEZ = Setter(1000, "moshez", "here")


class Records(SynchronousTestCase):
    """A test with the user moshez, of whom a directory has a plan and a project."""

    def setUp(self) -> None:
        self.now = NOW
        self.store = MemoryStore(lambda: self.now)
        moshez = User("moshez", "Moshe", "Happy", project="Twisted", plan="To write")
        self.finger = self.made(
            Directory(lambda login: succeed(moshez if login == "moshez" else None), [moshez])
        )

    def made(self, *directories: IDirectory, rules: Rules | None = None) -> Finger:
        rules = rules or Rules(setting=SetPolicy(create=True))
        self.clock = Clock()
        return Finger(
            self.clock, directories, self.store, DEFAULTS, rules, None, None, None, lambda: self.now
        )

    def set(self, part: Part, text: str, seconds: int | None = None, login: str = "moshez") -> None:
        self.successResultOf(self.finger.set(login, Change(text, seconds, part), ROOT))

    def asked(self, line: bytes = b"moshez") -> str:
        """The answer to a query."""
        return answer.of(self.successResultOf(self.finger.asked(line)), 100_000, self.now)


class OverTests(Records):
    """Field by field."""

    def test_listOfPlans(self) -> None:
        """A list that is kept holds no plans: each of thousands of users may have a long one."""
        everyone = [User(f"user{number}") for number in range(200)]
        self.finger = self.made(Directory(lambda login: succeed(None), everyone))
        for user in everyone:
            entry = Entry("x" * DEFAULTS.planSize, NOW, part=Part.PLAN)
            self.successResultOf(self.store.set(user.login, entry))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        listing = self.successResultOf(self.finger.getUsers(verbose=True))
        held, _ = tracemalloc.get_traced_memory()
        self.assertLess(held, 10 * DEFAULTS.planSize)
        self.assertEqual({len(user.plan) for user in listing.users}, {DEFAULTS.planSize})

    def test_fields(self) -> None:
        """What is set shows over what the directory says, each field by itself, until it ends."""
        self.set(Part.PLAN, "To rest.\nTo write.")
        self.assertIn("Project: Twisted\nPlan:\nTo rest.\nTo write.", self.asked())
        self.set(Part.PROJECT, "fingerd\nand more", 60)
        self.assertIn("Happy\nProject:\nfingerd\nand more\nPlan:\nTo rest.", self.asked())
        self.now += 60
        self.set(Part.STATUS, "Busy")
        self.assertIn("Busy\nProject: Twisted\nPlan:\nTo rest.", self.asked())
        self.set(Part.PLAN, "")
        self.assertIn("Plan:\nTo write", self.asked(b"/W"))

    def test_made(self) -> None:
        """With --create, a plan alone makes a user."""
        self.assertEqual(self.asked(b"glyph"), texts.NO_SUCH_USER)
        self.set(Part.PLAN, "To build", login="glyph")
        self.assertIn("Plan:\nTo build", self.asked(b"glyph"))
        self.assertIn("glyph", self.asked(b""))

    def test_told(self) -> None:
        """Who sets something is told what shows now, and what showed before."""
        self.set(Part.STATUS, "Writing")
        done = self.successResultOf(self.finger.set("moshez", Change("At lunch", 60), MOSHEZ))
        assert done.now is not None and done.before is not None
        self.assertEqual((done.now.text, done.now.until), ("At lunch", NOW + 60))
        self.assertEqual((done.before.text, done.before.until), ("Writing", None))
        undone = self.successResultOf(self.finger.undo("moshez", MOSHEZ))
        self.assertEqual((undone.now, undone.before), (done.before, done.now))

    def test_size(self) -> None:
        """A plan has 64 KiB at most, in UTF-8, and no control characters."""
        self.set(Part.PLAN, "é" * 32768)
        for text, words in (
            ("é" * 32768 + "x", "Not set: a plan has 65536 bytes at most"),
            ("\x1b[2J", texts.NO_CONTROL_CHARACTERS),
        ):
            refused = self.finger.set("moshez", Change(text, None, Part.PLAN), ROOT)
            failure = self.failureResultOf(refused, SettingRefused)
            self.assertEqual(failure.getErrorMessage(), words)

    def test_forWhom(self) -> None:
        """What is set, and kept, is told to those who may set it; so is what is taken back."""
        self.set(Part.STATUS, "Writing")
        other = Setter(1001, "shawn", "there")
        for ask in (self.finger.record, self.finger.changes, self.finger.undo, self.finger.erase):
            failure = self.failureResultOf(ask("moshez", other), SettingRefused)
            self.assertEqual(failure.getErrorMessage(), NOT_YOURS)
            failure = self.failureResultOf(ask("no one", ROOT), SettingRefused)
            self.assertEqual(failure.getErrorMessage(), texts.NO_SUCH_USER)
        record = self.successResultOf(self.finger.record("moshez", MOSHEZ))
        self.assertEqual(record, self.store.held("moshez"))
        [change] = self.successResultOf(self.finger.changes("moshez", MOSHEZ))
        self.assertEqual(change, record.status)
        with capturedLogs() as events:
            self.successResultOf(self.finger.undo("moshez", MOSHEZ))
            self.successResultOf(self.finger.erase("moshez", MOSHEZ))
            failure = self.failureResultOf(self.finger.undo("moshez", MOSHEZ), SettingRefused)
        self.assertEqual(failure.getErrorMessage(), "Not set: there is nothing to take back")
        lines = [str(formatEvent(event)) for event in events]
        self.assertIn("status taken back of 'moshez' by uid 1000 (moshez) on here", lines[0])
        self.assertIn("all that was set erased of 'moshez' by uid 1000", lines[1])
        self.assertEqual(self.store.held("moshez"), Record())


class HiddenTests(Records):
    """Who has hidden themselves."""

    def hide(self, login: str = "moshez") -> None:
        self.set(Part.STATUS, "Secret", login=login)
        self.set(Part.PLAN, "Secret", login=login)
        self.set(Part.HIDDEN, YES, login=login)

    def test_unknown(self) -> None:
        """They are unknown, by name, with others and in lists, until they show again."""
        before = self.asked()
        self.hide()
        for line in (b"moshez", b"/W moshez", b"Moshe"):
            self.assertEqual(self.asked(line), texts.NO_SUCH_USER)
        unknown = self.asked(b"nobody,nobody").replace("nobody", "moshez")
        self.assertEqual(self.asked(b"moshez,moshez"), unknown)
        for line in (b"", b"/W"):
            self.assertEqual(self.asked(line), texts.NO_SUCH_USER)
        for reply in (
            self.finger.history("moshez", self.finger.visit(), 10),
            self.finger.history("moshez", self.finger.visit(), 0),
        ):
            self.assertEqual(self.successResultOf(reply).outcome, "unknown")
        self.successResultOf(self.finger.erase("moshez", ROOT))
        self.assertEqual(self.asked(), before)

    def test_atHand(self) -> None:
        """They are unknown where their directory is in memory, and no answer is had at once."""
        self.finger = self.made(GivenUsers(moshez="Happy"))
        visit = self.finger.visit()
        self.assertIsNotNone(self.finger.askNow("moshez", visit))
        self.hide()
        self.assertIsNone(self.finger.askNow("moshez", visit))
        self.assertEqual(self.asked(), texts.NO_SUCH_USER)

    def test_made(self) -> None:
        """--create makes no user who is hidden."""
        self.hide("glyph")
        self.assertEqual(self.asked(b"glyph"), texts.NO_SUCH_USER)
        self.assertNotIn("glyph", self.asked(b""))

    def test_sameWork(self) -> None:
        """For a hidden user the same directories are asked as for an unknown one."""
        first, last = (
            Directory(lambda login: succeed(User("moshez"))),
            Directory(lambda _: succeed(None)),
        )
        self.finger = self.made(first, last)
        self.hide()
        first.asked, last.asked = [], []
        self.asked(b"moshez")
        self.assertEqual((first.asked, last.asked), (["moshez"], ["moshez"]))

    def test_reports(self) -> None:
        """In what other sources say of many they are left out, in whatever case."""
        report = "Login: moshez  Name: M\nSecret\nLogin: glyph  Name: G\nOut"
        lines = "Login  Name\nMoshez  M\nglyph   G"
        source = Directory(
            lambda login: succeed(User(login, report=report)), [User("elsewhere", report=lines)]
        )
        self.finger = self.made(source)
        self.hide()
        self.assertNotIn("Secret", self.asked(b"G"))
        self.assertIn("glyph", self.asked(b"G"))
        self.assertNotIn("oshez", self.asked(b""))
        self.assertIn("glyph", self.asked(b""))

    def test_otherName(self) -> None:
        """A source that knows them by another name doesn't show them by it either."""
        self.finger = self.made(
            Directory(lambda login: succeed(User(login.lower(), plan="Secret")))
        )
        self.hide()
        self.assertEqual(self.asked(b"MOSHEZ"), texts.NO_SUCH_USER)
        # Another user, of a like name, is not hidden with them.
        self.finger = self.made(GivenUsers(Moshez="Here", moshez="Secret"))
        self.assertEqual(self.asked(b"Moshez"), "Here")
        self.assertEqual(self.asked(b""), "Moshez  Here")


class PastTests(Records):
    """What a user has set before, where people can ask for that."""

    def setUp(self) -> None:
        super().setUp()
        self.finger = self.made(GivenUsers(moshez="Happy"), rules=Rules(past=True))
        self.set(Part.STATUS, "Old")
        self.set(Part.STATUS, "")
        for text, lasts in (("Writing", None), ("At lunch", 60), ("Busy", None)):
            self.now += 3600
            self.set(Part.STATUS, text, lasts)

    def test_asked(self) -> None:
        """Who allows it is asked for the last ones, for one, and for a day."""
        self.set(Part.PUBLIC_HISTORY, YES)
        log = (
            "2001-09-09 04:46 UTC  Busy\n2001-09-09 03:46 UTC  At lunch\n"
            "2001-09-09 02:46 UTC  Writing"
        )
        for query in (b"moshez/log", b"moshez/2001-09-09", b"/W moshez/log"):
            self.assertEqual(self.asked(query), log)
        self.assertEqual(self.asked(b"moshez/-1"), "2001-09-09 03:46 UTC  At lunch")
        self.assertIn("[moshez/-1]\n2001", self.asked(b"moshez/-1,moshez"))
        self.assertEqual(self.asked(b"moshez"), "Busy")

    def test_notAllowed(self) -> None:
        """Without leave, for a hidden user, or where there is none, the user is unknown."""
        queries = (b"moshez/log", b"moshez/-1", b"moshez/2001-09-09")
        self.unknown(*queries)
        self.set(Part.PUBLIC_HISTORY, YES, 60)
        self.unknown(b"moshez/-3", b"moshez/2000-01-01", b"moshez/x", b"nobody/log", b"moshez/")
        self.set(Part.HIDDEN, YES, 30)
        self.unknown(*queries)
        self.now += 30
        self.assertIn("Busy", self.asked(b"moshez/log"))
        self.now += 30
        self.unknown(*queries)

    def test_howLongItTakes(self) -> None:
        """Where a source takes a while, one who doesn't allow it takes as long as one unknown."""
        looks: list[Deferred[User | None]] = []

        def look(login: str) -> Deferred[User | None]:
            looks.append(Deferred())
            return looks[-1]

        self.finger = self.made(Directory(look), rules=Rules(past=True))
        for user, took in ((User("moshez"), 0.003), (None, 0.007)):
            asked = self.finger.asked(b"moshez/log")
            self.clock.advance(took)
            looks.pop().callback(user)
            self.assertNoResult(asked)
            self.clock.pump([DEFAULTS.unknownTime / 2] * 3)
            self.assertEqual(self.successResultOf(asked).outcome, "unknown")

    def test_off(self) -> None:
        """Where the administrator hasn't turned it on, no directory is even asked."""
        self.set(Part.PUBLIC_HISTORY, YES)
        source = Directory(lambda login: succeed(User(login, plan="of any login")))
        self.finger = self.made(source)
        self.unknown(b"moshez/log", b"moshez/-1", b"moshez/2001-09-09")
        self.assertEqual(source.asked, [])

    def test_noStatus(self) -> None:
        """Where no statuses are shown, none of before are either."""
        self.set(Part.PUBLIC_HISTORY, YES)
        rules = Rules(parseViews(user="plan"), past=True)
        self.finger = self.made(GivenUsers(moshez="Happy"), rules=rules)
        self.unknown(b"moshez/log")

    def unknown(self, *queries: bytes) -> None:
        """To each of these the answer is the one for an unknown user, and so is the outcome."""
        for query in queries:
            reply = self.successResultOf(self.finger.asked(query))
            self.assertEqual((reply.outcome, reply.words), ("unknown", texts.NO_SUCH_USER), query)
