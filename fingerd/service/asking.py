"""
From a L{Query} to its L{Answer}: who is asked, and what is said when that fails.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred, fail, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from fingerd.doors.finger import answer
from fingerd.logs.failures import Failures, tookTooLong
from fingerd.model import texts
from fingerd.model.errors import ListRefused
from fingerd.model.interfaces import IFingerService, IForwarder
from fingerd.model.limits import Limits
from fingerd.model.listing import Listing
from fingerd.model.outcome import Answer, Said
from fingerd.model.query import Name, Query
from fingerd.model.rules import DEFAULT_RULES, Rules
from fingerd.model.user import User
from fingerd.system.eager import begun
from fingerd.text import cleaning

T = TypeVar("T")

_LIST_DENIED = Said(texts.LIST_DENIED, "refused")
_FORWARDING_DENIED = Said(texts.FORWARDING_DENIED, "refused")
_TOO_MANY_LOOKUPS = Said(texts.TOO_MANY_LOOKUPS, "limited")


class Asker:
    """
    Asks a service what a query wants to know.

    A lookup has ``limits.lookupTime`` seconds; what fails or takes longer is said in words, its
    reason goes into the log and never to the client.
    """

    _log = Logger()

    def __init__(
        self,
        service: IFingerService,
        limits: Limits,
        clock: IReactorTime,
        rules: Rules = DEFAULT_RULES,
        forwarder: IForwarder | None = None,
    ) -> None:
        """
        @param forwarder: what asks other hosts. Without one, no query is forwarded.
        """
        self._service = service
        self._limits = limits
        self._clock = clock
        self._views = rules.views
        self._replacements = rules.replacements
        self._replaces = bool(rules.replacements)
        self._forwarder = forwarder
        self._failures = Failures(self._log, limits, clock)
        # The latest lists, verbose and not, with what they were made of.
        self._lists: dict[bool, tuple[Listing, Answer]] = {}
        # How many lookups have no result yet.
        self._waiting = 0

    def ask(self, query: Query) -> Deferred[Answer]:
        """
        The answer to ``query``. It never fails. To cancel it, because the client has gone, is to
        cancel all that is still being asked for it; what it then fires with is of no use.
        """
        names, verbose = query
        if len(names) != 1 or names[0].host is not None:
            return begun(self._ask(names, verbose))
        return self.askUser(names[0].user, verbose)

    def askUser(self, login: str, verbose: bool = False) -> Deferred[Answer]:
        """As L{ask}, for one name that isn't to be asked elsewhere."""
        found = self._service.findUsers(login, verbose)
        if found.called and not found.paused and not isinstance(found.result, Failure):
            # What mostly happens needs no coroutine, which would cost as much again.
            users: Sequence[User] = found.result  # type: ignore[assignment]
            return succeed(self.answer(self._ofUsers(users, login, verbose)))
        return begun(self._answered(self._askUser(login, verbose, found)))

    def answer(self, said: Said) -> Answer:
        """The bytes that say so."""
        return Answer(answer.encode(said.text, self._limits.answerSize), said.outcome)

    async def _ask(self, names: tuple[Name, ...], verbose: bool) -> Answer:
        if not names:
            return await self._askList(verbose)
        if len(names) == 1:
            return self.answer(await self._askName(names[0], verbose))
        return self.answer(await self._askSeveral(names, verbose))

    async def _answered(self, asked: Awaitable[Said]) -> Answer:
        return self.answer(await asked)

    async def _askList(self, verbose: bool) -> Answer:
        try:
            listing = await self._bounded(self._service.getUsers(verbose))
        except ListRefused:
            return self.answer(_LIST_DENIED)
        except Exception:
            return self.answer(self._failed("listing the users"))
        kept = self._lists.get(verbose)
        if kept is None or kept[0] is not listing:
            # A list may be long: all who are sent it are sent the same bytes.
            made = self.answer(Said(self._layout(listing, verbose), "list"))
            kept = self._lists[verbose] = listing, made
        return kept[1]

    def _layout(self, listing: Listing, verbose: bool) -> str:
        size = self._limits.answerSize
        if verbose:
            views, now = self._views.verbose, time.time()
            return answer.ofUsersInFull(listing, views, now, self._replacements, size)
        return answer.ofUsers(listing, self._views.list, self._replacements, size)

    async def _askSeveral(self, names: tuple[Name, ...], verbose: bool) -> Said:
        asked = names[: self._limits.namesPerQuery]
        each = await gatherResults(
            [begun(self._askName(name, verbose)) for name in asked], consumeErrors=True
        )
        labels = (name.user if name.host is None else f"{name.user}@{name.host}" for name in asked)
        texts = zip(labels, (said.text for said in each), strict=True)
        return Said(answer.ofSeveral(texts, len(names) - len(asked)), "several")

    async def _askName(self, name: Name, verbose: bool) -> Said:
        if name.host is not None:
            return await self._forward(name, verbose)
        login = name.user
        return await self._askUser(login, verbose, self._service.findUsers(login, verbose))

    async def _askUser(self, login: str, verbose: bool, found: Deferred[Sequence[User]]) -> Said:
        try:
            users = await self._bounded(found)
        except Exception:
            return self._failed(f"looking up {login!r}")
        return self._ofUsers(users, login, verbose)

    def _ofUsers(self, users: Sequence[User], login: str, verbose: bool) -> Said:
        try:
            if not users:
                return Said(self._replaced(texts.NO_SUCH_USER), "unknown")
            fields, now = self._views.ofOne(verbose), time.time()
            each = [answer.ofUser(user, fields, now) for user in users]
            text = each[0] if len(each) == 1 else "\n\n".join(each)
            return Said(self._replaced(text), "found")
        except Exception:
            return self._failed(f"answering for {login!r}")

    async def _forward(self, name: Name, verbose: bool) -> Said:
        if self._forwarder is None:
            return _FORWARDING_DENIED
        try:
            text = await self._bounded(self._forwarder.forward(name, verbose))
        except Exception:
            return self._failed(f"forwarding {name.user!r} to {name.host!r}")
        if text is None:
            return _FORWARDING_DENIED
        return Said(self._replaced(cleaning.clean(text)), "forwarded")

    def _replaced(self, text: str) -> str:
        if not self._replaces:
            return text
        return self._replacements(text, self._limits.answerSize)

    def _bounded(self, lookup: Deferred[T]) -> Deferred[T]:
        # Most lookups have their result by now, and need neither a timer nor to be counted.
        if lookup.called and not lookup.paused:
            return lookup
        if self._waiting >= self._limits.lookups:
            lookup.addErrback(lambda _: None)
            lookup.cancel()
            return fail(TooManyLookups())
        self._waiting += 1
        lookup.addTimeout(self._limits.lookupTime, self._clock, tookTooLong)
        return lookup.addBoth(self._waited)

    def _waited(self, result: T) -> T:
        self._waiting -= 1
        return result

    def _failed(self, what: str) -> Said:
        """What to say of the exception that is being handled."""
        failure = Failure()
        if failure.check(CancelledError):
            # The client has gone: nothing went wrong, and nobody reads the answer.
            return Said(texts.INTERNAL_ERROR, "gone")
        if failure.check(TooManyLookups):
            return _TOO_MANY_LOOKUPS
        return Said(self._failures.internalError(failure, what), "failed")


class TooManyLookups(Exception):
    """As many lookups as may wait do so already."""
