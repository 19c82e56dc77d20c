"""The plugin in docs/plugin, which adds a kind of directory, installed and asked."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import PATIENCE, ROOT, TWISTD, Daemon

PLUGIN = ROOT / "docs/plugin"
START = ("-n", "--pidfile=")
# Beside what the README's command says.
QUIET = ("--listen=tcp:0:interface=127.0.0.1", "--no-setter")


class PluginTests(SynchronousTestCase):
    """A third party's ``--directory SCHEME:...``."""

    folder: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.folder.chmod(0o755)
        # Building leaves things behind.
        shutil.copytree(PLUGIN, cls.folder / "source")
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "-q", "--no-deps"),
                *("--disable-pip-version-check", "--root-user-action=ignore"),
                *("--target", cls.folder / "installed", cls.folder / "source"),
            ],
            check=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": f"{self.folder}/installed:{ROOT}"}

    def refusal(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        """What a daemon that doesn't start says."""
        done = subprocess.run(
            [TWISTD, *START, "finger", *arguments, *QUIET],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=self.environment if environment is None else environment,
            cwd=self.folder,
        )
        self.assertEqual(done.returncode, 1)
        return done.stderr

    def test_asked(self) -> None:
        """Installed by its own pyproject, it is named as its README says, and answers."""
        [command] = re.findall(r"^twistd -n finger (.+)$", (PLUGIN / "README.md").read_text(), re.M)
        with Daemon(
            *(*START, "finger", *command.split(), *QUIET),
            cwd=PLUGIN,
            environment=self.environment,
            asRoot=True,
        ) as daemon:
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
        there = "file, toml, passwd, exec, finger, postgresql, sqlite, ldap, ldaps, none"
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
