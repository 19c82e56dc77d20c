"""The accounts in a file of the system's format, read again when they change."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from fingerd.directories.accounts import gecos
from fingerd.directories.accounts.passwd_format import Account, PasswdReader, fromTable
from fingerd.directories.accounts.system_accounts import IAccounts
from fingerd.directories.watched.table import Table
from fingerd.directories.watched.watched_file import WatchedFile
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User


@implementer(IAccounts)
class PasswdFile(WatchedFile):
    """
    The accounts in a file; see L{fingerd.directories.accounts.passwd_format} for its format.

    By itself it is a directory that knows nothing of homes.
    """

    def __init__(
        self, path: str, clock: IReactorTime, uids: range, limits: Limits = DEFAULTS
    ) -> None:
        """
        @param clock: the reactor.
        @param uids: the users that count.
        """
        super().__init__(path, clock, limits)
        self._uids = uids

    # The table may be let go while a thread is at work: so the thread gets all that it needs.

    def finding(self, login: str) -> Callable[[], Account | None]:
        """See L{IAccounts}."""
        text = self._table.get(login)
        return lambda: None if text is None else fromTable(login, text)

    def listing(self, limit: int) -> Callable[[], list[Account]]:
        """See L{IAccounts}."""
        entries = list(self._table.first(limit))
        return lambda: [fromTable(*entry) for entry in entries]

    def _reader(self, table: Table) -> PasswdReader:
        return PasswdReader(table, self._limits.usersFileLine, uids=self._uids)

    def _user(self, login: str, text: str) -> User:
        return gecos.userOf(fromTable(login, text), self._limits.gecosPart)
