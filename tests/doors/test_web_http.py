"""HTTP as it should be: what is cached, what is refused, and how connections go on and end."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock, deferLater
from twisted.web.http_headers import Headers
from zope.interface import implementer

from fingerd.doors.http.web_page import FRESH, Answer, page
from fingerd.doors.net.balancers import parseBalancers
from fingerd.doors.web.kept_pages import KeptPages
from fingerd.doors.web.pages import SECURITY
from fingerd.doors.web.site import Site
from fingerd.model import texts
from fingerd.model.interfaces import IQueryLog
from fingerd.model.limits import Limits
from fingerd.model.rules import DEFAULT_RULES
from fingerd.model.user import User
from tests.doors.test_web_pages import MOSHEZ
from tests.doors.web import WebCase, responses
from tests.support.ports import TIME, Client, Directory, until
from tests.support.service import Finger


class Text(str):
    """A text that can be watched."""


GET = b"GET /moshez HTTP/1.1\r\nHost: example.com\r\n"
# Each is no request that a server may answer otherwise.
MALFORMED = {
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.0": b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host's name": b"GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n",
    "markup for a host": b'GET / HTTP/1.1\r\nHost: "><b>\r\n\r\n',
    "user at host": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n",
    "bare CR in a header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "list of lengths": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 5\r\n\r\n",
    "signed length": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
    "length and chunks": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
    "another coding": b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "not ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}
# Each has a body.
BODIES = {
    "length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    "chunks": b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n",
    "coding with a TAB": b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \tchunked\r\n\r\n"
    b"0\r\n\r\n",
    "identity": b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
    "expected": b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "a request in it": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 43\r\n\r\n"
    b"GET /moshez HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "large": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000,
}


def paused(client: Client) -> None:
    """Let this client take nothing of what it is sent."""
    cast(Any, client.transport).getHandle().setsockopt(SOL_SOCKET, SO_RCVBUF, 65536)
    cast(IPushProducer, client.transport).pauseProducing()


@implementer(IQueryLog)
class Noted:
    """A query log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []

    def asked(
        self, peer: str | None, door: str, query: bytes, outcome: str, size: int, seconds: float
    ) -> None:
        self.lines.append((peer, door, query, outcome, size))


class CachingTests(WebCase):
    """What a client has already is not sent again."""

    async def test_etag(self) -> None:
        """A client that has the page gets 304, by its ETag however it is written, and no body."""
        port = self.web(MOSHEZ)
        for path in ("/moshez", "/", "/feed.atom", "/moshez/feed.atom", "/openapi.json"):
            page = await self.get(port, path, "text/html, */*;q=0.1")
            tag = page.headers["ETag"]
            for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
                again = await self.get(port, path, "text/html, */*;q=0.1", If_None_Match=known)
                self.assertEqual((again.status, again.body), (304, b""), path)
                self.assertEqual(again.headers["ETag"], tag)
                self.assertNotIn("Content-Length", again.headers)
            other = await self.get(port, path, "text/html, */*;q=0.1", If_None_Match='"x"')
            self.assertEqual((other.status, other.body), (200, page.body))

    async def test_forms(self) -> None:
        """No two forms of a page have the same ETag."""
        port = self.web(MOSHEZ)
        tags = [(await self.get(port, "/moshez", a)).headers["ETag"] for a in ("text/html", "*/*")]
        self.assertNotEqual(*tags)

    async def test_changed(self) -> None:
        """When a status is set, the page is another one at once."""
        port = self.web(MOSHEZ)
        tag = (await self.get(port, "/moshez", "text/html")).headers["ETag"]
        self.set("moshez", "At lunch")
        page = await self.get(port, "/moshez", "text/html", If_None_Match=tag)
        self.assertEqual(page.status, 200)
        self.assertIn("At lunch", page.text)

    async def test_lastModified(self) -> None:
        """A page says since when it is what it is, and who has it since then gets 304."""
        port = self.web(MOSHEZ)
        await self.get(port, "/moshez", "text/html")
        found: list[Any] = []
        while not found:
            # In the second in which it changed, a page may change again.
            await deferLater(TIME, 0.1)
            page = await self.get(port, "/moshez", "text/html")
            found = [page.headers["Last-Modified"]] if "Last-Modified" in page.headers else []
        again = await self.get(port, "/moshez", "text/html", If_Modified_Since=found[0])
        self.assertEqual((again.status, again.body), (304, b""))
        for since in ("Thu, 01 Jan 1970 00:00:00 GMT", "yesterday", "", "Xyz, 99 Foo 1 1:1:1 GMT"):
            again = await self.get(port, "/moshez", "text/html", If_Modified_Since=since)
            self.assertEqual(again.status, 200)
        # The ETag is what counts, where there is one.
        other = await self.get(
            port, "/moshez", "text/html", If_Modified_Since=found[0], If_None_Match='"x"'
        )
        self.assertEqual(other.status, 200)

    async def test_back(self) -> None:
        """A page that is what it was before the last change is no older than that change."""
        kept = KeptPages(100_000)
        made = [
            page(b"a/b", body, b"no-cache", since=n) for n, body in enumerate((b"1", b"2", b"1"), 5)
        ]
        for number, each in enumerate(made):
            self.assertIs(kept.put("x", number, each), each)
        self.assertEqual(kept.put("x", 3, page(b"a/b", b"1", b"no-cache", since=99)).since, 7)

    async def test_keptInBounds(self) -> None:
        """Of the pages that are kept, those that were asked for longest ago are forgotten."""
        kept = KeptPages(300_000)
        for name in ("a", "b", "c", "d"):
            kept.put(name, 1, page(b"a/b", b"x" * 90_000, b"no-cache"))
            kept.get("a", 1)
        found = [name for name in ("a", "b", "c", "d") if kept.get(name, 1) is not None]
        self.assertEqual(found, ["a", "c", "d"])
        kept.put("e", 1, page(b"a/b", b"x" * 300_000, b"no-cache"))
        self.assertIsNone(kept.get("e", 1))

    async def test_shortPages(self) -> None:
        """Short pages count for all the memory that they take, which is more than their text."""
        kept = KeptPages(1_000_000)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(10_000):
            headers = *SECURITY, b"Vary: Accept"
            kept.put(str(number), (number,), page(b"a/b", b"%d" % number, FRESH, *headers))
        after, _ = tracemalloc.get_traced_memory()
        self.assertLess(after - before, 1_500_000)

    async def test_oldLists(self) -> None:
        """A page with a list keeps none of what its users have and it doesn't show."""
        plans: list[weakref.ref[Text]] = []

        def users() -> Deferred[list[User]]:
            plan = Text("To write a finger daemon")
            plans.append(weakref.ref(plan))
            return succeed([User("moshez", plan=plan)])

        directory = Directory(lambda login: succeed(None))
        self.patch(directory, "getUsers", lambda limit: users())
        clock = Clock()
        site = Site(Finger(clock, [directory]), None, 20, Limits(), clock)
        visit = Finger(clock).visit()
        for number in range(3):
            headers = Headers({b"Host": [b"host%d" % number]})
            for path in (b"/users.json", b"/users.txt", b"/feed.atom", b"/"):
                asked = site.answer(b"GET", path, headers, visit)
                clock.advance(0)
                answer = asked if isinstance(asked, Answer) else self.successResultOf(asked)
                self.assertEqual(answer.page.status, 200)
            clock.advance(2)
        gc.collect()
        self.assertEqual([plan() is None for plan in plans], [True, True, False])

    async def test_errors(self) -> None:
        """What says that there is nothing is kept nowhere, and has no ETag."""
        response = await self.get(self.web(), "/nobody", If_None_Match="*")
        self.assertEqual((response.status, response.headers["Cache-Control"]), (404, "no-store"))
        self.assertNotIn("ETag", response.headers)

    async def test_head(self) -> None:
        """HEAD says all that GET does, and sends no page."""
        port = self.web(MOSHEZ)
        for path in ("/moshez", "/", "/nobody", "/feed.atom", "/.well-known/host-meta"):
            got, head = await self.get(port, path), await self.get(port, path, method="HEAD")
            for response in (got, head):
                response.headers.pop("Date")
                response.headers.pop("Last-Modified", None)
            self.assertEqual((head.status, head.headers), (got.status, got.headers))
            self.assertEqual(int(head.headers["Content-Length"]), len(got.body))

    async def test_security(self) -> None:
        """Every answer forbids what its page doesn't need."""
        port = self.web(MOSHEZ)
        for path in ("/moshez", "/", "/nobody", "/feed.atom", "/a/b/c", "/users.json"):
            headers = (await self.get(port, path, "text/html, */*;q=0.1")).headers
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["X-Frame-Options"], "DENY")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertNotIn("Server", headers)
            self.assertNotIn("Set-Cookie", headers)


class RefusingTests(WebCase):
    """What is no request is refused in words, and nothing behind it is taken."""

    async def test_malformed(self) -> None:
        """What isn't HTTP/1.1 or 1.0, or could be read in two ways, gets 400 and an end."""
        port = self.web(MOSHEZ)
        for name, request in MALFORMED.items():
            found = responses(await self.ask(port, request + GET + b"\r\n", halfClose=True))
            self.assertEqual([each.status for each in found], [400], name)
            self.assertEqual(found[0].headers["Connection"], "close")
            self.assertIn("Not an HTTP request", found[0].text)

    async def test_body(self) -> None:
        """No body is taken, whatever it is said to be, and no request that is hidden in it."""
        port = self.web(MOSHEZ)
        for name, request in BODIES.items():
            found = responses(await self.ask(port, request + GET + b"\r\n", halfClose=True))
            self.assertEqual([each.status for each in found], [413], name)

    async def test_methods(self) -> None:
        """Other methods than GET and HEAD are refused, and those are named."""
        port = self.web(MOSHEZ)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X-Y"):
            response = await self.get(port, "/moshez", method=method)
            self.assertEqual((response.status, response.headers["Allow"]), (405, "GET, HEAD"))

    async def test_tooLong(self) -> None:
        """A megabyte of headers, many headers, and a long address are refused in words."""
        port = self.web(MOSHEZ, limits=Limits(bytesAfterRequest=2**22))
        for request, status in (
            (GET + b"A: " + b"x" * 2**20 + b"\r\n\r\n", 431),
            (GET + b"A: x\r\n" * 150 + b"\r\n", 431),
            (GET + (b"A: " + b"x" * 1000 + b"\r\n") * 1000 + b"\r\n", 431),
            (b"GET /" + b"x" * 2**20 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
            (b"GET /" + b"x" * 600 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 414),
        ):
            (response,) = responses(await self.ask(port, request, halfClose=True))
            self.assertEqual(response.status, status, request[:80])
            self.assertTrue(response.text.strip())

    async def test_tooMuch(self) -> None:
        """Who sends without end is cut off."""
        port = self.web(MOSHEZ, limits=Limits(bytesAfterRequest=1000))
        client = await self.connect(port)
        client.transport.write(b"GET /\r\n" + b"x" * 1_000_000)
        await client.closed
        await until(lambda: not len(self.finger.visits))

    async def test_paths(self) -> None:
        """No trick in a path leads anywhere: each is nobody's page."""
        port = self.web(MOSHEZ)
        for path in (
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/..%2f..%2fetc%2fpasswd",
            "/%2e%2e",
            "/moshez%00",
            "/moshez%00.json",
            "/%c0%af",
            "/%c1%9c",
            "/%e0%80%af",
            "/%ed%a0%80",
            "/%ff",
            "/moshez%2f",
            "/moshez%2fuser.json",
            "//moshez",
            "/moshez//",
            "/moshez/x",
            "/moshez/../moshez",
            "/%",
            "/%zz",
            "/moshez;x",
            "/-v",
            "/%2Fmoshez",
            "/moshez%40example.org",
            "/moshez%20shawn",
            "/moshez%0d%0aX:%20y",
        ):
            response = await self.get(port, path)
            self.assertEqual(response.status, 404, path)
            self.assertNotIn("X", response.headers)

    async def test_absolute(self) -> None:
        """A whole address in the request line is read as a path."""
        port = self.web(MOSHEZ)
        self.assertEqual((await self.get(port, "http://other.example/moshez")).status, 200)
        self.assertEqual((await self.get(port, "http://other.example")).status, 200)
        self.assertEqual((await self.get(port, "*")).status, 404)

    async def test_limited(self) -> None:
        """More queries in a minute than a peer may ask, at any door, get 429."""
        port = self.web(MOSHEZ, limits=Limits(peerQueries=2))
        fingers = self.listen(self.finger.getFingerFactory())
        self.assertIn(b"Happy", await self.ask(fingers, b"moshez\r\n"))
        self.assertEqual((await self.get(port, "/moshez")).status, 200)
        for path in ("/moshez", "/", "/moshez/feed.atom", "/feed.atom", "/nobody"):
            response = await self.get(port, path)
            self.assertEqual((response.status, response.headers["Retry-After"]), (429, "60"))
            self.assertEqual(response.text, texts.TOO_MANY_QUERIES + "\r\n")
        self.assertIn(b"Too many", await self.ask(fingers, b"moshez\r\n"))

    async def test_lookups(self) -> None:
        """As many lookups as may wait, at any door, and the next one gets 503."""
        slow = Directory(lambda login: Deferred())
        self.web()
        limits = Limits(lookups=1, peerLookups=5, lookupTime=1.0)
        port = self.web(finger=Finger(TIME, [slow], None, limits))
        first = await self.connect(port)
        first.transport.write(GET + b"Connection: close\r\n\r\n")
        await until(lambda: slow.asked)
        response = await self.get(port, "/moshez")
        self.assertEqual((response.status, response.text), (503, texts.TOO_MANY_LOOKUPS + "\r\n"))
        (response,) = responses(await first.closed)
        self.assertEqual(response.status, 503)
        self.assertIn(texts.INTERNAL_ERROR, response.text)

    async def test_pageFails(self) -> None:
        """A page that can't be made is an internal error, with its reason in the log only."""
        port = self.web(MOSHEZ)
        self.patch(self.site._forms[0], "user", lambda *_: 1 / 0)
        response = await self.get(port, "/moshez", "text/html")
        self.assertEqual((response.status, response.text), (503, texts.INTERNAL_ERROR + "\r\n"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ConnectionTests(WebCase):
    """How connections go on, and how they end."""

    async def test_persistent(self) -> None:
        """A client asks again on its connection, and is one visit that is as good as a new one."""
        log = Noted()
        port = self.web(MOSHEZ, queryLog=log)
        client = await self.connect(port)
        client.transport.write(GET + b"\r\n")
        await until(lambda: b"Happy" in client.received)
        self.assertEqual(len(self.finger.visits), 1)
        client.transport.write(b"HEAD /nobody HTTP/1.1\r\nHost: example.com\r\n\r\n")
        await until(lambda: b"404" in client.received)
        client.transport.write(GET + b"Connection: close\r\n\r\n")
        data = await client.closed
        self.assertEqual(data.count(b"HTTP/1.1 200 OK"), 2)
        self.assertEqual(
            [(door, line, outcome) for _, door, line, outcome, _ in log.lines],
            [
                ("web", b"GET /moshez", "found"),
                ("web", b"HEAD /nobody", "unknown"),
                ("web", b"GET /moshez", "found"),
            ],
        )
        await until(lambda: not len(self.finger.visits))

    async def test_pipelined(self) -> None:
        """Requests that come together are answered one after the other, each in full."""
        users = [User(f"u{n}", plan=str(n) * 3000) for n in range(60)]
        port = self.web(*users)
        requests = b"".join(b"GET /u%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(60))
        data = await self.ask(port, requests + GET + b"Connection: close\r\n\r\n")
        found = responses(data)
        self.assertEqual(len(found), 61)
        for number, response in enumerate(found[:60]):
            self.assertIn(str(number) * 3000, response.text)

    async def test_slowReader(self) -> None:
        """For who asks for much and takes nothing, not all answers are made at once."""
        log = Noted()
        users = [User("moshez", plan="x" * 200_000)]
        port = self.web(*users, queryLog=log, limits=Limits(peerQueries=1000))
        client = await self.connect(port)
        paused(client)
        count = 60
        client.transport.write((GET + b"\r\n") * (count - 1) + GET + b"Connection: close\r\n\r\n")
        await until(lambda: log.lines)
        await until(lambda: len(self.finger.visits) == 1)
        for _ in range(50):
            await until(lambda: True)
        self.assertLess(len(log.lines), 50)
        cast(IPushProducer, client.transport).resumeProducing()
        self.assertEqual(len(responses(await client.closed)), count)

    async def test_unsent(self) -> None:
        """Answers that nobody takes are bounded for all doors together: the oldest is given up."""
        users = [User("moshez", plan="x" * 200_000)]
        port = self.web(*users, limits=Limits(unsentAnswers=450_000))
        clients = []
        for _ in range(3):
            client = await self.connect(port)
            paused(client)
            client.transport.write(GET + b"\r\n")
            clients.append(client)
        await until(lambda: len(self.finger.visits) == 2)
        for client in clients:
            client.transport.abortConnection()

    async def test_halfClosed(self) -> None:
        """A client that closes its sending side behind its request gets its answer."""
        answers: list[Deferred[User | None]] = []

        def slow(login: str) -> Deferred[User | None]:
            answers.append(Deferred())
            return answers[-1]

        self.web()
        port = self.web(finger=Finger(TIME, [Directory(slow)]))
        asked = Deferred.fromCoroutine(self.ask(port, GET + b"\r\n", halfClose=True))
        await until(lambda: answers)
        answers[0].callback(User("moshez", status="Happy"))
        (response,) = responses(await asked)
        self.assertEqual(response.status, 200)

    async def test_gone(self) -> None:
        """A client that goes away cancels what is done for it, and is logged as gone."""
        cancelled: list[object] = []
        log = Noted()
        slow = Directory(lambda login: Deferred(cancelled.append))
        self.web()
        port = self.web(finger=Finger(TIME, [slow], None, Limits(), DEFAULT_RULES, None, log))
        client = await self.connect(port)
        client.transport.write(GET + b"\r\n")
        await until(lambda: slow.asked)
        client.transport.abortConnection()
        await until(lambda: cancelled)
        self.assertEqual([line[3] for line in log.lines], ["gone"])

    async def test_late(self) -> None:
        """A request that doesn't come in time gets 408; who says nothing is just closed."""
        port = self.web(MOSHEZ, limits=Limits(webRequest=0.1))
        (response,) = responses(await self.ask(port, b"GET / HTTP/1.1\r\nHost:"))
        self.assertEqual(response.status, 408)
        self.assertEqual(await self.ask(port), b"")

    async def test_idle(self) -> None:
        """A connection on which nothing more is asked is closed, and without an error."""
        port = self.web(MOSHEZ, limits=Limits(webIdle=0.1))
        (response,) = responses(await self.ask(port, GET + b"\r\n"))
        self.assertEqual(response.status, 200)
        self.assertNotIn("Connection", response.headers)

    async def test_old(self) -> None:
        """A connection that is half as old as one may be is not gone on with."""
        port = self.web(MOSHEZ, limits=Limits(connectionTime=0.2))
        client = await self.connect(port)
        client.transport.write(GET + b"\r\n")
        await until(lambda: b"Happy" in client.received)
        begun = TIME.seconds()
        await until(lambda: TIME.seconds() - begun > 0.11)
        client.transport.write(GET + b"\r\n")
        found = responses(await client.closed)
        self.assertEqual(found[-1].headers.get("Connection"), "close")

    async def test_http10(self) -> None:
        """A client of HTTP/1.0 is answered, and then closed."""
        (response,) = responses(await self.ask(self.web(MOSHEZ), b"GET /moshez HTTP/1.0\r\n\r\n"))
        self.assertEqual((response.status, response.headers["Connection"]), (200, "close"))

    async def test_peer(self) -> None:
        """One peer has as many connections as it may have, at all doors together."""
        port = self.web(MOSHEZ, limits=Limits(peerConnections=2))
        fingers = self.listen(self.finger.getFingerFactory())
        await self.connect(fingers)
        await self.connect(port)
        await until(lambda: len(self.finger.visits) == 2)
        self.assertEqual(await self.ask(port, GET + b"\r\n"), b"")

    async def test_room(self) -> None:
        """Where all places are taken, an idle client makes room, and none that waits."""
        port = self.web(MOSHEZ)
        self.finger.visits.most = 1
        idle = await self.connect(port)
        idle.transport.write(GET + b"\r\n")
        await until(lambda: b"Happy" in idle.received)
        self.assertEqual((await self.get(port, "/moshez")).status, 200)
        await idle.closed

    async def test_stop(self) -> None:
        """When the port is closed, idle connections end, and none is gone on with."""
        port = self.web(MOSHEZ)
        client = await self.connect(port)
        client.transport.write(GET + b"\r\n")
        await until(lambda: b"Happy" in client.received)
        await self.stopped()
        await client.closed


class ProxyTests(WebCase):
    """Who is asked for by a proxy."""

    async def hosts(self, *lines: str, networks: str = "127.0.0.0/8") -> list[Any]:
        """Whom the query log names for one request with these header lines."""
        log = Noted()
        port = self.web(MOSHEZ, queryLog=log, balancers=parseBalancers([networks]))
        headers = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        await self.ask(port, GET + headers + b"Connection: close\r\n\r\n")
        return [line[0] for line in log.lines]

    async def test_forwardedFor(self) -> None:
        """From a listed proxy the last address that is no listed proxy's is the client's."""
        for lines, host in (
            (["X-Forwarded-For: 192.0.2.1"], "192.0.2.1"),
            (["X-Forwarded-For: 198.51.100.9, 192.0.2.1"], "192.0.2.1"),
            (["X-Forwarded-For: 192.0.2.1, 127.0.0.9"], "192.0.2.1"),
            (["X-Forwarded-For: 192.0.2.9", "X-Forwarded-For: 2001:db8::1"], "2001:db8::1"),
            (["X-Forwarded-For: somebody"], "127.0.0.1"),
            (["X-Forwarded-For: 192.0.2.1, nonsense"], "127.0.0.1"),
            ([], "127.0.0.1"),
        ):
            self.assertEqual(await self.hosts(*lines), [host], lines)

    async def test_notListed(self) -> None:
        """From anybody else it says nothing."""
        found = await self.hosts("X-Forwarded-For: 192.0.2.1", networks="192.0.2.0/24")
        self.assertEqual(found, ["127.0.0.1"])

    async def test_rate(self) -> None:
        """Behind a proxy each client has its own queries, and a connection is one client's."""
        port = self.web(
            MOSHEZ, limits=Limits(peerQueries=1), balancers=parseBalancers(["127.0.0.1"])
        )
        for last, status in ((1, 200), (2, 200), (1, 429)):
            response = await self.get(port, "/moshez", X_Forwarded_For=f"192.0.2.{last}")
            self.assertEqual(response.status, status)
            self.assertEqual(response.headers["Connection"], "close")
