"""docs/tac.md: each of its examples, put into finger.tac and asked."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from fingerd.directories.by_url import fromURL
from fingerd.model.interfaces import IDirectory
from tests.support.daemon import ROOT, Daemon

TAC = (ROOT / "finger.tac").read_text()
PAGE = (ROOT / "docs/tac.md").read_text()
LINE, *BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
SECTIONS = re.findall(r"^## (.+)$", PAGE, re.M)
EXAMPLES = dict(zip(SECTIONS, BLOCKS, strict=True))


class TacPageTests(SynchronousTestCase):
    """The tac as people edit it; only ports and the places of files are others."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # For the state directories of daemons that are not root's.
        self.folder.chmod(0o1777)
        self.users = self.folder / "users"
        self.users.write_text("moshez:Happy and well\nradix:Writing\n")

    def daemon(self, section: str) -> Daemon:
        """The tac with the example in that section."""
        self.assertIn(LINE, TAC)
        edited = self.folder / "edited.tac"
        edited.write_text(
            TAC.replace(LINE, EXAMPLES[section]).replace(
                "os.path.dirname(os.path.abspath(__file__))", repr(str(ROOT))
            )
        )
        return Daemon(
            *("-noy", str(edited), "--pidfile="),
            environment={
                "FINGER_PORT": "0",
                "FINGER_SETTER_PORT": "0",
                "FINGER_USERS": str(self.users),
                "FINGER_STATE": f"{self.folder}/state",
            },
        )

    def test_given(self) -> None:
        """Users given in the tac are there, and what they set outlives the daemon."""
        with self.daemon("Users given right here") as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            self.assertEqual(daemon.ask(b"radix\r\n"), b"No such user\r\n")
            self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
        with self.daemon("Users given right here") as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Writing\r\n")

    def test_otherDirectories(self) -> None:
        """Each URL names a directory."""
        urls = re.findall(r'fromURL\("(.+?)", reactor\)', EXAMPLES["Other directories"])
        self.assertGreater(len(urls), 3)
        for url in urls:
            self.assertTrue(IDirectory.providedBy(fromURL(url, reactor)), url)

    def test_theyAreAsked(self) -> None:
        """Directories given by URL are asked in their order."""
        toml = self.folder / "users.toml"
        toml.write_text('[moshez]\nstatus = "Happy in TOML"\n')
        code = EXAMPLES["Other directories"]
        code = code.replace("/etc/fingerd/users.toml", str(toml))
        EXAMPLES["edited"] = re.sub(r'^.*"(finger|exec):.*\n', "", code, flags=re.M)
        self.addCleanup(EXAMPLES.pop, "edited")
        with self.daemon("edited") as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy in TOML\r\n")
            self.assertEqual(daemon.ask(b"no-such-user\r\n"), b"No such user\r\n")

    def test_own(self) -> None:
        """An object of one's own is asked in its place, and is in the list."""
        with self.daemon("A directory of your own") as daemon:
            self.assertEqual(daemon.ask(b"weather\r\n"), b"Sunny\r\n")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            self.assertIn(b"weather", daemon.ask(b"\r\n"))

    def test_rules(self) -> None:
        """Rules given in the tac are kept to: a masked user is unknown."""
        with self.daemon("Other rules and limits") as daemon:
            self.assertEqual(daemon.ask(b"radix\r\n"), b"No such user\r\n")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
