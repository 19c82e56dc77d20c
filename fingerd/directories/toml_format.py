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

A file that isn't TOML counts for nothing. It is understood table by table, since a million in
one go take gigabytes; so there is a limit for one table, and for what stands before the first.

From where a file is understood to where its users are kept they go as records, which end in FF,
a byte that is in no UTF-8. A record is a letter and some texts, with NULs between them:

    U login, and a text for each field     a user
    H login                                a hidden one
    S login or nothing, what is wrong      a skipped one
    E what is wrong                        the end: this isn't TOML
    .                                      the end of it all
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from fingerd.directories.table import Table
from fingerd.directories.watched_file import Malformed
from fingerd.interfaces import DirectoryError
from fingerd.user import User, isLogin

_PIECE = 64 * 1024
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

# Before this a file can be cut in two, if the first half makes sense: it isn't in a text then, nor
# in an array. Tables within tables, and arrays of tables, stay with what is before them.
_HEADER = re.compile(
    rb"""
    \n (?=
        [ \t]* \[ [ \t]* (?: [A-Za-z0-9_-]+ | "(?:[^"\\\n]|\\.)*" | '[^'\n]*' ) [ \t]* \]
        [ \t]* (?: \#.* )? \r?\n
    )
    """,
    re.VERBOSE,
)


def records(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """
    The users in a TOML file as records, in pieces of many records each.

    @param longest: the bytes that a record may have.
    """
    ready: list[bytes] = []
    size = 0
    try:
        for users in _tables(file, _SOURCE * longest):
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


def _tables(file: BinaryIO, longest: int) -> Iterator[dict[str, object]]:
    """
    The tables in a file, one or a few at a time.

    @raise ValueError: when this isn't TOML, with words that say where.
    """
    rest = b""
    line = 1
    # How long what was cut must be next time, after it made no sense.
    wanted = 0
    while piece := file.read(_PIECE):
        rest += piece
        begin = 0
        for header in _HEADER.finditer(rest):
            if header.end() - begin < wanted:
                continue
            first = rest[begin : header.end()]
            users = _understood(first, line)
            if users is None:
                # A line of a plan can look like a header. Doubled, the time is only doubled.
                wanted = 2 * len(first)
                continue
            yield users
            line += first.count(b"\n")
            begin, wanted = header.end(), 0
        rest = rest[begin:]
        if len(rest) > longest:
            _complain(rest[: rest.rfind(b"\n") + 1], line, f"longer than {longest} bytes")
    last = _understood(rest, line)
    if last is None:
        _complain(rest, line, "without an end")
    yield last


def _understood(data: bytes, line: int) -> dict[str, object] | None:
    """What is said in ``data``, or None."""
    if line == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return None


def _complain(data: bytes, line: int, otherwise: str) -> NoReturn:
    """Say what is wrong with ``data``, which begins in that line: where it is only too long, so."""
    if line == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        # With as many lines before it as it has in the file, so that the number is right.
        tomllib.loads("\n" * (line - 1) + data.decode())
    except RecursionError:
        otherwise = "nested too deeply"
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        raise ValueError(f"not UTF-8 (at line {line})") from None
    except ValueError as error:
        message = str(error)
        if " (at line " in message:
            raise ValueError(message if message.isprintable() else repr(message)) from None
        otherwise += f": {message}"
    raise ValueError(f"what begins at line {line} is {otherwise}")


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
