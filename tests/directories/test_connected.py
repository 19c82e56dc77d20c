"""What all directories have in common that ask over connections."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock
from typing import cast

from twisted.internet.defer import CancelledError, gatherResults
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fingerd.directories.by_url import fromURL
from fingerd.directories.connected.connected_directory import ConnectedDirectory, Lost
from fingerd.directories.connected.passwords import withoutPassword
from fingerd.model.errors import CannotStart, DirectoryError
from fingerd.model.limits import Limits
from fingerd.model.user import User
from tests.directories.people import THREADS
from tests.support.ports import temporaryFolder, until


class Connections:
    """Connections in memory, and what was done over them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.made = self.closed = 0
        self.answer: Callable[[str], User | None] = User
        self._lock = Lock()

    def __call__(self) -> Connections:
        with self._lock:
            self.made += 1
        return self

    def user(self, login: str) -> User | None:
        self.asked.append(login)
        return self.answer(login)

    def users(self, limit: int) -> list[User]:
        return []

    def close(self) -> None:
        with self._lock:
            self.closed += 1


class ConnectedTests(TestCase):
    """How connections are made, kept and given up."""

    def setUp(self) -> None:
        self.connections = Connections()

    def directory(self, limits: Limits) -> ConnectedDirectory:
        """A directory over those connections."""
        directory = ConnectedDirectory("test:", self.connections, THREADS, limits)
        self.addCleanup(directory.stopService)
        return directory

    async def test_odd(self) -> None:
        """What can't be a login is asked of nobody."""
        directory = self.directory(Limits())
        for login in ("", "a\0b", "a b", "-a", "/W", "\ud800", "a\nb", "a@b", "a,b", "\x85"):
            self.assertIsNone(await directory.getUser(login))
        self.assertEqual((self.connections.made, self.connections.asked), (0, []))

    async def test_kept(self) -> None:
        """One connection serves one lookup after the other, and is closed at the end."""
        directory = self.directory(Limits())
        directory.startService()
        for _ in range(5):
            self.assertEqual(await directory.getUser("moshez"), User("moshez"))
        self.assertEqual((self.connections.made, self.connections.closed), (1, 0))
        directory.stopService()
        self.assertEqual(self.connections.closed, 1)

    async def test_cancelled(self) -> None:
        """Lookups for clients that have gone aren't done, and don't pile up."""
        directory = self.directory(Limits(databaseThreads=1, databaseWaiting=2))
        go = Event()
        self.addCleanup(go.set)
        self.connections.answer = lambda login: User(login) if go.wait() else None
        first = directory.getUser("first")
        await until(lambda: self.connections.asked)
        waiting = [directory.getUser(f"u{number}") for number in range(2)]
        reason = await self.assertFailure(directory.getUser("u2"), DirectoryError)
        self.assertIn("2 waiting", str(reason))
        for each in waiting:
            each.cancel()
            await self.assertFailure(each, CancelledError)
        go.set()
        self.assertEqual(await first, User("first"))
        self.assertEqual(await directory.getUser("last"), User("last"))
        self.assertEqual(self.connections.asked, ["first", "last"])

    async def test_lost(self) -> None:
        """One that was kept and is lost is replaced, once; one that was new isn't."""
        directory = self.directory(Limits(databaseThreads=2))
        await gatherResults([directory.getUser(login) for login in ("a", "b")])
        made = self.connections.made

        def lost(login: str) -> User:
            raise Lost("it is gone")

        self.connections.answer = lost
        reason = await self.assertFailure(directory.getUser("c"), DirectoryError)
        self.assertEqual(str(reason), "test:: it is gone")
        self.assertEqual(self.connections.asked.count("c"), 2)
        self.assertEqual(self.connections.made, made + 1)
        self.assertEqual(self.connections.closed, made + 1)

    async def test_failed(self) -> None:
        """A connection on which something failed isn't used again."""
        directory = self.directory(Limits())

        def fails(login: str) -> User:
            raise ZeroDivisionError

        self.connections.answer = fails
        await self.assertFailure(directory.getUser("a"), ZeroDivisionError)
        self.assertEqual((self.connections.made, self.connections.closed), (1, 1))

    def test_start(self) -> None:
        """A server that isn't there yet is told of; a mistake ends the start."""
        said: list[str | None] = []
        directory = self.directory(Limits())

        observer = cast(ILogObserver, lambda event: said.append(formatEvent(event)))
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

        def notYet() -> Connections:
            raise Lost("nobody listens")

        def never() -> Connections:
            raise DirectoryError("no such column")

        directory._connect = notYet
        directory.startService()
        self.assertEqual(said, ["test: can't be asked yet: nobody listens"])
        directory._connect = never
        error = self.assertRaises(CannotStart, directory.startService)
        self.assertEqual(str(error), "can't use test:: no such column")


class QueryFileTests(SynchronousTestCase):
    """The file that the administrator writes."""

    def refused(self, queries: str | bytes | None) -> str:
        """What is said of this file, or of none."""
        folder = temporaryFolder(self)
        database = folder / "people.sqlite"
        database.touch()
        path = folder / "queries.toml"
        if queries is not None:
            path.write_bytes(queries if isinstance(queries, bytes) else queries.encode())
        url = f"sqlite:{database}?query={path}"
        said = str(self.assertRaises(ValueError, fromURL, url, THREADS))
        self.assertNotIn("\n", said)
        return said

    def test_mistakes(self) -> None:
        """What is wrong with it is said in a line."""
        user = "user = 'SELECT name FROM people WHERE login = $1'\n"
        for queries, words in (
            (None, "No such file"),
            (user, "it has no query called list"),
            ("list = 'SELECT login FROM people LIMIT $1'", "it has no query called user"),
            (user + "list = 'SELECT login FROM people'", "list has no $1, for the number of rows"),
            ("user = 'SELECT 1'\nlist = '$1'", "user has no $1, for the login"),
            ("usr = ''", "there is no key called 'usr'; is it user?"),
            ("user = 1", "user is not a text"),
            ("SELECT login", "is not TOML"),
            (b"\xff", "is not TOML"),
            ('user = "\\u0000"', "NUL"),
            ("#" * 2_000_000, "more than 1048576 bytes"),
        ):
            self.assertIn(words, self.refused(queries))

    def test_urls(self) -> None:
        """A URL that names no file with queries, or two of them."""
        folder = temporaryFolder(self)
        (folder / "people.sqlite").touch()
        for more, words in (
            ("", "it needs ?query=FILE"),
            ("?query=", "no file's path"),
            ("?query=a&query=b", "query is there twice"),
            ("?qery=a", "can't read"),
        ):
            url = f"sqlite:{folder}/people.sqlite{more}"
            self.assertIn(words, str(self.assertRaises(ValueError, fromURL, url, THREADS)))
        missing = f"sqlite:{folder}/peple.sqlite?query=x"
        self.assertIn("can't read", str(self.assertRaises(ValueError, fromURL, missing, THREADS)))

    def test_withoutPassword(self) -> None:
        """What may be a password is never shown, and all else is."""
        for url, shown in (
            ("postgresql://me:secret@host/db", "postgresql://me:...@host/db"),
            ("postgresql://me:sec@ret/@host/db", "postgresql://me:...@host/db"),
            ("postgresql://h/d?password=a&query=b", "postgresql://h/d?password=...&query=b"),
            ("postgresql://h/d?query=b&sslpassword=a", "postgresql://h/d?query=b&sslpassword=..."),
            ("postgresql://me@[::1]:5432/db?query=b", "postgresql://me@[::1]:5432/db?query=b"),
            ("finger://[::1]:7979", "finger://[::1]:7979"),
            ("exec:/bin/who --all", "exec:/bin/who --all"),
        ):
            self.assertEqual(withoutPassword(url), shown)
