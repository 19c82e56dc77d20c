"""The tables that statuses have in PostgreSQL, and how the newest are made of older ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from fingerd.model.errors import CannotStart

SCHEMA = "fingerd"
# The advisory lock of those who write: "finger" in ASCII. It holds for this database.
LOCK = int.from_bytes(b"finger")

# The n-th script makes version n of version n - 1.
_SCRIPTS = [
    script.read_text("utf-8") for script in sorted(Path(__file__).with_name("sql").glob("*.sql"))
]
NEWEST = len(_SCRIPTS)


def bringUpToDate(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """
    Make the tables where there are none, and bring older ones up to date, in the transaction that
    has begun, whose search path is L{SCHEMA}. Nobody else writes until its end.

    @raise CannotStart: when they were written by a newer version.
    """
    # Two daemons may do this at the same time.
    connection.execute("SELECT pg_advisory_xact_lock($1)", (LOCK,))
    [(there,)] = connection.execute("SELECT to_regnamespace($1) IS NOT NULL", (SCHEMA,))
    if not there:
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
    connection.execute("CREATE TABLE IF NOT EXISTS version (version integer NOT NULL)")
    [(version,)] = connection.execute("SELECT coalesce(max(version), 0) FROM version")
    checkVersion(version)
    for number, script in enumerate(_SCRIPTS[version:], version + 1):
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("INSERT INTO version VALUES ($1::int)", (number,))


def checkVersion(version: int) -> None:
    """
    Look whether this program can use tables of a version.

    @raise CannotStart: when it can't.
    """
    if version > NEWEST:
        raise CannotStart(
            f"the statuses in PostgreSQL were written by a newer fingerd: they have schema "
            f"{version}, this one knows {NEWEST}"
        )
