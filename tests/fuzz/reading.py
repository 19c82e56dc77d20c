"""Files: whatever is in one, it is read, or the reason why not is given in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fingerd.directories import toml_file
from fingerd.directories.accounts import gecos
from fingerd.directories.accounts.passwd_format import PasswdReader, fromTable
from fingerd.directories.users_file import UsersReader
from fingerd.directories.watched.reader import LineReader, Malformed
from fingerd.directories.watched.table import Table
from fingerd.model.user import isLogin
from tests.fuzz import checks

_LONGEST = 1000
_LISTED = 10_000

_Outcome = tuple[list[tuple[str, str]], int, list[str]]


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
    """A TOML file."""
    file = checks.read(given)
    whole = _toml([file.data])
    # A table that is too long is found to be that sooner or later.
    if len(file.data) <= _LONGEST:
        for pieces in file.cuts:
            assert _toml(pieces) == whole
    if isinstance(whole, str):
        assert whole.isprintable(), whole


def _toml(pieces: Sequence[bytes]) -> object:
    table = Table(_LISTED)
    reader = toml_file.TomlReader(table, _LONGEST)
    try:
        for piece in pieces:
            reader.feed(piece)
        reader.end()
    except Malformed as error:
        return str(error)
    listed = list(table.first(_LISTED))
    _isRead((listed, reader.skipped, reader.reasons))
    users = [toml_file.userOf(login, text) for login, text in listed]
    return users, reader.skipped, reader.reasons
