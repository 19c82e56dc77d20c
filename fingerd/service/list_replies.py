"""Who is listed, and what was set last by those who are."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from fingerd.model import texts
from fingerd.model.fields import Field, Fields
from fingerd.model.listing import Listing, PreparedUsers
from fingerd.model.reply import Reply
from fingerd.model.rules import Rules
from fingerd.model.visiting import IVisit
from fingerd.service.asking import Asking
from fingerd.service.shown import Shown
from fingerd.service.users import Users
from fingerd.system.sharing import Shared


class ListReplies:
    """Replies on all users. Each is kept as long as the list that it was made of."""

    def __init__(
        self, users: Users, rules: Rules, shown: Shown, asking: Asking, clock: IReactorTime
    ) -> None:
        """
        @param clock: the reactor.
        """
        self._users = users
        self._rules = rules
        self._views = rules.views
        self._shown = shown
        self._asking = asking
        # The latest lists, verbose and not, with what they were made of.
        self._lists: dict[bool, tuple[Listing, Reply]] = {}
        # The latest statuses of those in them, by how many were asked for; and those that are being
        # looked for.
        self._latest: dict[tuple[int, int], Reply] = {}
        self._makingLatest: Shared[tuple[Reply, int, int], Reply] = Shared(clock)
        self._nobody = shown.words(texts.NO_SUCH_USER)
        self._denied = Reply("refused", texts.LIST_DENIED)

    async def ask(self, verbose: bool, visit: IVisit) -> Reply:
        """All who are listed, or why there are none."""
        if not self._rules.listed:
            return self._denied
        try:
            listing = await self._asking.lookUp(visit, lambda: self._users.list(verbose))
        except Exception:
            return self._asking.failed("listing the users", visit)
        return self._replyOf(listing, verbose)

    def _replyOf(self, listing: Listing, verbose: bool) -> Reply:
        kept = self._lists.get(verbose)
        if kept is None or kept[0] is not listing:
            kept = self._lists[verbose] = listing, self._listed(listing, verbose)
            if not verbose:
                self._latest.clear()
        return kept[1]

    async def latest(self, visit: IVisit, most: int, each: int) -> Reply:
        """See L{fingerd.model.interfaces.IFingerService}."""
        if not self._rules.listed:
            return self._denied
        try:
            return await self._asking.lookUp(visit, lambda: self._withLatest(most, each))
        except Exception:
            return self._asking.failed("listing the latest statuses", visit)

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
            self._nobody,
            users=PreparedUsers(listing.users, lambda user: show(user, fields)),
            fields=fields,
            verbose=verbose,
            failures=[(shown.words(name), shown.words(text)) for name, text in listing.failures],
        )
