"""The web door with real clients: browsers, validators, feed readers, scripts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest, TestCase
from urllib.request import Request, urlopen

import pytest

from tests.support.daemon import Daemon, needs, run

pytestmark = pytest.mark.browsers

HERE = Path(__file__).parent
PEOPLE = '''
[moshez]
name = "Moshe Zadka"
status = "Happy and well"
office = "Room 42"
office_phone = "555-0042"
project = "A finger server that people love"
plan = """
To write a finger daemon.

  * https://docs.twisted.org/en/stable/core/howto/tutorial/ from top to bottom
  * then https://www.rfc-editor.org/rfc/rfc1288. <b>Not bold</b> & "quoted"

   /\\\\_/\\\\
  ( o.o )   meow
   > ^ <
"""
public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"
["josé"]
name = "José Ñandú"
status = "Está en la reunión"
[rivka]
name = "רבקה כהן"
status = "שלום לכולם, היום אני בבית!"
plan = "לכתוב ספר, ואז עוד אחד."
[yuki]
name = "山田 雪"
status = "今日は東京にいます。全角文字と絵文字 🎉"
[ada]
name = "Ada Lovelace"
[shawn]
'''


def npm() -> str:
    """Where .ci/run has put the packages of npm that are clients here."""
    folder = os.environ.get("WEB_CLIENTS", "")
    if not folder and not os.environ.get("CI"):
        raise SkipTest("needs WEB_CLIENTS, a folder of node_modules: see .ci/run")
    return folder


class ClientTests(TestCase):
    """One daemon, and all who look at it."""

    daemon: ClassVar[Daemon]
    url: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        needs("node", "java", "chromium", "lynx", "curl", "jing", "newsboat")
        npm()
        folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        cls.folder = folder
        (folder / "people.toml").write_text(PEOPLE, "utf-8")
        cls.daemon = cls.enterClassContext(
            Daemon(
                *("-n", "--pidfile=", "finger", "--set-policy=anyone"),
                *("--listen=tcp:0:interface=127.0.0.1", "--setter=tcp:0:interface=127.0.0.1"),
                *("--web=tcp:0:interface=127.0.0.1", f"--directory=toml:{folder}/people.toml"),
                "--limit=peerQueries=100000",
            )
        )
        found = re.search(r"finger on \S+, (127\.0\.0\.1:\d+)", cls.daemon.startLine)
        assert found is not None
        cls.host = found[1]
        cls.url = f"http://{cls.host}"
        for status in ("Writing notes on the engine", "Reading <b>& writing</b>\\nall day"):
            assert cls.daemon.set("ada", status) == b"OK\r\n"
        assert cls.daemon.set("moshez", "See https://twisted.org/ & be happy") == b"OK\r\n"

    host: ClassVar[str]
    folder: ClassVar[Path]

    def get(self, path: str, accept: str = "text/html") -> str:
        """A page."""
        with urlopen(Request(self.url + path, headers={"Accept": accept})) as response:
            data: bytes = response.read()
        return data.decode("utf-8")

    def node(self, script: str, *arguments: str, stdin: str = "") -> Any:
        """What a script for node prints."""
        done = subprocess.run(
            ["node", str(HERE / script), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "NODE_PATH": f"{npm()}/node_modules"},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def look(self, *pages: dict[str, Any]) -> Any:
        """What Chromium finds at each of these pages: see look.js."""
        return self.node("look.js", stdin=json.dumps(pages))

    def test_chromium(self) -> None:
        """In a browser no page has an error or a barrier, or is wider than its window."""
        shapes: list[dict[str, Any]] = [
            {"width": width, "height": 800, "dark": dark}
            for width in (375, 1280)
            for dark in (False, True)
        ]
        shapes.append({"width": 1280, "height": 800, "zoom": 2})
        asked = [
            {"url": self.url + path, **shape}
            for path in ("/", "/moshez", "/rivka", "/ada")
            for shape in shapes
        ]
        for page, found in zip(asked, self.look(*asked), strict=True):
            self.assertEqual((found["errors"], found["axe"]), ([], []), page)
            self.assertFalse(found["wide"], page)
            self.assertGreater(found["passes"], 10, page)

    def test_vnu(self) -> None:
        """The validator of the W3C finds nothing to say about any page."""
        files = []
        for number, path in enumerate(("/", "/moshez", "/rivka", "/yuki", "/ada", "/shawn")):
            files.append(str(self.folder / f"{number}.html"))
            Path(files[-1]).write_text(self.get(path), "utf-8")
        jar = f"{npm()}/node_modules/vnu-jar/build/dist/vnu.jar"
        done = subprocess.run(
            ["java", "-Xss1m", "-jar", jar, "--format", "json", *files],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = json.loads(done.stderr)["messages"]
        # (That a void element ends in a slash, as XML has it, is information and no more.)
        bad = [each for each in said if each["type"] == "error" or "subType" in each]
        self.assertEqual(bad, [])

    def test_jing(self) -> None:
        """The feeds are what RFC 4287 says that feeds are."""
        for number, path in enumerate(("/feed.atom", "/ada/feed.atom", "/shawn/feed.atom")):
            file = self.folder / f"{number}.atom"
            file.write_text(self.get(path), "utf-8")
            self.assertEqual(run("jing", "-c", str(HERE / "atom.rnc"), str(file)), b"")

    def test_feedparser(self) -> None:
        """feedparser finds every status, in full."""
        import feedparser  # noqa: PLC0415

        feed = feedparser.parse(self.get("/ada/feed.atom").encode("utf-8"))
        self.assertFalse(feed.bozo)
        self.assertEqual(feed.feed.title, "Ada Lovelace")
        said = [entry.content[0].value for entry in feed.entries]
        self.assertEqual(said, ["Reading <b>& writing</b>\nall day", "Writing notes on the engine"])
        self.assertEqual({entry.author for entry in feed.entries}, {"Ada Lovelace"})

    def test_newsboat(self) -> None:
        """newsboat subscribes to a feed, and has two articles to read."""
        (self.folder / "urls").write_text(f"{self.url}/ada/feed.atom\n")
        (self.folder / "config").write_text("")
        boat = [f"-u{self.folder}/urls", f"-c{self.folder}/cache.db", f"-C{self.folder}/config"]
        run("newsboat", *boat, "-x", "reload")
        self.assertIn(b"2 unread", run("newsboat", *boat, "-x", "print-unread"))

    def test_mf2py(self) -> None:
        """A page is somebody's card and their note, to programs that read microformats."""
        import mf2py  # noqa: PLC0415

        found = mf2py.parse(doc=self.get("/moshez"), url=f"{self.url}/moshez")
        (card,) = (item for item in found["items"] if item["type"] == ["h-card"])
        self.assertEqual(card["properties"]["name"], ["Moshe Zadka"])
        self.assertEqual(card["properties"]["url"], [f"{self.url}/moshez"])
        self.assertEqual(card["properties"]["uid"], [f"{self.url}/moshez"])
        (entry,) = card["children"]
        self.assertEqual(entry["type"], ["h-entry"])
        self.assertEqual(entry["properties"]["content"], ["See https://twisted.org/ & be happy"])
        self.assertEqual(entry["properties"]["author"], ["Moshe Zadka"])
        self.assertRegex(entry["properties"]["published"][0], r"^\d{4}-\d\d-\d\dT[0-9:]{8}Z$")
        self.assertEqual(
            {link["type"] for link in found["alternates"]},
            {"application/atom+xml", "application/json", "text/plain"},
        )

    def test_webfinger(self) -> None:
        """webfinger.js, which other servers look people up with, finds the page."""
        found = self.node("find.js", f"ada@{self.host.replace('127.0.0.1', 'localhost')}")
        links = {link["rel"]: link["href"] for link in found["object"]["links"]}
        page = links["http://webfinger.net/rel/profile-page"]
        self.assertTrue(page.endswith("/ada"), page)

    def test_lynx(self) -> None:
        """In Lynx a page is read from top to bottom, plan and all."""
        shown = run("lynx", "-dump", "-nolist", f"{self.url}/moshez").decode("utf-8")
        words = ("Moshe Zadka", "See https://twisted.org/ & be happy", "Room 42", "( o.o )   meow")
        places = [shown.index(word) for word in words]
        self.assertEqual(places, sorted(places))

    def test_curl(self) -> None:
        """curl in a terminal gets what finger would."""
        said = run("curl", "-s", f"{self.url}/moshez")
        self.assertTrue(said.startswith(b"Login: moshez "))
        self.assertIn(b"Status (", said)
        head = run("curl", "-sI", f"{self.url}/moshez")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        both = run("curl", "-s", f"{self.url}/moshez", f"{self.url}/ada", "-w", "%{num_connects}")
        self.assertEqual(both.count(b"Login: "), 2)

    def test_schemathesis(self) -> None:
        """What schemathesis makes of /openapi.json is answered as that says."""
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run"),
                *(f"{self.url}/openapi.json", "--max-examples=15", "--seed=1", "--no-color"),
                *("--exclude-checks=unsupported_method,positive_data_acceptance",),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])

    def test_nothingInTheLog(self) -> None:
        """None of them brings about an error in the daemon's log."""
        self.get("/")
        self.assertNotIn("Traceback", "\n".join(self.daemon.log))
