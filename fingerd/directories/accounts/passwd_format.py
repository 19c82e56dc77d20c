"""
The format of passwd(5): ``login:password:uid:gid:GECOS:home:shell`` a line, all seven fields.

 - The first line for a login counts, as it does for getpwnam(3).
 - Password, group and shell are not kept.
 - Blank lines, and lines that begin with ``#``, are nothing.

Any other line, such as ``+`` for NIS, is skipped. All others count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fingerd.directories.watched.reader import LineReader
from fingerd.directories.watched.table import Table
from fingerd.model.user import isLogin

# The largest uid there can be: one more is -1, which is nobody's.
LARGEST_UID = 2**32 - 2

# No system has longer logins, and a request line has 512 bytes.
_LONGEST_LOGIN = 256

_NUMBER = re.compile("[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Account:
    """
    What an account says of its user. Bytes that are not UTF-8 are kept as Python's
    "surrogateescape" has them: a home directory can be called anything.
    """

    login: str
    uid: int
    gecos: str
    home: str


def parse(line: str) -> Account:
    """
    The account that a line of passwd(5), without its end, describes.

    @raise ValueError: when it describes none, with the reason.
    """
    fields = line.split(":")
    if len(fields) != 7:
        raise ValueError(f"{len(fields)} fields, and not 7")
    login, _, uid, gid, gecos, home, _ = fields
    if not isLogin(login) or len(login) > _LONGEST_LOGIN:
        raise ValueError("no user can be called that")
    if "\0" in line:
        raise ValueError("a NUL in it")
    number(gid, "gid")
    return Account(login, number(uid, "uid"), gecos, home)


def number(text: str, what: str) -> int:
    """
    The uid or gid that ``text`` is; ``what`` is which of them it should be, in words.

    @raise ValueError: when it is none.
    """
    if _NUMBER.fullmatch(text) and int(text) <= LARGEST_UID:
        return int(text)
    raise ValueError(f"{text!r} is not a {what}: a number from 0 to {LARGEST_UID}")


class PasswdReader(LineReader):
    """Reads a file in the format of passwd(5), in pieces of any size, into a table."""

    def __init__(self, table: Table, longest: int, uids: range) -> None:
        """
        @param uids: the users that are wanted. The others are as if not there.
        """
        super().__init__(table, longest)
        self._uids = uids

    def _read(self, line: bytes) -> None:
        account = parse(line.removesuffix(b"\r").decode("utf-8", "surrogateescape"))
        if account.uid not in self._uids:
            return
        if self._table.get(account.login) is not None:
            raise ValueError("there was this user before")
        self._table.put(account.login, f"{account.uid}:{account.home}:{account.gecos}")


def fromTable(login: str, text: str) -> Account:
    """The account that L{PasswdReader} put into the table for ``login``."""
    uid, home, gecos = text.split(":")
    return Account(login, int(uid), gecos, home)
