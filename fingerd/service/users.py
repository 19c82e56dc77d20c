"""Who there is, and how they are: what the directories know, and over it what was set."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from itertools import takewhile
from typing import cast

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from fingerd.logs.failures import Failures
from fingerd.model.counts import Counts
from fingerd.model.interfaces import IDirectory, IHeldDirectory, IStore, IVerboseDirectory
from fingerd.model.limits import Limits
from fingerd.model.listing import Listing
from fingerd.model.masking import Mask
from fingerd.model.record import Entry
from fingerd.model.rules import Rules
from fingerd.model.user import HIDDEN, User, isLogin
from fingerd.service.lists import Lists, overlay, whenSet

# More than are kept of anybody.
_ALL = 1_000_000


class Users:
    """
    Asks the directories in their order, and lays what was set over what they say. Masked users, and
    those who have hidden themselves, are not there. Nothing here is reduced or cleaned: that is
    done with what may be shown.
    """

    def __init__(
        self,
        directories: Sequence[IDirectory],
        store: IStore,
        limits: Limits,
        rules: Rules,
        clock: IReactorTime,
        failures: Failures,
        counts: Counts,
    ) -> None:
        """
        @param counts: where lookups are counted.
        """
        asked = list(zip(directories, counts.lookups, strict=True))
        self.lists = Lists(asked, store, limits, rules, clock, failures, self.known, self._mask)
        store.onChange(self.lists.changed)
        self._directories = asked
        self._store = store
        self._rules = rules
        # Who had hidden themselves when it was last looked, and the mask that hides them too.
        self._hidden: frozenset[str] = frozenset()
        self._masked = rules.mask
        # The directories that are asked first and have their users in memory.
        inMemory = takewhile(lambda each: IHeldDirectory.providedBy(each[0]), asked)
        self._held = [
            (cast(IHeldDirectory, directory).held, lookups) for directory, lookups in inMemory
        ]

    def atHand(self, login: str) -> User | None:
        """
        The user called C{login}, where a directory has them in memory: C{get} costs several times
        as much. None says nothing of the user, who may be elsewhere or nowhere, or not be seen.

        @raise Exception: whatever a directory of somebody's own raises.
        """
        mask, record = self._rules.mask, self._store.held(login)
        if record.hidden or (mask and mask.hides(login)):
            return None
        for held, lookups in self._held:
            user = held(login)
            if user is HIDDEN:
                return None
            if user is not None and user.report:
                user = self._mask().user(user)
            if user is not None:
                lookups.answered += 1
                return overlay(user, record)
        return None

    async def get(self, login: str, verbose: bool = False) -> User | None:
        """
        The user called C{login}, or None where there is none, or none that may be seen.

        @raise Exception: a directory's failure, where one fails: that is never "no such user".
        """
        record = self._store.held(login)
        masked = record.hidden is not None or self._rules.mask.hides(login)
        user = known = await self.known(login, verbose, masked)
        if user is HIDDEN:
            user = None
        elif user is not None and user.report:
            user = self._mask().user(user)
        # A source may know a user by other names than the login.
        elif user is not None and user.login != login and self._mask().hides(user.login):
            user = None
        if user is not None:
            return overlay(user, record)
        mayBeMade = self._rules.setting.create and isLogin(login) and known is None
        shows = record.status or record.plan or record.project
        return overlay(User(login), record) if mayBeMade and shows else None

    async def withHistory(self, login: str, most: int) -> tuple[User | None, Sequence[Entry]]:
        """
        The user as C{get} finds them, and the newest C{most} statuses that they have set.

        @raise Exception: what C{get} does, and L{DirectoryError} where the store can't be read.
        """
        user = await self.get(login)
        if user is None or not most:
            return user, ()
        return user, await self._store.history(login, most)

    async def latest(self, listing: Listing, most: int, each: int) -> Sequence[tuple[User, Entry]]:
        """
        The newest C{most} statuses that those in C{listing} have set, of which C{each} at most are
        one user's; with no C{each}, what shows now. It raises what the store does.
        """
        # The newest that a user has set is what shows: whoever isn't among as many users whose
        # statuses are newer has none that counts.
        found: list[tuple[User, Entry]] = []
        for user in await self.lists.newest(listing, most):
            set = await self._store.history(user.login, min(each, most)) if each else ()
            # (A directory may know when a status was set that wasn't set here.)
            set = set or [Entry(user.status, whenSet(user))]
            found += ((user, status) for status in set)
        return nlargest(most, found, key=lambda pair: pair[1].set)

    async def past(self, login: str) -> Sequence[Entry] | None:
        """
        All statuses that are kept of C{login} since the last clearing, the newest first; None where
        there is no such user, or none who lets people ask for that. It raises what C{withHistory}
        does.
        """
        if await self.get(login) is None or self._store.held(login).publicHistory is None:
            return None
        return await self._store.history(login, _ALL, ended=True)

    async def find(self, name: str, verbose: bool = False) -> Sequence[User]:
        """
        The user whose login is C{name} or, where the administrator wants that and there is none,
        the users who have it in their full name (RFC 1288 2.5.3). It raises what C{get} does.
        """
        user = await self.get(name, verbose)
        if user is not None:
            return (user,)
        if not self._rules.matched or not isLogin(name):
            return ()
        # A list may know less of a user than their directory says when it is asked for the one.
        found = [await self.get(login, verbose) for login in await self.lists.matching(name)]
        return [user for user in found if user is not None]

    async def list(self, verbose: bool = False) -> Listing:
        """All who may be listed. It raises what a directory does, where all directories fail."""
        return await self.lists.join(verbose)

    async def known(self, login: str, verbose: bool = False, masked: bool = False) -> User | None:
        """
        The user C{login} as the first directory says that knows one and doesn't hide them;
        L{HIDDEN} where one hides them and no other knows them. For who is hidden all directories
        are asked, as for one whom nobody knows: neither the time it takes nor a directory that
        fails tells the two apart.

        @param masked: hide the user, whatever the directories say.
        """
        # What can't be a login reaches no directory: none has to look out for it.
        if not isLogin(login):
            return None
        hidden = masked
        for directory, lookups in self._directories:
            full = verbose and IVerboseDirectory.providedBy(directory)
            ask = cast(IVerboseDirectory, directory).getVerboseUser if full else directory.getUser
            try:
                user = await ask(login)
            except CancelledError:
                lookups.ended += 1
                raise
            except Exception:
                lookups.failed += 1
                raise
            lookups.answered += 1
            if user is HIDDEN:
                hidden = True
            elif user is not None and not masked:
                return user
        return HIDDEN if hidden else None

    def _mask(self) -> Mask:
        """Whom the administrator has masked, and those who have hidden themselves."""
        hidden = frozenset(self._store.hidden())
        if hidden != self._hidden:
            self._hidden, self._masked = hidden, self._rules.mask.and_(hidden)
        return self._masked
