"""The plugins in docs/plugin, a directory, a store and a door, installed and asked."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from fingerd.daemon import doors
from fingerd.directories import by_url
from tests.support.daemon import PATIENCE, ROOT, TWISTD, Daemon, exchange, run
from tests.support.installing import INSTALL

PLUGIN = ROOT / "docs/plugin"
PAGE = (ROOT / "docs/extending.md").read_text()
START = ("-n", "--pidfile=")
# Beside what the page's command says.
QUIET = ("--listen=tcp:0:interface=127.0.0.1", "--no-setter")

# They share what is installed.
pytestmark = pytest.mark.xdist_group("plugins")


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A folder that the examples are installed in."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        # Building leaves things behind.
        shutil.copytree(PLUGIN, folder / "source")
        run(*INSTALL, "--target", str(folder / "installed"), str(folder / "source"))
        yield folder


class Installed(SynchronousTestCase):
    """With a third party's plugins beside the daemon."""

    folder: Path

    @pytest.fixture(autouse=True)
    def _shared(self, shared: Path) -> None:
        self.folder = shared

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": f"{self.folder}/installed:{ROOT}"}

    def refusal(
        self, *arguments: str, environment: dict[str, str] | None = None, set: bool = False
    ) -> str:
        """
        What a daemon that doesn't start says.

        @param set: whether statuses could be set, did it start.
        """
        quiet = (QUIET[0], "--setter=tcp:0:interface=127.0.0.1") if set else QUIET
        done = subprocess.run(
            [TWISTD, *START, "finger", *arguments, *quiet],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=self.environment if environment is None else environment,
            cwd=self.folder,
        )
        self.assertEqual(done.returncode, 1)
        # Once it starts, it logs.
        return done.stderr or done.stdout

    def documented(self) -> Daemon:
        """The daemon that the page's command runs, its door at a port that is free."""
        [command] = re.findall(r"^twistd -n finger (.+)$", PAGE, re.M)
        door = "json:tcp:0:interface=127.0.0.1"
        return Daemon(
            *(*START, "finger", *command.replace("json:tcp:7980", door).split(), *QUIET),
            cwd=PLUGIN,
            environment=self.environment,
            asRoot=True,
        )


class DirectoryTests(Installed):
    """``--directory SCHEME:...``."""

    def test_asked(self) -> None:
        """Installed by its own pyproject, it is named as the page says, and answers."""
        with self.documented() as daemon:
            self.assertEqual(
                daemon.ask(b"moshez\r\n").decode().splitlines(),
                [
                    f"{'Login: moshez':40}Name: Moshe Zadka",
                    "Office: Room 42, 555-0042",
                    "No Plan.",
                ],
            )
            self.assertEqual(daemon.ask(b"glyph\r\n"), b"No such user\r\n")
            self.assertEqual(
                daemon.ask(b"\r\n").decode().split(),
                ["Login", "Name", "moshez", "Moshe", "Zadka", "radix", "Christopher", "Armstrong"],
            )

    def test_besideOthers(self) -> None:
        """It is asked in its place among the daemon's own directories."""
        users = self.folder / "users"
        users.write_text("moshez:Happy and well\nglyph:Writing\n")
        for first, answer in (("file", b"Happy and well\r\n"), ("phonebook", b"Login: moshez ")):
            urls = [f"file:{users}", f"phonebook:{PLUGIN}/people.csv"]
            urls.sort(key=lambda url: not url.startswith(first))
            with Daemon(
                *(*START, "finger", *[f"--directory={url}" for url in urls], *QUIET),
                environment=self.environment,
                asRoot=True,
            ) as daemon:
                self.assertTrue(daemon.ask(b"moshez\r\n").startswith(answer), first)
                self.assertEqual(daemon.ask(b"glyph\r\n"), b"Writing\r\n")

    def test_itsErrors(self) -> None:
        """What it can't make a directory of ends the start with its reason, in one line."""
        self.assertEqual(
            self.refusal("--directory=phonebook:nowhere.csv"),
            "twistd finger: --directory phonebook:nowhere.csv: "
            "can't read it: No such file or directory\n",
        )
        (self.folder / "names.csv").write_text("login,who\nmoshez,Moshe\n")
        self.assertEqual(
            self.refusal("--directory=phonebook:names.csv"),
            "twistd finger: --directory phonebook:names.csv: it has no column 'name'\n",
        )

    def test_unknown(self) -> None:
        """A kind that there isn't ends the start with a line that names those that there are."""
        there = ", ".join(by_url._MODULES)
        self.assertEqual(
            self.refusal("--directory=xyzzy:x"),
            "twistd finger: --directory xyzzy:x: there is no kind of directory called 'xyzzy'; "
            f"there are {there}, phonebook\n",
        )
        self.assertEqual(
            self.refusal("--directory=phonebook:x", environment={"PYTHONPATH": str(ROOT)}),
            "twistd finger: --directory phonebook:x: there is no kind of directory called "
            f"'phonebook'; there are {there}\n",
        )


class StoreTests(Installed):
    """``--state SCHEME:...``."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # Only who starts the daemon can write in here.
        self.journal = Path(folder.name) / "journal"
        self.users = self.folder / "users"
        self.users.write_text("moshez:Happy and well\nradix:Writing\n")

    def daemon(self) -> Daemon:
        """A daemon with the journal for its store."""
        return Daemon(
            *(
                *START,
                "finger",
                f"--state=journal:{self.journal}",
                f"--directory=file:{self.users}",
            ),
            *("--listen=tcp:0:interface=127.0.0.1", "--setter=tcp:0:interface=127.0.0.1"),
            environment=self.environment,
            asRoot=True,
        )

    def test_kept(self) -> None:
        """What is set is in a store of somebody's own, also when the daemon has ended."""
        with self.daemon() as daemon:
            self.assertEqual(daemon.set("moshez", "At lunch"), b"OK\r\n")
            self.assertEqual(daemon.set("radix", "Gone"), b"OK\r\n")
            self.assertEqual(daemon.set("radix", ""), b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"At lunch\r\n")
        self.assertEqual(len(self.journal.read_text().splitlines()), 3)
        with self.daemon() as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"At lunch\r\n")
            self.assertEqual(daemon.ask(b"radix\r\n"), b"Writing\r\n")
            self.assertIn(b"At lunch", daemon.ask(b"\r\n"))
            self.assertEqual(daemon.set("xyzzy", "Here"), b"No such user\r\n")

    def test_itsErrors(self) -> None:
        """What is no store of its kind ends the start with its reason, in one line, unchanged."""
        self.journal.write_text("moshez:Happy\n")
        said = self.refusal(f"--state=journal:{self.journal}", set=True)
        self.assertIn(f" {self.journal} is no journal of statuses\n", said)
        self.assertNotIn("Traceback", said)
        self.assertEqual(
            self.refusal("--state=journal:x", "--workers=2", set=True),
            "twistd finger: --state journal:x: "
            "with --workers it must be a store that several processes can share\n",
        )
        self.assertEqual(self.journal.read_text(), "moshez:Happy\n")

    def test_unknown(self) -> None:
        """A kind that there isn't ends the start with a line that names those that there are."""
        self.assertEqual(
            self.refusal("--state=xyzzy:x", set=True),
            "twistd finger: --state xyzzy:x: there is no kind of store called 'xyzzy'; "
            "there are postgresql, journal; a directory is written ./xyzzy:x\n",
        )


class DoorTests(Installed):
    """``--door NAME:ENDPOINT``."""

    def door(self, daemon: Daemon) -> int:
        """The port of the door: the start line has it behind the finger port."""
        [_, port] = re.findall(r"127\.0\.0\.1:(\d+)", daemon.startLine.partition(";")[0])
        return int(port)

    def test_asked(self) -> None:
        """A door of somebody's own answers what its PAGE shows, beside the finger port."""
        [shown] = re.findall(r"^\$ echo moshez .+\n((?:.+\n)+)```", PAGE, re.M)
        with self.documented() as daemon:
            self.assertEqual(exchange(self.door(daemon), b"moshez\n").decode(), shown)
            self.assertIn(b"Room 42", daemon.ask(b"moshez\n"))

    def test_whatMayBeShown(self) -> None:
        """It tells what the rules let every door tell, and nothing of a masked user."""
        toml = self.folder / "users.toml"
        toml.write_text('[moshez]\nstatus = "Happy\\u001b"\nhome_phone = "555-0100"\n[radix]\n')
        with Daemon(
            *(*START, "finger", f"--directory=toml:{toml}", "--mask=radix", *QUIET),
            *("--door=json:tcp:0:interface=127.0.0.1", "--query-log=-"),
            environment=self.environment,
            asRoot=True,
        ) as daemon:
            port = self.door(daemon)
            self.assertEqual(
                exchange(port, b"moshez radix\n").decode().splitlines(),
                [
                    '{"outcome": "several", "words": ""}',
                    '{"asked": "moshez"}',
                    '{"outcome": "found", "words": ""}',
                    '{"login": "moshez", "status": "Happy"}',
                    '{"asked": "radix"}',
                    '{"outcome": "unknown", "words": "No such user"}',
                ],
            )
            self.assertEqual(
                exchange(port, b"\n").decode().splitlines(),
                [
                    '{"outcome": "list", "words": "No such user"}',
                    '{"login": "moshez", "status": "Happy"}',
                ],
            )
            daemon.says('"door":"json","query":"moshez radix","outcome":"several"')

    def test_itsErrors(self) -> None:
        """A door at no endpoint, or behind a load balancer, ends the start with one line."""
        self.assertEqual(
            self.refusal("--door=json:tcp:x"),
            "twistd finger: --door json:tcp:x: 'x' is not the number of a port, as in tcp:79\n",
        )
        self.assertEqual(
            self.refusal("--door=json:tcp:0", "--proxy-from=192.0.2.0/24"),
            "twistd finger: --door json:tcp:0: "
            "the door json doesn't know the PROXY protocol (--proxy-from)\n",
        )

    def test_unknown(self) -> None:
        """A door that there isn't ends the start with a line that names those that there are."""
        self.assertEqual(
            self.refusal("--door=gopher:tcp:0"),
            "twistd finger: --door gopher:tcp:0: there is no door called 'gopher'; "
            f"there are {', '.join(doors._MODULES)}, json\n",
        )
