"""From a query to the reply: who is asked, what may be shown, and what is said when that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from fingerd.logs.failures import Failures
from fingerd.model import past, texts
from fingerd.model.counts import Counts
from fingerd.model.fields import Field, Fields
from fingerd.model.interfaces import IForwarder
from fingerd.model.limits import Limits
from fingerd.model.listing import Listing
from fingerd.model.query import Name, Query
from fingerd.model.record import Status
from fingerd.model.reply import Reply
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.model.visiting import IVisit
from fingerd.service.lookups import Lookups, TooManyLookups
from fingerd.service.rates import Rates
from fingerd.service.shown import Shown, ShownUsers
from fingerd.service.users import Users
from fingerd.system.shared_table import Column
from fingerd.system.sharing import Shared
from fingerd.text.cleaning import clean

T = TypeVar("T")


class Replies:
    """
    Replies to queries.

    A lookup has C{limits.lookupTime} seconds. One that fails or takes longer is answered in words;
    the reason goes into the log and never to the client.
    """

    def __init__(
        self,
        users: Users,
        limits: Limits,
        rules: Rules,
        forwarder: IForwarder | None,
        failures: Failures,
        clock: IReactorTime,
        counts: Counts,
        column: Column | None = None,
    ) -> None:
        """
        @param forwarder: what asks other hosts. Without one, no query is forwarded.
        @param clock: the reactor.
        @param counts: where it is counted who came to a limit.
        @param column: of what several workers share, if there are any.
        """
        self._refusals = counts.refusals
        self._users = users
        self._limits = limits
        self._rules = rules
        self._views = rules.views
        self._forwarder = forwarder
        self._failures = failures
        self._clock = clock
        self._rates = Rates(limits.peerQueries, limits.peersCounted, column)
        self._shown = shown = Shown(rules.replacements, limits.answerSize)
        # The latest lists, verbose and not, with what they were made of.
        self._lists: dict[bool, tuple[Listing, Reply]] = {}
        # The latest statuses of those in them, by how many were asked for; and those that are being
        # looked for.
        self._latest: dict[tuple[int, int], Reply] = {}
        self._makingLatest: Shared[tuple[Reply, int, int], Reply] = Shared()
        self._lookups = Lookups(limits, clock, column)
        self._unknown = Reply("unknown", shown.words(texts.NO_SUCH_USER))
        self._listDenied = Reply("refused", texts.LIST_DENIED)
        self._forwardingDenied = Reply("refused", texts.FORWARDING_DENIED)
        self._tooManyQueries = Reply("limited", texts.TOO_MANY_QUERIES)
        self._tooManyLookups = Reply("limited", texts.TOO_MANY_LOOKUPS)
        self._tooLong = Reply("too-long", texts.QUERY_TOO_LONG)
        self._gone = Reply("gone", texts.INTERNAL_ERROR)

    def ask(self, query: Query, visit: IVisit) -> Deferred[Reply]:
        """See L{fingerd.model.interfaces.IFingerService}."""
        visit.waits()
        names, verbose, tooLong = query
        if tooLong:
            self._refusals["queryLength"] += 1
            return succeed(self._tooLong)
        if not self._mayAsk(visit, min(len(names), self._limits.namesPerQuery)):
            return succeed(self._tooManyQueries)
        if len(names) == 1 and names[0].host is None:
            reply = self._atHand(names[0].user, verbose)
            if reply is not None:
                return succeed(reply)
        return Deferred.fromCoroutine(self._ask(names, verbose, visit))

    def askNow(self, login: str, visit: IVisit) -> Reply | None:
        """See L{fingerd.model.interfaces.IFingerService}."""
        reply = self._atHand(login, False)
        if reply is None or self._mayAsk(visit):
            return reply
        return self._tooManyQueries

    def history(self, login: str, visit: IVisit, most: int) -> Deferred[Reply]:
        """See L{fingerd.model.interfaces.IFingerService}."""
        visit.waits()
        if not self._mayAsk(visit):
            return succeed(self._tooManyQueries)
        return Deferred.fromCoroutine(self._askHistory(login, visit, most))

    def latest(self, visit: IVisit, most: int, each: int) -> Deferred[Reply]:
        """See L{fingerd.model.interfaces.IFingerService}."""
        visit.waits()
        if not self._mayAsk(visit):
            return succeed(self._tooManyQueries)
        return Deferred.fromCoroutine(self._askLatest(visit, most, each))

    def _mayAsk(self, visit: IVisit, names: int = 1) -> bool:
        now, peer = self._clock.seconds(), visit.peer
        if peer is None or self._rates.take(peer, now, names):
            return True
        self._refusals["peerQueries"] += 1
        return False

    def _atHand(self, login: str, verbose: bool) -> Reply | None:
        """The reply, where all of it is in memory. What fails here is tried again by C{_ask}."""
        try:
            user = self._users.atHand(login)
            return None if user is None else self._found((user,), verbose)
        except Exception:
            # A directory of somebody's own.
            return None

    async def _ask(self, names: tuple[Name, ...], verbose: bool, visit: IVisit) -> Reply:
        if not names:
            return await self._askList(verbose, visit)
        if len(names) == 1:
            return await self._askName(names[0], verbose, visit)
        return await self._askSeveral(names, verbose, visit)

    async def _askList(self, verbose: bool, visit: IVisit) -> Reply:
        if not self._rules.listed:
            return self._listDenied
        try:
            listing = await self._lookups.run(
                visit.peer, lambda: Deferred.fromCoroutine(self._users.list(verbose))
            )
        except Exception:
            return self._failed("listing the users", visit)
        return self._replyOf(listing, verbose)

    def _replyOf(self, listing: Listing, verbose: bool) -> Reply:
        kept = self._lists.get(verbose)
        if kept is None or kept[0] is not listing:
            kept = self._lists[verbose] = listing, self._listed(listing, verbose)
            if not verbose:
                self._latest.clear()
        return kept[1]

    async def _askLatest(self, visit: IVisit, most: int, each: int) -> Reply:
        if not self._rules.listed:
            return self._listDenied
        try:
            return await self._lookups.run(
                visit.peer, lambda: Deferred.fromCoroutine(self._withLatest(most, each))
            )
        except Exception:
            return self._failed("listing the latest statuses", visit)

    async def _withLatest(self, most: int, each: int) -> Reply:
        listing = await self._users.list()
        reply = self._replyOf(listing, False)
        if Field.STATUS not in reply.fields & self._views.user:
            return Reply("list")
        key = most, each
        kept = self._latest.get(key)
        if kept is None:
            kept = await self._makingLatest.get(
                (reply, *key),
                lambda: Deferred.fromCoroutine(self._madeLatest(listing, reply.fields, *key)),
            )
            # There may be a newer list by now.
            if self._lists[False][1] is reply:
                self._latest[key] = kept
        return kept

    async def _madeLatest(self, listing: Listing, fields: Fields, most: int, each: int) -> Reply:
        latest = await self._users.latest(listing, most, each)
        of = [self._shown.listed(user, fields) for user, _ in latest]
        statuses = self._shown.statuses([status for _, status in latest])
        return Reply("list", latest=list(zip(of, statuses, strict=True)))

    def _listed(self, listing: Listing, verbose: bool) -> Reply:
        shown = self._shown
        fields = self._views.verbose if verbose else self._views.list
        show = shown.listedInFull if verbose else shown.listed
        return Reply(
            "list",
            self._unknown.words,
            users=ShownUsers(listing.users, fields, show),
            fields=fields,
            verbose=verbose,
            failures=[(shown.words(name), shown.words(text)) for name, text in listing.failures],
        )

    async def _askSeveral(self, names: tuple[Name, ...], verbose: bool, visit: IVisit) -> Reply:
        asked = names[: self._limits.namesPerQuery]
        each: Sequence[Reply] = await gatherResults(
            [Deferred.fromCoroutine(self._askName(name, verbose, visit)) for name in asked],
            consumeErrors=True,
        )
        labels = (name.user if name.host is None else f"{name.user}@{name.host}" for name in asked)
        return Reply(
            "failed" if any(reply.outcome == "failed" for reply in each) else "several",
            parts=list(zip(labels, each, strict=True)),
            unanswered=len(names) - len(asked),
        )

    async def _askName(self, name: Name, verbose: bool, visit: IVisit) -> Reply:
        if name.host is not None:
            return await self._forward(name, verbose, visit)
        login = name.user
        asked = past.parse(login) if self._rules.past else None
        if asked is not None:
            return await self._askPast(*asked, visit)
        try:
            users = await self._evenly(
                self._lookups.run(
                    visit.peer, lambda: Deferred.fromCoroutine(self._users.find(login, verbose))
                )
            )
            return self._found(users, verbose) if users else self._unknown
        except Exception:
            return self._failed(f"looking up {login!r}", visit)

    async def _askPast(self, login: str, wanted: str, visit: IVisit) -> Reply:
        try:
            set = await self._lookups.run(
                visit.peer, lambda: Deferred.fromCoroutine(self._users.past(login))
            )
        except Exception:
            return self._failed(f"looking up the history of {login!r}", visit)
        meant = past.meant(set, wanted) if set and Field.STATUS in self._views.user else ()
        if not meant:
            return self._unknown
        return Reply("history", past.lines(self._shown.statuses(meant)))

    async def _askHistory(self, login: str, visit: IVisit, most: int) -> Reply:
        most = most if Field.STATUS in self._views.user else 0
        try:
            found = await self._evenly(
                self._lookups.run(
                    visit.peer, lambda: Deferred.fromCoroutine(self._withHistory(login, most))
                )
            )
            if found is None:
                return self._unknown
            user, set = found
            reply = self._found((user,), False)
            reply.history = self._shown.statuses(set)
            return reply
        except Exception:
            return self._failed(f"looking up the history of {login!r}", visit)

    async def _withHistory(self, login: str, most: int) -> tuple[User, Sequence[Status]] | None:
        user, set = await self._users.withHistory(login, most)
        return None if user is None else (user, set)

    async def _evenly(self, lookup: Deferred[T]) -> T:
        """
        What C{lookup} gives. Where that is nothing, and takes a while, it takes as long for those
        who are hidden as for those whom nobody knows: some sources tell one of them sooner.
        """
        atOnce = lookup.called
        began = self._clock.seconds()
        found = await lookup
        if not found and not atOnce:
            step = self._limits.unknownTime
            now = self._clock.seconds()
            until = now + step - (now - began) % step
            while now < until:
                # The reactor sleeps whole milliseconds; what is left of one passes in its turns,
                # each of which takes longer than a microsecond.
                await deferLater(self._clock, max(1e-6, until - now - 0.001))
                now = self._clock.seconds()
        return found

    def _found(self, users: Sequence[User], verbose: bool) -> Reply:
        fields = self._views.verbose if verbose else self._views.user
        show = self._shown.user
        if len(users) == 1:
            return Reply("found", users=(show(users[0], fields),), fields=fields, verbose=verbose)
        shown = [show(user, fields) for user in users]
        return Reply("found", users=shown, fields=fields, verbose=verbose)

    async def _forward(self, name: Name, verbose: bool, visit: IVisit) -> Reply:
        if self._forwarder is None:
            return self._forwardingDenied
        forward = self._forwarder.forward
        try:
            text = await self._lookups.run(visit.peer, lambda: forward(name, verbose))
        except Exception:
            return self._failed(f"forwarding {name.user!r} to {name.host!r}", visit)
        if text is None:
            return self._forwardingDenied
        return Reply("forwarded", self._shown.words(clean(text)))

    def _failed(self, what: str, visit: IVisit) -> Reply:
        """What to say of the exception that is being handled."""
        failure = Failure()
        if failure.check(TooManyLookups):
            self._refusals["lookups"] += 1
            return self._tooManyLookups
        if failure.check(CancelledError) and not visit.present:
            # The client has gone: nothing went wrong, and nobody reads the answer.
            return self._gone
        words = texts.internalError(self._failures.reference(failure, what))
        return Reply("failed", words)
