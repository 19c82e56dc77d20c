"""What may be set, by whom, and how long it lasts: for every door alike."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.errors import DirectoryError, SettingRefused
from fingerd.model.interfaces import IDirectory, IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.policy import NO_ACCOUNT, NOT_TOLD, NOT_YOURS, SetPolicy
from fingerd.model.record import Change, Entry, Setter
from fingerd.model.rules import Rules
from fingerd.stores.memory import MemoryStore
from fingerd.system.logins import Logins
from tests.support.ports import failing
from tests.support.service import Finger
from tests.support.written_log import WrittenLog

NOW = 1e9
CONTROL = "Not set: a status has no control characters"
TOO_LONG = "Not set: a status has 1024 bytes at most"
TIME = "Not set: a status lasts from 1s to 366d"
NOT_LASTING = "Not set: what is cleared doesn't last"
TOO_MANY = "Not set: too many statuses in a minute, try again later"
TOO_MANY_LOOKS = "Too many queries; try again in a minute"
NO_SUCH_USER = "No such user"

# One whose login the system tells, one who has no account, and one of whom nothing is known.
MOSHEZ = Setter(os.geteuid() + 1, None, "here")
NOBODY = Setter(os.geteuid() + 2, None, "here")
UNKNOWN = Setter(None, None, "somewhere")
ROOT = Setter(0, None, "here")


class Told(Logins):
    """The system's accounts, as a test has them."""

    def __init__(self, told: Deferred[str | None] | None = None) -> None:
        super().__init__(None)
        self.asked: list[int] = []
        self._told = told

    def loginOf(self, uid: int) -> Deferred[str | None]:
        self.asked.append(uid)
        if self._told is not None:
            return self._told
        return succeed("moshez" if uid == MOSHEZ.uid else None)


class Failing(MemoryStore):
    """A store that can't keep anything."""

    def __init__(self, error: Exception) -> None:
        super().__init__(lambda: NOW)
        self._error = error

    def set(self, login: str, status: Entry) -> Deferred[None]:
        return fail(self._error)


class Settings(SynchronousTestCase):
    """A test with users whose statuses can be set."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.logins = Told()
        self.finger = self.made()

    def made(
        self,
        directories: Sequence[IDirectory] = (),
        store: IStore | None = None,
        limits: Limits = DEFAULTS,
        policy: SetPolicy | None = None,
    ) -> Finger:
        """A service with the users moshez and radix."""
        rules = Rules(setting=policy or SetPolicy())
        return Finger(
            self.clock,
            directories,
            store,
            limits,
            rules,
            None,
            None,
            self.logins,
            lambda: NOW,
            moshez="Happy and well",
            radix="Writing",
        )

    def isSet(self, login: str, change: Change, by: Setter = ROOT) -> Entry:
        """What was set, when all is well."""
        now = self.successResultOf(self.finger.set(login, change, by)).now
        return now or Entry("", NOW)

    def refusal(self, login: str, change: Change, by: Setter = ROOT) -> str:
        """Why it isn't set, in words for the client; nothing shows of it, and the log tells it."""
        before = self.successResultOf(self.finger.getUser(login))
        with capturedLogs() as events:
            failure = self.failureResultOf(self.finger.set(login, change, by), SettingRefused)
        self.assertEqual(self.successResultOf(self.finger.getUser(login)), before)
        words: str = failure.getErrorMessage()
        lines = [str(formatEvent(event)) for event in events]
        if not words.startswith("Internal error"):
            self.assertEqual(len(lines), 1, lines)
            self.assertIn(words, lines[0])
            self.assertIn(by.where, lines[0])
        return words


class ChangeTests(Settings):
    """What can be set at all, whoever asks."""

    def test_set(self) -> None:
        """A status shows, and who has set it, when, and until when, is kept with it."""
        self.assertEqual(
            self.isSet("moshez", Change("At lunch", 7200), MOSHEZ),
            Entry("At lunch", NOW, f"uid {MOSHEZ.uid} (moshez)", NOW + 7200),
        )
        self.assertEqual(self.isSet("moshez", Change("Busy")).until, None)
        user = self.successResultOf(self.finger.getUser("moshez"))
        assert user is not None
        self.assertEqual((user.status, user.statusSet), ("Busy", NOW))

    def test_control(self) -> None:
        """No status and no login has control characters, but for what a text is laid out with."""
        for bad in "\x1b[2J", "\0", "\r", "\x0b", "\x7f", "\x9b":
            self.assertEqual(self.refusal("moshez", Change(f"a{bad}b")), CONTROL)
            self.assertEqual(self.refusal(f"mos{bad}hez", Change("Busy")), CONTROL)
        self.assertEqual(self.isSet("moshez", Change("A\tB\nC")).text, "A\tB\nC")

    def test_length(self) -> None:
        """A status is as long as it is in UTF-8, and 1024 bytes at most."""
        for text in "x" * 1024, "\u05de" * 512, "\u2615" * 341 + "x":
            self.isSet("moshez", Change(text))
            self.assertEqual(self.refusal("moshez", Change(f"{text}x")), TOO_LONG)
        self.finger = self.made(limits=Limits(statusSize=5))
        self.isSet("moshez", Change("Happy"))
        self.assertIn("5 bytes at most", self.refusal("moshez", Change("Unwell")))

    def test_surrogate(self) -> None:
        """A status that can't be UTF-8 is refused."""
        self.finger = self.made(policy=SetPolicy(anyone=True))
        words = self.refusal("moshez", Change("a\ud800b"))
        self.assertTrue(words.startswith("Not set: "), words)

    def test_time(self) -> None:
        """A status lasts for a second at least and a year at most."""
        for seconds in 1, 366 * 86400:
            self.assertEqual(self.isSet("moshez", Change("Busy", seconds)).until, NOW + seconds)
        for seconds in 0, -1, 366 * 86400 + 1, 10**40:
            self.assertEqual(self.refusal("moshez", Change("Busy", seconds)), TIME)

    def test_cleared(self) -> None:
        """An empty status clears; with an end it is refused, since it might mean this or that."""
        self.isSet("moshez", Change("Busy"))
        self.assertEqual(self.refusal("moshez", Change("", 7200)), NOT_LASTING)
        self.isSet("moshez", Change(""))
        user = self.successResultOf(self.finger.getUser("moshez"))
        assert user is not None
        self.assertEqual(user.status, "Happy and well")

    def test_nobody(self) -> None:
        """Nobody's status can be set whom no directory knows, unless users can be made so."""
        for login in "glyph", "", "/W", "a@b", "two names", "-x", "glyph\n":
            self.assertEqual(self.refusal(login, Change("Busy")), NO_SUCH_USER)
        self.finger = self.made(policy=SetPolicy(create=True))
        self.isSet("glyph", Change("Busy"))
        for login in "", "/W", "a@b", "two names", "-x", "glyph\n":
            self.assertEqual(self.refusal(login, Change("Busy")), NO_SUCH_USER)


class OwnerTests(Settings):
    """Who may set whose status."""

    def test_own(self) -> None:
        """A user sets their own, by the login that the system has for their uid."""
        self.isSet("moshez", Change("Busy"), MOSHEZ)
        self.assertEqual(self.refusal("radix", Change("Busy"), MOSHEZ), NOT_YOURS)
        # Nor is it told whether there is such a user.
        self.assertEqual(self.refusal("glyph", Change("Busy"), MOSHEZ), NOT_YOURS)

    def test_nobody(self) -> None:
        """Who has no account, or can't be told, sets none."""
        self.assertEqual(self.refusal("moshez", Change("Busy"), NOBODY), NO_ACCOUNT)
        self.assertEqual(self.refusal("moshez", Change("Busy"), UNKNOWN), NOT_TOLD)

    def test_root(self) -> None:
        """Root and the daemon's own user set anyone's."""
        for uid in 0, os.geteuid():
            self.isSet("radix", Change("Busy"), Setter(uid, None, "here"))

    def test_anyone(self) -> None:
        """Where the administrator wants it, anyone sets anyone's."""
        self.finger = self.made(policy=SetPolicy(anyone=True))
        for by in MOSHEZ, NOBODY, UNKNOWN:
            self.isSet("radix", Change("Busy"), by)

    def test_loginKnown(self) -> None:
        """A door that knows the login of who asks is believed: the system isn't asked."""
        self.isSet("radix", Change("Busy"), Setter(None, "radix", "here"))
        self.isSet("radix", Change("Busy"), Setter(os.geteuid() + 1, "radix", "here"))
        self.assertEqual(self.logins.asked, [])

    def test_hopeless(self) -> None:
        """For a change that nobody could make the system isn't asked who wants it."""
        self.refusal("moshez", Change("\x1b"), MOSHEZ)
        self.assertEqual(self.logins.asked, [])


class BudgetTests(Settings):
    """How many statuses a user may set."""

    def setMany(self, by: Setter, login: str = "moshez") -> None:
        """As many as a user may set in a minute."""
        for _ in range(DEFAULTS.userSettings):
            self.isSet(login, Change("Busy"), by)

    def test_minute(self) -> None:
        """So many in a minute are set; then some more as time passes, and again as many later."""
        self.setMany(MOSHEZ)
        self.assertEqual(self.refusal("moshez", Change("Free"), MOSHEZ), TOO_MANY)
        self.clock.advance(60 / DEFAULTS.userSettings)
        self.isSet("moshez", Change("Free"), MOSHEZ)
        self.assertEqual(self.refusal("moshez", Change("Busy"), MOSHEZ), TOO_MANY)
        self.clock.advance(60)
        self.setMany(MOSHEZ)

    def test_refused(self) -> None:
        """What is refused counts too: to find out that it is takes a look at the directories."""
        for _ in range(DEFAULTS.userSettings):
            self.assertEqual(self.refusal("radix", Change("Busy"), MOSHEZ), NOT_YOURS)
        self.assertEqual(self.refusal("moshez", Change("Busy"), MOSHEZ), TOO_MANY)

    def test_looks(self) -> None:
        """To look at what is set, or was, is no change: it counts as queries do, by itself."""
        self.setMany(MOSHEZ)
        for _ in range(DEFAULTS.peerQueries // 2):
            record = self.successResultOf(self.finger.record("moshez", MOSHEZ))
            self.assertEqual(record.status and record.status.text, "Busy")
            self.successResultOf(self.finger.changes("moshez", MOSHEZ))
        for look in self.finger.record, self.finger.changes:
            failure = self.failureResultOf(look("moshez", MOSHEZ), SettingRefused)
            self.assertEqual(failure.getErrorMessage(), TOO_MANY_LOOKS)
        self.successResultOf(self.finger.record("moshez", ROOT))
        self.clock.advance(60 / DEFAULTS.userSettings)
        self.isSet("moshez", Change("Free"), MOSHEZ)

    def test_nothingToTakeBack(self) -> None:
        """That there is nothing to take back is a refusal: the store has not failed."""
        failure = self.failureResultOf(self.finger.undo("moshez", MOSHEZ), SettingRefused)
        self.assertEqual(failure.getErrorMessage(), "Not set: there is nothing to take back")
        counted = self.finger.figuresNow().counts.settings
        self.assertEqual(counted, {"set": 0, "refused": 1, "failed": 0})

    def test_others(self) -> None:
        """One user's many cost nobody else theirs; those who aren't known count as one."""
        self.finger = self.made(policy=SetPolicy(anyone=True))
        for by in MOSHEZ, UNKNOWN, Setter(None, "radix", "here"):
            self.setMany(by)
            self.assertEqual(self.refusal("moshez", Change("Free"), by), TOO_MANY)
        elsewhere = Setter(None, None, "elsewhere")
        self.assertEqual(self.refusal("moshez", Change("Free"), elsewhere), TOO_MANY)
        self.isSet("moshez", Change("Free"), NOBODY)

    def test_everyones(self) -> None:
        """Who may set everyone's isn't limited: that may be a program for all users."""
        for uid in 0, os.geteuid():
            for _ in range(2):
                self.setMany(Setter(uid, None, "here"))


class FailureTests(Settings):
    """What is said when a status can't be set."""

    def internal(self, by: Setter = ROOT) -> None:
        """See that the client isn't told why, and the log is."""
        words = self.refusal("moshez", Change("Busy"), by)
        self.assertRegex(words, "^Internal error in server\nReference: [0-9a-f]{8}$")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_store(self) -> None:
        """A store that fails is no refusal, but for what the store says in words."""
        self.finger = self.made(store=Failing(RuntimeError("secret reason")))
        self.internal()
        self.finger = self.made(store=Failing(SettingRefused("Not set: the disk is full")))
        self.assertEqual(self.refusal("moshez", Change("Busy")), "Not set: the disk is full")

    def test_directory(self) -> None:
        """A directory that can't say whether there is such a user is no "no such user"."""
        self.finger = self.made([failing(RuntimeError("secret reason"))])
        failure = self.failureResultOf(self.finger.set("glyph", Change("Busy"), ROOT))
        self.assertTrue(failure.getErrorMessage().startswith("Internal error in server\n"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_accounts(self) -> None:
        """Nor is an account that can't be looked up "no account"."""
        self.logins = Told(fail(RuntimeError("secret reason")))
        self.finger = self.made()
        self.internal(MOSHEZ)

    def test_slowAccounts(self) -> None:
        """Where the system doesn't tell the asking user's login, that is said in time."""
        self.logins = Told(Deferred())
        self.finger = self.made()
        setting = self.finger.set("moshez", Change("Busy"), MOSHEZ)
        self.clock.advance(DEFAULTS.lookupTime - 0.1)
        self.assertNoResult(setting)
        with capturedLogs() as events:
            self.clock.advance(0.1)
        failure = self.failureResultOf(setting, SettingRefused)
        self.assertTrue(failure.getErrorMessage().startswith("Internal error in server\n"))
        [line] = [str(formatEvent(event)) for event in events]
        self.assertIn(f"no login for uid {MOSHEZ.uid} from the system in 4.5 seconds", line)
        user = self.successResultOf(self.finger.getUser("moshez"))
        assert user is not None
        self.assertEqual(user.status, "Happy and well")

    def test_oneReference(self) -> None:
        """What fails for one reason has one reference, at every door."""
        error = DirectoryError("it is down")
        self.finger = self.made([failing(error)])
        asked = self.successResultOf(self.finger.asked(b"glyph"))
        failure = self.failureResultOf(self.finger.set("glyph", Change("Busy"), ROOT))
        self.assertEqual(failure.getErrorMessage(), asked.words)

    def test_refusals(self) -> None:
        """Refusals can't fill the log: of very many some are told, and how many more there were."""
        written = WrittenLog(self)
        for _ in range(1000):
            self.failureResultOf(self.finger.set("radix", Change("Busy"), MOSHEZ))
        self.assertEqual(len(written.lines()), DEFAULTS.repeatsLogged)
        [line] = [line for line in written.sums() if "more lines" in line]
        self.assertIn(f"{1000 - DEFAULTS.repeatsLogged} more lines like this one: refused", line)
