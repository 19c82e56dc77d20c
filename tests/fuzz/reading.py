"""Files: whatever is in one, it is read, or the reason why not is given in words."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from fingerd.directories.accounts import gecos
from fingerd.directories.accounts.passwd_format import PasswdReader, fromTable
from fingerd.directories.file.users_format import UsersReader
from fingerd.directories.toml import toml_format
from fingerd.directories.watched.lines import LineReader
from fingerd.directories.watched.table import Table
from fingerd.directories.watched.watched_file import Malformed
from fingerd.model.errors import DirectoryError
from fingerd.model.user import User, isLogin
from tests.fuzz import checks

_LONGEST = 1000
_LISTED = 10_000

_Outcome = tuple[list[tuple[str, str]], int, list[str]]


class _Sips(io.BytesIO):
    """A file that gives so many bytes at a time."""

    def __init__(self, data: bytes, sip: int) -> None:
        super().__init__(data)
        self._sip = sip

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._sip)


def _isRead(found: _Outcome) -> None:
    users, skipped, reasons = found
    assert all(isLogin(login) for login, _ in users)
    assert len(reasons) == min(skipped, 10)
    assert all(reason.isprintable() for reason in reasons), reasons


def _lines(reader: Callable[[Table], LineReader], pieces: Sequence[bytes]) -> _Outcome:
    table = Table(_LISTED)
    reading = reader(table)
    for piece in pieces:
        reading.feed(piece)
    reading.end()
    return list(table.first(_LISTED)), reading.skipped, reading.reasons


def users(given: bytes) -> None:
    """A users file."""
    file = checks.read(given)
    whole = _lines(lambda table: UsersReader(table, _LONGEST), [file.data])
    for pieces in file.cuts:
        assert _lines(lambda table: UsersReader(table, _LONGEST), pieces) == whole
    _isRead(whole)
    assert all(len(status) <= _LONGEST + status.count("\n") for _, status in whole[0])


def passwd(given: bytes) -> None:
    """A file of accounts."""
    file = checks.read(given)
    wanted = range(100, 1 << 31)
    whole = _lines(lambda table: PasswdReader(table, _LONGEST, uids=wanted), [file.data])
    for pieces in file.cuts:
        split = _lines(lambda table: PasswdReader(table, _LONGEST, uids=wanted), pieces)
        assert split == whole
    _isRead(whole)
    for login, text in whole[0]:
        account = fromTable(login, text)
        user = gecos.userOf(account, 256)
        assert account.uid in wanted and "\0" not in account.home, account
        assert max(map(len, (user.name, user.office, user.officePhone, user.homePhone))) <= 256


def toml(given: bytes) -> None:
    """A TOML file, and the records that its users go as from process to process."""
    file = checks.read(given)
    whole = _toml(file.data, 1 << 20)
    # A table that is too long is found to be that sooner or later.
    if len(file.data) <= _LONGEST:
        assert _toml(file.data, 1 + file.flags) == whole
    if isinstance(whole, str):
        assert whole.isprintable(), whole


def records(given: bytes) -> None:
    """What comes from the process that reads TOML."""
    come = checks.read(given)
    whole = _records([come.data])
    for pieces in come.cuts:
        assert _records(pieces) == whole


def _toml(data: bytes, sip: int) -> object:
    table = Table(_LISTED)
    reader = toml_format.TomlReader(table, _LONGEST)
    try:
        for piece in toml_format.records(_Sips(data, sip), _LONGEST):
            reader.feed(piece)
        reader.end()
    except Malformed as error:
        return str(error)
    _isRead((list(table.first(_LISTED)), reader.skipped, reader.reasons))
    return _users(table), reader.skipped, reader.reasons


def _records(pieces: Sequence[bytes]) -> object:
    table = Table(_LISTED)
    reader = toml_format.TomlReader(table, _LONGEST)
    try:
        for piece in pieces:
            reader.feed(piece)
        reader.end()
    except (DirectoryError, Malformed) as error:
        # Of what is refused nothing counts.
        return type(error)
    return _users(table), reader.skipped, reader.reasons


def _users(table: Table) -> list[User]:
    return [toml_format.user(login, text) for login, text in table.first(_LISTED)]
