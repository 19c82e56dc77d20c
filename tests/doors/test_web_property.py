"""Whatever users call themselves and write, a page has it as text, and as nothing else."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from urllib.parse import quote
from xml.etree.ElementTree import fromstring

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from fingerd.doors.http.web_page import notModified, page
from fingerd.doors.web.atom_feed import entriesOf, feed
from fingerd.doors.web.html_form import HTMLForm
from fingerd.doors.web.json_form import JSONForm
from fingerd.doors.web.negotiation import chosen
from fingerd.doors.web.web_form import baseOf, pathOf, sayable
from fingerd.doors.web.webfinger import asked, descriptor, loginOf
from fingerd.model.fields import ALL
from fingerd.model.record import Entry
from fingerd.model.reply import Reply
from fingerd.model.user import User, isLogin
from fingerd.text.cleaning import cleanLine, cleanLines

BASE = baseOf("https://example.com/x")

# What markup is made of, more often than by chance.
PIECES = st.sampled_from(
    [
        *"<>&\"'=/:;!-[]()\\`{}%#?\n\t ",
        "<script>alert(1)</script>",
        "</pre></title></style><b onclick=x>",
        '" onmouseover="x',
        "javascript:alert(1)",
        "http://",
        "https://example.com/",
        "https://a.example/?<x>&y='z\"",
        "]]>",
        "<!--",
        "&amp;&#60;",
        "<ins></ins>",
        "\ufffe",
        "\ufdd0",
        "\U0001f600",
        "שלום",
        "x",
    ]
)
ANY = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)
LINE = ANY.map(cleanLine)
LINES = ANY.map(cleanLines)
LOGIN = ANY.map(cleanLine).filter(isLogin)
USERS = st.builds(
    User,
    login=LOGIN,
    name=LINE,
    status=LINES,
    statusSet=st.none() | st.floats(0, 4e9),
    statusUntil=st.none() | st.floats(0, 1e300),
    office=LINE,
    project=LINE,
    plan=LINES,
    publicKey=LINES,
    report=st.just(""),
)
# All that a page is made of.
TAGS = {
    *("html", "head", "meta", "title", "link", "style", "body", "div", "main", "nav", "a", "span"),
    *("article", "section", "header", "footer", "h1", "h2", "p", "pre", "code", "ul", "li"),
    *("dl", "dt", "dd", "time", "data"),
}


class Reading(HTMLParser):
    """What a browser finds in a page."""

    def __init__(self, data: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.names: set[str] = set()
        self._open: list[str] = []
        self._inside: list[str] = []
        self.feed(data.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        known = dict(attrs)
        self.names |= known.keys()
        if tag == "a":
            self.links.append((known.get("href") or "", known.get("rel")))
        if tag in ("pre", "p", "dd", "h1", "h2", "title"):
            self._inside.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("pre", "p", "dd", "h1", "h2", "title"):
            self.texts.append(self._inside.pop())

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._inside[-1] += data


class PageTests(SynchronousTestCase):
    """Pages of any users."""

    def check(self, data: bytes) -> Reading:
        """Read a page, in which nothing is that a page doesn't have."""
        read = Reading(data)
        self.assertLessEqual(set(read.tags), TAGS)
        names = "href class lang dir charset name content rel type title datetime value aria-hidden"
        self.assertLessEqual(read.names, set(names.split()))
        for href, rel in read.links:
            if rel is not None:
                self.assertEqual(rel, "nofollow ugc")
                self.assertRegex(href, r"\Ahttps?://[A-Za-z0-9.-]+(:\d+)?([/?#][!-~]*)?\Z")
            else:
                self.assertRegex(href, r"\A(/x/|https://example\.com/x/)[!-~]*\Z")
        return read

    @given(USERS)
    def test_user(self, user: User) -> None:
        """A user's page has each of their texts as they wrote it."""
        form = HTMLForm()
        read = self.check(form.user(Reply("found", users=[user], fields=ALL), BASE, 5e9))
        for text in (user.status, user.office, user.project, user.plan, user.publicKey):
            if text:
                self.assertIn(sayable(text), read.texts)
        self.assertIn(sayable(user.name or user.login), read.texts)

    @given(st.lists(USERS, max_size=4))
    def test_list(self, users: list[User]) -> None:
        """A list has each status, as it was written."""
        form, reply = HTMLForm(), Reply("list", "Nobody", users=users, fields=ALL)
        made = self.successResultOf(Deferred.fromCoroutine(form.list(reply, BASE, 5e9, Clock())))
        read = self.check(made)
        self.assertEqual(read.tags.count("li"), len(users))
        for user in users:
            if user.status:
                self.assertIn(sayable(user.status), read.texts)

    @given(USERS, ANY)
    def test_report(self, user: User, report: str) -> None:
        """What another source says is text."""
        shown = User(user.login, report=cleanLines(report) or "x")
        read = self.check(HTMLForm().user(Reply("found", users=[shown], fields=ALL), BASE, 5e9))
        self.assertIn(sayable(shown.report), read.texts)

    @given(LINES)
    def test_words(self, words: str) -> None:
        """So are words."""
        self.check(HTMLForm().words(words, BASE))

    @given(USERS)
    def test_json(self, user: User) -> None:
        """JSON has each text as it is."""
        known = json.loads(JSONForm().user(Reply("found", users=[user], fields=ALL), BASE, 5e9))
        for field in ("login", "name", "status", "office", "project", "plan", "publicKey"):
            self.assertEqual(known.get(field, ""), getattr(user, field))

    @given(USERS, st.lists(st.builds(Entry, LINES, st.floats(-1e12, 1e12)), max_size=4))
    def test_feed(self, user: User, history: list[Entry]) -> None:
        """A feed can be parsed, and has each status as it was written."""
        entries = entriesOf(user, history)
        root = fromstring(feed(user.name or user.login, pathOf(user.login), entries, BASE))
        atom = "{http://www.w3.org/2005/Atom}"
        found = [each.text or "" for each in root.iter(f"{atom}content")]
        dated = [each for each in entries if -62e9 < each.set < 2.5e11]
        self.assertEqual(found, [sayable(each.text) for each in dated])
        for element in root.iter():
            if "href" in element.attrib:
                self.assertRegex(element.attrib["href"], r"\Ahttps://example\.com/x/[!-~]*\Z")

    @given(LOGIN)
    def test_webFinger(self, login: str) -> None:
        """The subject of a user leads back to the user."""
        document = json.loads(descriptor(login, BASE, ()))
        for resource in (document["subject"], *document["aliases"]):
            query = b"resource=" + quote(resource, safe="").encode("ascii")
            self.assertEqual(loginOf(asked(query)[0], BASE), login)


class HeaderTests(SynchronousTestCase):
    """Headers of any bytes."""

    @given(st.binary(max_size=60) | st.text("*/;,q=.0123 texhml", max_size=60).map(str.encode))
    def test_accept(self, accept: bytes) -> None:
        """Whatever a client says that it accepts, there is a choice or none."""
        found = chosen(accept, (b"text/html", b"application/json", b"text/plain"), 2)
        self.assertIn(found, (None, 0, 1, 2))

    @given(st.binary(max_size=60), st.binary(max_size=60))
    def test_conditions(self, tags: bytes, since: bytes) -> None:
        """Whatever a client says that it has, it has it or not."""
        headers = Headers()
        headers.addRawHeader(b"If-None-Match", tags)
        headers.addRawHeader(b"If-Modified-Since", since)
        self.assertIn(notModified(headers, page(b"a/b", b"x", b"y", since=5)), (True, False))
        headers.removeHeader(b"If-None-Match")
        self.assertIn(notModified(headers, page(b"a/b", b"x", b"y", since=5)), (True, False))

    @given(st.binary(max_size=60).filter(lambda data: b" " not in data and data.isascii()))
    def test_resource(self, query: bytes) -> None:
        """Whatever WebFinger is asked, that is a resource or it is refused."""
        try:
            resource, _ = asked(query)
        except ValueError:
            return
        loginOf(resource, BASE)
