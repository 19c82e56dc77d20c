"""
Why somebody is shown as they are: the question goes the way of every query, from a door's protocol
through the service, and what is met on the way is noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast
from urllib.parse import quote

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from zope.interface import directlyProvides, implementer

from fingerd.daemon.explain_way import asked, coming, goingOn
from fingerd.daemon.options import Options
from fingerd.doors.finger.finger_protocol import FingerFactory
from fingerd.doors.http.web_factory import WebFactory
from fingerd.doors.web.site import Site
from fingerd.doors.web.web_form import baseOf
from fingerd.model.fields import Field, Fields
from fingerd.model.interfaces import IDirectory, IFingerService, IStore, IVerboseDirectory
from fingerd.model.query import Query
from fingerd.model.record import Part
from fingerd.model.reply import Reply
from fingerd.model.user import HIDDEN, User
from fingerd.model.visiting import IVisit
from fingerd.service import FingerService
from fingerd.service.lists import overlay
from fingerd.system.addresses import peerOf
from fingerd.text.cleaning import cleanLine

_LIES_OVER = "a {} was set, and lies over what the directory says"
# What is said of what a user has set.
_SET = {
    Part.STATUS: _LIES_OVER.format("status"),
    Part.PLAN: _LIES_OVER.format("plan"),
    Part.PROJECT: _LIES_OVER.format("project"),
    Part.HIDDEN: "they have hidden themselves (fingerset --hide), whatever the directories say",
    Part.PUBLIC_HISTORY: "they let others see what they have set (fingerset --public-history)",
}
# How often to look whether the answer is there, in seconds.
_LOOK = 0.02


class _Noted:
    """A directory, of which each answer is kept."""

    def __init__(self, directory: IDirectory, url: str) -> None:
        self.url = url
        self.said: User | None = None
        self.asked = False
        self._directory = directory
        verbose = IVerboseDirectory.providedBy(directory)
        directlyProvides(self, IVerboseDirectory if verbose else IDirectory)

    def getUser(self, login: str) -> Deferred[User | None]:
        """See L{IDirectory}."""
        return self._directory.getUser(login).addCallback(self._note)

    def getVerboseUser(self, login: str) -> Deferred[User | None]:
        """See L{IVerboseDirectory}."""
        directory = cast(IVerboseDirectory, self._directory)
        return directory.getVerboseUser(login).addCallback(self._note)

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        """See L{IDirectory}."""
        return self._directory.getUsers(limit)

    def getVerboseUsers(self, limit: int) -> Deferred[list[User]]:
        """See L{IVerboseDirectory}."""
        return cast(IVerboseDirectory, self._directory).getVerboseUsers(limit)

    def _note(self, user: User | None) -> User | None:
        self.asked, self.said = True, user
        return user


@implementer(IFingerService)
class _NotedService:
    """The service, of which each reply is kept."""

    def __init__(self, service: FingerService) -> None:
        self._service = service
        self.visits = service.visits
        self.replies: list[Reply] = []

    def ask(self, query: Query, visit: IVisit) -> Deferred[Reply]:
        """See L{IFingerService}."""
        return self._service.ask(query, visit).addCallback(self._note)

    def askNow(self, login: str, visit: IVisit) -> Reply | None:
        """See L{IFingerService}."""
        reply = self._service.askNow(login, visit)
        return None if reply is None else self._note(reply)

    def history(self, login: str, visit: IVisit, most: int) -> Deferred[Reply]:
        """See L{IFingerService}."""
        return self._service.history(login, visit, most).addCallback(self._note)

    def latest(self, visit: IVisit, most: int, each: int) -> Deferred[Reply]:
        """See L{IFingerService}."""
        return self._service.latest(visit, most, each).addCallback(self._note)

    def getFingerFactory(self) -> Factory:
        """See L{IFingerService}."""
        return cast(Factory, self._service.getFingerFactory())

    def _note(self, reply: Reply) -> Reply:
        self.replies.append(reply)
        return reply


class _Client(StringTransport):
    """A client that takes its answer in memory."""

    ended = False

    def loseWriteConnection(self) -> None:
        """The answer is whole."""
        self.ended = True

    def loseConnection(self) -> None:
        """The answer is whole."""
        self.ended = True
        super().loseConnection()

    def abortConnection(self) -> None:
        """There is no answer."""
        self.ended = True


class Explanation:
    """What a client at an address would be told of a user, and why."""

    def __init__(
        self,
        options: Options,
        directories: Sequence[tuple[str, IDirectory]],
        store: IStore,
        reactor: Any,
    ) -> None:
        """
        @param directories: each with what it is called.
        @param store: what was set.
        """
        self._options = options
        self._noted = [_Noted(directory, url) for url, directory in directories]
        self._store = store
        self._clock = cast(IReactorTime, reactor)
        limits, rules = options["limits"], options["rules"]
        noted = cast(Sequence[IDirectory], self._noted)
        self._service = _NotedService(FingerService(reactor, noted, store, limits, rules))

    async def of(self, login: str, address: str, verbose: bool, door: str) -> list[str]:
        """
        Ask, and explain: some lines, and then the answer as it would be sent.

        @param address: the client's IP address.
        @param verbose: ask for all there is to tell.
        """
        came = [*coming(address, self._options["proxy-from"])]
        name = asked(login)
        if name.host is not None and door != "finger":
            came.append("only the door finger forwards queries")
        elif name.host is not None:
            hosts, limits = self._options["forward"], self._options["limits"]
            said, forwarded = goingOn(name, hosts, cast(IReactorTCP, self._clock), limits)
            if forwarded:
                return [*came, said, "", "The answer is what that host says, cleaned."]
            came.append(said)
        answer = await self._ask(login, address, verbose, door)
        why = self._why(login, address) if name.host is None else ()
        return [*came, *why, "", "The answer:", answer]

    async def _ask(self, login: str, address: str, verbose: bool, door: str) -> str:
        options, limits = self._options, self._options["limits"]
        service = cast(Any, self._service)
        if door == "web":
            url = options["web-url"]
            secure = any(each.startswith(("tls:", "ssl:")) for each in options["web"][:1])
            scheme = "https" if secure else "http"
            base = None if url is None else baseOf(url)
            site = Site(service, base, options["web-history"], limits, self._clock, scheme)
            factory: Any = WebFactory(site, None, limits, self._clock)
            request = (
                f"GET /{quote(login)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
        else:
            factory = FingerFactory(service, limits, self._clock)
            request = f"{'/W ' if verbose else ''}{login}\r\n"
        kind = IPv6Address if ":" in address else IPv4Address
        peer = kind("TCP", address, 1079)
        client = _Client(peerAddress=peer)
        factory.doStart()
        protocol = factory.buildProtocol(peer)
        protocol.makeConnection(client)
        protocol.dataReceived(request.encode("utf-8"))
        while not client.ended:
            await deferLater(self._clock, _LOOK)
        sent: bytes = client.value()
        return sent.decode("utf-8", "replace")

    def _why(self, login: str, address: str) -> Iterator[str]:
        rules, limits = self._options["rules"], self._options["limits"]
        yield (
            f"{address} counts as {peerOf(address)}: {limits.peerQueries} names a minute "
            f"(peerQueries), {limits.peerConnections} connections (peerConnections); an answer has "
            f"{limits.answerSize} bytes at most (answerSize)"
        )
        reply = self._service.replies[-1] if self._service.replies else None
        if reply is None:
            yield "the service was not asked: no user can be called that"
            return
        yield f"outcome: {reply.outcome}"
        if rules.mask.hides(login):
            yield f"--mask hides {login}, whatever the directories say"
        found: User | None = None
        for directory in self._noted:
            if not directory.asked:
                yield f"{directory.url}: not asked"
            elif directory.said is None:
                yield f"{directory.url}: knows no {cleanLine(login)}"
            elif directory.said is HIDDEN:
                yield f"{directory.url}: knows {cleanLine(login)}, and hides them"
            else:
                yield f"{directory.url}: knows {cleanLine(login)}"
                found = found or directory.said
        record = self._store.held(login)
        for part, words in _SET.items():
            if record.of(part) is not None:
                yield words
        if reply.outcome == "found" and reply.users:
            known = overlay(found or User(login), record)
            yield from self._fields(known, reply.users[0], reply.fields, reply.verbose)

    def _fields(self, known: User, shown: User, fields: Fields, verbose: bool) -> Iterator[str]:
        view = "verbose-fields" if verbose else "user-fields"
        if known.report:
            same = known.report.strip() == shown.report.strip()
            changed = "as it came" if same else "cleaned, masked or replaced in"
            yield f"text of another source: shown, {changed}"
        for field in Field:
            value, result = str(getattr(known, field) or ""), str(getattr(shown, field) or "")
            if not value:
                continue
            if field is Field.PLAN and field not in fields and self._options["no-plan"]:
                yield f"{field.word}: not shown, since --no-plan is given"
            elif field not in fields:
                yield f"{field.word}: not shown, since it is not in --{view}"
            elif value == result:
                yield f"{field.word}: shown"
            elif self._options["rules"].replacements(value, len(value)) != value:
                yield f"{field.word}: shown as --replace makes it"
            else:
                yield f"{field.word}: shown, cleaned"
