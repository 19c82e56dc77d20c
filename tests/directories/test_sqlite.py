"""Users in a SQLite database."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.by_url import fromURL
from fingerd.directories.connected.connected_directory import ConnectedDirectory
from fingerd.directories.sql.queries import Queries
from fingerd.directories.sql.sqlite_users import SQLite
from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User, isLogin
from tests.directories.people import (
    CROWD,
    HIDDEN,
    MOSHEZ,
    SHOWN,
    THREADS,
    People,
    WhoIsThere,
    opened,
    written,
)
from tests.support.ports import temporaryFolder

QUERIES = """
user = "SELECT * FROM people WHERE login = $1"
list = "SELECT * FROM people ORDER BY rowid LIMIT $1"
"""
SLOW = """
user = '''WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n)
    SELECT i AS name FROM n WHERE i < 0 AND $1 <> ""'''
list = "SELECT login FROM people LIMIT $1"
"""
TABLE = """
CREATE TABLE people (login TEXT, name TEXT, status TEXT, office INTEGER, office_phone TEXT,
    homePhone TEXT, project TEXT, plan TEXT, publickey TEXT, hidden BOOLEAN)
"""


def made(folder: Path, users: list[User], hidden: str = "") -> Path:
    """A database with these users."""
    file = folder / "people.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(TABLE)
        for user in users:
            values: list[object] = [*user[:3], user.office and int(user.office), *user[6:11], False]
            # What isn't known is NULL.
            values = [value if value != "" else None for value in values]
            connection.execute(f"INSERT INTO people VALUES ({', '.join('?' * 10)})", values)
        if hidden:
            connection.execute("INSERT INTO people (login, hidden) VALUES (?, true)", (hidden,))
    return file


class SQLiteCase(People):
    """A database with everybody in it."""

    def setUp(self) -> None:
        self.file = made(temporaryFolder(self), SHOWN, HIDDEN)

    def directory(self, limits: Limits = DEFAULTS, queries: str = QUERIES) -> ConnectedDirectory:
        return opened(self, f"sqlite:{self.file}?query={written(self, queries)}", limits)


class SQLiteTests(WhoIsThere, SQLiteCase):
    """Who is in it."""


class SQLiteFailingTests(SQLiteCase):
    """What befalls a database."""

    async def test_slow(self) -> None:
        """A query that takes too long is ended, and then others have their answers."""
        directory = self.directory(Limits(databaseTime=0.2, databaseThreads=1), SLOW)
        reason = await self.fails(directory.getUser("moshez"))
        self.assertIn("it took longer than 0.2 seconds", reason)
        self.assertEqual(len(await directory.getUsers(5)), 5)

    async def test_locked(self) -> None:
        """A database that is being written is waited for, and not for ever."""
        directory = self.directory(Limits(databaseTime=0.2))
        with closing(sqlite3.connect(self.file, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            self.assertIn("locked", await self.fails(directory.getUser("moshez")))
            writer.execute("ROLLBACK")
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ)

    async def test_replaced(self) -> None:
        """Another file in its place is read at once; while there is none, lookups fail."""
        directory = self.directory()
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ)
        other = made(temporaryFolder(self), [CROWD[0]])
        os.replace(other, self.file)
        self.assertIsNone(await directory.getUser("moshez"))
        self.assertEqual(await directory.getUser("u0"), CROWD[0])
        self.file.unlink()
        self.assertIn("No such file", await self.fails(directory.getUser("u0")))
        os.mkfifo(self.file)
        self.assertIn("not a regular file", await self.fails(directory.getUser("u0")))
        self.file.unlink()
        made(self.file.parent, SHOWN)
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ)

    async def test_changed(self) -> None:
        """What another process writes shows in the next answer."""
        directory = self.directory()
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ)
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute("UPDATE people SET status = 'Away' WHERE login = 'moshez'")
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ._replace(status="Away"))

    async def test_values(self) -> None:
        """Values that are no text, or not what hides a user, are a failure and not an answer."""
        directory = self.directory()
        for column, value, words in (
            ("plan", b"x", "plan of 'moshez' is bytes and not a text"),
            ("hidden", "maybe", "hidden of 'moshez' is neither true nor false"),
        ):
            with closing(sqlite3.connect(self.file)) as connection, connection:
                connection.execute(
                    f"UPDATE people SET {column} = ? WHERE login = 'moshez'", (value,)
                )
            self.assertIn(words, await self.fails(directory.getUser("moshez")))
            with closing(sqlite3.connect(self.file)) as connection, connection:
                connection.execute(f"UPDATE people SET {column} = NULL WHERE login = 'moshez'")

    async def test_oneLine(self) -> None:
        """What is shown on a line is one line, whatever is in it."""
        directory = self.directory()
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute("UPDATE people SET name = ? WHERE login = 'u0'", ("a\nb\x1b ",))
        self.assertEqual(await directory.getUser("u0"), User("u0", name="a b"))

    async def test_long(self) -> None:
        """Of a value counts what an answer has room for."""
        directory = self.directory(Limits(answerSize=1000))
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute("UPDATE people SET plan = ? WHERE login = 'u0'", ("x" * 5000,))
        user = await directory.getUser("u0")
        assert user is not None
        self.assertEqual(len(user.plan), 1000)


class SQLiteStartTests(SynchronousTestCase):
    """Mistakes that end a start."""

    def setUp(self) -> None:
        self.folder = temporaryFolder(self)
        self.file = made(self.folder, SHOWN)

    def saysAtStart(self, queries: str) -> str:
        """What is said at the start with these queries."""
        path = self.folder / "queries.toml"
        path.write_text(queries)
        directory = fromURL(f"sqlite:{self.file}?query={path}", THREADS)
        assert isinstance(directory, ConnectedDirectory)
        self.addCleanup(directory.stopService)
        return str(self.assertRaises(CannotStart, directory.startService))

    def test_queries(self) -> None:
        """A query that can't be run, that writes, or has no such columns is said in a line."""
        listing = 'list = "SELECT login FROM people LIMIT $1"\n'
        asking = 'user = "SELECT name FROM people WHERE login = $1"\n'
        for queries, words in (
            (listing + 'user = "SELECT nam FROM people WHERE login = $1"', "no such column: nam"),
            (
                listing + 'user = "SELECT name AS offce FROM people WHERE login = $1"',
                "the query called user: there is no field called 'offce'; is it office?",
            ),
            (
                listing + 'user = "SELECT name, office AS name FROM people WHERE login = $1"',
                "the column name is there twice",
            ),
            (listing + 'user = "DELETE FROM people WHERE login = $1"', "readonly"),
            (listing + 'user = "SELECT $1 AS name; SELECT 1"', "one statement"),
            (asking + 'list = "SELECT name FROM people LIMIT $1"', "has no column login"),
        ):
            said = self.saysAtStart(queries)
            self.assertIn(words, said)
            self.assertIn(f"can't use sqlite:{self.file}: ", said)
            self.assertNotIn("\n", said)

    def test_noDatabase(self) -> None:
        """What isn't a database ends the start."""
        self.file.write_bytes(b"moshez:Happy and well\n" * 100)
        asking = "user = 'SELECT login FROM people WHERE login = $1'\n"
        said = self.saysAtStart(asking + "list = 'SELECT login FROM people LIMIT $1'")
        self.assertIn("not a database", said)


class SQLiteEscapingTests(SynchronousTestCase):
    """Whatever is asked for is a value and never a part of a query."""

    def setUp(self) -> None:
        file = made(temporaryFolder(self), [])
        self.writer = sqlite3.connect(file)
        self.addCleanup(self.writer.close)
        self.writer.execute("PRAGMA synchronous=OFF")
        user = "SELECT login, name FROM people WHERE login = $1"
        queries = Queries(user, "SELECT login, name FROM people LIMIT $1")
        self.connection = SQLite(str(file), queries, DEFAULTS)
        self.addCleanup(self.connection.close)

    @given(st.text(min_size=1).filter(isLogin), st.text(min_size=1).filter(isLogin))
    def test_parameter(self, login: str, other: str) -> None:
        """Of two users each is found by their own login."""
        users = [User(each, name=f"Who is {len(each)}") for each in {login, other}]
        with self.writer:
            self.writer.execute("DELETE FROM people")
            self.writer.executemany(
                "INSERT INTO people (login, name) VALUES (?, ?)", [user[:2] for user in users]
            )
        for user in users:
            self.assertEqual(self.connection.user(user.login), user)
        self.assertCountEqual(self.connection.users(5), users)
