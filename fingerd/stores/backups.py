"""
Backups: all that users have set, in an SQLite database of the newest schema, in one file. Every
state is read into such a one, and written from it. Everything here waits for the disk.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

from fingerd.model.errors import CannotStart, reasonOf
from fingerd.model.limits import Limits
from fingerd.stores.database import NAME, Database
from fingerd.stores.rows import Row
from fingerd.stores.schema import SCRIPTS, copyInto
from fingerd.stores.soundness import damaged, examine, primary, unsound

NOT_EMPTY = "there are statuses in {} already; nothing was changed: name another place"
IN_USE = (
    "{} is in use, and what is set meanwhile would be missing from the copy: stop the daemon first"
)

_COLUMNS = "id, login, status, set_at, set_by, until, part"
_ALL = f"SELECT {_COLUMNS} FROM main.statuses ORDER BY id"
_INSERT = f"""
INSERT INTO main.statuses ({_COLUMNS}) SELECT {_COLUMNS} FROM backup.statuses ORDER BY id
"""


def readDirectory(
    directory: str, into: sqlite3.Connection, limits: Limits, alone: bool
) -> sqlite3.Connection:
    """
    Read the state in a directory, as it is at one moment, into an empty database.

    @return: a connection to the state. Where C{alone}, nobody else may use the state before that is
        closed.
    @raise CannotStart: when it can't be read, with the reason in words.
    """
    database = Database(directory, limits)
    try:
        os.stat(database.path)
        database.examine()
        file: sqlite3.Connection = sqlite3.connect(**database.arguments)
        try:
            if alone:
                # In this mode, SQLite takes the database for itself with the first lock.
                file.execute("PRAGMA locking_mode=EXCLUSIVE")
                file.execute("BEGIN IMMEDIATE")
                file.rollback()
            copyInto(into, file)
            _check(into, database.path)
        except BaseException:
            file.close()
            raise
    except FileNotFoundError:
        raise CannotStart(f"there are no statuses in {directory}: no {NAME}") from None
    except (sqlite3.Error, OSError) as error:
        if alone and primary(error) == sqlite3.SQLITE_BUSY:
            raise CannotStart(IN_USE.format(directory)) from None
        raise CannotStart(f"can't read statuses from {directory}: {reasonOf(error)}") from None
    return file


def readFile(path: str, into: sqlite3.Connection) -> None:
    """
    Read a backup, in a file that nobody writes to, into an empty database.

    @raise CannotStart: when it can't be read, with the reason in words.
    """
    try:
        os.stat(path)
        if any(os.path.exists(f"{path}-{other}") for other in ("wal", "journal")):
            raise CannotStart(
                f"{path} is no backup, but a database with files of its own beside it: copy or "
                "back up its directory"
            )
        # To look at it must not make files beside it.
        uri = f"{Path(path).absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as file:
            examine(file, path, SCRIPTS)
            copyInto(into, file)
        _check(into, path)
    except (sqlite3.Error, OSError) as error:
        raise CannotStart(f"can't read {path}: {reasonOf(error)}") from None


def writeDirectory(directory: str, backup: str, limits: Limits) -> None:
    """
    Write all of a backup into the state in a directory, which is there and has nothing set in it.

    @param backup: the path of the backup.
    @raise CannotStart: when it can't be written, with the reason in words. Then nothing was.
    """
    try:
        with closing(Database(directory, limits).open()) as target:
            target.execute("ATTACH DATABASE ? AS backup", (backup,))
            target.execute("BEGIN IMMEDIATE")
            if target.execute("SELECT 1 FROM main.statuses LIMIT 1").fetchall():
                raise CannotStart(NOT_EMPTY.format(directory))
            target.execute(_INSERT)
            with closing(sqlite3.connect(backup)) as source:
                compare(allRows(source), allRows(target))
            target.commit()
    except (sqlite3.Error, OSError) as error:
        raise CannotStart(f"can't write statuses into {directory}: {reasonOf(error)}") from None


def allRows(connection: sqlite3.Connection) -> Iterator[Row]:
    """All rows of a database, in their order."""
    return connection.execute(_ALL)


def keepRows(into: sqlite3.Connection, rows: Iterator[Row]) -> None:
    """Write rows into an empty database."""
    into.executemany(f"INSERT INTO statuses ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    into.commit()


def compare(wanted: Iterator[Row], found: Iterator[Row]) -> None:
    """
    Look whether all rows were written as they were read.

    @raise CannotStart: when they weren't.
    """
    for one, other in zip_longest(wanted, found):
        if one != other:
            raise CannotStart(f"what was written isn't what was read: {one!r} became {other!r}")


def _check(copy: sqlite3.Connection, path: str) -> None:
    """
    Look whether each row is what this program writes.

    @raise CannotStart: when one isn't.
    """
    copy.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    for row in allRows(copy):
        if (wrong := unsound(row)) is not None:
            raise damaged(path, wrong)
    copy.text_factory = str
