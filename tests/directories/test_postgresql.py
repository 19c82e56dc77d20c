"""Users in a PostgreSQL database: with a real server."""

from __future__ import annotations

import os
import signal
import sys
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.by_url import fromURL
from fingerd.directories.connected.connected_directory import ConnectedDirectory
from fingerd.directories.sql.postgresql_users import PostgreSQL
from fingerd.directories.sql.queries import Queries
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
from tests.directories.servers import PostgreSQLServer
from tests.support.ports import temporaryFolder, until

# They share a server.
pytestmark = pytest.mark.xdist_group("postgresql")

QUERIES = """
user = "SELECT * FROM people WHERE login = $1"
list = "SELECT * FROM people ORDER BY login LIMIT $1"
"""
SLOW = """
user = "SELECT name, pg_sleep(CASE login WHEN 'u0' THEN 60 ELSE 0 END)::text AS project \
FROM people WHERE login = $1"
list = "SELECT login FROM people LIMIT $1"
"""
TABLE = """
CREATE TABLE people (login TEXT PRIMARY KEY, name TEXT, status TEXT, office INTEGER,
    office_phone TEXT, "homePhone" TEXT, project TEXT, plan TEXT, publicKey TEXT, hidden BOOLEAN);
CREATE ROLE finger LOGIN PASSWORD 'geheim';
GRANT SELECT ON people TO finger
"""
CONNECTIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'fingerd'"


def quoted(value: object) -> str:
    """What the tests themselves write into a statement."""
    return "NULL" if value in ("", None) else "'" + str(value).replace("'", "''") + "'"


class Cluster:
    """The server of this module's tests, started when it is first needed."""

    server: PostgreSQLServer | None = None

    @classmethod
    def get(cls) -> PostgreSQLServer:
        """The server, with everybody in it."""
        if cls.server is None:
            cls.server = PostgreSQLServer()
            values: list[tuple[object, ...]] = [
                (*user[:3], *user[5:11], user.login == HIDDEN) for user in SHOWN
            ]
            values.append((HIDDEN, *[""] * 8, True))
            rows = ", ".join(f"({', '.join(map(quoted, row))})" for row in values)
            cls.server.run(TABLE, f"INSERT INTO people VALUES {rows}")
        return cls.server


def tearDownModule() -> None:
    """Leave nothing of the server."""
    if Cluster.server is not None:
        Cluster.server.remove()
        Cluster.server = None


class PostgreSQLCase(People):
    """A directory of that server."""

    def setUp(self) -> None:
        self.server = Cluster.get()

    def directory(self, limits: Limits = DEFAULTS, queries: str = QUERIES) -> ConnectedDirectory:
        return opened(self, self.server.url(written(self, queries)), limits)


class PostgreSQLTests(WhoIsThere, PostgreSQLCase):
    """Who is in it."""

    async def test_connections(self) -> None:
        """Many lookups at once share as many connections as there may be."""
        directory = self.directory(Limits(databaseThreads=3))
        await gatherResults([directory.getUser(user.login) for user in CROWD])
        # One is made at the start, and each thread has one at most.
        self.assertIn(len(self.server.run(CONNECTIONS).split()), (1, 2, 3))

    async def test_pattern(self) -> None:
        """A query of the administrator's can have a percent sign, and wider ideas of a login."""
        queries = """
        user = "SELECT login FROM people WHERE login LIKE '%' || lower($1) || '%'"
        list = "SELECT login FROM people WHERE name LIKE 'User 1%' LIMIT $1"
        """
        directory = self.directory(queries=queries)
        self.assertEqual(await directory.getUser("moshez"), User("moshez"))
        # A status that is set belongs to one login: who is found by another isn't found.
        self.assertIsNone(await directory.getUser("MosheZ"))
        self.assertEqual(len(await directory.getUsers(100)), 11)

    async def test_otherEncoding(self) -> None:
        """Who is called what the database has no letters for is unknown to it."""
        self.server.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        query = written(
            self,
            """
            user = "SELECT 'José' AS name WHERE $1 = 'josé'"
            list = "SELECT 'josé' AS login LIMIT $1"
            """,
        )
        url = self.server.url(query).replace("/postgres?", "/latin?")
        directory = opened(self, url)
        self.assertEqual(await directory.getUser("josé"), User("josé", name="José"))
        self.assertIsNone(await directory.getUser("漢字"))
        self.assertEqual(await directory.getUsers(5), [User("josé")])


class PostgreSQLFailingTests(PostgreSQLCase):
    """What befalls a server."""

    async def test_slow(self) -> None:
        """A query that takes too long is ended in the server too; others have their answers."""
        directory = self.directory(Limits(databaseTime=0.3, databaseThreads=1), SLOW)
        reason = await self.fails(directory.getUser("u0"))
        self.assertIn("it took longer than 0.3 seconds", reason)
        self.assertEqual(await directory.getUser("u1"), CROWD[1])
        self.assertEqual(self.server.run(f"{CONNECTIONS} AND state = 'active'"), "")

    async def test_hangs(self) -> None:
        """A server that can't even end a query holds no thread for longer than that."""
        directory = self.directory(Limits(databaseTime=0.2, databaseThreads=1))
        pid = int(self.server.run(CONNECTIONS))
        os.kill(pid, signal.SIGSTOP)
        try:
            self.assertIn(
                "said nothing for 0.7 seconds", await self.fails(directory.getUser("moshez"))
            )
            self.assertEqual(await directory.getUser("moshez"), MOSHEZ)
        finally:
            os.kill(pid, signal.SIGCONT)

    async def test_restarted(self) -> None:
        """While the server is stopped lookups fail in words; started again, all is as before."""
        directory = self.directory()
        await gatherResults([directory.getUser(user.login) for user in CROWD])
        self.server.stop()
        try:
            reason = await self.fails(directory.getUser("moshez"))
        finally:
            self.server.start()
        self.assertIn("connection", reason)
        self.assertNotIn("\n", reason)
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ)

    async def test_restartedMeanwhile(self) -> None:
        """Nobody notices a restart while nobody asks."""
        directory = self.directory()
        await gatherResults([directory.getUser(user.login) for user in CROWD])
        self.server.stop()
        self.server.start()
        users = await gatherResults([directory.getUser(user.login) for user in CROWD])
        self.assertEqual(users, CROWD)

    async def test_startedLater(self) -> None:
        """A daemon can be started before the server is."""
        self.server.stop()
        try:
            directory = self.directory()
        finally:
            self.server.start()
        self.assertEqual(await directory.getUser("moshez"), MOSHEZ)

    async def test_stopped(self) -> None:
        """A directory that stops closes its connections, also one that is in use."""
        directory = opened(self, self.server.url(written(self, SLOW)), Limits(databaseTime=0.5))
        asking = directory.getUser("u0")
        await directory.getUser("u1")
        directory.stopService()
        self.assertIn("stops", await self.fails(directory.getUser("u1")))
        self.assertIn("0.5 seconds", await self.fails(asking))
        await until(lambda: self.server.run(CONNECTIONS) == "")


class PostgreSQLStartTests(SynchronousTestCase):
    """Mistakes that end a start, in a line."""

    def setUp(self) -> None:
        self.server = Cluster.get()
        self.query = temporaryFolder(self) / "queries.toml"
        self.query.write_text(QUERIES)

    def refused(self, url: str) -> str:
        """What is said of this URL."""
        return str(self.assertRaises(ValueError, fromURL, url, THREADS))

    def test_queries(self) -> None:
        """A query that can't be run, that writes, or has no such columns."""
        listing = 'list = "SELECT login FROM people LIMIT $1"\n'
        for queries, words in (
            ("SELECT nam FROM people WHERE login = $1", 'column "nam" does not exist'),
            ("SELECT name AS phne FROM people WHERE login = $1", "called 'phne'; is it"),
            ("DELETE FROM people WHERE login = $1 RETURNING name", "read-only transaction"),
            ("SELECT $1 AS name; SELECT 1", "multiple commands"),
            ("SELECT passwd AS name FROM pg_shadow WHERE usename = $1", "permission denied"),
        ):
            self.query.write_text(f'{listing}user = "{queries}"')
            directory = fromURL(self.server.url(self.query), THREADS)
            assert isinstance(directory, ConnectedDirectory)
            self.addCleanup(directory.stopService)
            said = str(self.assertRaises(CannotStart, directory.startService))
            self.assertIn(words, said)
            self.assertIn("can't use postgresql://finger@/postgres: ", said)
            self.assertNotIn("\n", said)

    def test_url(self) -> None:
        """What PostgreSQL's library can't make sense of, and a password."""
        option = f"query={self.query}"
        self.assertIn("://USER@HOST", self.refused(f"postgresql:people?{option}"))
        self.assertIn("sslmod", self.refused(f"postgresql://localhost/db?{option}&sslmod=require"))
        for url in (
            f"postgresql://finger:geheim@localhost/db?{option}",
            f"postgresql://localhost/db?{option}&password=geheim",
        ):
            said = self.refused(url)
            self.assertIn("passfile=FILE", said)
            self.assertNotIn("geheim", said)

    def test_noExtra(self) -> None:
        """Without psycopg, it is said how to install it."""
        name = "fingerd.directories.sql.postgresql_users"
        with mock.patch.dict(sys.modules, {"psycopg": None}):
            sys.modules.pop(name)
            said = self.refused(f"postgresql://localhost/db?query={self.query}")
        self.assertIn("pip install 'fingerd[postgresql]'", said)


class PostgreSQLEscapingTests(SynchronousTestCase):
    """Whatever is asked for is a value and never a part of a query."""

    def setUp(self) -> None:
        server = Cluster.get()
        asked = "SELECT $1 || '' AS login, length($1) AS name"
        queries = Queries(asked, "SELECT 'x' AS login LIMIT $1")
        self.connection = PostgreSQL(
            f"host={server.folder} user=finger dbname=postgres", queries, DEFAULTS
        )
        self.addCleanup(self.connection.close)

    @given(st.text(min_size=1).filter(isLogin))
    def test_parameter(self, login: str) -> None:
        """The database gets what was asked for, as it is."""
        self.assertEqual(self.connection.user(login), User(login, name=str(len(login))))
