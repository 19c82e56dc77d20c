"""
The two queries by which a database is asked, and what their columns mean.

The file, in TOML:

    user = "SELECT name, office, phone AS office_phone FROM people WHERE login = $1"
    list = "SELECT login, name FROM people ORDER BY login LIMIT $1"

In C{user}, C{$1} is the login that was asked for, in C{list} it is how many rows are wanted. That
is how PostgreSQL and SQLite both write a parameter: what was asked for never becomes a part of the
query's text. Columns are called as fields are, see
L{fingerd.directories.connected.answers.FIELDS}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from fingerd.directories.connected.answers import fieldOf, userOf
from fingerd.directories.connected.query_file import QueryFile
from fingerd.model.errors import DirectoryError
from fingerd.model.user import HIDDEN, User

_PARAMETER = "$1"
_KEYS = ("user", "list")


class Queries(NamedTuple):
    """The query for a user, and the one for the list."""

    user: str
    list: str


def queriesIn(path: str | None) -> Queries:
    """
    The queries in a file.

    @raise ValueError: when they aren't there, in words.
    """
    if path is None:
        raise ValueError("it needs ?query=FILE, the file with the queries")
    file = QueryFile(path, _KEYS)
    for key in _KEYS:
        if not file.text(key).strip():
            raise ValueError(f"{path}: it has no query called {key}")
        if _PARAMETER not in file.text(key):
            what = "login" if key == "user" else "number of rows that are wanted"
            raise ValueError(f"{path}: the query called {key} has no $1, for the {what}")
    return Queries(*map(file.text, _KEYS))


class Rows(NamedTuple):
    """What a query gives: the names of its columns, and the first rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


class Runs(Protocol):
    """Runs a query."""

    def __call__(self, query: str, parameter: str | int, most: int) -> Rows:
        """
        At most ``most`` rows of what ``query`` gives with that parameter.

        @raise DirectoryError: when it fails.
        """


class Asker:
    """Asks a database by the administrator's queries."""

    def __init__(self, queries: Queries, run: Runs, longest: int) -> None:
        """
        @param longest: the characters of a value that count.
        """
        self._queries = queries
        self._run = run
        self._longest = longest

    def check(self) -> None:
        """
        Look whether the queries can be run and have the right columns. Nothing is called "".

        @raise DirectoryError: where they can't, or haven't.
        """
        self.user("")
        self.users(0)

    def user(self, login: str) -> User | None:
        """The user called ``login``: the first row that the query gives."""
        fields, rows = self._ask("user", login, 1)
        for row in rows:
            values = dict(zip(fields, row, strict=True))
            # A status, a mask and a hidden row belong to one login, as it is written.
            if values.setdefault("login", login) == login:
                return userOf(values, self._longest)
        return None

    def users(self, limit: int) -> list[User]:
        """The users of the first ``limit`` rows."""
        fields, rows = self._ask("list", limit, limit)
        if "login" not in fields:
            raise DirectoryError("the query called list has no column login")
        users = (userOf(dict(zip(fields, row, strict=True)), self._longest) for row in rows)
        return [user for user in users if user is not None and user is not HIDDEN]

    def _ask(
        self, which: str, parameter: str | int, most: int
    ) -> tuple[list[str], Sequence[Sequence[object]]]:
        """The fields that the columns are called after, and the rows."""
        try:
            columns, rows = self._run(getattr(self._queries, which), parameter, most)
            fields = [fieldOf(column) for column in columns]
            twice = [field for field in fields if fields.count(field) > 1]
            if twice:
                raise ValueError(f"the column {twice[0]} is there twice")
            if not fields:
                raise ValueError("it gives no rows")
        except ValueError as error:
            raise DirectoryError(f"the query called {which}: {error}") from None
        return fields, rows
