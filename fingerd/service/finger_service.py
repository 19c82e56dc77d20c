"""The service behind every door: who there is, what they have set, and what may be shown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from fingerd.logs.failures import Failures
from fingerd.model.counts import LAG_TIMES, Counts, Figures, Lookups, Times
from fingerd.model.interfaces import (
    ICounted,
    IDirectory,
    IForwarder,
    IKeyring,
    IMeasured,
    IQueryLog,
    IReloadable,
    IRemoteSetterService,
    IStore,
    IWatching,
)
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.query import Query
from fingerd.model.record import Change, Changed, Entry, Record, Setter
from fingerd.model.reply import Reply
from fingerd.model.rules import DEFAULT_RULES, Rules
from fingerd.model.user import User
from fingerd.model.visiting import IVisit
from fingerd.service.rates import Rates
from fingerd.service.replies import Replies
from fingerd.service.settings import Settings
from fingerd.service.shared_visits import SharedVisits
from fingerd.service.users import Users
from fingerd.service.visits import Visits
from fingerd.system import descriptors
from fingerd.system.logins import Logins
from fingerd.system.monotonic import useMonotonicTime
from fingerd.system.shared_table import REMOTE_SETTERS, SETTERS, VISITS, Column

if TYPE_CHECKING:
    from fingerd.doors.finger.finger_protocol import FingerFactory
    from fingerd.doors.setter.setter_protocol import FingerSetterFactory


@implementer(IRemoteSetterService, IMeasured)
class FingerService(MultiService):
    """
    Says who there is to every door, after one set of rules and limits for the whole daemon.

    A directory, a store or a query log that is a service is started and stopped with this one.
    Stopping waits for the answers in flight.

    @ivar drained: fires when the service is being stopped and the last visitor has left.
    @ivar lag: how late the reactor was, where somebody looks (L{fingerd.system.lag}).
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        directories: Sequence[IDirectory],
        store: IStore,
        limits: Limits = DEFAULTS,
        rules: Rules = DEFAULT_RULES,
        forwarder: IForwarder | None = None,
        queryLog: IQueryLog | None = None,
        logins: Logins | None = None,
        now: Callable[[], float] = time.time,
        keyrings: Sequence[IKeyring] = (),
        column: Column | None = None,
    ) -> None:
        """
        @param clock: the reactor.
        @param directories: who there is; they are asked in this order.
        @param store: where what users set is kept.
        @param rules: what is shown, and who may set whose status.
        @param forwarder: what asks other hosts; no query is forwarded, if there is none.
        @param queryLog: where queries are logged, if they are.
        @param logins: tells the login of a uid; the system is asked, if there is none.
        @param now: the time, in seconds since the epoch.
        @param keyrings: where users' SSH keys are, beside the directories that have some.
        @param column: of what several workers share, so that limits hold for all of them; there is
            none where this process is the daemon.
        """
        super().__init__()
        # Timers keep their time, whoever sets the clock on the wall.
        useMonotonicTime(clock)
        self._clock = clock
        self._limits = limits
        self._directories = directories
        self._mask = rules.mask
        self._logins = Logins(clock, limits=limits) if logins is None else logins
        self.drained: Deferred[None] = Deferred()
        self.lag = Times(LAG_TIMES)
        self._counts = counts = Counts(lookups=[Lookups() for _ in directories])
        peer, log = limits.peerConnections, queryLog
        # A peer may do by SSH what it may, whatever else it asks.
        ssh = column and column.apart("ssh")
        self.visits = self._counted(column, VISITS, "connections", peer, log)
        self.setters = self._counted(column, SETTERS, "setterConnections", limits.userConnections)
        self.measurers = self._counted(None, 0, "metricsConnections")
        self.remoteSetters = self._counted(
            ssh, REMOTE_SETTERS, "sshConnections", limits.sshPeerConnections
        )
        self._logIns = Rates(limits.sshLogins, limits.peersCounted, ssh)
        # What can change, and is looked at again from time to time.
        self._sources: list[object] = [*directories, *keyrings]
        failures = Failures(self._log, limits, clock)
        self._users = users = Users(directories, store, limits, rules, clock, failures, counts)
        self._replies = Replies(users, limits, rules, forwarder, failures, clock, counts, column)
        self._settings = Settings(
            users, store, limits, rules, failures, clock, self._logins, now, counts, column
        )
        for part in (*self._sources, store, queryLog):
            if IService.providedBy(part):
                part.setServiceParent(self)

    def getFingerFactory(self) -> FingerFactory:
        """A factory for a finger port."""
        # The service looks at the doors here and in the method below only.
        from fingerd.doors.finger.finger_protocol import FingerFactory  # noqa: PLC0415

        return FingerFactory(self, self._limits, self._clock)

    def getFingerSetterFactory(self) -> FingerSetterFactory:
        """A factory for a setter port."""
        from fingerd.doors.setter.setter_protocol import FingerSetterFactory  # noqa: PLC0415

        return FingerSetterFactory(self, self._limits, self._clock)

    def ask(self, query: Query, visit: IVisit) -> Deferred[Reply]:
        """See L{IRemoteSetterService}."""
        return self._replies.ask(query, visit)

    def askNow(self, login: str, visit: IVisit) -> Reply | None:
        """See L{IRemoteSetterService}."""
        return self._replies.askNow(login, visit)

    def history(self, login: str, visit: IVisit, most: int) -> Deferred[Reply]:
        """See L{IRemoteSetterService}."""
        return self._replies.history(login, visit, most)

    def latest(self, visit: IVisit, most: int, each: int) -> Deferred[Reply]:
        """See L{IRemoteSetterService}."""
        return self._replies.latest(visit, most, each)

    def set(self, login: str, change: Change, by: Setter) -> Deferred[Changed]:
        """See L{IRemoteSetterService}."""
        return Deferred.fromCoroutine(self._settings.set(login, change, by))

    def undo(self, login: str, by: Setter) -> Deferred[Changed]:
        """See L{IRemoteSetterService}."""
        return Deferred.fromCoroutine(self._settings.undo(login, by))

    def erase(self, login: str, by: Setter) -> Deferred[None]:
        """See L{IRemoteSetterService}."""
        return Deferred.fromCoroutine(self._settings.erase(login, by))

    def record(self, login: str, by: Setter) -> Deferred[Record]:
        """See L{IRemoteSetterService}."""
        return Deferred.fromCoroutine(self._settings.record(login, by))

    def changes(self, login: str, by: Setter) -> Deferred[Sequence[Entry]]:
        """See L{IRemoteSetterService}."""
        return Deferred.fromCoroutine(self._settings.changes(login, by))

    def refused(self, by: Setter, reason: str) -> None:
        """See L{IRemoteSetterService}."""
        self._settings.refused(by, reason)

    def mayLogIn(self, visit: IVisit) -> bool:
        """See L{IRemoteSetterService}."""
        return visit.peer is None or self._logIns.take(visit.peer, self._clock.seconds())

    def keysOf(self, login: str) -> str:
        """See L{IRemoteSetterService}."""
        found = (each.keysOf(login) for each in self._sources if IKeyring.providedBy(each))
        return "\n".join(filter(None, found))

    def reload(self) -> Deferred[None]:
        """
        Let every directory look for changes. It never fails, and so can be a timer's function:
        a timer that fails stops for ever.
        """
        reloads = [
            maybeDeferred(source.reload).addErrback(self._reloadFailed, source)
            for source in self._sources
            if IReloadable.providedBy(source)
        ]
        return gatherResults(reloads).addCallback(lambda _: None)

    def count(self) -> int | None:
        """How many users there are, or None where a directory can't tell at once."""
        counted = [d for d in self._directories if ICounted.providedBy(d)]
        return sum(map(len, counted)) if len(counted) == len(self._directories) else None

    def figures(self) -> Deferred[Figures]:
        """See L{IMeasured}."""
        return succeed(self.figuresNow())

    def figuresNow(self) -> Figures:
        """What L{figures} fires with."""
        each = self._visits()
        return Figures(
            self._counts,
            Counter(visit.door for visits in each for visit in visits),
            {visits.limit: visits.most for visits in each},
            [len(each) if ICounted.providedBy(each) else None for each in self._directories],
            [each.readings if IWatching.providedBy(each) else None for each in self._directories],
            self.lag,
            bool(self.running) and all(part.running for part in self),
        )

    def someLogin(self) -> str | None:
        """A user to ask for, to show how it is done: None where none is known at once."""
        found: list[User] = []
        for directory in self._directories:
            if ICounted.providedBy(directory):
                directory.getUsers(self._limits.listedUsers).addCallback(found.extend)
        # One who is masked would be a poor example.
        return next((user.login for user in self._mask.users(found)), None)

    def startService(self) -> None:
        most = descriptors.room(self._limits)
        if most < self._limits.connections:
            self._log.warn(
                "room for {most} connections only: see the system's limit on open files, as in "
                "ulimit -n",
                most=most,
            )
        self.visits.most = most
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Finish what is being answered, then stop what answers it."""
        drained = gatherResults([each.drain() for each in self._visits()])
        return drained.addCallback(self._stop)

    def _visits(self) -> tuple[Visits, ...]:
        return self.visits, self.setters, self.remoteSetters, self.measurers

    def _counted(
        self,
        column: Column | None,
        row: int,
        limit: str,
        perPeer: int | None = None,
        queryLog: IQueryLog | None = None,
    ) -> Visits:
        """
        Visits at doors of one kind.

        @param column: where workers count them together, if they do.
        @param row: which row of it.
        @param limit: the name of the limit that says how many there may be.
        """
        most: int = getattr(self._limits, limit)
        facts = (self._limits, self._clock, most, perPeer, queryLog, self._counts, limit)
        if column is None:
            return Visits(*facts)
        return SharedVisits(*facts, column=column, row=row)

    def _stop(self, drained: object) -> Deferred[None]:
        if not self.drained.called:
            self.drained.callback(None)
        self._logins.stop()
        stopped: Deferred[None] = maybeDeferred(MultiService.stopService, self)
        return stopped

    def _reloadFailed(self, failure: Failure, source: object) -> None:
        self._log.failure("Reloading {source} failed", failure, source=source)
