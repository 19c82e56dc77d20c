"""
The format of the TOML file: one table a user.

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
    hidden = false

Every key can be left out. A user who is hidden is, to all who ask, unknown. Where something in a
table is none of that, or the user can't be called that, the user is skipped; all others count.

A file that isn't TOML counts for nothing.

From where a file is understood to where its users are kept they go as records, which end in FF,
a byte that is in no UTF-8. A record is a letter and some texts, with NULs between them:

    U login, and a text for each field     a user
    H login                                a hidden one
    S login or nothing, what is wrong      a skipped one
    E what is wrong                        the end: this isn't TOML
    .                                      the end of it all
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from fingerd.directories.toml.toml_tables import tables
from fingerd.directories.watched.table import Table
from fingerd.directories.watched.watched_file import Malformed
from fingerd.model.errors import DirectoryError
from fingerd.model.user import User, isLogin

# Records go in pieces of this many bytes or some more: a pipe holds a few of them.
_READY = 16 * 1024
_END = b"\xff"
# What can be said of a user, in the order of a record.
_KEYS = (
    "name",
    "status",
    "office",
    "office_phone",
    "home_phone",
    "project",
    "plan",
    "public_key",
)
_ALL_KEYS = frozenset([*_KEYS, "hidden"])
_SEVERAL_LINES = frozenset(["status", "plan", "public_key"])
_SEPARATORS = len(_KEYS) - 1
# How many times more bytes than a record its table may have, with its comments and escapes.
_SOURCE = 4
# No request line has room for a login of more characters.
_LOGIN = 512
# A record of what is skipped has no more bytes than this.
_REASON = 4096


def records(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """
    The users in a TOML file as records, in pieces of many records each.

    @param longest: the bytes that a record may have.
    """
    ready: list[bytes] = []
    size = 0
    try:
        for users in tables(file, _SOURCE * longest):
            for login, value in users.items():
                record = _record(login, value).encode()
                if len(record) > longest:
                    record = _skipped(login, f"more than {longest} bytes").encode()
                ready.append(record)
                size += len(record)
            if size >= _READY:
                yield _END.join([*ready, b""])
                ready, size = [], 0
        ready.append(b".")
    except ValueError as error:
        ready.append(f"E{error}".encode())
    yield _END.join([*ready, b""])


def _record(login: str, value: object) -> str:
    if not isinstance(value, dict):
        return _skipped(login, "not a table")
    wrong = _wrong(value)
    if not _canBe(login):
        wrong = "no user can be called that"
    if wrong:
        return _skipped(login, wrong)
    if value.get("hidden"):
        return f"H{login}"
    return "\0".join([f"U{login}", *[value.get(key, "") for key in _KEYS]])


def _skipped(login: str, wrong: str) -> str:
    taken = login if _canBe(login) else ""
    return f"S{taken}\0user {_quoted(login)}: {wrong}"


def _canBe(login: str) -> bool:
    return isLogin(login) and len(login) <= _LOGIN


def _wrong(user: dict[str, object]) -> str:
    """What is wrong with a user's table, in words, or nothing."""
    for key, value in user.items():
        if key not in _ALL_KEYS:
            return f"unknown key {_quoted(key)}"
        if key == "hidden":
            if not isinstance(value, bool):
                return "hidden is neither true nor false"
        elif not isinstance(value, str):
            return f"{key} is not a text"
        elif "\0" in value:
            return f"{key} has a NUL character in it"
        elif key not in _SEVERAL_LINES and ("\n" in value or "\r" in value):
            return f"{key} has more than one line"
    return ""


def _quoted(text: str) -> str:
    """What somebody wrote, for the log."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


class TomlReader:
    """
    Reads records, in pieces of any size, into a table of users.

    @ivar skipped: how many users were skipped.
    @ivar reasons: for the first of them, who they are and what is wrong with them.
    """

    def __init__(self, table: Table, longest: int, reasonsKept: int = 10) -> None:
        """
        @param longest: the bytes a record may have.
        """
        self.skipped = 0
        self.reasons: list[str] = []
        self._reasonsKept = reasonsKept
        self._table = table
        self._longest = max(longest, _REASON)
        self._rest = b""
        self._ended = False

    def feed(self, piece: bytes) -> None:
        """
        Read the next piece.

        @raise Malformed: when it says that the file isn't TOML.
        @raise DirectoryError: when it is no piece of records.
        """
        found = (self._rest + piece).split(_END)
        self._rest = found.pop()
        try:
            for record in found:
                self._record(record.decode())
        except UnicodeDecodeError:
            raise _nonsense() from None
        if len(self._rest) > self._longest:
            raise _nonsense()

    def end(self) -> None:
        """
        That was the last piece.

        @raise DirectoryError: when there should have been more.
        """
        if not self._ended:
            raise DirectoryError("the process that reads it ended before it was done")

    def _record(self, record: str) -> None:
        kind = record[:1]
        login, _, texts = record[1:].partition("\0")
        if kind == "U" and texts.count("\0") == _SEPARATORS:
            self._take(login)
            self._table.put(login, texts)
        elif kind == "H":
            self._take(login)
            self._table.hide(login)
        elif kind == "S":
            if login:
                self._take(login)
                self._table.hide(login)
            self.skipped += 1
            if len(self.reasons) < self._reasonsKept:
                self.reasons.append(texts)
        elif kind == "E":
            raise Malformed(login)
        elif record == ".":
            self._ended = True
        else:
            raise _nonsense()

    def _take(self, login: str) -> None:
        # TOML has it so: and which of the two would be the one that hides the user?
        if login in self._table:
            raise Malformed(f"the table of {_quoted(login)} is there twice")


def _nonsense() -> DirectoryError:
    return DirectoryError("what the process that reads it says makes no sense")


def user(login: str, texts: str) -> User:
    """A user, from what L{TomlReader} has put into the table."""
    name, status, office, officePhone, homePhone, project, plan, publicKey = texts.split("\0")
    return User(
        login,
        name=name,
        status=status,
        office=office,
        officePhone=officePhone,
        homePhone=homePhone,
        project=project,
        plan=plan,
        publicKey=publicKey,
    )
