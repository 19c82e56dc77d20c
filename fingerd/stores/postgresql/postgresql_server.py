"""The PostgreSQL database that statuses are kept in. Everything here waits for the server."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from fingerd.model.errors import CannotStart, DirectoryError
from fingerd.model.limits import Limits
from fingerd.model.record import Entry, Part
from fingerd.stores.postgresql.news_thread import CHANNEL
from fingerd.stores.postgresql.postgresql_schema import LOCK, SCHEMA, bringUpToDate
from fingerd.stores.rows import Row, Setting, TakingBack
from fingerd.stores.showing import earlier
from fingerd.system.postgresql_connection import Impatient, connect, firstLine

# For one transaction, since between client and server may be one that gives each transaction
# another connection. What is acknowledged must be on the server's disk, whatever its settings say.
_BEGIN = """
SELECT set_config('search_path', $1, true),
    set_config('statement_timeout', $2, true),
    set_config('lock_timeout', $3, true),
    CASE current_setting('synchronous_commit')
        WHEN 'off' THEN set_config('synchronous_commit', 'on', true)
    END
"""
_NEWS = """
SELECT id, login, status, set_at, set_by, until, part FROM lasting
WHERE id > $1 ORDER BY id LIMIT $2
"""
_AGAIN = """
SELECT login, status, set_at, set_by, until, part FROM lasting
WHERE login = $1 AND id < $2 AND part <> '' ORDER BY id
"""
_IDS = "SELECT nextval(pg_get_serial_sequence('statuses', 'id')) FROM generate_series(1, $1::int)"
_INSERT = """
INSERT INTO statuses (id, login, status, set_at, set_by, until, part) OVERRIDING SYSTEM VALUE
SELECT * FROM unnest(
    $1::bigint[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::float8[], $7::text[]
)
"""
# Behind the newest go those that would not show again even if all the newest were taken back.
_TRIM = """
DELETE FROM statuses
USING (
    SELECT login, part, (
        SELECT id FROM statuses AS newest
        WHERE newest.login = written.login AND newest.part = written.part
        ORDER BY id DESC LIMIT 1 OFFSET written.most
    ) AS last
    FROM unnest($1::text[], $2::text[], $3::int[]) AS written (login, part, most)
) AS changed
WHERE statuses.login = changed.login AND statuses.part = changed.part
  AND statuses.id <= changed.last
  AND EXISTS (
    SELECT 1
    FROM statuses AS newer
    WHERE newer.login = statuses.login AND newer.part = statuses.part
      AND newer.id > statuses.id AND newer.id <= changed.last
      AND (newer.until IS NULL OR newer.until >= statuses.until)
  )
"""
_HISTORY = """
SELECT id, login, status, set_at, set_by, until, part FROM statuses
WHERE login = $1 AND part = 'status' AND (until IS NULL OR until > $2) AND id > (
    SELECT coalesce(max(id), 0) FROM statuses
    WHERE login = $1 AND part = 'status' AND status = ''
)
ORDER BY id DESC LIMIT $3
"""
_WHOLE = """
SELECT id, login, status, set_at, set_by, until, part FROM statuses
WHERE login = $1 AND part <> ''
ORDER BY id DESC LIMIT $2
"""
# The newest that has not expired.
_LAST = """
SELECT id, part FROM statuses
WHERE login = $1 AND part <> '' AND (until IS NULL OR until > $2)
ORDER BY id DESC LIMIT 1
"""
_MARK = """
INSERT INTO statuses (login, status, set_at, set_by, until, part)
VALUES ($1, '', $2, '', 0, '') RETURNING id
"""


class Unreachable(Exception):
    """The server can't be asked now. Nothing was changed."""


class Uncertain(Unreachable):
    """The server was lost while it was committing: it may have, or not."""


class Server:
    """
    One connection to the server, which is made anew when it is lost. It is used in one thread at a
    time.
    """

    def __init__(self, conninfo: str, limits: Limits) -> None:
        self._conninfo = conninfo
        self._limits = limits
        milliseconds = math.ceil(1000 * limits.databaseTime)
        locked = math.ceil(1000 * min(limits.statusesLocked, limits.databaseTime))
        self._settings = SCHEMA, str(milliseconds), str(locked)
        self._connection: Impatient | None = None

    def open(self) -> None:
        """
        Make the tables where there are none, and bring older ones up to date.

        @raise CannotStart: when they can't be used, with the reason in words.
        """
        try:
            with self._transaction() as connection:
                bringUpToDate(connection)
        except Unreachable as error:
            raise CannotStart(f"can't keep statuses in PostgreSQL: {error}") from None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def news(self, seen: int) -> list[Row]:
        """
        The first rows behind the one with the id ``seen``: fewer than C{limits.statusesAtOnce} when
        there are no more.

        @raise Unreachable: when they can't be read.
        """
        with self._transaction() as connection:
            return self._news(connection, seen)

    def turn(self, settings: Sequence[Setting], seen: int) -> list[Row]:
        """
        Write ``settings``, durably, and give back the L{news}.

        @raise Unreachable: when nothing was written.
        @raise Uncertain: when that can't be told.
        """
        with self._transaction() as connection:
            if settings:
                connection.execute("SELECT pg_advisory_xact_lock($1)", (LOCK,))
                self._write(connection, settings)
                connection.execute("SELECT pg_notify($1, '')", (CHANNEL,))
            return self._news(connection, seen)

    def history(self, login: str, now: float, most: int, whole: bool) -> list[Row]:
        """
        See L{fingerd.model.interfaces.IStore}; C{now} is in seconds since the epoch.

        @raise Unreachable: when it can't be read.
        """
        with self._transaction() as connection:
            if whole:
                found = connection.execute(_WHOLE, (login, most))
            else:
                found = connection.execute(_HISTORY, (login, now, most))
            rows: list[Row] = found.fetchall()
            return rows

    @contextmanager
    def _transaction(self) -> Iterator[Impatient]:
        """A transaction, which is committed at the end, over a connection that is there."""
        committing = False
        try:
            if self._connection is None:
                self._connection = connect(self._conninfo, self._limits, prepare=False)
            connection = self._connection
            connection.execute("BEGIN")
            connection.execute(_BEGIN, self._settings)
            yield connection
            committing = True
            connection.execute("COMMIT")
        except (psycopg.Error, DirectoryError) as error:
            # What it was in the middle of is over with it.
            self.close()
            words = firstLine(error) if isinstance(error, psycopg.Error) else str(error)
            raise (Uncertain if committing else Unreachable)(words) from None
        except BaseException:
            self.close()
            raise

    def _news(self, connection: Impatient, seen: int) -> list[Row]:
        found: list[Row] = connection.execute(_NEWS, (seen, self._limits.statusesAtOnce)).fetchall()
        if not found and seen:
            # The last row of all is never taken away: what is taken back leaves a later one.
            [(last,)] = connection.execute("SELECT coalesce(max(id), 0) FROM statuses")
            if last < seen:
                raise Unreachable("they were replaced by older ones: start this daemon anew")
        rows: list[Row] = []
        for row in found:
            rows.append(row)
            if not row[-1]:
                again = connection.execute(_AGAIN, (row[1], row[0]))
                rows += ((row[0], *each) for each in again)
        return rows

    def _write(self, connection: Impatient, settings: Sequence[Setting]) -> None:
        set: list[tuple[str, Entry]] = []
        for login, what in settings:
            if isinstance(what, Entry):
                set.append((login, what))
            else:
                self._keep(connection, set)
                self._takeBack(connection, login, what)
                set = []
        self._keep(connection, set)

    def _keep(self, connection: Impatient, set: Sequence[tuple[str, Entry]]) -> None:
        if not set:
            return
        ids = [id for (id,) in connection.execute(_IDS, (len(set),))]
        rows = [
            (id, login, s.text, s.set, s.by, s.until, s.part.value)
            for id, (login, s) in zip(ids, set, strict=True)
        ]
        connection.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
        changed = {(login, status.part) for login, status in set}
        trimmed = [(login, part.value, earlier(part, self._limits)) for login, part in changed]
        connection.execute(_TRIM, [list(column) for column in zip(*trimmed, strict=True)])

    def _takeBack(self, connection: Impatient, login: str, what: TakingBack) -> None:
        last = connection.execute(_LAST, (login, what.now)).fetchone()
        if last is None and not what.all:
            return
        [(mark,)] = connection.execute(_MARK, (login, what.now))
        if what.all:
            connection.execute("DELETE FROM statuses WHERE login = $1 AND id < $2", (login, mark))
        else:
            connection.execute(
                "DELETE FROM statuses WHERE login = $1 AND part = '' AND id < $2", (login, mark)
            )
            assert last is not None
            connection.execute("DELETE FROM statuses WHERE id = $1", last[:1])
            what.part = Part(last[1])
