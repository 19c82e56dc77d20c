"""Pages of what the service replies: made when they are asked for, and kept while they are true."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from fingerd.doors.http.web_page import FOR_A_WHILE, FRESH, NEVER_KEPT, Answer, Page, page
from fingerd.doors.plain.finger1_layout import timeOf
from fingerd.doors.web import atom_feed, webfinger
from fingerd.doors.web.html_form import POLICY
from fingerd.doors.web.kept_pages import KeptPages
from fingerd.doors.web.web_form import Base, Form, pathOf
from fingerd.model import texts
from fingerd.model.interfaces import IFingerService
from fingerd.model.limits import Limits
from fingerd.model.query import TOO_LONG, Name, Query
from fingerd.model.reply import Outcome, Reply
from fingerd.model.visiting import IVisit
from fingerd.system.sharing import Shared

_STATUSES: dict[Outcome, int] = {
    "found": 200,
    "list": 200,
    "history": 200,
    "unknown": 404,
    "refused": 403,
    "limited": 429,
    "too-long": 414,
}
SECURITY = (
    POLICY,
    b"X-Content-Type-Options: nosniff",
    b"X-Frame-Options: DENY",
    b"Referrer-Policy: no-referrer",
    b"Cross-Origin-Opener-Policy: same-origin",
)
_OWN = b"Cross-Origin-Resource-Policy: same-origin"
# RFC 7033 5: anybody's page may look here.
OPEN = b"Access-Control-Allow-Origin: *"


class Pages:
    """Asks the service, and makes pages of its replies."""

    def __init__(
        self,
        service: IFingerService,
        history: int,
        plain: Form,
        limits: Limits,
        clock: IReactorTime,
    ) -> None:
        """
        @param history: how many statuses of a user a feed has; with 0 it has the current one.
        @param plain: the form of what is said where there is no feed.
        @param clock: the reactor.
        """
        self._service = service
        self._history = history
        self._plain = plain
        self._limits = limits
        self._clock = clock
        self._kept = KeptPages(limits.webPages)
        self._making: Shared[Hashable, Page] = Shared(clock)
        # The latest list, and its number: pages that are kept remember what they were made of by
        # that, and not by the list itself, with all that its users have.
        self._latest: Reply | None = None
        self._number = 0

    async def user(
        self, form: Form, login: str, base: Base, visit: IVisit, *lines: bytes
    ) -> Answer:
        """
        A page on the user called C{login}.

        @param lines: more header lines.
        """
        long = len(login.encode("utf-8")) > self._limits.queryLength
        reply = await self._service.ask(TOO_LONG if long else Query((Name(login),)), visit)
        if reply.outcome != "found":
            return self._without(reply, form, base, *lines)
        now = time.time()
        users = tuple(reply.users)
        of = users, reply.fields, [timeOf(user, now) for user in users]
        return Answer(
            self._kept.get((form.kind, login, base, lines), of)
            or self._kept.put(
                (form.kind, login, base, lines),
                of,
                _page(form.kind, form.user(reply, base, now), FRESH, _OWN, *lines),
            ),
            "found",
        )

    async def list(self, form: Form, base: Base, visit: IVisit, *lines: bytes) -> Answer:
        """
        A page on all who are listed.

        @param lines: more header lines.
        """

        async def made(reply: Reply) -> Page:
            body = await form.list(reply, base, time.time(), self._clock)
            return _page(form.kind, body, FRESH, _OWN, *lines)

        return await self._listed((form.kind, base, lines), form, base, visit, made)

    async def listFeed(self, base: Base, visit: IVisit) -> Answer:
        """The newest statuses of all who are listed."""

        reply = await self._service.latest(visit, self._limits.webFeed, self._history)
        if reply.outcome != "list":
            return self._without(reply, self._plain, base)
        address, entries = (atom_feed.KIND, base), atom_feed.ofAll(reply.latest)
        made = self._kept.get(address, entries) or self._kept.put(
            address, entries, _feed("Everyone", "/", entries, base)
        )
        return Answer(made, "list")

    async def userFeed(self, login: str, base: Base, visit: IVisit) -> Answer:
        """What one user has set."""
        reply = await self._service.history(login, visit, self._history)
        if reply.outcome != "found":
            return self._without(reply, self._plain, base)
        user = reply.users[0]
        entries = tuple(atom_feed.entriesOf(user, reply.history) or atom_feed.ofNow(user))
        address, of, title = (atom_feed.KIND, login, base), (user.name, entries), user.name
        made = self._kept.get(address, of) or self._kept.put(
            address, of, _feed(title or user.login, pathOf(user.login), entries, base)
        )
        return Answer(made, "found")

    async def finger(
        self, login: str, relations: Sequence[str], base: Base, visit: IVisit
    ) -> Answer:
        """What WebFinger says of a user."""
        # The exact login, and none of a like name.
        reply = await self._service.history(login, visit, 0)
        if reply.outcome != "found":
            return self._without(reply, self._plain, base, OPEN)
        body = webfinger.descriptor(reply.users[0].login, base, relations)
        return Answer(page(webfinger.JRD, body, FOR_A_WHILE, *SECURITY, OPEN), "found")

    async def _listed(
        self,
        address: Hashable,
        form: Form,
        base: Base,
        visit: IVisit,
        make: Callable[[Reply], Coroutine[Deferred[Any], Any, Page]],
    ) -> Answer:
        reply = await self._service.ask(Query(), visit)
        if reply.outcome != "list":
            return self._without(reply, form, base)
        if reply is not self._latest:
            self._latest = reply
            self._number += 1
        number = self._number

        async def made() -> Page:
            # To find out who is listed has taken its time already.
            await deferLater(self._clock, 0)
            return self._kept.put(address, number, await make(reply))

        kept = self._kept.get(address, number) or await self._making.get(
            (address, number), lambda: Deferred.fromCoroutine(made())
        )
        return Answer(kept, "list")

    def _without(self, reply: Reply, form: Form, base: Base, *lines: bytes) -> Answer:
        """What is said where there is no user to show, in the service's words."""
        status = _STATUSES.get(reply.outcome, 503)
        if reply.words == texts.TOO_MANY_LOOKUPS:
            # It isn't this client that asks too much.
            status = 503
        if status in (429, 503):
            lines = (*lines, b"Retry-After: 60")
        body = form.words(reply.words, base)
        made = page(form.kind, body, NEVER_KEPT, *SECURITY, *lines, status=status)
        return Answer(made, reply.outcome)


def _feed(title: str, path: str, entries: Sequence[atom_feed.FeedEntry], base: Base) -> Page:
    body = atom_feed.feed(title, path, entries, base)
    return _page(atom_feed.KIND, body, FOR_A_WHILE, _OWN)


def _page(kind: bytes, body: bytes, caching: bytes, *lines: bytes) -> Page:
    return page(kind, body, caching, *SECURITY, *lines, since=time.time())
