"""From a query to the reply: who is asked, what may be shown, and what is said when that fails."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime

from fingerd.logs.failures import Failures
from fingerd.model import past, texts
from fingerd.model.counts import Counts
from fingerd.model.fields import Field
from fingerd.model.interfaces import IForwarder
from fingerd.model.limits import Limits
from fingerd.model.query import Name, Query
from fingerd.model.record import Entry
from fingerd.model.reply import Reply
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.model.visiting import IVisit
from fingerd.service.asking import Asking
from fingerd.service.list_replies import ListReplies
from fingerd.service.shown import Shown
from fingerd.service.users import Users
from fingerd.system.shared_table import Column
from fingerd.text.cleaning import clean


class Replies:
    """Replies to queries. One that fails is answered in words."""

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
        self._shown = shown = Shown(rules.replacements, limits.answerSize)
        self._asking = asking = Asking(limits, failures, clock, counts, column)
        self._lists = ListReplies(users, rules, shown, asking, clock)
        self._unknown = Reply("unknown", shown.words(texts.NO_SUCH_USER))
        self._forwardingDenied = Reply("refused", texts.FORWARDING_DENIED)
        self._tooLong = Reply("too-long", texts.QUERY_TOO_LONG)

    def ask(self, query: Query, visit: IVisit) -> Deferred[Reply]:
        """See L{fingerd.model.interfaces.IFingerService}."""
        visit.waits()
        names, verbose, tooLong = query
        if tooLong:
            self._refusals["queryLength"] += 1
            return succeed(self._tooLong)
        if not self._asking.mayAsk(visit, min(len(names), self._limits.namesPerQuery)):
            return succeed(self._asking.tooMany)
        if len(names) == 1 and names[0].host is None:
            reply = self._atHand(names[0].user, verbose)
            if reply is not None:
                return succeed(reply)
        return Deferred.fromCoroutine(self._ask(names, verbose, visit))

    def askNow(self, login: str, visit: IVisit) -> Reply | None:
        """See L{fingerd.model.interfaces.IFingerService}."""
        reply = self._atHand(login, False)
        if reply is None or self._asking.mayAsk(visit):
            return reply
        return self._asking.tooMany

    def history(self, login: str, visit: IVisit, most: int) -> Deferred[Reply]:
        """See L{fingerd.model.interfaces.IFingerService}."""
        visit.waits()
        if not self._asking.mayAsk(visit):
            return succeed(self._asking.tooMany)
        return Deferred.fromCoroutine(self._askHistory(login, visit, most))

    def latest(self, visit: IVisit, most: int, each: int) -> Deferred[Reply]:
        """See L{fingerd.model.interfaces.IFingerService}."""
        visit.waits()
        if not self._asking.mayAsk(visit):
            return succeed(self._asking.tooMany)
        return Deferred.fromCoroutine(self._lists.latest(visit, most, each))

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
            return await self._lists.ask(verbose, visit)
        if len(names) == 1:
            return await self._askName(names[0], verbose, visit)
        return await self._askSeveral(names, verbose, visit)

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
            users = await self._asking.lookUpEvenly(visit, lambda: self._users.find(login, verbose))
            return self._found(users, verbose) if users else self._unknown
        except Exception:
            return self._asking.failed(f"looking up {login!r}", visit)

    async def _askPast(self, login: str, wanted: str, visit: IVisit) -> Reply:
        async def found() -> Sequence[Entry]:
            set = await self._users.past(login)
            return past.meant(set, wanted) if set and Field.STATUS in self._views.user else ()

        try:
            meant = await self._asking.lookUpEvenly(visit, found)
        except Exception:
            return self._asking.failed(f"looking up the history of {login!r}", visit)
        if not meant:
            return self._unknown
        return Reply("history", past.lines(self._shown.statuses(meant)))

    async def _askHistory(self, login: str, visit: IVisit, most: int) -> Reply:
        most = most if Field.STATUS in self._views.user else 0
        try:
            found = await self._asking.lookUpEvenly(visit, lambda: self._withHistory(login, most))
            if found is None:
                return self._unknown
            user, set = found
            reply = self._found((user,), False)
            reply.history = self._shown.statuses(set)
            return reply
        except Exception:
            return self._asking.failed(f"looking up the history of {login!r}", visit)

    async def _withHistory(self, login: str, most: int) -> tuple[User, Sequence[Entry]] | None:
        user, set = await self._users.withHistory(login, most)
        return None if user is None else (user, set)

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
            text = await self._asking.lookUp(visit, lambda: forward(name, verbose))
        except Exception:
            return self._asking.failed(f"forwarding {name.user!r} to {name.host!r}", visit)
        if text is None:
            return self._forwardingDenied
        return Reply("forwarded", self._shown.words(clean(text)))
