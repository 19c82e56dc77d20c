"""Users in a PostgreSQL database: C{postgresql:}."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from twisted.internet.interfaces import IReactorFromThreads

from fingerd.directories.connected.connected_directory import ConnectedDirectory, Lost
from fingerd.directories.connected.passwords import withoutPassword
from fingerd.directories.connected.query_file import withoutQuery
from fingerd.directories.sql.queries import Asker, Queries, Rows, queriesIn
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User

# What the server is given, in seconds, to say itself that a query has taken too long.
_GRACE = 0.5

# For the session: the administrator's queries read, and no server needs to be told when to stop.
_SETTINGS = """
SELECT set_config('statement_timeout', $1, false),
    set_config('default_transaction_read_only', 'on', false)
"""


class _Impatient(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing is waited for longer than C{patience} seconds."""

    patience: float

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        # psycopg waits for ever. A server whose disk hangs can't even end what takes too long.
        patience = self.patience if timeout is None else timeout
        end = time.monotonic() + patience
        try:
            return super().wait(gen, interval, patience)
        except errors.OperationalError:
            if time.monotonic() < end:
                raise
            raise DirectoryError(f"it said nothing for {patience:g} seconds") from None


class PostgreSQL:
    """
    A connection to a server; see L{Connection
    <fingerd.directories.connected.connected_directory.Connection>}.
    """

    def __init__(self, conninfo: str, queries: Queries, limits: Limits) -> None:
        """
        @raise DirectoryError: when there is none, or the queries can't be used on it.
        """
        self._limits = limits
        asker = Asker(queries, self._run, limits.answerSize)
        self.users = asker.users
        self._user = asker.user
        with _inWords(limits):
            self._connection = _Impatient.connect(
                conninfo, autocommit=True, cursor_factory=psycopg.RawCursor
            )
        try:
            self._connection.patience = limits.databaseTime + _GRACE
            self._run(_SETTINGS, str(math.ceil(1000 * limits.databaseTime)), 1)
            asker.check()
        except BaseException:
            self.close()
            raise

    def user(self, login: str) -> User | None:
        """The user called ``login``."""
        try:
            return self._user(login)
        except _NotInItsCharacters:
            return None

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _run(self, query: str, parameter: str | int, most: int) -> Rows:
        with _inWords(self._limits), self._connection.cursor() as cursor:
            # The text is the administrator's own, and it is all that is ever sent as such.
            cursor.execute(query.encode(), (parameter,), prepare=True)
            columns = [column.name for column in cursor.description or ()]
            return Rows(columns, cursor.fetchmany(most) if columns and most else ())


class _NotInItsCharacters(DirectoryError):
    """The database's encoding has no such characters."""


@contextmanager
def _inWords(limits: Limits) -> Generator[None, None, None]:
    """Say in words what fails."""
    try:
        yield
    except errors.QueryCanceled as error:
        took = error.diag.message_primary or ""
        if "statement timeout" in took:
            took = f"it took longer than {limits.databaseTime:g} seconds"
        raise DirectoryError(took) from None
    except errors.UntranslatableCharacter as error:
        raise _NotInItsCharacters(_first(error)) from None
    except UnicodeDecodeError:
        raise DirectoryError("what it says is not UTF-8") from None
    except (errors.OperationalError, errors.InterfaceError) as error:
        raise Lost(_first(error)) from None
    except psycopg.Error as error:
        raise DirectoryError(_first(error)) from None


def _first(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).partition("\n")[0]


def fromURL(
    rest: str, reactor: IReactorFromThreads, limits: Limits = DEFAULTS
) -> ConnectedDirectory:
    """
    The directory that ``postgresql://USER@HOST:PORT/DATABASE?query=FILE`` names. What else stands
    behind the C{?}, such as C{sslmode} and C{passfile}, is libpq's: see "Connection URIs" in
    PostgreSQL's manual.

    @param rest: the URL without C{postgresql:}.
    @param reactor: one that can be called from threads.
    @raise ValueError: when it names none, in words.
    """
    if withoutPassword(rest) != rest:
        raise ValueError(
            "a password on a command line can be seen by every user of this machine: put it into "
            "a file, and name that with passfile=FILE"
        )
    if not rest.startswith("//"):
        raise ValueError("it is written postgresql://USER@HOST/DATABASE?query=FILE")
    rest, path = withoutQuery(rest)
    url = f"postgresql:{rest}"
    try:
        given = conninfo_to_dict(url)
        defaults: dict[str, str | int | None] = {
            "connect_timeout": math.ceil(limits.databaseConnectTime),
            "fallback_application_name": "fingerd",
            # When the machine or the network between has gone, the system says so after this time.
            "tcp_user_timeout": math.ceil(1000 * limits.databaseTime),
        }
        conninfo = make_conninfo("", **{**defaults, **given, "client_encoding": "UTF8"})
    except psycopg.Error as error:
        raise ValueError(_first(error)) from None
    queries = queriesIn(path)
    return ConnectedDirectory(
        url.partition("?")[0], partial(PostgreSQL, conninfo, queries, limits), reactor, limits
    )
