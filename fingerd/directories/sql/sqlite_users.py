"""Users in a SQLite database: C{sqlite:}."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from functools import partial
from pathlib import Path

from twisted.internet.interfaces import IReactorFromThreads

from fingerd.directories.connected.connected_directory import ConnectedDirectory, Lost
from fingerd.directories.connected.query_file import withoutQuery
from fingerd.directories.sql.queries import Asker, Queries, Rows, queriesIn
from fingerd.directories.watched.file_url import pathIn
from fingerd.directories.watched.regular_file import openRegular
from fingerd.model.errors import DirectoryError, reasonOf
from fingerd.model.limits import DEFAULTS, Limits

# Of SQLite's own small steps, how many are done before it is asked whether to go on: far less than
# a millisecond's work.
_STEPS = 10_000


class SQLite:
    """
    A database that is open for reading; see L{Connection
    <fingerd.directories.connected.connected_directory.Connection>}.
    """

    def __init__(self, path: str, queries: Queries, limits: Limits) -> None:
        """
        @raise DirectoryError: when it can't be opened, or the queries can't be used on it.
        """
        self._path = path
        self._limits = limits
        self._end = 0.0
        asker = Asker(queries, self._run, limits.answerSize)
        self.user = asker.user
        self.users = asker.users
        self._file = self._which()
        try:
            self._connection = sqlite3.connect(
                f"{Path(path).as_uri()}?mode=ro",
                uri=True,
                # How long it may be locked by one who writes.
                timeout=limits.databaseTime,
                isolation_level=None,
                # It is used in one thread at a time, but not always in the same.
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise DirectoryError(str(error)) from None
        try:
            self._connection.set_progress_handler(self._isTooLate, _STEPS)
            # Whoever wrote the database didn't write a program for this daemon.
            self._run("PRAGMA trusted_schema=OFF", None, 0)
            asker.check()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _run(self, query: str, parameter: str | int | None, most: int) -> Rows:
        if self._which() != self._file:
            raise Lost("another file has taken its place")
        self._end = time.monotonic() + self._limits.databaseTime
        try:
            cursor = self._connection.execute(query, {"1": parameter})
            columns = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchmany(most) if columns and most else []
            cursor.close()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                took = f"it took longer than {self._limits.databaseTime:g} seconds"
                raise DirectoryError(took) from None
            raise DirectoryError(str(error)) from None
        return Rows(columns, rows)

    def _isTooLate(self) -> bool:
        return time.monotonic() > self._end

    def _which(self) -> tuple[int, int]:
        """Which file that is."""
        try:
            info = os.stat(self._path)
        except OSError as error:
            raise DirectoryError(f"can't read it: {reasonOf(error)}") from None
        if not stat.S_ISREG(info.st_mode):
            raise DirectoryError("not a regular file")
        return info.st_dev, info.st_ino


def fromURL(
    rest: str, reactor: IReactorFromThreads, limits: Limits = DEFAULTS
) -> ConnectedDirectory:
    """
    The directory that ``sqlite:FILE?query=FILE`` names.

    @param rest: the URL without C{sqlite:}.
    @param reactor: one that can be called from threads.
    @raise ValueError: when it names none, in words.
    """
    rest, queryPath = withoutQuery(rest)
    path = os.path.abspath(pathIn(rest))
    try:
        os.close(openRegular(path))
    except (OSError, DirectoryError) as error:
        raise ValueError(f"can't read {path}: {reasonOf(error)}") from None
    queries = queriesIn(queryPath)
    return ConnectedDirectory(
        f"sqlite:{path}", partial(SQLite, path, queries, limits), reactor, limits
    )
