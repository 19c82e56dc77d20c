"""A service for tests: users by keyword, statuses in memory, and questions without a door."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from fingerd.directories.given import GivenUsers
from fingerd.model.interfaces import IDirectory, IForwarder, IQueryLog, IStore
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.listing import Listing
from fingerd.model.query import parse
from fingerd.model.record import Change, Changed, Setter
from fingerd.model.reply import Reply
from fingerd.model.rules import DEFAULT_RULES, Rules
from fingerd.model.user import User
from fingerd.service import FingerService
from fingerd.service.visit import Visit
from fingerd.stores.memory import MemoryStore
from fingerd.system.logins import Logins


class Finger(FingerService):
    """A L{FingerService} whose users can be given by keyword; they come first."""

    def __init__(
        self,
        clock: IReactorTime,
        directories: Sequence[IDirectory] = (),
        store: IStore | None = None,
        limits: Limits = DEFAULTS,
        rules: Rules = DEFAULT_RULES,
        forwarder: IForwarder | None = None,
        queryLog: IQueryLog | None = None,
        logins: Logins | None = None,
        now: Callable[[], float] = time.time,
        /,
        **users: str,
    ) -> None:
        super().__init__(
            clock,
            [*([GivenUsers(**users)] if users else []), *directories],
            MemoryStore(now, limits) if store is None else store,
            limits,
            rules,
            forwarder,
            queryLog,
            logins,
            now,
        )

    def visit(self, host: str | None = None) -> Visit:
        """A visit of somebody's whom nothing limits, unless they have a C{host}."""
        visit = self.visits.enter("test", host, lambda: None)
        assert visit is not None
        return visit

    def asked(self, line: bytes, host: str | None = None) -> Deferred[Reply]:
        """What is replied to a request line."""
        visit = self.visit(host)
        visit.line = line

        def left(reply: Reply) -> Reply:
            visit.leave()
            return reply

        return self.ask(parse(line), visit).addCallback(left)

    def getUser(self, login: str, verbose: bool = False) -> Deferred[User | None]:
        """A user as the directories and the store know them."""
        return Deferred.fromCoroutine(self._users.get(login, verbose))

    def findUsers(self, name: str, verbose: bool = False) -> Deferred[Sequence[User]]:
        """The users whom a name means."""
        return Deferred.fromCoroutine(self._users.find(name, verbose))

    def getUsers(self, verbose: bool = False) -> Deferred[Listing]:
        """All who are listed."""
        return Deferred.fromCoroutine(self._users.list(verbose))

    def setUser(
        self, login: str, status: str, by: Setter, seconds: int | None = None
    ) -> Deferred[Changed]:
        """Set a status."""
        return self.set(login, Change(status, seconds), by)
