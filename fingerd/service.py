"""The service behind every door: who there is, what they have set, and what may be shown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd import answer, audit
from fingerd.directories.given import GivenUsers
from fingerd.exchange import ExchangeFactory
from fingerd.interfaces import (
    ICounted,
    IDirectory,
    IFingerService,
    IFingerSetterService,
    IReloadable,
    IStatusStore,
    Setter,
    SettingRefused,
    Status,
)
from fingerd.limits import DEFAULTS, Limits
from fingerd.policy import SetPolicy
from fingerd.protocol import FingerFactory
from fingerd.setter import FingerSetterFactory
from fingerd.statuses.memory import MemoryStatuses
from fingerd.user import User, isLogin

F = TypeVar("F", bound=ExchangeFactory)

_OWNERS = SetPolicy()


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
        policy: SetPolicy = _OWNERS,
        /,
        **users: str,
    ) -> None:
        """
        @param clock: the reactor.
        @param statuses: where statuses are kept; in memory, if there is none.
        @param policy: who may set whose status; users their own, if nothing is said.
        @param users: statuses by login.
        """
        super().__init__()
        self._clock = clock
        given = [GivenUsers(users)] if users else []
        self._directories: list[IDirectory] = [*given, *directories]
        self._statuses = MemoryStatuses(time.time, limits) if statuses is None else statuses
        self._limits = limits
        self._policy = policy
        self._factories: list[ExchangeFactory] = []
        for part in (*self._directories, self._statuses):
            if IService.providedBy(part):
                part.setServiceParent(self)

    def getFingerFactory(self) -> FingerFactory:
        """A factory for a finger port."""
        return self._kept(FingerFactory(self, self._limits, self._clock))

    def getFingerSetterFactory(self) -> FingerSetterFactory:
        """A factory for a setter port."""
        return self._kept(FingerSetterFactory(self, self._limits, self._clock))

    def getUser(self, login: str) -> Deferred[User | None]:
        """See L{IFingerService}."""
        return Deferred.fromCoroutine(self._getUser(login))

    def getUsers(self) -> Deferred[list[User]]:
        """See L{IFingerService}."""
        return Deferred.fromCoroutine(self._getUsers())

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

    async def _getUser(self, login: str) -> User | None:
        user = await self._find(login)
        if user is None and self._policy.create and isLogin(login):
            made = await self._statuses.getStatus(login)
            return None if made is None else _overlaid(User(login), made)
        if user is None:
            return None
        return _overlaid(user, await self._statuses.getStatus(login))

    async def _getUsers(self) -> list[User]:
        users: dict[str, User] = {}
        for directory in self._directories:
            left = self._limits.listedUsers - len(users)
            # Of two with the same login, the first is the one that is asked.
            for user in await maybeDeferred(directory.getUsers, left):
                users.setdefault(user.login, user)
        statuses = await self._statuses.getStatuses(list(users))
        return [_overlaid(user, statuses.get(login)) for login, user in users.items()]

    async def _setUser(self, login: str, status: str, by: Setter, until: float | None) -> None:
        refusal = self._policy.refusal(by, login)
        if refusal is not None:
            raise SettingRefused(refusal)
        mayMake = self._policy.create and isLogin(login)
        if not mayMake and await self._find(login) is None:
            raise SettingRefused(answer.NO_SUCH_USER)
        await self._statuses.setStatus(login, Status(status, time.time(), by.who, until))
        audit.changed(by, login, status, until)

    async def _find(self, login: str) -> User | None:
        # What can't be a login reaches no directory: none has to look out for it.
        if not isLogin(login):
            return None
        for directory in self._directories:
            user: User | None = await maybeDeferred(directory.getUser, login)
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
