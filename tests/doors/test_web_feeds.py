"""Feeds, WebFinger, and what programs find about both."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element, fromstring

from twisted.internet.defer import Deferred, gatherResults

from fingerd.model.fields import parseViews
from fingerd.model.limits import Limits
from fingerd.model.masking import Mask
from fingerd.model.record import Entry
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.service.visit import WAITING
from fingerd.text.replacing import parseReplacements
from tests.doors.test_web_pages import MOSHEZ, SHAWN
from tests.doors.web import WebCase
from tests.support.ports import until

ATOM = "{http://www.w3.org/2005/Atom}"


def texts(feed: Element, path: str) -> list[str]:
    """The texts of the elements at a path."""
    steps = "/".join(ATOM + step for step in path.split("/"))
    return [element.text or "" for element in feed.findall(steps)]


class FeedTests(WebCase):
    """The feeds."""

    async def feed(self, port: int, path: str = "/moshez/feed.atom") -> Element:
        """A feed as a reader reads it."""
        response = await self.get(port, path)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["Content-Type"], "application/atom+xml; charset=utf-8")
        return fromstring(response.body)

    async def test_history(self) -> None:
        """A user's feed has what they have set, the newest first, with true times."""
        port = self.web(MOSHEZ)
        for text in ("Writing", "Reading", "At lunch"):
            self.set("moshez", text)
        feed = await self.feed(port)
        self.assertEqual(texts(feed, "entry/content"), ["At lunch", "Reading", "Writing"])
        times = ["2023-11-14T22:13:23Z", "2023-11-14T22:13:22Z", "2023-11-14T22:13:21Z"]
        self.assertEqual(texts(feed, "entry/updated"), times)
        self.assertEqual(texts(feed, "updated"), times[:1])
        self.assertEqual(texts(feed, "title"), ["Moshe Zadka"])
        self.assertEqual(texts(feed, "entry/author/name"), ["Moshe Zadka"] * 3)
        self.assertEqual(texts(feed, "entry/id")[0], "tag:example.com,2026:moshez/1700000003000000")

    async def test_stable(self) -> None:
        """An entry keeps its id when others come, and in the feed of all."""
        port = self.web(MOSHEZ)
        self.set("moshez", "Writing")
        (before,) = texts(await self.feed(port), "entry/id")
        self.assertEqual(texts(await self.feed(port, "/feed.atom"), "entry/id"), [before])
        self.set("moshez", "Reading")
        self.assertEqual(texts(await self.feed(port), "entry/id")[1:], [before])

    async def test_cleared(self) -> None:
        """What was cleared or has expired is in no feed."""
        port = self.web(MOSHEZ)
        self.set("moshez", "Secret")
        self.set("moshez", "")
        self.set("moshez", "Out", until=self.now + 5)
        self.set("moshez", "Writing")
        self.now += 10
        for path in ("/moshez/feed.atom", "/feed.atom"):
            self.assertEqual(texts(await self.feed(port, path), "entry/content"), ["Writing"])

    async def test_most(self) -> None:
        """A feed goes back as far as the administrator lets people see."""
        for history, expected in ((2, ["c", "b"]), (0, ["c"])):
            port = self.web(MOSHEZ, history=history)
            for text in "abc":
                self.set("moshez", text)
            self.assertEqual(texts(await self.feed(port), "entry/content"), expected)

    async def test_empty(self) -> None:
        """Who has set nothing has a feed with nothing in it."""
        feed = await self.feed(self.web(SHAWN), "/shawn/feed.atom")
        self.assertEqual(texts(feed, "entry/id"), [])
        self.assertEqual(texts(feed, "author/name"), ["shawn"])

    async def test_all(self) -> None:
        """The feed of all has the newest that anybody has set, in full, the newest first."""
        port = self.web(MOSHEZ, SHAWN, User("radix", status="Since nobody knows when"))
        for login, text in (
            ("shawn", "First"),
            ("moshez", "Second"),
            ("shawn", "Third\nand more"),
            ("moshez", "Fourth"),
            ("moshez", "Fifth"),
        ):
            self.set(login, text)
        feed = await self.feed(port, "/feed.atom")
        said = ["Fifth", "Fourth", "Third\nand more", "Second", "First"]
        self.assertEqual(texts(feed, "entry/content"), said)
        self.assertEqual(texts(feed, "entry/title"), [text.split("\n")[0] for text in said])
        names = ["Moshe Zadka", "Moshe Zadka", "shawn", "Moshe Zadka", "shawn"]
        self.assertEqual(texts(feed, "entry/author/name"), names)

    async def test_someOfAll(self) -> None:
        """It goes as far back as the feed of a user does, and has so many statuses at most."""
        for history, most, expected in (
            (20, 3, ["d", "c", "b"]),
            (1, 50, ["d", "b"]),
            (0, 50, ["d", "b"]),
            (0, 1, ["d"]),
            (2, 50, ["d", "c", "b", "a"]),
        ):
            port = self.web(MOSHEZ, SHAWN, history=history, limits=Limits(webFeed=most))
            for login, text in (("shawn", "a"), ("shawn", "b"), ("moshez", "c"), ("moshez", "d")):
                self.set(login, text)
            feed = await self.feed(port, "/feed.atom")
            self.assertEqual(texts(feed, "entry/content"), expected, (history, most))

    async def test_hiddenOfAll(self) -> None:
        """Who isn't listed isn't in it, and where lists show no status nobody is."""
        rules = Rules(mask=Mask(["shawn"]))
        for views, expected in (
            (parseViews(None, None, None), ["Writing"]),
            (parseViews("office", None, None), []),
            (parseViews(None, "office", None), []),
        ):
            port = self.web(MOSHEZ, SHAWN, rules=replace(rules, views=views))
            self.set("moshez", "Writing")
            self.set("shawn", "Secret")
            feed = await self.feed(port, "/feed.atom")
            self.assertEqual(texts(feed, "entry/content"), expected)
        port = self.web(MOSHEZ, rules=Rules(listed=False))
        self.assertEqual((await self.get(port, "/feed.atom")).status, 403)

    async def test_allReplaced(self) -> None:
        """What is replaced on the finger port is so in every feed."""
        rules = Rules(replacements=parseReplacements(["sad=happy"]))
        port = self.web(MOSHEZ, rules=rules)
        self.set("moshez", "Very sad\nVery sad")
        for path in ("/feed.atom", "/moshez/feed.atom"):
            feed = await self.feed(port, path)
            self.assertEqual(texts(feed, "entry/content"), ["Very happy\nVery happy"])

    async def test_sharedWork(self) -> None:
        """Many who ask for it at once share the work, and get the same bytes."""
        port = self.web(MOSHEZ, SHAWN)
        self.set("moshez", "Writing")
        asked: list[str] = []
        waiting: list[Deferred[list[Entry]]] = []

        def history(login: str, most: int) -> Deferred[list[Entry]]:
            asked.append(login)
            waiting.append(Deferred())
            return waiting[-1]

        self.patch(self.store, "history", history)
        request = b"GET /feed.atom HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        clients = [Deferred.fromCoroutine(self.ask(port, request)) for _ in range(5)]
        await until(lambda: len(self.finger.visits) == 5)
        await until(lambda: all(visit.state is WAITING for visit in self.finger.visits))
        # Who has set something last is looked for in slices.
        await until(lambda: bool(waiting))
        waiting[0].callback([Entry("Reading", self.now)])
        pages = await gatherResults(clients)
        self.assertEqual(asked, ["moshez"])
        self.assertEqual(len({page.partition(b"<?xml")[2] for page in pages}), 1)
        self.assertIn(b"Reading", pages[0])

    async def test_strangeTimes(self) -> None:
        """A time that is no date is in no feed, and breaks no page."""
        for set in (1e300, -1e300, float("nan"), float("inf")):
            port = self.web(User("moshez", status="Hi", statusSet=set), history=0)
            self.assertEqual(texts(await self.feed(port), "entry/id"), [])
            for path in ("/", "/moshez", "/moshez/user.json", "/feed.atom"):
                response = await self.get(port, path, "text/html, */*;q=0.1")
                self.assertEqual(response.status, 200)


class WebFingerTests(WebCase):
    """RFC 7033."""

    async def found(self, port: int, query: str, method: str = "GET") -> object:
        """The status and the document for a query."""
        response = await self.get(port, f"/.well-known/webfinger{query}", method=method)
        self.assertEqual(response.headers["Access-Control-Allow-Origin"], "*")
        if response.status != 200 or method == "HEAD":
            return response.status
        self.assertEqual(response.headers["Content-Type"], "application/jrd+json")
        return response.json

    async def test_found(self) -> None:
        """A user's address leads to their page and their feed, however it is encoded."""
        port = self.web(MOSHEZ)
        expected = {
            "subject": "acct:moshez@example.com",
            "aliases": ["https://example.com/moshez"],
            "links": [
                {
                    "rel": "http://webfinger.net/rel/profile-page",
                    "type": "text/html",
                    "href": "https://example.com/moshez",
                },
                {
                    "rel": "http://schemas.google.com/g/2010#updates-from",
                    "type": "application/atom+xml",
                    "href": "https://example.com/moshez/feed.atom",
                },
            ],
        }
        for query in (
            "?resource=acct:moshez@example.com",
            "?resource=acct%3Amoshez%40example.com",
            "?x=y&resource=acct:moshez@example.com",
            "?resource=acct:moshez@EXAMPLE.com",
            "?resource=ACCT:moshez@example.com",
            "?resource=https://example.com/moshez",
        ):
            self.assertEqual(await self.found(port, query), expected, query)
            self.assertEqual(await self.found(port, query, "HEAD"), 200)

    async def test_relations(self) -> None:
        """Only the links that are asked for are given, and the rest all the same."""
        port = self.web(MOSHEZ)
        query = "?resource=acct:moshez@example.com"
        profile = "rel=http://webfinger.net/rel/profile-page"
        for more, count in (
            (f"&{profile}", 1),
            (f"&{profile}&rel=http%3A%2F%2Fschemas.google.com%2Fg%2F2010%23updates-from", 2),
            ("&rel=self", 0),
        ):
            document = await self.found(port, query + more)
            assert isinstance(document, dict)
            self.assertEqual(len(document["links"]), count)
            self.assertEqual(document["subject"], "acct:moshez@example.com")

    async def test_bad(self) -> None:
        """Where no resource is named, or none that is one, the request is bad."""
        port = self.web(MOSHEZ)
        for query in (
            "",
            "?",
            "?resource",
            "?resource=",
            "?resource=moshez",
            "?resource=moshez@example.com",
            "?resource=acct:moshez",
            "?resource=acct:@example.com",
            "?resource=acct:moshez@",
            "?resource=acct:%FFx@example.com",
            "?resource=acct:%zz@example.com",
            "?resource=https://example.com/%25zz",
            "?resource=https://example.com/%25ff",
            "?resource=acct:moshez@example.com&resource=acct:moshez@example.com",
            "?Resource=acct:moshez@example.com",
        ):
            self.assertEqual(await self.found(port, query), 400, query)

    async def test_nobody(self) -> None:
        """Who is unknown, hidden, at another host or no person at all is not found."""
        port = self.web(MOSHEZ, SHAWN, rules=Rules(mask=Mask(["shawn"]), matched=True))
        for query in (
            "?resource=acct:nobody@example.com",
            "?resource=acct:shawn@example.com",
            "?resource=acct:zadka@example.com",
            "?resource=acct:moshez@example.org",
            "?resource=acct:moshez@example.com@example.org",
            "?resource=acct:moshez%40example.com@example.org",
            "?resource=mailto:moshez@example.com",
            "?resource=https://example.org/moshez",
            "?resource=https://example.com/moshez/x",
            "?resource=urn:x",
        ):
            self.assertEqual(await self.found(port, query), 404, query)

    async def test_hostMeta(self) -> None:
        """host-meta says where WebFinger is."""
        response = await self.get(self.web(), "/.well-known/host-meta")
        self.assertEqual(response.headers["Content-Type"], "application/xrd+xml")
        self.assertEqual(response.headers["Access-Control-Allow-Origin"], "*")
        (link,) = fromstring(response.body)
        self.assertEqual(
            link.get("template"), "https://example.com/.well-known/webfinger?resource={uri}"
        )

    async def test_called(self) -> None:
        """Without an address of its own, the door is what its client calls it."""
        port = self.web(MOSHEZ, url=None)
        document = await self.found(port, "?resource=acct:moshez@example.com")
        assert isinstance(document, dict)
        self.assertEqual(document["aliases"], ["http://example.com/moshez"])
