"""The users file: ``user:status`` lines, read again when they change."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from fingerd.directories.file.users_format import UsersReader
from fingerd.directories.watched.file_url import pathIn
from fingerd.directories.watched.table import Table
from fingerd.directories.watched.watched_file import WatchedFile
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User


class UsersFile(WatchedFile):
    """The users in a file; see L{fingerd.directories.file.users_format} for its format."""

    def _reader(self, table: Table) -> UsersReader:
        return UsersReader(table, self._limits.usersFileLine)

    def _user(self, login: str, text: str) -> User:
        return User(login, status=text)


def fromURL(rest: str, clock: IReactorTime, limits: Limits = DEFAULTS) -> UsersFile:
    """
    The directory that ``file:PATH`` names.

    @param rest: the URL without ``file:``.
    @raise ValueError: when that is no path, in words.
    """
    return UsersFile(pathIn(rest), clock, limits)
