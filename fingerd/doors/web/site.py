"""What there is at which address, and what is said where there is nothing."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote_to_bytes, urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from fingerd.doors.http.refusing import ALLOW, METHODS, WORDS
from fingerd.doors.http.web_page import FOR_A_WHILE, NEVER_KEPT, Answer, Page, page
from fingerd.doors.web import openapi, webfinger
from fingerd.doors.web.html_form import HTMLForm
from fingerd.doors.web.json_form import JSONForm
from fingerd.doors.web.negotiation import chosen
from fingerd.doors.web.pages import OPEN, SECURITY, Pages
from fingerd.doors.web.text_form import TextForm
from fingerd.doors.web.web_form import Base, Form
from fingerd.model.interfaces import IFingerService
from fingerd.model.limits import Limits
from fingerd.model.visiting import IVisit
from fingerd.system.prompt import begun

_VARY = b"Vary: Accept"


class Site:
    """
    Knows what there is at which address: see L{Answering<fingerd.doors.http.web_factory>}.

    @ivar visits: where visitors are let in.
    """

    _log = Logger()
    door = "web"

    def __init__(
        self,
        service: IFingerService,
        base: Base | None,
        history: int,
        limits: Limits,
        clock: IReactorTime,
        scheme: str = "http",
    ) -> None:
        """
        @param base: the address that people see; without one, it is what each client calls us.
        @param history: how many statuses of a user a feed has; with 0 it has the current one.
        @param clock: the reactor.
        @param scheme: what the door speaks, C{http} or C{https}.
        """
        self._scheme = scheme
        self.visits = service.visits
        self._base = base
        text: Form = TextForm(limits.answerSize)
        json: Form = JSONForm()
        # In this order they are preferred; a client that takes anything gets the last.
        self._forms: tuple[Form, ...] = (HTMLForm(), json, text)
        self._kinds = tuple(form.kind.partition(b";")[0] for form in self._forms)
        self._named = {"json": json, "txt": text}
        self._pages = Pages(service, history, text, limits, clock)
        self._refusals = {status: _refusal(text, status, words) for status, words in WORDS.items()}
        self._noResource = _refusal(text, 400, "?resource=acct:LOGIN@HOST is needed", OPEN)
        self._openAPI = page(b"application/json", openapi.DOCUMENT, FOR_A_WHILE, *SECURITY, OPEN)

    def refusal(self, status: int) -> Page:
        """What is said to what is no request."""
        return self._refusals[status]

    def answer(
        self, method: bytes, target: bytes, headers: Headers, visit: IVisit
    ) -> Answer | Deferred[Answer]:
        """See L{Answering}."""
        try:
            answer = begun(self._answer(method, target, headers, visit))
        except Exception:
            return self._failed(Failure(), target)
        if isinstance(answer, Deferred):
            return answer.addErrback(self._failed, target)
        return answer

    def _failed(self, failure: Failure, target: bytes) -> Answer:
        if failure.check(CancelledError) is None:
            self._log.failure("Making the page at {target!r}", failure, target=target)
        return Answer(self._refusals[503], "failed")

    async def _answer(
        self, method: bytes, target: bytes, headers: Headers, visit: IVisit
    ) -> Answer:
        if method not in METHODS:
            return Answer(self._refusals[405], "refused")
        path, _, query = target.partition(b"?")
        if not path.startswith(b"/"):
            # A proxy may ask so, and every server is to take it (RFC 9112 3.2.2).
            path = urlsplit(path).path or b"/"
        base = self._base or _called(headers, self._scheme)
        parts = [_text(part) for part in path.split(b"/")[1:]]
        if len(parts) == 1:
            return await self._one(parts[0], headers, base, visit)
        if len(parts) == 2:
            return await self._two(parts[0], parts[1], query, headers, base, visit)
        return Answer(self._refusals[404], "unknown")

    async def _one(self, name: str, headers: Headers, base: Base, visit: IVisit) -> Answer:
        """What is in the first folder: the list in all its forms, and each user's page."""
        stem, _, end = name.partition(".")
        if stem == "users" and end in self._named:
            return await self._pages.list(self._named[end], base, visit)
        if name == "feed.atom":
            return await self._pages.listFeed(base, visit)
        if name == "openapi.json":
            return Answer(self._openAPI, "found")
        return await self._negotiated(name, headers, base, visit)

    async def _two(
        self, folder: str, name: str, query: bytes, headers: Headers, base: Base, visit: IVisit
    ) -> Answer:
        """What is in a user's folder, and what is well known."""
        stem, _, end = name.partition(".")
        if stem == "user" and end in self._named:
            return await self._pages.user(self._named[end], folder, base, visit)
        if name == "feed.atom":
            return await self._pages.userFeed(folder, base, visit)
        if not name:
            return await self._negotiated(folder, headers, base, visit)
        if (folder, name) == (".well-known", "webfinger"):
            return await self._finger(query, base, visit)
        if (folder, name) == (".well-known", "host-meta"):
            meta = webfinger.hostMeta(base)
            return Answer(page(webfinger.XRD, meta, FOR_A_WHILE, *SECURITY, OPEN), "found")
        return Answer(self._refusals[404], "unknown")

    async def _finger(self, query: bytes, base: Base, visit: IVisit) -> Answer:
        try:
            resource, relations = webfinger.asked(query)
            login = webfinger.loginOf(resource, base)
        except ValueError:
            return Answer(self._noResource, "refused")
        return await self._pages.finger(login, relations, base, visit)

    async def _negotiated(self, login: str, headers: Headers, base: Base, visit: IVisit) -> Answer:
        """The page of a user, or without a name of all, in the form that the client wants."""
        accepted = headers.getRawHeaders(b"Accept")
        number = chosen(b",".join(accepted) if accepted else None, self._kinds, otherwise=2)
        if number is None:
            return Answer(self._refusals[406], "refused")
        form = self._forms[number]
        if not login:
            return await self._pages.list(form, base, visit, _VARY)
        return await self._pages.user(form, login, base, visit, _VARY)


def _refusal(form: Form, status: int, words: str, *lines: bytes) -> Page:
    if status == 405:
        lines = (ALLOW,)
    body = form.words(words, Base("", ""))
    return page(form.kind, body, NEVER_KEPT, *SECURITY, *lines, status=status)


def _text(part: bytes) -> str:
    """A part of a path; what can't be a text becomes what can be nobody's name."""
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        return "\x00"


def _called(headers: Headers, scheme: str) -> Base:
    """What the client calls us: a channel has seen that it can be a host's name."""
    return _baseAt(headers.getRawHeaders(b"Host", [b"localhost"])[-1], scheme)


@lru_cache(64)
def _baseAt(name: bytes, scheme: str) -> Base:
    host = name.decode("ascii").lower()
    return Base(f"{scheme}://{host}", host)
