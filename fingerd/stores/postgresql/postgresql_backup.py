"""Backups from and into PostgreSQL. Everything here waits for the server."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from fingerd.model.errors import CannotStart
from fingerd.model.limits import Limits
from fingerd.stores.backups import IN_USE, NOT_EMPTY, allRows, compare, keepRows
from fingerd.stores.postgresql.news_thread import CHANNEL
from fingerd.stores.postgresql.postgresql_schema import (
    NEWEST,
    SCHEMA,
    bringUpToDate,
    checkVersion,
)
from fingerd.stores.rows import Row
from fingerd.stores.schema import bringUpToDate as makeTables
from fingerd.system.postgresql_connection import conninfoOf, firstLine

_Connection = psycopg.Connection[tuple[Any, ...]]

# What the daemons' connections are told from.
_NAME = "fingerd-state"
_COLUMNS = "id, login, status, set_at, set_by, until, part"
_TYPES = ("int8", "text", "text", "float8", "text", "float8", "text")
_ALL = f"COPY (SELECT {_COLUMNS} FROM statuses ORDER BY id) TO STDOUT"
# Its own sessions, a role may see: no other would say what it does.
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'fingerd' AND pid <> pg_backend_pid()
"""
_NEXT = """
SELECT setval(pg_get_serial_sequence('statuses', 'id'), max(id)) FROM statuses HAVING max(id) > 0
"""


def readServer(url: str, into: sqlite3.Connection, limits: Limits, alone: bool) -> None:
    """
    Read the state in a PostgreSQL database, as it is at one moment, into an empty SQLite database.

    @param alone: no daemon may use the state.
    @raise CannotStart: when it can't be read, with the reason in words.
    """
    try:
        with _connected(url, limits) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(f"SET LOCAL search_path = {SCHEMA}")
            if connection.execute("SELECT to_regclass('version')").fetchone() == (None,):
                raise CannotStart(f"there are no statuses in {_shown(url)}: no schema {SCHEMA}")
            [(version,)] = connection.execute("SELECT max(version) FROM version")
            checkVersion(version)
            if version < NEWEST:
                raise CannotStart(
                    f"the tables in {_shown(url)} are an older fingerd's: start this one's daemon "
                    "with them once, and try again"
                )
            if alone and connection.execute(_OTHERS).fetchone() != (0,):
                raise CannotStart(IN_USE.format(_shown(url)))
            makeTables(into)
            keepRows(into, _rows(connection))
    except psycopg.Error as error:
        raise CannotStart(f"can't read statuses from {_shown(url)}: {firstLine(error)}") from None


def writeServer(url: str, backup: str, limits: Limits) -> None:
    """
    Write all of a backup into the state in a PostgreSQL database, in which nothing is set.

    @param backup: the path of the backup.
    @raise CannotStart: when it can't be written, with the reason in words. Then nothing was.
    """
    try:
        with (
            closing(sqlite3.connect(backup)) as source,
            _connected(url, limits, target_session_attrs="read-write") as connection,
        ):
            connection.execute("BEGIN")
            connection.execute(f"SET LOCAL search_path = {SCHEMA}")
            connection.execute("SET LOCAL synchronous_commit = on")
            # Who writes holds a lock, and a daemon that stands still may hold it for ever.
            patience = math.ceil(1000 * limits.statusesLocked)
            connection.execute(f"SET LOCAL lock_timeout = {patience}")
            bringUpToDate(connection)
            if connection.execute("SELECT 1 FROM statuses LIMIT 1").fetchall():
                raise CannotStart(NOT_EMPTY.format(_shown(url)))
            with connection.cursor().copy(f"COPY statuses ({_COLUMNS}) FROM STDIN") as copy:
                for row in allRows(source):
                    copy.write_row(row)
            connection.execute(_NEXT)
            compare(allRows(source), _rows(connection))
            connection.execute("SELECT pg_notify($1, '')", (CHANNEL,))
            connection.execute("COMMIT")
    except psycopg.Error as error:
        raise CannotStart(f"can't write statuses into {_shown(url)}: {firstLine(error)}") from None


@contextmanager
def _connected(url: str, limits: Limits, **defaults: str) -> Iterator[_Connection]:
    """A connection that is closed at the end of the block. What isn't committed is undone."""
    try:
        conninfo = conninfoOf(url, limits, application_name=_NAME, **defaults)
    except ValueError as error:
        raise CannotStart(f"{_shown(url)}: {error}") from None
    with closing(
        # Between client and server may be one that gives each transaction another connection:
        # nothing is prepared.
        psycopg.connect(
            conninfo, autocommit=True, cursor_factory=psycopg.RawCursor, prepare_threshold=None
        )
    ) as connection:
        yield connection


def _rows(connection: _Connection) -> Iterator[Row]:
    with connection.cursor().copy(_ALL) as copy:
        copy.set_types(_TYPES)
        yield from copy.rows()


def _shown(url: str) -> str:
    return url.partition("?")[0]
