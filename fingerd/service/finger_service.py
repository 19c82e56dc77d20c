"""The service behind every door: who there is, what they have set, and what may be shown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar, cast

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, fail, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.directories.given import GivenUsers
from fingerd.logs import audit
from fingerd.model import texts
from fingerd.model.errors import ListRefused, SettingRefused
from fingerd.model.interfaces import (
    ICounted,
    IDirectory,
    IFingerService,
    IFingerSetterService,
    IForwarder,
    IHeldDirectory,
    IQueryLog,
    IReloadable,
    IStatusStore,
    IVerboseDirectory,
)
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.listing import Listing
from fingerd.model.record import Setter, Status
from fingerd.model.rules import DEFAULT_RULES, Rules
from fingerd.model.user import User, isLogin
from fingerd.service.admission import Admission
from fingerd.service.asking import Asker
from fingerd.service.lists import Lists, overlay
from fingerd.service.rates import Rates
from fingerd.stores.memory import MemoryStatuses
from fingerd.system import descriptors
from fingerd.system.eager import begun

if TYPE_CHECKING:
    from fingerd.doors.finger.finger_protocol import FingerFactory
    from fingerd.doors.net.exchange import ExchangeFactory
    from fingerd.doors.setter.setter_protocol import FingerSetterFactory

F = TypeVar("F", bound="ExchangeFactory")


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
        queryLog: IQueryLog | None = None,
        /,
        **users: str,
    ) -> None:
        """
        @param clock: the reactor.
        @param statuses: where statuses are kept; in memory, if there is none.
        @param rules: what is shown, and who may set whose status.
        @param forwarder: what asks other hosts; no query is forwarded, if there is none.
        @param queryLog: where queries are logged, if they are.
        @param users: statuses by login.
        """
        super().__init__()
        self._clock = clock
        given = [GivenUsers(users)] if users else []
        self._directories: list[IDirectory] = [*given, *directories]
        self._statuses = MemoryStatuses(time.time, limits) if statuses is None else statuses
        self._limits = limits
        self._rules = rules
        self._mask = rules.mask or None
        self._forwarder = forwarder
        self._queryLog = queryLog
        self._factories: list[ExchangeFactory] = []
        self._admission = Admission(limits.connections, limits.peerConnections)
        self._setterAdmission = Admission(limits.setterConnections)
        self._rates = Rates(limits.peerQueries, limits.peersCounted)
        # Those that are asked first and have their users in memory.
        self._held = [
            cast(IHeldDirectory, directory).held
            for directory in takewhile(IHeldDirectory.providedBy, self._directories)
        ]
        self._lists = Lists(self._directories, self._statuses, limits, rules, clock)
        for part in (*self._directories, self._statuses, queryLog):
            if IService.providedBy(part):
                part.setServiceParent(self)

    def getFingerFactory(self, door: str = "tcp") -> FingerFactory:
        """
        A factory for a finger port.

        @param door: what the port is called in the log of queries.
        """
        from fingerd.doors.finger.finger_protocol import FingerFactory  # noqa: PLC0415

        limits, clock = self._limits, self._clock
        asker = Asker(self, limits, clock, self._rules, self._forwarder)
        return self._kept(
            FingerFactory(asker, limits, clock, self._admission, self._rates, self._queryLog, door)
        )

    def getFingerSetterFactory(self) -> FingerSetterFactory:
        """A factory for a setter port."""
        # A daemon without one needs nothing of what it imports.
        from fingerd.doors.setter.setter_protocol import FingerSetterFactory  # noqa: PLC0415

        return self._kept(
            FingerSetterFactory(self, self._limits, self._clock, self._setterAdmission)
        )

    def getUser(self, login: str, verbose: bool = False) -> Deferred[User | None]:
        """See L{IFingerService}."""
        return begun(self._getUser(login, verbose))

    def findUsers(self, name: str, verbose: bool = False) -> Deferred[Sequence[User]]:
        """See L{IFingerService}."""
        try:
            user = self._atHand(name)
        except Exception:
            # A directory of somebody's own.
            return fail()
        return begun(self._findUsers(name, verbose)) if user is None else succeed((user,))

    def getUsers(self, verbose: bool = False) -> Deferred[Listing]:
        """See L{IFingerService}."""
        return begun(self._getUsers(verbose))

    def setUser(
        self, login: str, status: str, by: Setter, until: float | None = None
    ) -> Deferred[None]:
        """See L{IFingerSetterService}."""
        return begun(self._setUser(login, status, by, until))

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

    def startService(self) -> None:
        most = descriptors.room(self._limits)
        if most < self._limits.connections:
            self._log.warn(
                "room for {most} connections only: see the system's limit on open files, as in "
                "ulimit -n",
                most=most,
            )
        self._admission.most = most
        super().startService()

    def _atHand(self, login: str) -> User | None:
        """
        A user who is in memory, as most are; to find them otherwise costs several times as much.
        None is for all others: for those who may be elsewhere, or nowhere, or not be seen.
        """
        mask = self._mask
        if mask is not None and mask.hides(login):
            return None
        for held in self._held:
            user = held(login)
            if user is not None and mask is not None:
                user = mask.user(user)
            if user is not None:
                return overlay(user, self._statuses.held(login))
        return None

    async def _getUser(self, login: str, verbose: bool) -> User | None:
        mask = self._rules.mask
        user = mask.user(await self._find(login, verbose, masked=mask.hides(login)))
        mayBeMade = self._rules.setting.create and isLogin(login) and not mask.hides(login)
        if user is None and not mayBeMade:
            return None
        status = await self._statuses.getStatus(login)
        if user is None and status is not None:
            user = User(login)
        return user and overlay(user, status)

    async def _findUsers(self, name: str, verbose: bool) -> Sequence[User]:
        user = await self._getUser(name, verbose)
        if user is not None:
            return (user,)
        if not self._rules.matched or not isLogin(name):
            return ()
        # A list says less of a user than who is asked for the one.
        found = [await self._getUser(login, verbose) for login in await self._lists.matching(name)]
        return [user for user in found if user is not None]

    async def _getUsers(self, verbose: bool) -> Listing:
        if not self._rules.listed:
            raise ListRefused
        return await self._lists.join(verbose)

    async def _setUser(self, login: str, status: str, by: Setter, until: float | None) -> None:
        policy = self._rules.setting
        refusal = policy.refusal(by, login)
        if refusal is not None:
            raise SettingRefused(refusal)
        mayMake = policy.create and isLogin(login)
        if not mayMake and await self._find(login) is None:
            raise SettingRefused(texts.NO_SUCH_USER)
        await self._statuses.setStatus(login, Status(status, time.time(), by.who, until))
        self._lists.changed()
        audit.changed(by, login, status, until)

    async def _find(self, login: str, verbose: bool = False, masked: bool = False) -> User | None:
        # What can't be a login reaches no directory: none has to look out for it.
        if not isLogin(login):
            return None
        for directory in self._directories:
            full = verbose and IVerboseDirectory.providedBy(directory)
            ask = cast(IVerboseDirectory, directory).getVerboseUser if full else directory.getUser
            user = await ask(login)
            # For one who is masked all are asked, as for one whom nobody knows: neither the time
            # it takes nor a directory that fails tells the two apart.
            if user is not None and not masked:
                return user
        return None

    def _reloadFailed(self, failure: Failure, directory: IDirectory) -> None:
        self._log.failure("Reloading {directory} failed", failure, directory=directory)

    def _kept(self, factory: F) -> F:
        self._factories.append(factory)
        return factory
