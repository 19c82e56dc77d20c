"""The ways to install it, each in a fresh virtual environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import IS_ROOT, ROOT, Daemon, run

FREE = {"FINGER_PORT": "0", "FINGER_SETTER_PORT": "0"}


def checkout(folder: Path) -> Path:
    """A copy of the files that make up the project."""
    copy = folder / "checkout"
    copy.mkdir()
    for name in ("fingerd", "twisted", "etc"):
        shutil.copytree(
            ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache")
        )
    for name in ("finger.tac", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


class InstallTests(SynchronousTestCase):
    """``twistd finger`` is there, however the project was installed."""

    def test_everyWay(self) -> None:
        """In a bare checkout, from a wheel, and editable: in each it can be run."""
        # Nobody but root enters this folder: what the daemon needs of it once it is another user
        # it must have read before.
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = checkout(folder)
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
            pip = [str(folder / "venv/bin/pip"), "install", "-q"]
            twistd = str(folder / "venv/bin/twistd")
            run(*pip, "twisted>=26.10", "zope.interface>=8", "wcwidth>=0.9.4")
            self.assertNotIn(b"A finger daemon", run(twistd, "--help"))
            self.checkDaemon(twistd, "bare checkout", PYTHONPATH=str(source))
            self.assertTrue((source / "twisted/plugins/dropin.cache").exists())

            run(*pip, "--no-deps", str(source))
            self.checkDaemon(twistd, "installed")
            run(str(folder / "venv/bin/pip"), "uninstall", "-q", "-y", "fingerd")
            self.assertNotIn(b"A finger daemon", run(twistd, "--help"))

            run(*pip, "--no-deps", "-e", str(source))
            self.checkDaemon(twistd, "editable")
            self.checkTac(twistd, source)
            self.checkWheel(folder, source)

    def checkDaemon(self, twistd: str, way: str, **environment: str) -> None:
        """The plugin is found, and what it runs answers."""
        with Daemon(
            "-n",
            "--pidfile=",
            "finger",
            "--listen=tcp:0",
            "--setter=tcp:0",
            command=[twistd],
            environment=environment,
            asRoot=True,
        ) as daemon:
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and very well\r\n", way)
            self.assertEqual(daemon.set("moshez", "Busy"), b"OK\r\n", way)
            self.assertEqual(daemon.ask(b"moshez\n"), b"Busy\r\n", way)

    def checkTac(self, twistd: str, source: Path) -> None:
        """The tac does its work in a folder that its lesser user can't enter, and says so."""
        with Daemon(
            "-noy",
            str(source / "finger.tac"),
            "--pidfile=",
            command=[twistd],
            environment=FREE,
            asRoot=True,
        ) as daemon:
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and very well\r\n")
            self.assertEqual(daemon.set("moshez", "Busy"), b"OK\r\n")
            self.assertEqual(
                daemon.set("moshez", "B\x1b"), b"Not set: a status has no control characters\r\n"
            )
            said = [line for line in daemon.log if "can't be read again" in line]
            self.assertEqual(len(said), 1 if IS_ROOT else 0)
        self.assertNotIn("Traceback", "\n".join(daemon.log))

    def checkWheel(self, folder: Path, source: Path) -> None:
        """The wheel has what is needed, and nothing that would break Twisted."""
        run(
            str(folder / "venv/bin/pip"),
            "wheel",
            "-q",
            "--no-deps",
            "-w",
            name := str(folder),
            str(source),
        )
        [wheel] = Path(name).glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        for wanted in (
            "twisted/plugins/fingerd_plugin.py",
            "fingerd/py.typed",
            "fingerd/users.example",
        ):
            self.assertIn(wanted, names)
        for unwanted in ("dropin.cache", "twisted/__init__.py", "twisted/plugins/__init__.py"):
            self.assertEqual([name for name in names if name.endswith(unwanted)], [])
