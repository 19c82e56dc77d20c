"""The list {C}: what all directories say, joined; and the users in it whom a name matches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from heapq import nlargest
from itertools import islice
from typing import cast

from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from fingerd.logs.failures import Failures, tookTooLong
from fingerd.model import texts
from fingerd.model.counts import Lookups
from fingerd.model.errors import DirectoryError
from fingerd.model.interfaces import IDirectory, IStore, IVerboseDirectory
from fingerd.model.limits import Limits
from fingerd.model.listing import Listing, PreparedUsers
from fingerd.model.masking import Mask
from fingerd.model.matching import matches
from fingerd.model.record import NOTHING_SET, Record
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.system.sharing import Shared
from fingerd.system.slices import Steps, inSlices

_Results = list[tuple[bool, list[User] | Failure]]


class Lists:
    """
    Makes lists of what directories say and of what was set. A list is kept for a moment, since
    it may be long, and many may ask.
    """

    def __init__(
        self,
        directories: Sequence[tuple[IDirectory, Lookups]],
        store: IStore,
        limits: Limits,
        rules: Rules,
        clock: IReactorTime,
        failures: Failures,
        known: Callable[[str], Awaitable[User | None]],
        mask: Callable[[], Mask],
    ) -> None:
        """
        @param directories: each with where what becomes of its lookups is counted.
        @param mask: who is not there, for now.
        @param known: what the directories know of a login.
        """
        self._directories = directories
        self._store = store
        self._limits = limits
        self._rules = rules
        self._clock = clock
        self._failures = failures
        self._known = known
        self._mask = mask
        # The lists that are being made, by whether they are verbose and by how often statuses had
        # changed: whoever asks meanwhile waits for the same one.
        self._making: Shared[tuple[bool, int], Listing] = Shared(clock)
        # The latest lists, verbose and not, and when they were made; how often statuses changed.
        self._kept: dict[bool, tuple[Listing, float]] = {}
        self._changes = 0

    def changed(self) -> None:
        """A status was set: drop the lists that are kept."""
        self._changes += 1
        self._kept.clear()

    async def join(self, verbose: bool) -> Listing:
        """
        All that may be listed.

        @raise Exception: the directory's failure, where there is only one and it fails.
        """
        listing, since = self._kept.get(verbose, (None, 0.0))
        if listing is not None and self._clock.seconds() - since < self._limits.listKept:
            return listing
        changes = self._changes
        listing = await self._making.get(
            (verbose, changes), lambda: Deferred.fromCoroutine(self._joined(verbose))
        )
        if changes == self._changes and not listing.failures:
            self._kept[verbose] = listing, self._clock.seconds()
        return listing

    async def matching(self, name: str) -> Sequence[str]:
        """
        The logins of those in the list who have ``name`` in their full name.

        @raise DirectoryError: where a directory failed: it might have known one.
        """
        listing = await self.join(verbose=False)
        if listing.failures:
            raise DirectoryError("a directory failed, and might have known whom that matches")

        def compared() -> Steps[list[str]]:
            found: list[str] = []
            for user in listing.users:
                if not user.report and matches(user, name):
                    found.append(user.login)
                yield None
            return found

        return (await inSlices(compared(), self._clock))[: self._limits.matchedUsers]

    async def newest(self, listing: Listing, most: int) -> Sequence[User]:
        """Those C{most} in C{listing} who have set a status last, whoever was last first."""

        def compared() -> Steps[list[User]]:
            found: list[User] = []
            for user in listing.users:
                if user.status and not user.report and user.statusSet is not None:
                    found.append(user)
                    if len(found) > 2 * most:
                        found = nlargest(most, found, key=whenSet)
                yield None
            return nlargest(most, found, key=whenSet)

        return await inSlices(compared(), self._clock)

    async def _joined(self, verbose: bool) -> Listing:
        users: dict[str, User] = {}
        reports: list[User] = []
        mask = self._mask()
        failures: list[tuple[str, str]] = []
        asked = [self._ofDirectory(*each, verbose) for each in self._directories]
        results = cast(_Results, await DeferredList(asked, consumeErrors=True))
        for number, (_, result) in enumerate(results, 1):
            if not isinstance(result, Failure):
                for user in mask.users(result):
                    if user.report:
                        reports.append(user)
                    else:
                        # Of two users with one login the first counts, as for who asks for them.
                        users.setdefault(user.login, user)
            elif len(results) == 1 or result.check(CancelledError):
                result.raiseException()
            else:
                what = f"listing the users of directory {number}"
                failures.append(
                    (
                        f"source {number}",
                        texts.internalError(self._failures.reference(result, what)),
                    )
                )
        if self._rules.setting.create:
            for login in self._store.logins(self._limits.listedUsers):
                if login in users or mask.hides(login):
                    continue
                # A directory may hide them.
                if await self._known(login) is None:
                    users[login] = User(login)
        listed = list(islice(users.values(), self._limits.listedUsers))
        return Listing(PreparedUsers([*listed, *reports], self._overlaid), failures)

    def _overlaid(self, user: User) -> User:
        # The login of a report is what its source is called.
        return user if user.report else overlay(user, self._store.held(user.login))

    def _ofDirectory(
        self, directory: IDirectory, lookups: Lookups, verbose: bool
    ) -> Deferred[list[User]]:
        full = verbose and IVerboseDirectory.providedBy(directory)
        ask = cast(IVerboseDirectory, directory).getVerboseUsers if full else directory.getUsers
        asked: Deferred[list[User]] = maybeDeferred(ask, self._limits.listedUsers)
        if not asked.called or asked.paused:
            asked.addTimeout(self._limits.directoryListTime, self._clock, tookTooLong)
        return asked.addCallbacks(
            _answered, _failed, callbackArgs=(lookups,), errbackArgs=(lookups,)
        )


def _answered(users: list[User], lookups: Lookups) -> list[User]:
    lookups.answered += 1
    return users


def _failed(failure: Failure, lookups: Lookups) -> Failure:
    if failure.check(CancelledError):
        lookups.ended += 1
    else:
        lookups.failed += 1
    return failure


def whenSet(user: User) -> float:
    """When the status of C{user} was set, in seconds since the epoch; 0 where nobody knows."""
    return user.statusSet or 0.0


def overlay(user: User, record: Record) -> User:
    """``user``, with what they have set over what their directory says."""
    if record is NOTHING_SET:
        return user
    status, plan, project = record.status, record.plan, record.project
    if status is not None:
        user = user._replace(status=status.text, statusSet=status.set, statusUntil=status.until)
    if plan is not None:
        user = user._replace(plan=plan.text)
    return user if project is None else user._replace(project=project.text)
