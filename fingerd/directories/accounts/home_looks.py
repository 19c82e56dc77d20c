"""Looking at many homes for a list, some of which may be on a file server that hangs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from fingerd.directories.accounts.passwd_format import Account
from fingerd.model.errors import DirectoryError
from fingerd.model.user import User
from fingerd.system.threads import Threads

# A home that takes so many seconds, and up to twice as many, hangs. Of such homes a list can have
# some in the time that a directory has for its part of it.
_PATIENCE = 0.5


class HomeLooks:
    """
    Looks at homes, one after the other, in a thread. One that hangs is left out: another thread
    looks at those behind it, and from lists to come it is left out at once, until it has answered.
    """

    def __init__(
        self,
        look: Callable[[Account], User | None],
        threads: Threads,
        clock: IReactorTime,
        seconds: float,
        hangs: Callable[[str], object],
    ) -> None:
        """
        @param look: looks at a home, in a thread: the user that is to be listed, or None.
        @param seconds: how long the looks for one list may take.
        @param hangs: is told of each login whose home turns out to hang.
        """
        self._look = look
        self._threads = threads
        self._clock = clock
        self._seconds = seconds
        self._hangs = hangs
        self._hanging: set[str] = set()

    async def users(self, accounts: Sequence[Account]) -> list[User]:
        """
        Those of these accounts who are to be listed.

        @raise DirectoryError: when that takes too long, or C{look} raises it.
        """
        users: list[User] = []
        left = [account for account in accounts if account.login not in self._hanging]
        end = time.monotonic() + self._seconds
        while left:
            walk = _Walk(left, self._look, end)
            done = self._threads.run(walk, walk.go)
            try:
                if not await self._isDone(walk, done):
                    self._leaveOut(left[walk.at].login, done)
            finally:
                walk.over = True
            if walk.error is not None:
                raise walk.error
            users += walk.users
            left = left[walk.at + 1 :]
        return users

    async def _isDone(self, walk: _Walk, done: Deferred[None]) -> bool:
        """Whether the walk comes to its end, and not to a home that hangs."""
        while not done.called:
            at = walk.at
            await self._pause(done)
            if not done.called and walk.at == at >= 0:
                return False
        return True

    def _pause(self, done: Deferred[None]) -> Deferred[None]:
        """Fires when C{done} has fired, or after a while."""
        over: Deferred[None] = Deferred(lambda _: later.cancel())
        later = self._clock.callLater(_PATIENCE, over.callback, None)

        def now(result: None) -> None:
            if later.active():
                later.cancel()
                over.callback(None)
            return result

        done.addBoth(now)
        return over

    def _leaveOut(self, login: str, done: Deferred[None]) -> None:
        self._hanging.add(login)
        self._hangs(login)
        done.addBoth(lambda _: self._hanging.discard(login))


class _Walk:
    """
    A walk from home to home, in a thread, until somebody in another says that it is over.

    @ivar at: the number of the account whose home is looked at; -1 before the first one is.
    @ivar error: why the walk ended early.
    """

    def __init__(
        self, accounts: Sequence[Account], look: Callable[[Account], User | None], end: float
    ) -> None:
        self.at = -1
        self.over = False
        self.error: Exception | None = None
        self.users: list[User] = []
        self._accounts = accounts
        self._look = look
        self._end = end

    def go(self) -> None:
        """Look at all homes, as long as the walk isn't over."""
        try:
            for number, account in enumerate(self._accounts):
                self.at = number
                if time.monotonic() > self._end:
                    raise DirectoryError("listing the accounts takes too long")
                user = self._look(account)
                if self.over:
                    return
                if user is not None:
                    self.users.append(user)
            self.at = len(self._accounts)
        except Exception as error:
            self.error = error
