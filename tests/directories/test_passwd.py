"""The people who have accounts."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from threading import Event
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from fingerd.directories.accounts.passwd import Passwd, fromURL
from fingerd.directories.accounts.passwd_format import Account
from fingerd.directories.accounts.system_accounts import IAccounts
from fingerd.model.errors import CannotStart, DirectoryError
from fingerd.model.interfaces import IDirectory, IReloadable
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from tests.support.accounts import Accounts, asked, logged
from tests.support.ports import Sockets, temporaryFolder, until

TIME = cast(IReactorTime, reactor)
THREADS = cast(IReactorFromThreads, reactor)


class RealAccountsTests(Accounts):
    """Real accounts, as a process of a lesser user sees them."""

    def who(self, url: str = "") -> Any:
        """What is known of ada."""
        return asked(url, self.ada.pw_name)[0]

    def test_whatFingerShows(self) -> None:
        """Of a user it has what finger(1) shows: GECOS, plan, project and public key."""
        self.write(".plan", "Rest.\n\nThen write.\n\n")
        self.write(".project", "The engine\nand more\n")
        self.write(".pubkey", "-----BEGIN-----\nabc\n-----END-----\n")
        self.write(".pgpkey", "another")
        ada, eve = asked("", self.ada.pw_name, self.eve.pw_name)
        self.assertEqual(
            User(**ada),
            User(
                self.ada.pw_name,
                name="Ada Lovelace",
                office="Room 1",
                officePhone="555 1234",
                homePhone="555 4321",
                project="The engine",
                plan="Rest.\n\nThen write.",
                publicKey="-----BEGIN-----\nabc\n-----END-----",
            ),
        )
        self.assertEqual(User(**eve), User(self.eve.pw_name, name=self.eve.pw_name.capitalize()))

    def test_pgpKey(self) -> None:
        """Without a .pubkey that counts, the .pgpkey is the public key."""
        self.write(".pubkey", "secret", 0o600)
        self.write(".pgpkey", "key")
        self.assertEqual(self.who()["publicKey"], "key")

    def test_hidden(self) -> None:
        """A user with a .nofinger is said to be hidden, and not in the list."""
        login = self.ada.pw_name
        unknown, listed = asked("", login + "x", "")
        self.assertIsNone(unknown)
        self.assertIn(login, [user["login"] for user in listed])
        self.write(".nofinger", "")
        hidden, listed = asked("", login, "")
        self.assertEqual(hidden, "hidden")
        logins = [user["login"] for user in listed]
        self.assertNotIn(login, logins)
        self.assertIn(self.eve.pw_name, logins)

    def test_list(self) -> None:
        """The list has what the accounts say, and nothing from the homes."""
        self.write(".plan", "Rest")
        (listed,) = asked("", "")
        ada = next(user for user in listed if user["login"] == self.ada.pw_name)
        self.assertEqual(ada["name"], "Ada Lovelace")
        self.assertEqual(ada["plan"], "")

    def test_trapsInTheHome(self) -> None:
        """A pipe, a device, a link or another's file for a plan: the user is shown without."""
        self.write(".project", "The engine")
        plan = self.home / ".plan"
        traps: list[Callable[[], object]] = [
            lambda: os.mkfifo(plan),
            lambda: os.mknod(plan, 0o020644, os.makedev(1, 5)),
            lambda: plan.symlink_to("/etc/passwd"),
            lambda: shutil.copy("/etc/passwd", plan),
            lambda: self.write(".plan", "x" * (DEFAULTS.homeFileSize + 1)),
        ]
        for trap in traps:
            trap()
            user = self.who()
            self.assertEqual((user["plan"], user["project"]), ("", "The engine"))
            plan.unlink()

    def test_hideClosed(self) -> None:
        """Where that is wanted, those whose homes can't be looked into are hidden, in lists too."""
        ada, eve = self.ada.pw_name, self.eve.pw_name
        self.addCleanup(self.base.chmod, 0o755)
        for closed in self.home, self.base:
            closed.chmod(0o700)
            shown, hidden = asked("closed-homes=show", ada)[0], asked("closed-homes=hide", ada)[0]
            self.assertEqual((shown["name"], hidden), ("Ada Lovelace", "hidden"))
            found, listed = asked("closed-homes=hide", eve, "")
            self.assertNotIn(ada, [user["login"] for user in listed])
            if closed is self.home:
                self.assertEqual(found["name"], eve.capitalize())
        self.base.chmod(0o755)

    def test_hideMissing(self) -> None:
        """
        So are those whose homes aren't to be seen, as behind C{ProtectHome=tmpfs}, or are no
        directories of theirs: nobody can tell whether there is a C{.nofinger}.
        """
        ada, away = self.ada.pw_name, self.home.with_name("away")
        self.home.rename(away)
        (away / ".nofinger").touch()

        def isHidden() -> None:
            shown, hidden = asked("closed-homes=show", ada)[0], asked("closed-homes=hide", ada)[0]
            self.assertEqual((shown["name"], hidden), ("Ada Lovelace", "hidden"))
            (listed,) = asked("closed-homes=hide", "")
            self.assertNotIn(ada, [user["login"] for user in listed])

        isHidden()
        self.home.symlink_to(away)
        isHidden()
        self.home.unlink()
        self.home.mkdir()
        os.chown(self.home, self.eve.pw_uid, self.eve.pw_gid)
        isHidden()
        os.chown(self.home, self.ada.pw_uid, self.ada.pw_gid)
        self.assertEqual(asked("closed-homes=hide", ada)[0]["name"], "Ada Lovelace")

    def test_closedHome(self) -> None:
        """A user with a closed home is shown as the account says."""
        self.write(".plan", "Rest")
        self.home.chmod(0o700)
        user = self.who()
        self.assertEqual((user["name"], user["plan"]), ("Ada Lovelace", ""))

    def test_root(self) -> None:
        """Root reads no files; who is hidden stays hidden."""
        self.write(".plan", "Rest")
        user, root = asked("", self.ada.pw_name, "root", by="root")
        self.assertEqual((user["name"], user["plan"]), ("Ada Lovelace", ""))
        self.assertIsNone(root)
        self.write(".nofinger", "")
        self.assertEqual(asked("", self.ada.pw_name, by="root"), ["hidden"])

    def test_uids(self) -> None:
        """By default people count; the administrator can say who else does, or doesn't."""
        login, uid = self.ada.pw_name, self.ada.pw_uid
        self.assertEqual(asked("", "root", "daemon", "nobody"), [None] * 3)
        self.assertEqual(asked("min-uid=0", "root")[0]["login"], "root")
        self.assertEqual(asked(f"max-uid={uid - 1}", login), [None])
        (listed,) = asked(f"min-uid={uid},max-uid={uid}", "")
        self.assertEqual([user["login"] for user in listed], [login])

    def test_virtualUsers(self) -> None:
        """Users of a file have homes too, by the same rules: what is theirs by uid is read."""
        self.write(".plan", "Rest")
        path = self.base / "people"
        self.addCleanup(path.unlink)
        path.write_text(
            f"lovelace:*:{self.ada.pw_uid}:1:Ada & ,,,:{self.home}:\n"
            f"other:*:{self.eve.pw_uid}:1:Other:{self.home}:\n"
            "nowhere:*:7:1:Nowhere::\n"
        )
        lovelace, other, nowhere, listed = asked(str(path), "lovelace", "other", "nowhere", "")
        self.assertEqual((lovelace["name"], lovelace["plan"]), ("Ada Lovelace", "Rest"))
        self.assertEqual((other["name"], other["plan"]), ("Other", ""))
        self.assertEqual((nowhere["name"], nowhere["plan"]), ("Nowhere", ""))
        self.assertEqual([user["login"] for user in listed], ["lovelace", "other", "nowhere"])
        self.assertEqual(asked(f"{path}?min-uid=7,max-uid=7", "lovelace"), [None])
        self.write(".nofinger", "")
        self.assertEqual(asked(str(path), "lovelace"), ["hidden"])


@implementer(IAccounts)
class SomeAccounts:
    """Accounts that are found in the way the test says."""

    def __init__(self, find: Callable[[str], Account | None], *listed: Account) -> None:
        self._find = find
        self._listed = listed

    def __str__(self) -> str:
        return "some"

    def finding(self, login: str) -> Callable[[], Account | None]:
        return lambda: self._find(login)

    def listing(self, limit: int) -> Callable[[], list[Account]]:
        return lambda: list(self._listed[:limit])


class FailingTests(Sockets):
    """A name service and homes that hang or fail."""

    def setUp(self) -> None:
        self.go = Event()
        self.begun: list[str] = []
        self.events = logged(self)

    def passwd(self, accounts: IAccounts, limits: Limits = DEFAULTS) -> Passwd:
        """The directory of these accounts, for the length of a test."""
        directory = Passwd(accounts, THREADS, limits)
        self.addCleanup(directory.stopService)
        self.addCleanup(self.go.set)
        return directory

    def hang(self, login: str) -> Account:
        """A name service that says nothing until it is let go."""
        self.begun.append(login)
        self.go.wait()
        return Account(login, 1000, login.title(), "/nonexistent")

    def fails(self, code: int, home: str) -> None:
        """Let the system fail to open that home."""
        original = os.open

        def opening(name: str | bytes, flags: int, dir_fd: int | None = None) -> int:
            if name == home.encode():
                raise OSError(code, os.strerror(code))
            return original(name, flags, dir_fd=dir_fd)

        self.patch(os, "open", opening)

    def warnings(self) -> list[str]:
        """What was warned of."""
        return [formatEvent(e) for e in self.events if e["log_level"] >= LogLevel.warn]

    async def test_hangs(self) -> None:
        """A name service that hangs is said to have taken too long; other users are answered."""
        directory = self.passwd(SomeAccounts(self.hang))
        port = self.serve(directory, limits=Limits(lookupTime=0.1), moshez="Happy")
        waiting = [self.ask(port, b"ada%d\r\n" % number) for number in range(20)]
        for answer in waiting:
            self.assertIn(b"Internal error in server", await answer)
        self.assertEqual(await self.ask(port, b"moshez\r\n"), b"Happy\r\n")
        self.assertEqual(len(self.begun), DEFAULTS.passwdThreads)
        # For all of them: the reason is the same.
        first, *others = self.warnings()
        self.assertIn("looking up 'ada0': took longer than 0.1 seconds", first)
        _, said, reference = first.partition(" (reference ")
        self.assertTrue(said)
        self.assertEqual([each for each in others if not each.endswith(reference)], [])
        # Once it answers again, all is well: nothing is left to be looked up for nobody.
        self.go.set()
        self.assertNotIn(b"Internal error", await self.ask(port, b"eve\r\n"))
        self.assertEqual(self.begun[DEFAULTS.passwdThreads :], ["eve"])

    async def test_tooMany(self) -> None:
        """
        More lookups than may wait for a name service that hangs fail at once, in words; lists are
        made beside them.
        """
        directory = self.passwd(SomeAccounts(self.hang), Limits(passwdThreads=1, passwdWaiting=1))
        results = [directory.getUser("ada"), directory.getUser("eve")]
        error = await self.assertFailure(directory.getUser("ann"), DirectoryError)
        self.assertEqual(str(error), "busy: 1 lookups at work, 1 waiting")
        self.assertEqual(await directory.getUsers(10), [])
        self.go.set()
        self.assertEqual([await result for result in results][1], User("eve", name="Eve"))

    async def test_cancel(self) -> None:
        """A client that goes away isn't waited for."""
        directory = self.passwd(SomeAccounts(self.hang))
        lookup = directory.getUser("ada")
        await until(lambda: self.begun)
        lookup.cancel()
        await self.assertFailure(lookup, CancelledError)

    async def test_fails(self) -> None:
        """A name service that fails is never "no such user"."""

        def find(login: str) -> Account | None:
            raise DirectoryError("out of order")

        error = await self.assertFailure(
            self.passwd(SomeAccounts(find)).getUser("ada"), DirectoryError
        )
        self.assertEqual(str(error), "out of order")

    async def test_homeFails(self) -> None:
        """
        Of a user whose home is on a disk that fails nobody knows whether they are hidden: asking
        for them fails, they are not listed, which is said once, and others are.
        """
        ada, eve = Account("ada", 1000, "Ada", "/ada"), Account("eve", 1001, "Eve", "/eve")
        directory = self.passwd(SomeAccounts({"ada": ada, "eve": eve}.get, ada, eve))
        self.fails(errno.EIO, "/ada")
        error = await self.assertFailure(directory.getUser("ada"), DirectoryError)
        self.assertEqual(str(error), "the home of 'ada': Input/output error")
        for _ in range(3):
            self.assertEqual(await directory.getUsers(10), [User("eve", name="Eve")])
        self.assertEqual(
            self.warnings(),
            ["passwd:some doesn't list a user, the home of 'ada': Input/output error"],
        )

    async def test_homeHangs(self) -> None:
        """A user whose home hangs is left out of lists until it answers, and others are in them."""
        users = [Account(name, 1000, name.title(), f"/{name}") for name in ("ada", "eve", "ann")]
        directory = self.passwd(SomeAccounts(lambda login: None, *users))
        original = os.open

        def opening(name: str | bytes, flags: int, dir_fd: int | None = None) -> int:
            if name == b"/eve":
                self.begun.append("eve")
                self.go.wait()
            return original(name, flags, dir_fd=dir_fd)

        self.patch(os, "open", opening)
        others = [User("ada", name="Ada"), User("ann", name="Ann")]
        for _ in range(3):
            self.assertEqual(await directory.getUsers(10), others)
        self.assertEqual(self.begun, ["eve"])
        self.assertEqual(
            self.warnings(),
            ["passwd:some doesn't list a user, the home of 'eve': it doesn't answer"],
        )
        self.go.set()
        while len(await directory.getUsers(10)) < len(users):
            pass

    async def test_listWithoutDescriptors(self) -> None:
        """A process that can look at no home doesn't say that there is nobody."""
        ada = Account("ada", 1000, "Ada", "/ada")
        directory = self.passwd(SomeAccounts(lambda login: ada, ada))
        self.fails(errno.EMFILE, "/ada")
        error = await self.assertFailure(directory.getUsers(10), DirectoryError)
        self.assertEqual(str(error), "the home of 'ada': Too many open files")

    async def test_listTakesTooLong(self) -> None:
        """A list that takes longer than a lookup may ends by itself."""
        ada = Account("ada", 1000, "Ada", "/ada")
        directory = self.passwd(SomeAccounts(lambda login: ada, ada), Limits(lookupTime=0.0))
        error = await self.assertFailure(directory.getUsers(10), DirectoryError)
        self.assertEqual(str(error), "listing the accounts takes too long")

    async def test_limit(self) -> None:
        """No more accounts are listed than were asked for."""
        accounts = [Account(f"u{number}", 1000, "", "") for number in range(10)]
        directory = self.passwd(SomeAccounts(lambda login: None, *accounts))
        self.assertEqual(await directory.getUsers(2), [User("u0"), User("u1")])
        self.assertEqual(await directory.getUsers(0), [])


class FileTests(TestCase):
    """A directory of virtual users, in the daemon's life."""

    def setUp(self) -> None:
        self.path = temporaryFolder(self) / "people"
        self.events = logged(self)

    def started(self) -> Passwd:
        """The directory, as a running daemon has it."""
        directory = fromURL(str(self.path), TIME)
        directory.privilegedStartService()
        directory.startService()
        self.addCleanup(directory.stopService)
        return directory

    async def test_reload(self) -> None:
        """A change is taken over; a malformed line is said once, with its number."""
        self.path.write_text("ada:x:1:1:Ada::\nnonsense\n")
        os.utime(self.path, (0, 0))
        directory = self.started()
        self.assertEqual(await directory.getUser("ada"), User("ada", name="Ada"))
        await directory.reload()
        self.path.write_text("eve:x:1:1:Eve::\n")
        os.utime(self.path, (0, 0))
        await directory.reload()
        self.assertIsNone(await directory.getUser("ada"))
        self.assertEqual(await directory.getUsers(9), [User("eve", name="Eve")])
        self.assertEqual(
            [formatEvent(e) for e in self.events if "skipped" in formatEvent(e)],
            [f"{self.path}, line 2: 1 fields, and not 7: skipped"],
        )

    def test_missing(self) -> None:
        """A daemon whose file isn't there doesn't start."""
        error = self.assertRaises(CannotStart, self.started)
        self.assertIn(f"{self.path}: No such file or directory", str(error))

    def test_systemHasNothingToReload(self) -> None:
        """The system's accounts are asked for each time: there is nothing to reload."""
        directory = fromURL("", TIME)
        self.assertTrue(verifyObject(IDirectory, directory))
        self.assertTrue(verifyObject(IReloadable, directory))
        self.successResultOf(directory.reload())

    async def test_rootIsWarned(self) -> None:
        """A daemon that stays root says once that it reads no files."""
        for uid, warned in ((0, 1), (1000, 0)):
            self.patch(os, "geteuid", lambda uid=uid: uid)
            self.events.clear()
            directory = fromURL("", TIME)
            directory.startService()
            await directory.stopService()
            said = [formatEvent(e) for e in self.events]
            self.assertEqual(
                said,
                ["passwd: reads no files of its users, since this process is root"] * warned,
            )


class URLTests(SynchronousTestCase):
    """What can come after C{passwd:}."""

    def test_good(self) -> None:
        """Nothing, options, or a path with options."""
        for rest, shown in (
            ("", "passwd:"),
            ("min-uid=500", "passwd:"),
            ("max-uid=60000,min-uid=0", "passwd:"),
            ("closed-homes=hide,min-uid=500", "passwd:"),
            ("/etc/people?closed-homes=show", "passwd:/etc/people"),
            ("/etc/people", "passwd:/etc/people"),
            ("/etc/people?", "passwd:/etc/people"),
            ("///etc/people", "passwd:/etc/people"),
            ("/etc/people?min-uid=1000,max-uid=1000", "passwd:/etc/people"),
        ):
            self.assertEqual(str(fromURL(rest, TIME)), shown)

    def test_nonsense(self) -> None:
        """Anything else is refused, in words."""
        neither = "is neither min-uid=N, nor max-uid=N, nor closed-homes=hide, nor a path from / on"
        uid = "is not a uid: a number from 0 to 4294967294"
        for rest, reason in (
            ("etc/passwd", f"'etc/passwd' {neither}"),
            ("?min-uid=1", f"'?min-uid=1' {neither}"),
            ("min-uid=1000,", f"'' {neither}"),
            ("gid=1", f"'gid=1' {neither}"),
            ("min-uid", f"'' {uid}"),
            ("closed-homes=no", "closed-homes is hide or show, not 'no'"),
            ("closed-homes", "closed-homes is hide or show, not ''"),
            ("min-uid=-1", f"'-1' {uid}"),
            ("min-uid=1000&max-uid=2000", f"'1000&max-uid=2000' {uid}"),
            ("min-uid=4294967295", f"'4294967295' {uid}"),
            ("min-uid=1,min-uid=2", "min-uid is there twice"),
            ("min-uid=2000,max-uid=1000", "there is no uid from 2000 to 1000"),
            ("min-uid=70000", "there is no uid from 70000 to 65533"),
            ("/etc/people?x", f"'x' {neither}"),
            ("/etc/", "there is no file's path in it"),
            ("//host/etc/people", "a file on another host, 'host', can't be read"),
        ):
            error = self.assertRaises(ValueError, fromURL, rest, TIME)
            self.assertEqual(str(error), reason)
