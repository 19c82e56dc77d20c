"""The schemas that databases of statuses in SQLite have had, and how the newest is made of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

# The n-th script makes schema n of schema n - 1. The scripts are read now: later, the daemon's user
# may not be allowed to read them.
SCRIPTS = [
    script.read_text("utf-8") for script in sorted(Path(__file__).with_name("sql").glob("*.sql"))
]


def bringUpToDate(connection: sqlite3.Connection) -> None:
    """Bring a database of any older schema, or an empty one, to the newest."""
    connection.execute("BEGIN IMMEDIATE")
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    for number, script in enumerate(SCRIPTS[schema:], schema + 1):
        for statement in _statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={number}")
    connection.commit()


def newestCopy(path: str) -> sqlite3.Connection:
    """
    A copy in memory of the database in a file, with the newest schema. The file stays as it is.

    @raise sqlite3.Error: when the file can't be read.
    """
    memory = sqlite3.connect(":memory:")
    try:
        with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as file:
            copyInto(memory, file)
    except BaseException:
        memory.close()
        raise
    return memory


def copyInto(empty: sqlite3.Connection, database: sqlite3.Connection) -> None:
    """
    Make of an empty database a copy of another, of one moment, with the newest schema.

    @raise sqlite3.Error: when the other can't be read.
    """
    database.backup(empty)
    # What is copied is a write-ahead log's database. A copy is one file.
    empty.execute("PRAGMA journal_mode=DELETE")
    bringUpToDate(empty)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
