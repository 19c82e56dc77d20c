"""The service behind every door."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from fingerd.directories.given import GivenUsers
from fingerd.model.errors import DirectoryError, SettingRefused
from fingerd.model.interfaces import IDirectory, IReloadable
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.masking import Mask
from fingerd.model.policy import NOT_YOURS, SetPolicy
from fingerd.model.record import Setter
from fingerd.model.rules import Rules
from fingerd.model.user import HIDDEN, User
from tests.support.ports import Directory, failing
from tests.support.service import Finger

ROOT = Setter(0, "root", "nowhere")
MOSHEZ = Setter(1000, "moshez", "nowhere")


class GetUserTests(SynchronousTestCase):
    """Who answers for a user."""

    def test_order(self) -> None:
        """The first directory that knows a user answers, users given by keyword first."""
        first, second = GivenUsers(a="first", b="first"), GivenUsers(b="2", c="2")
        finger = Finger(Clock(), [first, second], a="given")
        for login, status in (("a", "given"), ("b", "first"), ("c", "2")):
            self.assertEqual(
                self.successResultOf(finger.getUser(login)), User(login, status=status)
            )
        self.assertIsNone(self.successResultOf(finger.getUser("d")))

    def test_failure(self) -> None:
        """Where a directory fails, no other answers for it."""
        finger = Finger(Clock(), [failing(RuntimeError()), GivenUsers(a="Wrong")])
        self.failureResultOf(finger.getUser("a"), RuntimeError)

    def test_impossibleLogins(self) -> None:
        """What can't be a login reaches no directory."""
        directory = Directory(lambda login: succeed(User(login)))
        finger = Finger(Clock(), [directory])
        for login in ("", "-l", "/W", "a b", "a@b", "a\nb", "\x1b"):
            self.assertIsNone(self.successResultOf(finger.getUser(login)), login)
        self.assertEqual(directory.asked, [])

    def test_example(self) -> None:
        """The user whom the log names, to show how to ask, is one who can be asked for."""
        for masked, example in (([], "moshez"), (["moshez"], "radix"), (["moshez", "radix"], None)):
            rules = Rules(mask=Mask(masked))
            finger = Finger(Clock(), (), None, DEFAULTS, rules, moshez="Happy", radix="Writing")
            self.assertEqual(finger.someLogin(), example)

    def test_cancel(self) -> None:
        """To cancel a lookup is to cancel the directory's."""
        cancelled: list[object] = []
        finger = Finger(Clock(), [Directory(lambda login: Deferred(cancelled.append))])
        lookup = finger.getUser("a")
        lookup.cancel()
        self.failureResultOf(lookup)
        self.assertEqual(len(cancelled), 1)


class GetUsersTests(SynchronousTestCase):
    """The list."""

    def test_joined(self) -> None:
        """It has the users of every directory, each once, in the order they are asked in."""
        finger = Finger(Clock(), [GivenUsers(b="1", a="1"), GivenUsers(c="2", a="2")])
        users = self.successResultOf(finger.getUsers()).users
        self.assertEqual(
            list(users), [User("b", status="1"), User("a", status="1"), User("c", status="2")]
        )

    def test_bounded(self) -> None:
        """It has so many users and no more."""
        many = GivenUsers(**{str(number): "x" for number in range(10)})
        finger = Finger(Clock(), [many, GivenUsers(z="x")], None, Limits(listedUsers=4))
        logins = [user.login for user in self.successResultOf(finger.getUsers()).users]
        self.assertEqual(logins, ["0", "1", "2", "3"])

    def test_set(self) -> None:
        """It has what was set."""
        finger = Finger(Clock(), a="1", b="2")
        self.assertEqual(len(self.successResultOf(finger.getUsers()).users), 2)
        self.successResultOf(finger.setUser("b", "set", ROOT))
        statuses = [user.status for user in self.successResultOf(finger.getUsers()).users]
        self.assertEqual(statuses, ["1", "set"])

    def test_kept(self) -> None:
        """Who asks a moment later gets the same list; a second later it is made anew."""
        clock = Clock()
        users = {"a": User("a")}

        class Growing(Directory):
            def getUsers(self, limit: int) -> Deferred[list[User]]:
                return succeed(list(users.values()))

        finger = Finger(clock, [Growing(lambda login: succeed(users.get(login)))])
        first = self.successResultOf(finger.getUsers())
        users["b"] = User("b")
        self.assertIs(self.successResultOf(finger.getUsers()), first)
        clock.advance(1)
        self.assertEqual(len(self.successResultOf(finger.getUsers()).users), 2)

    def test_reportsOfOneName(self) -> None:
        """Two sources of one name, or one that is called as a user is, are both in the list."""
        listing = [User("moshez", report="one")], [User("moshez", report="two")]

        class Source(Directory):
            def getUsers(self, limit: int) -> Deferred[list[User]]:
                return succeed(sources.pop())

        sources = list(listing)
        directories = [Source(lambda login: succeed(None)) for _ in range(2)]
        rules = Rules(mask=Mask(["moshez"]))
        finger = Finger(Clock(), directories, None, DEFAULTS, rules, moshez="Happy")
        users = self.successResultOf(finger.getUsers()).users
        self.assertEqual([user.report for user in users], ["two", "one"])

    def test_oneFails(self) -> None:
        """A directory that fails hides none of the others' users, and is said to have failed."""

        class Bad(Directory):
            def getUsers(self, limit: int) -> Deferred[list[User]]:
                return fail(DirectoryError("secret reason"))

        finger = Finger(Clock(), [Bad(lambda login: succeed(None))], a="1")
        listing = self.successResultOf(finger.getUsers())
        self.assertEqual([user.login for user in listing.users], ["a"])
        [(source, said)] = listing.failures
        self.assertEqual(source, "source 2")
        self.assertTrue(said.startswith("Internal error in server\nReference: "))

    def test_cancelledList(self) -> None:
        """A client that leaves while the list is made leaves no word in the log."""

        class Slow(Directory):
            def getUsers(self, limit: int) -> Deferred[list[User]]:
                return Deferred()

        slow = [Slow(lambda login: succeed(None)) for _ in range(2)]
        lookup = Finger(Clock(), slow).getUsers()
        lookup.cancel()
        self.failureResultOf(lookup, CancelledError)
        self.assertEqual(self.flushLoggedErrors(), [])


class MatchTests(SynchronousTestCase):
    """Finding users by their full names."""

    def test_matched(self) -> None:
        """A name that is nobody's login finds those who have it, with all that is known of them."""
        clock = Clock()
        full = {"moshez": User("moshez", name="Moshe Zadka", plan="To write")}

        class Named(Directory):
            def getUsers(self, limit: int) -> Deferred[list[User]]:
                # As of a directory that looks into a home only for the one who is asked for.
                return succeed([User("moshez", name="Moshe Zadka"), User("radix", name="C. A.")])

        directory = Named(lambda login: succeed(full.get(login)))
        for matched, found in ((True, [full["moshez"]]), (False, [])):
            finger = Finger(clock, [directory], None, DEFAULTS, Rules(matched=matched))
            users = self.successResultOf(finger.findUsers("zadka"))
            self.assertEqual(list(users), found)

    def test_masked(self) -> None:
        """A masked user is not found by their name either, in whatever case they are asked for."""
        rules = Rules(matched=True, mask=Mask(["moshez"]))
        directory = Directory(lambda login: succeed(User(login, name="Moshe")))
        finger = Finger(Clock(), [directory], None, DEFAULTS, rules)
        for name in ("moshez", "MOSHEZ"):
            users = self.successResultOf(finger.findUsers(name))
            self.assertEqual(list(users), [])

    def test_maskedOrUnknown(self) -> None:
        """A directory that fails does so for a masked user as for one whom nobody knows."""
        directories = [GivenUsers(moshez="Happy"), failing(DirectoryError("down"))]
        rules = Rules(mask=Mask(["moshez"]))
        finger = Finger(Clock(), directories, None, DEFAULTS, rules)
        for name in ("moshez", "nobody"):
            self.failureResultOf(finger.getUser(name), DirectoryError)


class SetUserTests(SynchronousTestCase):
    """Setting a status."""

    def test_set(self) -> None:
        """What was set lies over what the directory says, until it is cleared."""
        finger = Finger(Clock(), a="given")
        self.successResultOf(finger.setUser("a", "set", ROOT))
        user = self.successResultOf(finger.getUser("a"))
        assert user is not None
        self.assertEqual(user.status, "set")
        self.assertIsNotNone(user.statusSet)
        self.successResultOf(finger.setUser("a", "", ROOT))
        self.assertEqual(self.successResultOf(finger.getUser("a")), User("a", status="given"))

    def test_unknown(self) -> None:
        """Setting a status makes no user."""
        finger = Finger(Clock(), a="given")
        refused = self.failureResultOf(finger.setUser("b", "set", ROOT), SettingRefused)
        self.assertEqual(refused.getErrorMessage(), "No such user")

    def test_notTheirs(self) -> None:
        """A user sets their own status; whether another one exists, they are not told."""
        finger = Finger(Clock(), moshez="given", radix="given")
        self.successResultOf(finger.setUser("moshez", "set", MOSHEZ))
        for login in ("radix", "nobody", "", "/W"):
            refused = self.failureResultOf(finger.setUser(login, "set", MOSHEZ), SettingRefused)
            self.assertEqual(refused.getErrorMessage(), NOT_YOURS)
        user = self.successResultOf(finger.getUser("radix"))
        assert user is not None
        self.assertEqual(user.status, "given")

    def test_audit(self) -> None:
        """A change is logged in one line: who, from where, whose and what, and never the text."""
        now = 1800000000.5 - 7200
        finger = Finger(
            Clock(), (), None, DEFAULTS, Rules(), None, None, None, lambda: now, moshez="given"
        )
        with capturedLogs() as events:
            self.successResultOf(finger.setUser("moshez", "secret", MOSHEZ))
            self.successResultOf(finger.setUser("moshez", "secret", MOSHEZ, 7200))
            self.successResultOf(finger.setUser("moshez", "", ROOT))
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                "status of 'moshez' set by uid 1000 (moshez) on nowhere",
                "status of 'moshez' set until 2027-01-15T08:00:00Z by uid 1000 (moshez) on nowhere",
                "status of 'moshez' cleared by uid 0 (root) on nowhere",
            ],
        )
        self.assertNotIn("secret", repr(events))

    def test_create(self) -> None:
        """Where the administrator allows it, a status makes a user, and clearing it ends them."""
        allowed = Rules(setting=SetPolicy(create=True))
        finger = Finger(Clock(), [GivenUsers(a="b")], None, DEFAULTS, allowed)
        self.successResultOf(finger.setUser("moshez", "set", MOSHEZ))
        user = self.successResultOf(finger.getUser("moshez"))
        assert user is not None
        self.assertEqual((user.login, user.status), ("moshez", "set"))
        listed = self.successResultOf(finger.getUsers()).users
        self.assertEqual([user.login for user in listed], ["a", "moshez"])
        self.successResultOf(finger.setUser("moshez", "", MOSHEZ))
        self.assertEqual(len(self.successResultOf(finger.getUsers()).users), 1)
        self.assertIsNone(self.successResultOf(finger.getUser("moshez")))
        for login in ("", "/W", "a b", "-x", "a@b"):
            refused = self.failureResultOf(finger.setUser(login, "set", ROOT), SettingRefused)
            self.assertEqual(refused.getErrorMessage(), "No such user", login)
            self.assertIsNone(self.successResultOf(finger.getUser(login)))

    def test_createMasked(self) -> None:
        """A user who is made can be masked as any other."""
        rules = Rules(setting=SetPolicy(create=True), mask=Mask(["moshez"]))
        finger = Finger(Clock(), (), None, DEFAULTS, rules)
        self.successResultOf(finger.setUser("moshez", "set", MOSHEZ))
        self.assertIsNone(self.successResultOf(finger.getUser("moshez")))
        self.assertEqual(len(self.successResultOf(finger.getUsers()).users), 0)

    def test_userWhoLeft(self) -> None:
        """A user who is in no directory any more is gone, whatever they had set."""
        users = {"a": "here"}
        directory = Directory(
            lambda login: succeed(User(login, status=users[login]) if login in users else None)
        )
        finger = Finger(Clock(), [directory])
        self.successResultOf(finger.setUser("a", "set", ROOT))
        users.clear()
        self.assertIsNone(self.successResultOf(finger.getUser("a")))


@implementer(IDirectory, IReloadable)
class Reloading(Service):
    """A directory that is a service, and can be reloaded."""

    def __init__(self, result: Deferred[None]) -> None:
        self.reloads = 0
        self.result = result

    def getUser(self, login: str) -> Deferred[User | None]:
        return succeed(None)

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed([])

    def reload(self) -> Deferred[None]:
        self.reloads += 1
        return self.result


class LifeTests(SynchronousTestCase):
    """Starting, reloading and stopping."""

    def test_reload(self) -> None:
        """Every directory that can is reloaded, also where one of them fails."""
        bad, good = Reloading(fail(RuntimeError())), Reloading(succeed(None))
        finger = Finger(Clock(), [bad, good, GivenUsers()])
        self.successResultOf(finger.reload())
        self.assertEqual((bad.reloads, good.reloads), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_directoriesThatAreServices(self) -> None:
        """A directory that is a service starts and stops with the daemon."""
        directory = Reloading(succeed(None))
        finger = Finger(Clock(), [directory])
        finger.startService()
        self.assertTrue(directory.running)
        self.successResultOf(finger.stopService())
        self.assertFalse(directory.running)

    def test_count(self) -> None:
        """The users are counted, unless a directory can't tell how many it has."""
        self.assertEqual(Finger(Clock(), [GivenUsers(b="")], a="").count(), 2)
        self.assertIsNone(Finger(Clock(), [failing(RuntimeError())], a="").count())


class HiddenTests(SynchronousTestCase):
    """A user whom a directory hides is hidden, whatever else is allowed or set."""

    @given(st.booleans(), st.booleans(), st.booleans(), st.booleans())
    def test_always(self, create: bool, isMasked: bool, isSet: bool, isFirst: bool) -> None:
        """
        Whether a status was set, users may be made or are masked: who is hidden gets the same reply
        as somebody whom nobody knows, and is in no list.
        """
        rules = Rules(setting=SetPolicy(create=create), mask=Mask(["hidden"] if isMasked else []))
        hides = Directory(lambda login: succeed(HIDDEN if login == "hidden" else None))
        others: list[IDirectory] = [GivenUsers(moshez="Happy"), Directory(self.knowsNobody)]
        directories = [hides, *others] if isFirst else [*others, hides]
        finger = Finger(Clock(), directories, None, DEFAULTS, rules)
        if isSet and create:
            self.successResultOf(finger.setUser("hidden", "set", ROOT))
        elif isSet:
            refused = self.failureResultOf(finger.setUser("hidden", "set", ROOT), SettingRefused)
            self.assertEqual(refused.getErrorMessage(), "No such user")
        hidden, unknown = (
            self.successResultOf(finger.asked(line)) for line in (b"hidden", b"nobody")
        )
        self.assertEqual((hidden.outcome, hidden.words), (unknown.outcome, unknown.words))
        for query in (b"", b"/W"):
            logins = [user.login for user in self.successResultOf(finger.asked(query)).users]
            self.assertEqual(logins, ["moshez"])

    def knowsNobody(self, login: str) -> Deferred[User | None]:
        """A directory without users."""
        return succeed(None)
