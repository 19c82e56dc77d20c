"""
The directory C{toml:}, a TOML file: one table a user.

    [moshez]
    name = "Moshe Zadka"
    status = "Happy and well"
    office = "42"
    office_phone = "555-0042"
    home_phone = "555-0100"
    project = "A finger server"
    plan = '''
    Several lines
    are welcome here'''
    public_key = "ssh-ed25519 AAAA..."
    ssh-keys = ["ssh-ed25519 AAAA..."]
    hidden = false

Every key can be left out, and C{-} may be written for C{_}. C{ssh-keys}, a list of texts or one
with several lines, is never shown: they let their owner set something for that user by SSH. A user
who is hidden is unknown to everyone. A user is skipped whose table has anything else in it, or whom
nobody can ask for by that name. All others count.

A file that isn't TOML counts for nothing.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from fingerd.directories.watched.file_url import pathIn
from fingerd.directories.watched.reader import Malformed, Reader
from fingerd.directories.watched.table import Table
from fingerd.directories.watched.watched_file import WatchedFile
from fingerd.model.interfaces import IKeyring
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User, isLogin

# What a table can say of a user, and the name that each key has in a L{User}.
_FIELDS = {
    "name": "name",
    "status": "status",
    "office": "office",
    "office_phone": "officePhone",
    "home_phone": "homePhone",
    "project": "project",
    "plan": "plan",
    "public_key": "publicKey",
}
# What it can say that nobody is shown.
_SSH_KEYS = "ssh_keys"
# A table may have so many times more bytes than what it says of a user.
_SOURCE = 2
_SEVERAL_LINES = frozenset(["status", "plan", "public_key", _SSH_KEYS])
# No request line has room for a login of more characters.
_LOGIN = 512

# The line feed before the header of a user's table. The file can be cut there, if what is before it
# makes sense: then the header isn't a line of a text or of an array. Tables within tables, and
# arrays of tables, stay with what is before them.
_HEADER = re.compile(
    rb"""
    \n (?=
        [ \t]* \[ [ \t]* (?: [A-Za-z0-9_-]+ | "(?:[^"\\\n]|\\.)*" | '[^'\n]*' ) [ \t]* \]
        [ \t]* (?: \#.* )? \r?\n
    )
    """,
    re.VERBOSE,
)
_PLACE = re.compile(r"(?<=\(at line )[0-9]+(?=, column [0-9]+\)\Z)")


@implementer(IKeyring)
class TomlFile(WatchedFile):
    """The users in a TOML file. The file is read again when it changes."""

    _parts = "users"

    def keysOf(self, login: str) -> str:
        """See L{IKeyring}."""
        text = self._table.get(login)
        return "" if text is None else "".join(text.split("\0")[len(_FIELDS) :])

    def _reader(self, table: Table) -> Reader:
        return TomlReader(table, self._limits.tomlUser)

    def _user(self, login: str, text: str) -> User:
        return userOf(login, text)


class TomlReader(Reader):
    """
    Reads a TOML file, in pieces of any size, into a table of users.

    The file is understood table by table, in slices between which the daemon does its work. As a
    whole, a file of 10,000 users would stop the daemon for half a second.
    """

    # The line of the file in which self._rest begins.
    _line = 1
    # The bytes that are to be tried next, after fewer of them made no sense.
    _wanted = 0

    def feed(self, piece: bytes) -> None:
        self._rest += piece
        begin = 0
        for header in _HEADER.finditer(self._rest):
            if header.end() - begin < self._wanted:
                continue
            first = self._rest[begin : header.end()]
            try:
                users = _tables(first, self._line)
            except Malformed:
                # The header may be a line of somebody's plan. Each try is a quarter longer than the
                # one before, so that all of them together take five times as long as the last.
                self._wanted = len(first) * 5 // 4
                continue
            self._take(users)
            self._line += first.count(b"\n")
            begin, self._wanted = header.end(), 0
        self._rest = self._rest[begin:]
        if len(self._rest) > _SOURCE * self._longest:
            self._refuse()

    def end(self) -> None:
        self._take(_tables(self._rest, self._line))

    def _refuse(self) -> None:
        """Say what is wrong with a table that is too long. A missing quote may make it so."""
        try:
            _tables(self._rest[: self._rest.rfind(b"\n") + 1], self._line)
        except Malformed as error:
            if "(at end of document)" not in str(error):
                raise
        most = _SOURCE * self._longest
        raise Malformed(f"what begins at line {self._line} is longer than {most} bytes")

    def _take(self, users: dict[str, object]) -> None:
        for login, about in users.items():
            # TOML forbids it; and which of the two would be the one that hides the user?
            if login in self._table:
                raise Malformed(f"the table of {_quoted(login)} is there twice")
            try:
                text = _text(login, about)
                if text is not None and len(text.encode()) > self._longest:
                    raise ValueError(f"more than {self._longest} bytes")
            except ValueError as error:
                self._skip(f"user {_quoted(login)}", str(error))
                text = None
            if text is not None:
                self._table.put(login, text)
            elif _canBe(login):
                self._table.hide(login)


def _tables(data: bytes, line: int) -> dict[str, object]:
    """
    The tables in a part of a file, by their names.

    @param line: the line of the file in which the part begins.
    @raise Malformed: when the part isn't TOML, with words that say where.
    """
    if line == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        place = line + data.count(b"\n", 0, error.start)
        raise Malformed(f"not UTF-8 (at line {place})") from None
    except RecursionError:
        raise Malformed(f"what begins at line {line} is nested too deeply") from None
    except ValueError as error:
        # The line that it names is counted from the part's first.
        message, places = _PLACE.subn(lambda at: str(int(at[0]) + line - 1), str(error))
    if not message.isprintable():
        message = repr(message)
    raise Malformed(message if places else f"{message}, in what begins at line {line}")


def _canBe(login: str) -> bool:
    return isLogin(login) and len(login) <= _LOGIN


def _text(login: str, about: object) -> str | None:
    """
    What the table of users is to have of a user: None of one who is hidden.

    @param about: what the file says of the user.
    @raise ValueError: when the user is to be skipped, with the reason.
    """
    if not isinstance(about, dict):
        raise ValueError("not a table")
    if not _canBe(login):
        raise ValueError("no user can be called that")
    said: dict[str, str] = {}
    for written, given in about.items():
        key = written.replace("-", "_")
        value = _oneText(given) if key == _SSH_KEYS else given
        if key in said:
            raise ValueError(f"{key} is there twice")
        if key == "hidden":
            if not isinstance(value, bool):
                raise ValueError("hidden is neither true nor false")
            continue
        if key not in _FIELDS and key != _SSH_KEYS:
            raise ValueError(f"unknown key {_quoted(written)}")
        if not isinstance(value, str):
            raise ValueError(f"{key} is not a text")
        if "\0" in value:
            raise ValueError(f"{key} has a NUL character in it")
        if key not in _SEVERAL_LINES and ("\n" in value or "\r" in value):
            raise ValueError(f"{key} has more than one line")
        said[key] = value
    if about.get("hidden"):
        return None
    # (Hardly anybody has such keys.)
    sshKeys = [said[_SSH_KEYS]] if _SSH_KEYS in said else []
    return "\0".join([*(said.get(key, "") for key in _FIELDS), *sshKeys])


def _oneText(value: object) -> object:
    """Texts in a list are lines of one."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return value


def _quoted(text: str) -> str:
    """What somebody wrote, for the log."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def userOf(login: str, text: str) -> User:
    """The user of whom L{TomlReader} has put ``text`` into the table."""
    fields: dict[str, Any] = dict(zip(_FIELDS.values(), text.split("\0"), strict=False))
    return User(login, **fields)


def fromURL(rest: str, clock: IReactorTime, limits: Limits = DEFAULTS) -> TomlFile:
    """
    The directory that ``toml:PATH`` names.

    @param rest: the URL without ``toml:``.
    @raise ValueError: when that is no path, in words.
    """
    return TomlFile(pathIn(rest), clock, limits)
