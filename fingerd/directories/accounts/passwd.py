"""
The people who have accounts: ``passwd:``.

What is shown of a user is what finger(1) shows: the GECOS field of the account, and from the home
directory ``.plan``, the first line of ``.project``, and ``.pubkey`` or else ``.pgpkey``. A
``.nofinger`` in the home hides the user. L{fingerd.directories.accounts.home_files} has the rules
by which these are read.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import cast

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.directories.accounts import gecos
from fingerd.directories.accounts.home_files import Home, openHome
from fingerd.directories.accounts.home_looks import HomeLooks
from fingerd.directories.accounts.passwd_file import PasswdFile
from fingerd.directories.accounts.passwd_format import LARGEST_UID, Account, number
from fingerd.directories.accounts.system_accounts import IAccounts, SystemAccounts
from fingerd.directories.watched.file_url import pathIn
from fingerd.model.counts import Readings
from fingerd.model.errors import DirectoryError
from fingerd.model.interfaces import IDirectory, IReloadable, IWatching, IWithHomes
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import HIDDEN, User
from fingerd.system.threads import Threads

# By the custom of Linux, the uids of people begin at 1000 and 65534 is nobody.
PEOPLE = range(1000, 65534)
EVERYONE = range(LARGEST_UID + 1)

# With these the system as a whole lacks something: no home can be looked at.
_LACKS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@implementer(IDirectory, IWatching, IWithHomes)
class Passwd(MultiService):
    """
    The users of L{IAccounts}, with what is in their homes.

    Everything that may block is done in threads, C{limits.passwdThreads} of them, and as many more
    for lists. L{Threads} says what cancelling does then.

    Where this process can't look into a home, since it may not or sees none there, it can't tell
    whether there is a C{.nofinger}. The user is then shown without what is in files, or hidden, as
    the administrator wants. A user whose home can't be looked at for another reason, or hangs, is
    not listed, and to look for that user fails.
    """

    _log = Logger()

    def __init__(
        self,
        accounts: IAccounts,
        reactor: IReactorFromThreads,
        limits: Limits = DEFAULTS,
        hideClosed: bool = False,
    ) -> None:
        """
        @param hideClosed: hide the users whose homes can't be looked into.
        """
        super().__init__()
        self._hideClosed = hideClosed
        self._accounts = accounts
        self._reactor = reactor
        self._limits = limits
        # What the log has said of homes, so that it says so once.
        self._troubles: set[str] = set()
        self._threads = Threads(reactor, limits.passwdThreads, limits.passwdWaiting)
        # Lists have their own: what hangs there keeps nobody from being looked up.
        self._listers = Threads(reactor, limits.passwdThreads, limits.passwdWaiting)
        self._homes = HomeLooks(
            self._listed,
            self._listers,
            cast(IReactorTime, reactor),
            limits.lookupTime,
            lambda login: self._say(f"the home of {login!r}: it doesn't answer"),
        )
        if IService.providedBy(accounts):
            accounts.setServiceParent(self)

    def __str__(self) -> str:
        return f"passwd:{self._accounts}"

    @property
    def readings(self) -> Readings | None:
        """How the readings of a file of accounts went: see L{IWatching}."""
        return self._accounts.readings if IWatching.providedBy(self._accounts) else None

    def startService(self) -> None:
        super().startService()
        if os.geteuid() == 0:
            self._log.warn(
                "{directory} reads no files of its users, since this process is root",
                directory=self,
            )
        counting = partial(self._count, self._accounts.listing(self._limits.listedUsers))
        self._threads.run("closed homes", counting).addCallbacks(self._sayClosed, self._cantCount)

    def stopService(self) -> Deferred[object]:
        self._threads.stop()
        self._listers.stop()
        stopped: Deferred[object] = super().stopService()
        return stopped

    def getUser(self, login: str) -> Deferred[User | None]:
        return self._threads.run(login, partial(self._find, self._accounts.finding(login)))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return Deferred.fromCoroutine(self._list(limit))

    def closedHomes(self) -> list[str]:
        """The logins of those whose home this process can't look into. This may block."""
        listing = self._accounts.listing(self._limits.listedUsers)
        return [account.login for account in listing() if _isClosed(account)]

    def reload(self) -> Deferred[None]:
        """Read a file of accounts again if it has changed: see L{IReloadable}."""
        if IReloadable.providedBy(self._accounts):
            return self._accounts.reload()
        return succeed(None)

    def _find(self, finding: Callable[[], Account | None]) -> User | None:
        account = finding()
        if account is None:
            return None
        try:
            with openHome(account.home, account.uid) as home:
                if self._hides(home):
                    return HIDDEN
                read = partial(home.read, size=self._limits.homeFileSize)
                return gecos.userOf(account, self._limits.gecosPart)._replace(
                    project=read(".project").partition("\n")[0].strip(),
                    plan=read(".plan").rstrip(),
                    publicKey=(read(".pubkey") or read(".pgpkey")).rstrip(),
                )
        except OSError as error:
            raise DirectoryError(f"the home of {account.login!r}: {error.strerror}") from error

    async def _list(self, limit: int) -> list[User]:
        accounts = await self._listers.run(limit, self._accounts.listing(limit))
        return await self._homes.users(accounts)

    def _listed(self, account: Account) -> User | None:
        """Whom the list has for this account, if there is anybody."""
        try:
            with openHome(account.home, account.uid) as home:
                if self._hides(home):
                    return None
        except OSError as error:
            trouble = f"the home of {account.login!r}: {error.strerror}"
            if error.errno in _LACKS:
                raise DirectoryError(trouble) from error
            self._reactor.callFromThread(self._say, trouble)
            return None
        return gecos.userOf(account, self._limits.gecosPart)

    def _hides(self, home: Home) -> bool:
        return home.hides() or (home.closed and self._hideClosed)

    def _count(self, listing: Callable[[], list[Account]]) -> tuple[int, int]:
        """How many homes can't be looked into, and of how many that were tried."""
        end = time.monotonic() + self._limits.lookupTime
        closed = looked = 0
        for account in listing():
            if time.monotonic() > end:
                break
            looked += 1
            closed += _isClosed(account)
        return closed, looked

    def _sayClosed(self, counted: tuple[int, int]) -> None:
        closed, looked = counted
        if closed:
            self._log.warn(
                "{directory}: of {looked} homes {closed} can't be looked into by this user, since "
                "they are closed or not there, and a .nofinger in them can't be seen; their users "
                "are {what}",
                directory=self,
                looked=looked,
                closed=closed,
                what="hidden (closed-homes=hide)"
                if self._hideClosed
                else "shown (closed-homes=show): closed-homes=hide hides them",
            )

    def _cantCount(self, failure: Failure) -> None:
        # Whether they are cancelled, since the daemon stops, or fail: whoever asks will see.
        self._log.info(
            "{directory}: it can't be told how many homes can't be looked into ({reason})",
            directory=self,
            reason=failure.getErrorMessage(),
        )

    def _say(self, trouble: str) -> None:
        # Once for each: what is wrong with a home is so for every list.
        if trouble not in self._troubles and len(self._troubles) < self._limits.listedUsers:
            self._troubles.add(trouble)
            self._log.warn(
                "{directory} doesn't list a user, {trouble}", directory=self, trouble=trouble
            )


def _isClosed(account: Account) -> bool:
    """Whether this process can't look into the home of C{account}."""
    with suppress(OSError), openHome(account.home, account.uid) as home:
        home.hides()
        return home.closed
    return False


def fromURL(rest: str, reactor: IReactorTime, limits: Limits = DEFAULTS) -> Passwd:
    """
    The directory that ``passwd:`` and ``rest`` name: nothing for the system's accounts, or the
    path of a file of accounts, from ``/`` on. Options are ``min-uid=N`` and ``max-uid=N``, with a
    comma between them, and after a path a ``?`` before them. By default people count, uids 1000
    to 65533; of a file all count. C{closed-homes=hide} hides those whose homes can't be looked
    into.

    @param reactor: one that can be called from threads.
    @raise ValueError: when it names none, with the reason in words.
    """
    path, options = "", rest
    if rest.startswith("/"):
        path, _, options = rest.partition("?")
    given: dict[str, int] = {}
    for option in options.split(",") if options else ():
        name, _, value = option.partition("=")
        if name not in ("min-uid", "max-uid", "closed-homes"):
            raise ValueError(
                f"{option!r} is neither min-uid=N, nor max-uid=N, nor closed-homes=hide, nor a "
                "path from / on"
            )
        if name in given:
            raise ValueError(f"{name} is there twice")
        if name != "closed-homes":
            given[name] = number(value, "uid")
        elif value in ("hide", "show"):
            given[name] = value == "hide"
        else:
            raise ValueError(f"closed-homes is hide or show, not {value!r}")
    default = EVERYONE if path else PEOPLE
    uids = range(given.get("min-uid", default.start), given.get("max-uid", default[-1]) + 1)
    if not uids:
        raise ValueError(f"there is no uid from {uids.start} to {uids.stop - 1}")
    accounts = (
        PasswdFile(pathIn(path), reactor, uids, limits) if path else SystemAccounts(uids, limits)
    )
    hideClosed = bool(given.get("closed-homes"))
    return Passwd(accounts, IReactorFromThreads(reactor), limits, hideClosed)
