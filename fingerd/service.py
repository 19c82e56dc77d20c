"""The service behind every door: who there is, what they have set, and what may be shown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar, cast

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd import answer, audit
from fingerd.directories.given import GivenUsers
from fingerd.exchange import ExchangeFactory
from fingerd.failing import internalError, tookTooLong
from fingerd.interfaces import (
    DirectoryError,
    ICounted,
    IDirectory,
    IFingerService,
    IFingerSetterService,
    IForwarder,
    IReloadable,
    IStatusStore,
    IVerboseDirectory,
    ListRefused,
    Setter,
    SettingRefused,
    Status,
)
from fingerd.limits import DEFAULTS, Limits
from fingerd.listing import Listing
from fingerd.matching import matches
from fingerd.protocol import FingerFactory
from fingerd.rules import DEFAULT_RULES, Rules
from fingerd.setter import FingerSetterFactory
from fingerd.statuses.memory import MemoryStatuses
from fingerd.user import User, isLogin

F = TypeVar("F", bound=ExchangeFactory)
_Results = list[tuple[bool, list[User] | Failure]]


@implementer(IFingerService, IFingerSetterService)
class FingerService(MultiService):
    """
    Asks its directories in their order, and lays what was set over what they say.

    Users can be given by keyword, as in ``FingerService(reactor, moshez="Happy and well")``;
    they come before the directories. A directory that is a service is started and stopped with
    this one. Stopping waits for the answers in flight.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        directories: Sequence[IDirectory] = (),
        statuses: IStatusStore | None = None,
        limits: Limits = DEFAULTS,
        rules: Rules = DEFAULT_RULES,
        forwarder: IForwarder | None = None,
        /,
        **users: str,
    ) -> None:
        """
        @param clock: the reactor.
        @param statuses: where statuses are kept; in memory, if there is none.
        @param rules: what is shown, and who may set whose status.
        @param forwarder: what asks other hosts; no query is forwarded, if there is none.
        @param users: statuses by login.
        """
        super().__init__()
        self._clock = clock
        given = [GivenUsers(users)] if users else []
        self._directories: list[IDirectory] = [*given, *directories]
        self._statuses = MemoryStatuses(time.time, limits) if statuses is None else statuses
        self._limits = limits
        self._rules = rules
        self._forwarder = forwarder
        self._factories: list[ExchangeFactory] = []
        # The latest lists, verbose and not, and when they were made; how many statuses were set.
        self._listings: dict[bool, tuple[Listing, float]] = {}
        self._changes = 0
        for part in (*self._directories, self._statuses):
            if IService.providedBy(part):
                part.setServiceParent(self)

    def getFingerFactory(self) -> FingerFactory:
        """A factory for a finger port."""
        return self._kept(
            FingerFactory(self, self._limits, self._clock, self._rules, self._forwarder)
        )

    def getFingerSetterFactory(self) -> FingerSetterFactory:
        """A factory for a setter port."""
        return self._kept(FingerSetterFactory(self, self._limits, self._clock))

    def getUser(self, login: str, verbose: bool = False) -> Deferred[User | None]:
        """See L{IFingerService}."""
        return Deferred.fromCoroutine(self._getUser(login, verbose))

    def findUsers(self, name: str, verbose: bool = False) -> Deferred[Sequence[User]]:
        """See L{IFingerService}."""
        return Deferred.fromCoroutine(self._findUsers(name, verbose))

    def getUsers(self, verbose: bool = False) -> Deferred[Listing]:
        """See L{IFingerService}."""
        return Deferred.fromCoroutine(self._getUsers(verbose))

    def setUser(
        self, login: str, status: str, by: Setter, until: float | None = None
    ) -> Deferred[None]:
        """See L{IFingerSetterService}."""
        return Deferred.fromCoroutine(self._setUser(login, status, by, until))

    def reload(self) -> Deferred[None]:
        """
        Let every directory look for changes. It never fails, and so can be a timer's function:
        a timer that fails stops for ever.
        """
        reloads = [
            maybeDeferred(directory.reload).addErrback(self._reloadFailed, directory)
            for directory in self._directories
            if IReloadable.providedBy(directory)
        ]
        return gatherResults(reloads).addCallback(lambda _: None)

    def count(self) -> int | None:
        """How many users there are, or None where a directory can't tell at once."""
        counted = [d for d in self._directories if ICounted.providedBy(d)]
        return sum(map(len, counted)) if len(counted) == len(self._directories) else None

    def someLogin(self) -> str | None:
        """A user to ask for, to show how it is done: None where none is known at once."""
        found: list[User] = []
        for directory in self._directories:
            if ICounted.providedBy(directory):
                directory.getUsers(1).addCallback(found.extend)
        return found[0].login if found else None

    def stopService(self) -> Deferred[None]:
        """Finish what is being answered, then stop what answers it."""
        drained = gatherResults([factory.drain() for factory in self._factories])
        return drained.addCallback(lambda _: MultiService.stopService(self))

    async def _getUser(self, login: str, verbose: bool) -> User | None:
        mask = self._rules.mask
        if mask.hides(login):
            return None
        user = mask.user(await self._find(login, verbose))
        mayBeMade = self._rules.setting.create and isLogin(login)
        if user is None and not mayBeMade:
            return None
        status = await self._statuses.getStatus(login)
        if user is None and status is not None:
            user = User(login)
        return user and _overlaid(user, status)

    async def _findUsers(self, name: str, verbose: bool) -> Sequence[User]:
        user = await self._getUser(name, verbose)
        if user is not None:
            return (user,)
        return await self._matching(name) if self._rules.matched and isLogin(name) else ()

    async def _matching(self, name: str) -> Sequence[User]:
        listing = await self._list(verbose=False)
        if listing.failures:
            raise DirectoryError("a directory failed, and might have known whom that matches")
        found = (user for user in listing.users if not user.report and matches(user, name))
        return tuple(islice(found, self._limits.matchedUsers))

    async def _getUsers(self, verbose: bool) -> Listing:
        if not self._rules.listed:
            raise ListRefused
        listing, since = self._listings.get(verbose, (None, 0.0))
        if listing is not None and self._clock.seconds() - since < self._limits.listKept:
            return listing
        changes = self._changes
        listing = await self._list(verbose)
        if changes == self._changes and not listing.failures:
            self._listings[verbose] = listing, self._clock.seconds()
        return listing

    async def _list(self, verbose: bool) -> Listing:
        """What all directories have to say, asked at the same time."""
        users: dict[str, User] = {}
        failures: list[tuple[str, str]] = []
        asked = [self._ofDirectory(directory, verbose) for directory in self._directories]
        results = cast(_Results, await DeferredList(asked, consumeErrors=True))
        for number, (_, result) in enumerate(results, 1):
            if not isinstance(result, Failure):
                # Of two with the same login, the first is the one that is asked.
                for user in self._rules.mask.users(result):
                    users.setdefault(user.login, user)
            elif len(results) == 1:
                result.raiseException()
            else:
                what = f"listing the users of directory {number}"
                failures.append((f"source {number}", internalError(self._log, result, what)))
        if self._rules.setting.create:
            made = map(User, await self._statuses.getLogins(self._limits.listedUsers))
            for user in self._rules.mask.users(made):
                users.setdefault(user.login, user)
        listed = list(islice(users.values(), self._limits.listedUsers))
        statuses = await self._statuses.getStatuses([user.login for user in listed])
        return Listing([_overlaid(user, statuses.get(user.login)) for user in listed], failures)

    def _ofDirectory(self, directory: IDirectory, verbose: bool) -> Deferred[list[User]]:
        full = verbose and IVerboseDirectory.providedBy(directory)
        ask = cast(IVerboseDirectory, directory).getVerboseUsers if full else directory.getUsers
        asked: Deferred[list[User]] = maybeDeferred(ask, self._limits.listedUsers)
        if not asked.called or asked.paused:
            asked.addTimeout(self._limits.directoryListTime, self._clock, tookTooLong)
        return asked

    async def _setUser(self, login: str, status: str, by: Setter, until: float | None) -> None:
        policy = self._rules.setting
        refusal = policy.refusal(by, login)
        if refusal is not None:
            raise SettingRefused(refusal)
        mayMake = policy.create and isLogin(login)
        if not mayMake and await self._find(login) is None:
            raise SettingRefused(answer.NO_SUCH_USER)
        await self._statuses.setStatus(login, Status(status, time.time(), by.who, until))
        self._changes += 1
        self._listings.clear()
        audit.changed(by, login, status, until)

    async def _find(self, login: str, verbose: bool = False) -> User | None:
        # What can't be a login reaches no directory: none has to look out for it.
        if not isLogin(login):
            return None
        for directory in self._directories:
            full = verbose and IVerboseDirectory.providedBy(directory)
            ask = cast(IVerboseDirectory, directory).getVerboseUser if full else directory.getUser
            user: User | None = await maybeDeferred(ask, login)
            if user is not None:
                return user
        return None

    def _reloadFailed(self, failure: Failure, directory: IDirectory) -> None:
        self._log.failure("Reloading {directory} failed", failure, directory=directory)

    def _kept(self, factory: F) -> F:
        self._factories.append(factory)
        return factory


def _overlaid(user: User, status: Status | None) -> User:
    if status is None:
        return user
    return replace(user, status=status.text, statusSet=status.set)
