"""Users in a PostgreSQL database: C{postgresql:}."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import psycopg
from psycopg import errors
from twisted.internet.interfaces import IReactorFromThreads

from fingerd.directories.connected.connected_directory import ConnectedDirectory, Lost
from fingerd.directories.connected.passwords import PASSWORD_SEEN, withoutPassword
from fingerd.directories.connected.query_file import withoutQuery
from fingerd.directories.sql.queries import Asker, Queries, Rows, queriesIn
from fingerd.model.errors import DirectoryError
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from fingerd.system.postgresql_connection import connect, conninfoOf, firstLine

# For the session: the administrator's queries read, and no server needs to be told when to stop.
_SETTINGS = """
SELECT set_config('statement_timeout', $1, false),
    set_config('default_transaction_read_only', 'on', false)
"""


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
            self._connection = connect(conninfo, limits)
        try:
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
        raise _NotInItsCharacters(firstLine(error)) from None
    except UnicodeDecodeError:
        raise DirectoryError("what it says is not UTF-8") from None
    except (errors.OperationalError, errors.InterfaceError) as error:
        raise Lost(firstLine(error)) from None
    except psycopg.Error as error:
        raise DirectoryError(firstLine(error)) from None


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
        raise ValueError(PASSWORD_SEEN)
    if not rest.startswith("//"):
        raise ValueError("it is written postgresql://USER@HOST/DATABASE?query=FILE")
    rest, path = withoutQuery(rest)
    url = f"postgresql:{rest}"
    conninfo = conninfoOf(url, limits)
    queries = queriesIn(path)
    return ConnectedDirectory(
        url.partition("?")[0], partial(PostgreSQL, conninfo, queries, limits), reactor, limits
    )
