"""
The SQLite file that statuses are kept in. Everything here waits for the disk.

What was committed survives the process and the machine: the write-ahead log is on disk before
a commit returns (``synchronous=FULL``).
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from fingerd.model.errors import CannotStart
from fingerd.model.limits import Limits
from fingerd.model.record import Entry, Part
from fingerd.stores.rows import Row, Setting, TakingBack
from fingerd.stores.schema import SCRIPTS, bringUpToDate
from fingerd.stores.showing import earlier
from fingerd.stores.soundness import damaged, examine, rows
from fingerd.stores.witness import Witness
from fingerd.system.state_directory import HOST_KEY

NAME = "statuses.sqlite"
# The files that may be in the state directory: those that SQLite may make, and the host key.
FILES = (NAME, f"{NAME}-wal", f"{NAME}-shm", f"{NAME}-journal", HOST_KEY)

T = TypeVar("T")

# Many rows in one statement: for each step of a statement Python gives up its lock, and has to get
# it back from a busy reactor.
_INSERT = "INSERT INTO statuses (login, status, set_at, set_by, until, part) VALUES "
_VALUES = "(?, ?, ?, ?, ?, ?)"
# Behind the newest go those that would not show again even if all the newest were taken back.
_TRIM = """
DELETE FROM statuses
WHERE id IN (
    SELECT older.id
    FROM (
        SELECT column1 AS login, column2 AS part, (
            SELECT id FROM statuses WHERE login = column1 AND part = column2
            ORDER BY id DESC LIMIT 1 OFFSET ?
        ) AS last
        FROM (VALUES {changed})
    ) AS changed
    CROSS JOIN statuses AS older ON older.login = changed.login AND older.part = changed.part
      AND older.id <= changed.last
    WHERE EXISTS (
        SELECT 1 FROM statuses AS newer
        WHERE newer.login = older.login AND newer.part = older.part
          AND newer.id > older.id AND newer.id <= changed.last
          AND (newer.until IS NULL OR newer.until >= older.until)
    )
)
"""
_NEWS = """
SELECT id, login, status, set_at, set_by, until, part FROM lasting
WHERE id > ? AND id < ? ORDER BY id LIMIT ?
"""
_AGAIN = """
SELECT id, login, status, set_at, set_by, until, part FROM lasting
WHERE login = ? AND id < ? AND part <> '' ORDER BY id
"""
_HISTORY = """
SELECT id, login, status, set_at, set_by, until, part FROM statuses
WHERE login = :login AND part = 'status' AND (until IS NULL OR until > :now) AND id > (
    SELECT coalesce(max(id), 0) FROM statuses
    WHERE login = :login AND part = 'status' AND status = ''
)
ORDER BY id DESC LIMIT :most
"""
_WHOLE = """
SELECT id, login, status, set_at, set_by, until, part FROM statuses
WHERE login = :login AND part <> ''
ORDER BY id DESC LIMIT :most
"""
# The newest that has not expired.
_LAST = """
SELECT id, part FROM statuses
WHERE login = ? AND part <> '' AND (until IS NULL OR until > ?)
ORDER BY id DESC LIMIT 1
"""
# Rows in one statement: with six values each, no SQLite takes that for too many.
_ROWS = 100
_NO_ID = 2**63 - 1


class Database:
    """
    The database in a directory.

    @ivar path: its file.
    @ivar arguments: how to connect: keyword arguments of L{sqlite3.connect}.
    """

    def __init__(self, directory: str, limits: Limits) -> None:
        self.path = os.path.join(os.path.abspath(directory), NAME)
        self.arguments: dict[str, Any] = {
            "database": self.path,
            # Another process may hold the lock for so long.
            "timeout": limits.statusesLocked,
            # A transaction that writes takes the lock when it begins.
            "isolation_level": "IMMEDIATE",
            # A pool's connections are closed in another thread than they are used in.
            "check_same_thread": False,
        }
        self._limits = limits
        self._witness = Witness(self.path, SCRIPTS)

    def open(self) -> sqlite3.Connection:
        """
        Look whether the database is sound, make it where there is none, and bring an older
        schema up to date. A damaged one is left as it is.

        @raise CannotStart: when it can't be used, with the reason in words.
        """
        try:
            if not os.path.exists(self.path):
                self._make()
            elif not os.path.getsize(self.path):
                raise damaged(self.path, "the file is empty")
            else:
                self.examine()
            connection: sqlite3.Connection = sqlite3.connect(**self.arguments)
            try:
                self._upgrade(connection)
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise CannotStart(f"can't keep statuses in {self.path}: {error}") from None
        return connection

    def opened(self) -> None:
        """All that is in the database has been read, and its connection is closed."""
        self._witness.opened()

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Begin with the connection that is used from now on."""
        _prepare(connection)
        # This opens the log.
        connection.execute("SELECT 1 FROM statuses LIMIT 1").fetchall()
        self._witness.begin()

    def news(self, cursor: sqlite3.Cursor, seen: int, end: int = _NO_ID) -> list[Row]:
        """
        The first rows behind the one with the id ``seen``, and before ``end``: fewer than
        C{limits.statusesAtOnce} when there are no more.
        """
        news: list[Row] = []
        for row in rows(cursor, _NEWS, (seen, end, self._limits.statusesAtOnce)):
            news.append(row)
            if not row[-1]:
                again = rows(cursor, _AGAIN, (row[1], row[0]))
                news += ((row[0], *each[1:]) for each in again)
        if news:
            self._witness.saw(news[-1])
        return news

    def history(
        self, cursor: sqlite3.Cursor, login: str, now: float, most: int, whole: bool = False
    ) -> list[Row]:
        """See L{fingerd.model.interfaces.IStore}; C{now} is in seconds since the epoch."""
        query = _WHOLE if whole else _HISTORY
        return rows(cursor, query, {"login": login, "now": now, "most": most})

    def turn(self, cursor: sqlite3.Cursor, settings: Sequence[Setting], seen: int) -> list[Row]:
        """
        Write and commit ``settings``, and give back the L{news}.

        @raise Replaced: when somebody has meddled with the files.
        """
        self._witness.look(cursor)
        if not settings:
            return self.news(cursor, seen)
        set: list[tuple[str, Entry]] = []
        for login, what in settings:
            if isinstance(what, Entry):
                set.append((login, what))
            else:
                self._keep(cursor, set)
                self._takeBack(cursor, login, what)
                set = []
        first = self._keep(cursor, set)
        takenBack = len(set) < len(settings)
        others = self.news(cursor, seen, _NO_ID if takenBack else first)
        cursor.connection.commit()
        self._witness.written()
        if takenBack or len(others) >= self._limits.statusesAtOnce:
            return others
        # What was just written needn't be read.
        written: list[Row] = [(id, *row) for id, row in enumerate(map(_fields, set), first)]
        self._witness.saw(written[-1])
        return others + written

    def _keep(self, cursor: sqlite3.Cursor, set: Sequence[tuple[str, Entry]]) -> int:
        """Write what is set, and give back the id of the first; the others' follow it."""
        for some in _pieces(set):
            values = [value for each in some for value in _fields(each)]
            cursor.execute(_INSERT + ", ".join([_VALUES] * len(some)), values)
        last = cursor.lastrowid or 0
        changed: dict[int, list[str]] = {}
        for login, part in {(login, status.part) for login, status in set}:
            changed.setdefault(earlier(part, self._limits), []).extend((login, part.value))
        for most, parts in changed.items():
            for those in _pieces(parts):
                trim = _TRIM.format(changed=", ".join(["(?, ?)"] * (len(those) // 2)))
                cursor.execute(trim, (most, *those))
        return last - len(set) + 1

    def _takeBack(self, cursor: sqlite3.Cursor, login: str, what: TakingBack) -> None:
        last = cursor.execute(_LAST, (login, what.now)).fetchone()
        if last is None and not what.all:
            return
        # This comes first: its id must not be that of a row that others have seen.
        cursor.execute(_INSERT + _VALUES, (login, "", what.now, "", 0.0, ""))
        mark = cursor.lastrowid
        if what.all:
            cursor.execute("DELETE FROM statuses WHERE login = ? AND id < ?", (login, mark))
        else:
            cursor.execute(
                "DELETE FROM statuses WHERE login = ? AND part = '' AND id < ?", (login, mark)
            )
            cursor.execute("DELETE FROM statuses WHERE id = ?", last[:1])
            what.part = Part(last[1])

    def _make(self) -> None:
        """
        Make the database under another name first: under its own there is never an empty one, of
        which nobody could say whether something was in there.
        """
        new = f"{self.path}-{secrets.token_hex(8)}"
        try:
            with closing(sqlite3.connect(new, isolation_level=None)) as connection:
                bringUpToDate(connection)
            # Another daemon may have been sooner.
            with suppress(FileExistsError):
                os.link(new, self.path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(new)

    def examine(self) -> None:
        """
        Look whether the database, which is there, is sound, in a way that can't change it.

        @raise CannotStart: when it isn't, with the reason in words.
        """
        # A connection that may write would move a log that a crash has left into the damaged file.
        # Only a rollback journal that a crash has left must be undone before anything is read.
        for mode in ("ro", "rw"):
            uri = f"{Path(self.path).as_uri()}?mode={mode}"
            with closing(sqlite3.connect(**{**self.arguments, "database": uri}, uri=True)) as file:
                try:
                    return examine(file, self.path, SCRIPTS)
                except sqlite3.OperationalError as error:
                    if mode == "rw" or error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                        raise

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        # In one transaction: two daemons may do this at the same time.
        connection.execute("PRAGMA journal_mode=WAL")
        bringUpToDate(connection)


def _prepare(connection: sqlite3.Connection) -> None:
    """Make a commit wait until what it writes is on disk, and leave nothing of what it deletes."""
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")


def tidy(cursor: sqlite3.Cursor) -> None:
    """Move what is in the log into the database."""
    cursor.execute("PRAGMA wal_checkpoint").fetchall()


def _fields(setting: tuple[str, Entry]) -> tuple[str, str, float, str, float | None, str]:
    login, status = setting
    return login, status.text, status.set, status.by, status.until, status.part.value


def _pieces(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + _ROWS] for at in range(0, len(items), _ROWS))
