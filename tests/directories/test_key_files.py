"""A directory of files with public keys, as it changes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fingerd.directories.key_files import KeyFiles
from fingerd.directories.watched import looks
from fingerd.model.errors import CannotStart
from fingerd.model.interfaces import IKeyring, IReloadable
from fingerd.model.limits import DEFAULTS
from tests.support.ports import NoThreads

# In files' time; the clock of the reactor begins with 0.
NOW = 1_000_000_000.0


class KeyFilesTests(SynchronousTestCase):
    """Keys are read at the start, and when a file has changed."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.said: list[str] = []
        self.clock = Clock()
        self.patch(looks, "Threads", NoThreads)

    def write(self, login: str, text: str, age: float = 100.0) -> None:
        """Write a user's file, which was changed so many seconds ago."""
        path = self.folder / login
        path.write_bytes(text.encode("latin-1"))
        then = NOW + self.clock.seconds() - age
        os.utime(path, (then, then))

    def started(self) -> KeyFiles:
        """A directory that is in use."""
        keys = KeyFiles(str(self.folder), self.clock, DEFAULTS, lambda: NOW + self.clock.seconds())

        def observe(event: dict[str, object]) -> None:
            self.said.append(str(event.get("reason", "")))

        self.patch(KeyFiles, "_log", Logger(observer=observe))  # type: ignore[arg-type]
        keys.privilegedStartService()
        keys.startService()
        self.addCleanup(keys.stopService)
        self.said.clear()
        return keys

    def reload(self, keys: KeyFiles) -> None:
        """Look for what has changed, to the end."""
        done = keys.reload()
        self.clock.pump([0.01] * 20)
        self.successResultOf(done)

    def test_interfaces(self) -> None:
        """It is what the service asks for keys, and to look again."""
        keys = self.started()
        self.assertTrue(verifyObject(IKeyring, keys) and verifyObject(IReloadable, keys))

    def test_changes(self) -> None:
        """A file that is new, changed or gone is so at the next look, and not before."""
        self.write("moshez", "one")
        self.write("radix", "r")
        keys = self.started()
        self.assertEqual(keys.keysOf("moshez"), "one")
        self.write("moshez", "two", age=50.0)
        self.write("josé", "j")
        (self.folder / "radix").unlink()
        self.assertEqual((keys.keysOf("moshez"), keys.keysOf("radix")), ("one", "r"))
        self.reload(keys)
        self.assertEqual((keys.keysOf("moshez"), keys.keysOf("radix")), ("two", ""))
        self.assertEqual(keys.keysOf("josé"), "j")
        self.assertEqual(self.said, [])

    def test_names(self) -> None:
        """No name leads out of the directory, and what can't be a login is nobody's."""
        self.write("moshez", "one")
        self.write(".hidden", "h")
        (self.folder / "sub").mkdir()
        (self.folder / "sub" / "inner").write_text("i")
        keys = self.started()
        for name in (
            "",
            ".",
            "..",
            "../moshez",
            ".hidden",
            "sub/inner",
            "sub",
            "moshez/",
            "nobody",
        ):
            self.assertEqual(keys.keysOf(name), "", name)

    def test_beingWritten(self) -> None:
        """A file that has just changed may be being written: it is read a moment later."""
        self.write("moshez", "one")
        keys = self.started()
        self.write("moshez", "tw", age=0.2)
        self.write("radix", "r", age=0.0)
        self.reload(keys)
        self.assertEqual((keys.keysOf("moshez"), keys.keysOf("radix")), ("one", ""))
        self.clock.pump([0.1] * 30)
        self.assertEqual((keys.keysOf("moshez"), keys.keysOf("radix")), ("tw", "r"))

    def test_badFiles(self) -> None:
        """One that is too long, no text or everyone's has no keys, and the log says so once."""
        self.write("moshez", "one")
        keys = self.started()
        self.write("long", "x" * (DEFAULTS.sshKeys + 1))
        self.write("binary", "\xff\xfe")
        self.write("moshez", "two", age=50.0)
        (self.folder / "moshez").chmod(0o666)
        self.reload(keys)
        reasons = ["everyone may write to it", f"longer than {DEFAULTS.sshKeys} bytes", "not UTF-8"]
        self.assertEqual(sorted(self.said), reasons)
        for login in ("moshez", "long", "binary"):
            self.assertEqual(keys.keysOf(login), "")
        self.reload(keys)
        self.assertEqual(len(self.said), 3)

    def test_directoryGone(self) -> None:
        """Where the directory itself can't be read any more, the keys read before stay."""
        self.write("moshez", "one")
        keys = self.started()
        away = self.folder.with_suffix(".away")
        self.folder.rename(away)
        self.addCleanup(lambda: away.rename(self.folder))
        self.reload(keys)
        self.assertEqual(keys.keysOf("moshez"), "one")
        self.assertEqual(len(self.said), 1)

    def test_start(self) -> None:
        """A directory that isn't there, or is everyone's to write to, ends the start."""
        with self.assertRaisesRegex(CannotStart, "No such file"):
            KeyFiles(str(self.folder / "none"), self.clock).privilegedStartService()
        self.folder.chmod(0o777)
        with self.assertRaisesRegex(CannotStart, "everyone may write to it"):
            KeyFiles(str(self.folder), self.clock).privilegedStartService()
