"""
The directory C{file:}, the users file: ``user:status`` a line, as in the talk.

 - The status may have colons. White space around user and status doesn't count.
 - A line that begins with white space continues the status above, on a line of its own.
 - Blank lines, and lines that begin with ``#``, are nothing.
 - A later line for the same user wins.
 - The text is UTF-8, with or without a byte-order mark. Lines end in LF or CR LF, the last one
   with or without it.

A line that is none of that is skipped, with the lines that continue it. All others count.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from fingerd.directories.watched.file_url import pathIn
from fingerd.directories.watched.reader import LineReader
from fingerd.directories.watched.table import Table
from fingerd.directories.watched.watched_file import WatchedFile
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User, isLogin

__all__ = ["UsersFile"]

_WHITE_SPACE = (b" ", b"\t")


class UsersFile(WatchedFile):
    """The users in a users file. The file is read again when it changes."""

    def _reader(self, table: Table) -> LineReader:
        return UsersReader(table, self._limits.usersFileLine)

    def _user(self, login: str, text: str) -> User:
        return User(login, status=text)


class UsersReader(LineReader):
    """Reads a users file, in pieces of any size, into a table."""

    # The user whose status the next line may continue: None where that user's line was skipped,
    # and before the first user.
    _login: str | None = None
    _status: list[str]
    _room: int

    def end(self) -> None:
        super().end()
        self._put()

    def _found(self, line: bytes) -> None:
        if not line.startswith(_WHITE_SPACE):
            self._put()

    def _read(self, line: bytes) -> None:
        text = line.decode("utf-8").strip()
        if line.startswith(_WHITE_SPACE):
            self._continue(text)
        else:
            self._begin(text)

    def _begin(self, text: str) -> None:
        login, colon, status = text.partition(":")
        login = login.rstrip()
        if not colon:
            raise ValueError("no colon after the user")
        if not isLogin(login):
            raise ValueError("no user can be called that")
        self._login, self._status = login, [status.lstrip()]
        self._room = self._longest - len(status)

    def _continue(self, text: str) -> None:
        if self._login is not None:
            # A status has the limit of a line: all of it is sent to whoever asks.
            self._room -= len(text)
            if self._room < 0:
                raise ValueError(f"the status is longer than {self._longest} characters")
            self._status.append(text)
        elif not self.skipped:
            raise ValueError("continues nothing")

    def _put(self) -> None:
        if self._login is not None:
            self._table.put(self._login, "\n".join(self._status))
        self._login = None


def fromURL(rest: str, clock: IReactorTime, limits: Limits = DEFAULTS) -> UsersFile:
    """
    The directory that ``file:PATH`` names.

    @param rest: the URL without ``file:``.
    @raise ValueError: when that is no path, in words.
    """
    return UsersFile(pathIn(rest), clock, limits)
