"""Whether a database of statuses, and a row of it, is what this program has written."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from fingerd.model.errors import CannotStart
from fingerd.model.record import Part
from fingerd.stores.rows import Row

# In seconds since the epoch: as many as a date can be made of.
_LATEST = 1e11
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"


def damaged(path: str, found: str) -> CannotStart:
    """What ends the start of a daemon whose database is damaged: C{found} says how."""
    return CannotStart(
        f"the statuses in {path} are damaged ({found}); nothing was changed: move them and the "
        "files beside them away, then put a backup there or begin anew"
    )


def examine(connection: sqlite3.Connection, path: str, scripts: Sequence[str]) -> None:
    """
    Look whether this program can use a database, which the first of C{scripts} have made.

    @param path: the database's.
    @raise CannotStart: when it can't, with the reason in words.
    """
    try:
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if primary(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        raise damaged(path, str(error)) from None
    if schema > len(scripts):
        raise CannotStart(
            f"the statuses in {path} were written by a newer fingerd: "
            f"they have schema {schema}, this one knows {len(scripts)}"
        )
    found = trouble(connection, scripts[:schema])
    if found is not None:
        raise damaged(path, found)


def trouble(connection: sqlite3.Connection, scripts: Sequence[str]) -> str | None:
    """
    What is wrong with a database that C{scripts} have made, in words; None where nothing is.

    All pages are read, and each index is compared with its table.
    """
    try:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        there = set(connection.execute(_SCHEMA))
    except sqlite3.DatabaseError as error:
        if primary(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        found = str(error)
    if found != "ok":
        return str(found).splitlines()[-1]
    with closing(sqlite3.connect(":memory:")) as empty:
        for script in scripts:
            empty.executescript(script)
        made = set(empty.execute(_SCHEMA))
    tables = {table for _, _, table, _ in made}
    # Tables that are somebody else's do no harm; a trigger of ours would.
    other = {each for each in there - made if each[2] in tables}
    for kind, name, _, _ in sorted(made - there | other):
        return f"the {kind} {name} is not as it was made"
    return None


def rows(
    cursor: sqlite3.Cursor, query: str, parameters: Sequence[object] | dict[str, object]
) -> list[Row]:
    """
    The rows that a query finds. Text in them that isn't UTF-8 is read with C{surrogateescape}, and
    so is L{unsound}.
    """
    try:
        return cursor.execute(query, parameters).fetchall()
    except sqlite3.OperationalError as error:
        # SQLite's own errors have a code. Python's, which is about such a text, has none.
        if primary(error):
            raise
    connection = cursor.connection
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        return cursor.execute(query, parameters).fetchall()
    finally:
        connection.text_factory = str


def unsound(row: Row) -> str | None:
    """What is wrong with a row, in words that name it; None where nothing is."""
    number, login, text, when, by, until, part = row
    named = f"row {number}, of {login!r}, "
    if not all(isinstance(each, str) for each in (login, text, by)):
        return f"{named}has no text"
    try:
        (login + text + by).encode("utf-8")
    except UnicodeEncodeError:
        return f"{named}is not UTF-8"
    ends = 0.0 if until is None else until
    # (NaN is in no range.)
    areTimes = isinstance(when, float) and isinstance(ends, float)
    if not (areTimes and 0 <= when < _LATEST and 0 <= ends < _LATEST):
        return f"{named}has no time"
    if part and part not in list(Part):
        return f"{named}is of no part that there is"
    return None


def primary(error: Exception) -> int:
    """SQLite's code for what went wrong, without its details; 0 for any other error."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
