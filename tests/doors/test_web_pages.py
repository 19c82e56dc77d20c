"""Pages: who is who and how they are, in a browser, a script and a terminal."""

from __future__ import annotations

import re
import time
from itertools import product
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail, succeed

from fingerd.model import texts
from fingerd.model.errors import DirectoryError
from fingerd.model.fields import parseViews
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.masking import Mask
from fingerd.model.rules import Rules
from fingerd.model.user import HIDDEN, User
from fingerd.stores.memory import MemoryStore
from fingerd.text.replacing import parseReplacements
from tests.doors.web import Known, WebCase
from tests.support.ports import TIME, Directory
from tests.support.service import Finger

MOSHEZ = User(
    "moshez",
    "Moshe Zadka",
    "Happy and well",
    1_699_990_000.0,
    office="42",
    project="A finger server",
    plan="To write:\n\n   * https://twisted.org/a_(b).\n   * javascript:alert(1)\n",
)
SHAWN = User("shawn", status="Außer Haus")
ACCOUNT = "/.well-known/webfinger?resource=acct:{}@example.com"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class FormTests(WebCase):
    """One address, and the form that is asked for."""

    async def test_byAccept(self) -> None:
        """A browser gets HTML, a script that asks for it JSON, and curl the finger answer."""
        port = self.web(MOSHEZ, SHAWN)
        for path in ("/", "/moshez", "/moshez/"):
            for accept, kind in (
                (BROWSER, "text/html; charset=utf-8"),
                ("text/html, text/plain, text/sgml, */*;q=0.01", "text/html; charset=utf-8"),
                ("text/*", "text/html; charset=utf-8"),
                ("application/json", "application/json"),
                ("application/json;q=0.5, text/plain;q=0.4", "application/json"),
                ("text/html;q=0, */*", "text/plain; charset=utf-8"),
                ("*/*", "text/plain; charset=utf-8"),
                (None, "text/plain; charset=utf-8"),
                ("", "text/plain; charset=utf-8"),
            ):
                response = await self.get(port, path, accept)
                self.assertEqual(response.status, 200)
                self.assertEqual(response.headers["Content-Type"], kind, (path, accept))
                self.assertEqual(response.headers["Vary"], "Accept")

    async def test_noForm(self) -> None:
        """Who wants a form that there is not, an actor of ActivityPub perhaps, is told so."""
        port = self.web(MOSHEZ)
        for path in ("/", "/moshez", "/nobody"):
            response = await self.get(port, path, "application/activity+json")
            self.assertEqual(response.status, 406)

    async def test_byName(self) -> None:
        """Each form has a name of its own, whatever the client says that it accepts."""
        port = self.web(MOSHEZ)
        for path, kind in (
            ("/users.json", "application/json"),
            ("/users.txt", "text/plain; charset=utf-8"),
            ("/moshez/user.json", "application/json"),
            ("/moshez/user.txt", "text/plain; charset=utf-8"),
        ):
            response = await self.get(port, path, "text/html")
            self.assertEqual((response.status, response.headers["Content-Type"]), (200, kind))
            self.assertNotIn("Vary", response.headers)

    async def test_text(self) -> None:
        """The text is the finger port's answer, byte for byte."""
        port = self.web(MOSHEZ, SHAWN)
        ports = self.finger.getFingerFactory()
        for path, line in (("/moshez", b"moshez"), ("/", b""), ("/shawn/user.txt", b"shawn")):
            reply = self.successResultOf(self.finger.asked(line))
            said = await ports.renderList(reply) if path == "/" else ports.render(reply)
            self.assertEqual((await self.get(port, path)).body, said)

    async def test_json(self) -> None:
        """JSON has what is known, and a list what the list shows."""
        port = self.web(MOSHEZ, SHAWN)
        moshez = (await self.get(port, "/moshez/user.json")).json
        self.assertEqual(
            moshez,
            {
                "login": "moshez",
                "name": "Moshe Zadka",
                "status": "Happy and well",
                "statusSet": "2023-11-14T19:26:40Z",
                "office": "42",
                "project": "A finger server",
                "plan": MOSHEZ.plan.rstrip(),
                "url": "https://example.com/moshez",
            },
        )
        listed = (await self.get(port, "/users.json")).json
        self.assertEqual([user["login"] for user in listed["users"]], ["moshez", "shawn"])
        self.assertNotIn("plan", listed["users"][0])

    async def test_ending(self) -> None:
        """Each form says when a status ends, however often the page was asked for before."""
        moshez = User("moshez", "Moshe", "At lunch", statusUntil=1_700_000_000.0)
        port = self.web(moshez)
        with patch("time.time", return_value=1_699_992_800.0) as now:
            for left in ("2 hours", "1 hour 59 minutes"):
                page = (await self.get(port, "/moshez", "text/html")).text
                self.assertIn(f">ends in {left}</time>", page)
                text = (await self.get(port, "/moshez/user.txt")).text
                self.assertIn(f"Status (ends in {left}): At lunch", text)
                now.return_value += 60
        said = (await self.get(port, "/moshez/user.json")).json["statusUntil"]
        self.assertEqual(said, "2023-11-14T22:13:20Z")

    async def test_html(self) -> None:
        """A page has the name, the status and its age, and links in a plan where they are links."""
        page = (await self.get(self.web(MOSHEZ), "/moshez", "text/html")).text
        for part in (
            "<title>Moshe Zadka</title>",
            '<link rel="canonical" href="https://example.com/moshez" />',
            'href="/moshez/feed.atom"',
            "Happy and well</p>",
            '<time datetime="2023-11-14T19:26:40Z" class="dt-published">',
            '<a href="https://twisted.org/a_(b)" rel="nofollow ugc">https://twisted.org/a_(b)</a>.\n',
            "   * javascript:alert(1)",
        ):
            self.assertIn(part, page)
        self.assertNotIn("<script", page)

    async def test_manyAddresses(self) -> None:
        """
        A plan that is nothing but addresses, or that has one without end, keeps nobody waiting:
        the first hundred are links, those of any useful length, and the rest is text.
        """
        brackets, long = ")" * 1900, "https://example.org/" + "x" * 60_000
        plan = f"https://example.org/a{brackets} {long} " + "https://example.org/b " * 200
        page = (await self.get(self.web(User("moshez", plan=plan)), "/moshez", "text/html")).text
        self.assertIn(f">https://example.org/a</a>{brackets} {long} <a", page)
        self.assertEqual(page.count(">https://example.org/b</a> "), 98)
        self.assertEqual(page.count(" https://example.org/b"), 200 - 98)

    async def test_prefix(self) -> None:
        """Where people see the pages in a folder, all links are below it."""
        port = self.web(MOSHEZ, url="https://example.com/people/")
        page = (await self.get(port, "/", "text/html")).text
        self.assertIn('href="/people/moshez"', page)
        self.assertIn('href="https://example.com/people/"', page)

    async def test_names(self) -> None:
        """A login of any characters has a page, at the address that the list links to."""
        logins = ["josé", "a b"[0] + "%2F", "100%", "x?y#z", "..x", "users", "山田"]
        users = [User(login, f"N {number}", "Hi") for number, login in enumerate(logins)]
        port = self.web(*users)
        listed = (await self.get(port, "/users.json")).json["users"]
        self.assertEqual([user["login"] for user in listed], logins)
        for user in listed:
            path = user["url"].removeprefix("https://example.com")
            self.assertEqual((await self.get(port, f"{path}/user.json")).json["name"], user["name"])
            self.assertEqual((await self.get(port, path)).status, 200)

    async def test_nobody(self) -> None:
        """Where nobody is, the page says so."""
        response = await self.get(self.web(), "/", "text/html")
        self.assertEqual(response.status, 200)
        self.assertIn("<p>Nobody is here.</p>", response.text)

    async def test_several(self) -> None:
        """A name that is in several full names shows them all, where that is wanted."""
        users = [User("moshez", "Moshe Zadka"), User("moshek", "Moshe Kamensky")]
        port = self.web(*users, rules=Rules(matched=True))
        page = (await self.get(port, "/moshe", "text/html")).text
        self.assertEqual(page.count("<article"), 2)
        both = (await self.get(port, "/moshe/user.json")).json
        self.assertEqual([user["login"] for user in both["users"]], ["moshez", "moshek"])

    async def test_report(self) -> None:
        """What another source has to say is shown as it is."""
        report = User("old", report="Login: old\nNo <Plan>.")
        port = self.web(report)
        self.assertIn("No &lt;Plan&gt;.</pre>", (await self.get(port, "/old", "text/html")).text)
        self.assertIn("No &lt;Plan&gt;.</pre>", (await self.get(port, "/", "text/html")).text)
        self.assertEqual((await self.get(port, "/old/user.json")).json["report"], report.report)

    async def test_sourceFails(self) -> None:
        """Where one source of two fails, the list has the other's users and says so."""
        self.web()
        finger = Finger(TIME, [Known(MOSHEZ), Failing()])
        port = self.web(finger=finger)
        page = (await self.get(port, "/", "text/html")).text
        self.assertIn("Moshe Zadka", page)
        self.assertIn(texts.INTERNAL_ERROR, page)
        listed = (await self.get(port, "/users.json")).json
        self.assertEqual([failure["source"] for failure in listed["failures"]], ["source 2"])
        self.assertEqual((await self.get(port, "/nobody")).status, 503)


class Failing(Known):
    """A directory that can't answer."""

    def __init__(self) -> None:
        super().__init__()

    def getUser(self, login: str) -> Deferred[User | None]:
        return fail(DirectoryError("it burns"))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return fail(DirectoryError("it burns"))


class HiddenTests(WebCase):
    """What is hidden, masked, replaced or refused on the finger port is so here."""

    async def test_bytes(self) -> None:
        """
        To the byte, status line and headers too, a user whom a directory hides, one who is masked
        and one whom nobody knows are the same, however they are asked for.
        """
        users = {"hidden": HIDDEN, "masked": MOSHEZ._replace(login="masked")}
        directory = Directory(lambda login: succeed(users.get(login)))
        rules = Rules(mask=Mask(["masked"]))
        finger = Finger(TIME, [directory], MemoryStore(time.time), DEFAULTS, rules)
        port = self.web(finger=finger)
        for path, accept, method, line in product(
            ("/{}", "/{}/", "/{}/user.json", "/{}/user.txt", "/{}/feed.atom", ACCOUNT),
            (BROWSER, "application/json", "*/*"),
            ("GET", "HEAD"),
            ("If-None-Match: *", "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT"),
        ):
            said = set()
            for login in ("hidden", "masked", "nobody"):
                first = f"{method} {path.format(login)} HTTP/1.1"
                lines = "Host: example.com", f"Accept: {accept}", line, "Connection: close", "", ""
                data = await self.ask(port, "\r\n".join((first, *lines)).encode("ascii"))
                said.add(re.sub(rb"\r\nDate: [^\r]+", b"", data))
            self.assertEqual(len(said), 1, said)
            self.assertTrue(said.pop().startswith(b"HTTP/1.1 404 Not Found\r\n"))

    async def test_unknownAndHidden(self) -> None:
        """A user who is masked and one whom nobody knows have the same pages, byte for byte."""
        port = self.web(MOSHEZ, SHAWN, rules=Rules(mask=Mask(["moshez"])))
        for path in (
            "/{}",
            "/{}/user.json",
            "/{}/user.txt",
            "/{}/feed.atom",
            ACCOUNT,
        ):
            for accept in (BROWSER, "application/json", "*/*"):
                pages = []
                for login in ("moshez", "nobody", "a%20b", "%00", "%FF", "%2e%2e", "x%40y"):
                    if "%" in login and "webfinger" in path:
                        continue
                    response = await self.get(port, path.format(login), accept)
                    response.headers.pop("Date")
                    pages.append(response)
                self.assertEqual(pages[0].status, 404)
                for page in pages[1:]:
                    self.assertEqual(page, pages[0], path)
        everywhere = [await self.get(port, path) for path in ("/", "/users.json", "/feed.atom")]
        for page in everywhere:
            self.assertEqual(page.status, 200)
            self.assertNotIn("moshez", page.text.replace("/moshez", ""))

    async def test_views(self) -> None:
        """Only the fields that the administrator shows are on any page."""
        port = self.web(MOSHEZ, rules=Rules(parseViews(user="project")))
        for path in ("/moshez", "/moshez/user.json", "/moshez/feed.atom"):
            page = (await self.get(port, path, "text/html, */*;q=0.1")).text
            self.assertNotIn("Happy", page)
            self.assertNotIn("twisted.org", page)

    async def test_replaced(self) -> None:
        """What is replaced is so on every page."""
        rules = Rules(replacements=parseReplacements(["Happy=Sad"]))
        port = self.web(MOSHEZ, rules=rules)
        for path in ("/", "/moshez", "/users.json", "/feed.atom", "/moshez/user.json"):
            for accept in ("text/html", "*/*"):
                page = (await self.get(port, path, accept)).text
                self.assertNotIn("Happy", page)
                self.assertIn("Sad", page)

    async def test_noList(self) -> None:
        """Where there is no list, all its forms say so."""
        port = self.web(MOSHEZ, rules=Rules(listed=False))
        for path in ("/", "/users.json", "/users.txt", "/feed.atom"):
            response = await self.get(port, path)
            self.assertEqual(response.status, 403)
            self.assertIn(texts.LIST_DENIED, response.text)

    async def test_cleaned(self) -> None:
        """Nothing that could drive a terminal is on any page."""
        user = User("moshez", "M\x1b[2J", "Hi\x9b1m\u202e", plan="\x07\x00")
        port = self.web(user)
        for path in ("/", "/moshez", "/moshez/user.json", "/moshez/user.txt"):
            for accept in ("text/html", "*/*"):
                page = (await self.get(port, path, accept)).text
                for bad in "\x1b\x9b\u202e\x07\x00":
                    self.assertNotIn(bad, page)


class ManyTests(WebCase):
    """A list that is as long as one may be."""

    async def test_everyForm(self) -> None:
        """All of 2,000 users are in the list, and it is made once for all who ask at once."""
        users = [User(f"user{n}", f"User {n}", f"Status {n}", 1e9 + n) for n in range(2000)]
        port = self.web(*users, limits=Limits(answerSize=2**22))
        asked = [self.get(port, "/", "text/html") for _ in range(3)]
        pages = [await each for each in [Deferred.fromCoroutine(one) for one in asked]]
        self.assertEqual(pages[0].text.count("<li "), 2000)
        self.assertEqual({page.body for page in pages}, {pages[0].body})
        self.assertEqual(len((await self.get(port, "/users.json")).json["users"]), 2000)
        self.assertEqual((await self.get(port, "/users.txt")).text.count("\r\n"), 2001)
        self.assertEqual((await self.get(port, "/feed.atom")).text.count("<entry>"), 50)
