"""A real PostgreSQL server, which the tests of a module share, and what they do with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
from twisted.internet import reactor

from fingerd.model.limits import DEFAULTS
from fingerd.stores.postgresql.postgresql_store import PostgreSQLStore
from tests.directories.servers import PostgreSQLServer
from tests.stores.statuses import KeptCase

PATIENT = replace(DEFAULTS, databaseTime=60.0, statusesLocked=60.0)


class Cluster:
    """The server of a module's tests, started when it is first needed."""

    server: PostgreSQLServer | None = None

    @classmethod
    def get(cls) -> PostgreSQLServer:
        if cls.server is None:
            cls.server = PostgreSQLServer()
        return cls.server

    @classmethod
    def remove(cls) -> None:
        """It is not needed any more."""
        if cls.server is not None:
            cls.server.remove()
            cls.server = None


def forgetAll() -> None:
    """There are no statuses in the database any more, and no tables for them."""
    Cluster.get().run("SET client_min_messages = error", "DROP SCHEMA IF EXISTS fingerd CASCADE")


def url() -> str:
    """The database."""
    return f"postgresql://owner@/postgres?host={Cluster.get().folder}"


class PostgreSQLCase(KeptCase):
    """Has a database with no statuses in it yet."""

    def setUp(self) -> None:
        super().setUp()
        self.server = Cluster.get()
        forgetAll()

    def url(self) -> str:
        """The database."""
        return url()

    def store(self, **limits: Any) -> PostgreSQLStore:
        store = PostgreSQLStore(self.url(), reactor, replace(PATIENT, **limits), lambda: self.now)
        store.startService()
        self.addCleanup(lambda: store.stopService() if store.running else None)
        return store

    def rows(self, columns: str = "status", login: str = "moshez") -> list[Any]:
        with self.connected() as database:
            rows = database.execute(
                f"SELECT {columns} FROM fingerd.statuses WHERE login = %s ORDER BY id".encode(),
                (login,),
            ).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Somebody else's connection."""
        return psycopg.connect(self.url())
