"""Whether the files of a database are still those that were opened, and as SQLite has left them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from fingerd.stores.rows import Row
from fingerd.stores.soundness import trouble, unsound

# What two looks at one database have in common.
_SUM = "SELECT count(*), total(id), total(set_at), total(length(status)) FROM statuses"
# A login's newest row is kept, whatever others write.
_NEWEST = "SELECT count(*) FROM statuses WHERE id >= ? AND login = ?"


class Replaced(Exception):
    """The files are no longer those that were opened: what is written to them would be lost."""


class Witness:
    """
    Looks whether somebody else has taken away, replaced or overwritten the database or its log.

    The log goes on being written where nobody finds it, once its file has been taken away. The
    database itself is written by SQLite alone, when it moves the log into it, in this process or
    another: where it has changed, it is read anew and compared. So it is where the log is shorter
    than it was: SQLite writes over its beginning, and cuts it only when told to.
    """

    def __init__(self, path: str, scripts: Sequence[str]) -> None:
        """
        @param path: the database's.
        @param scripts: what has made it.
        """
        self._path = path
        self._scripts = scripts
        self._files: tuple[tuple[int, int], ...] = ()
        self._changed = (0, 0)
        # The bytes that the log has had.
        self._logged = 0
        # The id and the login of a row that has been there.
        self._newest: tuple[int, str] | None = None

    def opened(self) -> None:
        """The database has been read."""
        self._files = _files(self._path)
        self._changed = self._lastChange()

    def begin(self) -> None:
        """
        A connection has opened the database and the log.

        @raise Replaced: when that is no longer the database that was read.
        """
        if _files(self._path) != self._files[:1]:
            raise self._replaced()
        self._files = self._present()
        self._logged = self._log()

    def saw(self, row: Row) -> None:
        """A row is in the database."""
        if unsound(row) is None:
            self._newest = row[:2]

    def look(self, cursor: sqlite3.Cursor) -> None:
        """
        See whether all is as it was. Where the database has changed, this begins a transaction that
        keeps others from writing meanwhile.

        @raise Replaced: when it isn't.
        """
        if self._present() != self._files:
            raise self._replaced()
        if self._lastChange() == self._changed and self._log() >= self._logged:
            return
        if not cursor.connection.in_transaction:
            cursor.execute("BEGIN IMMEDIATE")
        changed = self._lastChange()
        if not self._isSame(cursor):
            raise Replaced(f"{self._path}, or its log, was overwritten while it was in use")
        self._changed = changed
        self._logged = self._log()

    def written(self) -> None:
        """
        This process has committed, and may have moved the log into the database.

        @raise Replaced: when that went to files that are not there any more.
        """
        if self._present() != self._files:
            raise self._replaced()
        self._changed = self._lastChange()
        self._logged = self._log()

    def _isSame(self, cursor: sqlite3.Cursor) -> bool:
        """Whether a connection that has read nothing yet finds what was there."""
        uri = f"{Path(self._path).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as anew:
            if trouble(anew, self._scripts) is not None:
                return False
            if self._newest and anew.execute(_NEWEST, self._newest).fetchone() == (0,):
                return False
            found = anew.execute(_SUM).fetchone()
        return bool(found == cursor.execute(_SUM).fetchone())

    def _replaced(self) -> Replaced:
        return Replaced(f"{self._path}, or its log, was replaced while it was in use")

    def _lastChange(self) -> tuple[int, int]:
        info = os.stat(self._path)
        return info.st_size, info.st_mtime_ns

    def _log(self) -> int:
        return os.stat(f"{self._path}-wal").st_size

    def _present(self) -> tuple[tuple[int, int], ...]:
        return _files(self._path, f"{self._path}-wal")


def _files(*paths: str) -> tuple[tuple[int, int], ...]:
    """Which files these are; none where one is missing."""
    try:
        found = [os.stat(path) for path in paths]
    except FileNotFoundError:
        return ()
    return tuple((info.st_dev, info.st_ino) for info in found)
