"""Pages for people: HTML with microformats, and no script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zlib import crc32

from twisted.internet.interfaces import IReactorTime
from twisted.web.template import Tag, flattenString, tags

from fingerd.doors.plain.finger1_layout import age, ending
from fingerd.doors.web.links import linked
from fingerd.doors.web.web_form import Base, inSlices, moment, pathOf, sayable
from fingerd.model.fields import Field
from fingerd.model.reply import Reply
from fingerd.model.texts import NO_PLAN, NO_STATUS
from fingerd.model.user import User

# It has none of the characters that are written otherwise in HTML.
_STYLE = Path(__file__).with_name("style.css").read_text("utf-8")
_HASH = b64encode(sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")
# A picture, so that browsers don't ask for one: it would be taken for a user's name.
_ICON = "data:image/svg+xml," + quote(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    "<circle cx='16' cy='16' r='15' fill='#a8321a'/>"
    "<path d='M14 7h4v14h-4zM14 24h4v3h-4z' fill='#fff'/></svg>"
)
# What a page may do: be looked at, with this style.
POLICY = (
    f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode("ascii")

# Small things about somebody, below their status.
_LINES = (Field.OFFICE, Field.OFFICE_PHONE, Field.HOME_PHONE, Field.PROJECT)
_CLASSES = {Field.OFFICE_PHONE: "p-tel", Field.HOME_PHONE: "p-tel"}


class HTMLForm:
    """See L{fingerd.doors.web.web_form.Form}."""

    kind = b"text/html; charset=utf-8"

    def __init__(self) -> None:
        # The rows of the latest list: most of the next one's are the same.
        self._rows: dict[tuple[User, str, str], bytes] = {}

    def user(self, reply: Reply, base: Base, now: float) -> bytes:
        articles = [_article(user, reply, base, now) for user in reply.users]
        first = reply.users[0]
        title = " and others" if len(articles) > 1 else ""
        path = pathOf(first.login)
        links = [(base.root + path + end, kind) for end, kind in _USER_FORMS]
        back = tags.a("\u2190 Everyone", href=f"{base.root}/", class_="back")
        return _page(
            f"{first.name or first.login}{title}",
            [tags.nav(back), *articles],
            base,
            path if len(articles) == 1 else None,
            links if len(articles) == 1 else [],
            f"curl {base.url}{path}",
        )

    async def list(self, reply: Reply, base: Base, now: float, clock: IReactorTime) -> bytes:
        kept: dict[tuple[User, str, str], bytes] = {}

        def row(user: User) -> bytes:
            key = user, age(user.statusSet, now), base.root
            made = kept[key] = self._rows.get(key) or _flat(_row(*key))
            return made

        rows = await inSlices(reply.users, row, clock)
        self._rows = kept
        people = [user for user in rows if user.startswith(b"<li")]
        reports = [user for user in rows if not user.startswith(b"<li")]
        failures = [_section(source, tags.pre(words)) for source, words in reply.failures]
        counted = _counted(len(people)) if people or not (reports or failures) else ""
        heading = tags.header(
            tags.h1("Who is who"), tags.p(counted) if counted else "", class_="top"
        )
        data = _page(
            "Who is who",
            [heading, _ROWS, *failures],
            base,
            "/",
            [(base.root + path, kind) for path, kind in _LIST_FORMS],
            f"curl {base.url}/",
        )
        listed = b'<ul class="people">\n%b\n</ul>' % b"\n".join(people) if people else b""
        return data.replace(_MARK, listed + b"".join(reports), 1)

    def words(self, words: str, base: Base) -> bytes:
        back = tags.a("\u2190 Everyone", href=f"{base.root}/", class_="back")
        first, _, rest = words.partition("\n")
        body = [tags.h1(sayable(first)), tags.p(sayable(rest), class_="words") if rest else ""]
        return _page(first, [tags.nav(back), *body], base, None, [], None)


_USER_FORMS = (
    ("/feed.atom", "application/atom+xml"),
    ("/user.json", "application/json"),
    ("/user.txt", "text/plain"),
)
_LIST_FORMS = (
    ("/feed.atom", "application/atom+xml"),
    ("/users.json", "application/json"),
    ("/users.txt", "text/plain"),
)
_NAMES = {"application/atom+xml": "Feed", "application/json": "JSON", "text/plain": "Text"}
# Where the rows belong, which are made one by one. No text is written so: "<" isn't.
_MARK = b"<ins></ins>"
_ROWS = tags.ins()


def _page(
    title: str,
    main: Iterable[Any],
    base: Base,
    path: str | None,
    links: list[tuple[str, str]],
    command: str | None,
) -> bytes:
    """
    A whole page.

    @param path: where it is, behind the base, if that is the one place for it.
    @param links: its other forms: where they are, and their media types.
    @param command: what shows the same in a terminal.
    """
    head = tags.head(
        tags.meta(charset="utf-8"),
        tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
        tags.meta(name="color-scheme", content="light dark"),
        tags.title(sayable(title)),
        tags.link(rel="icon", href=_ICON),
        tags.link(rel="canonical", href=base.url + path) if path is not None else "",
        [
            tags.link(rel="alternate", type=kind, href=href, title=_NAMES[kind])
            for href, kind in links
        ],
        tags.style(_STYLE),
    )
    others = [tags.a(_NAMES[kind], href=href, type=kind) for href, kind in links]
    footer = tags.footer(
        tags.p("In a terminal: ", tags.code(sayable(command), dir="ltr")) if command else "",
        tags.p(others) if others else "",
    )
    body = tags.body(tags.div(Tag("main")(*main), footer if command else "", class_="page"))
    return b"<!DOCTYPE html>\n" + _flat(tags.html(head, body, lang="en")) + b"\n"


def _counted(people: int) -> str:
    if not people:
        return "Nobody is here."
    return "One person is here." if people == 1 else f"{people:,} people are here."


def _article(user: User, reply: Reply, base: Base, now: float) -> Tag:
    """All that is shown of one user."""
    url = base.url + pathOf(user.login)
    name = sayable(user.name or user.login)
    card = tags.div(
        _monogram(user),
        tags.div(
            tags.h1(tags.a(name, href=url, class_="p-name u-url u-uid", dir="auto")),
            tags.span(sayable(user.login), class_="login p-nickname", dir="auto"),
        ),
        class_="person",
    )
    parts: list[Any] = [card]
    if user.status:
        parts.append(_status(user, url, now))
    elif Field.STATUS in reply.fields and not user.report:
        parts.append(tags.div(tags.p(NO_STATUS, class_="none"), class_="status"))
    if user.report:
        parts.append(tags.pre(*linked(sayable(user.report)), dir="auto", lang=""))
    known = [(field, getattr(user, field)) for field in _LINES if getattr(user, field)]
    if known:
        parts.append(tags.dl(*(each for pair in known for each in _line(*pair))))
    if user.plan:
        plan = tags.pre(*linked(sayable(user.plan)), dir="auto", lang="", class_="p-note")
        parts.append(_section("Plan", plan))
    elif Field.PLAN in reply.fields and not user.report and not (user.status and not known):
        parts.append(tags.p(NO_PLAN, class_="none"))
    if user.publicKey:
        parts.append(_section("Public key", tags.pre(sayable(user.publicKey), class_="key u-key")))
    return tags.article(*parts, class_="h-card")


def _status(user: User, url: str, now: float) -> Tag:
    author = Tag("data")(value=sayable(user.name or user.login), class_="p-author")
    said = tags.p(
        *linked(sayable(user.status)), class_="said p-name p-content", dir="auto", lang=""
    )
    set, until = moment(user.statusSet), moment(user.statusUntil)
    since: Any = tags.a(
        tags.time(age(user.statusSet, now) or set, datetime=set, class_="dt-published"),
        href=url,
        class_="u-url",
    )
    end = ending(user.statusUntil, now)
    ends = tags.time(end, datetime=until) if end and until else ""
    when = tags.p(since if set else "", ", " if set and ends else "", ends, class_="when")
    return tags.div(author, said, when if set or ends else "", class_="status h-entry")


def _row(user: User, statusAge: str, root: str) -> Tag:
    if user.report:
        return _section(user.login, tags.pre(sayable(user.report), dir="auto", lang=""))
    name = sayable(user.name or user.login)
    page = tags.a(name, href=root + pathOf(user.login), class_="p-name u-url", dir="auto")
    login = tags.span(sayable(user.login), class_="login p-nickname", dir="auto")
    status = tags.p(sayable(user.status), class_="p-note", dir="auto", lang="")
    when = tags.time(statusAge, datetime=moment(user.statusSet), class_="when")
    return tags.li(
        _monogram(user),
        tags.div(page, " ", login if user.name else "", status if user.status else ""),
        when if statusAge and moment(user.statusSet) else "",
        class_="h-card",
    )


def _monogram(user: User) -> Tag:
    """The first letter of a name, on a colour that is always the same for this user."""
    letter = next((c for c in user.name or user.login if c.isalnum()), "?").upper()[:1]
    colour = crc32(user.login.encode("utf-8", "replace")) % 8
    return tags.span(letter, class_=f"mono h{colour}", **{"aria-hidden": "true"})


def _line(field: Field, text: str) -> tuple[Tag, Tag]:
    said = tags.dd(*linked(sayable(text)), class_=_CLASSES.get(field, ""), dir="auto", lang="")
    return tags.dt(field.label), said


def _section(heading: str, content: Tag) -> Tag:
    return tags.section(tags.h2(sayable(heading)), content)


def _flat(tag: Tag) -> bytes:
    made: list[bytes] = []
    # There is nothing to wait for in it.
    flattenString(None, tag).addCallback(made.append)
    return made[0]
