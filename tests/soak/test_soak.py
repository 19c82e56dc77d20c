"""The soak of tests/soak, for a moment: that it works, and that it sees what is wrong."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from tests.soak.figures import Counts, taken
from tests.soak.possible import Possible
from tests.soak.world import World
from tests.support.daemon import PATIENCE, ROOT


@pytest.mark.slow
class SoakTests(SynchronousTestCase):
    """``python -m tests.soak``."""

    def test_soak(self) -> None:
        """A real daemon, for some seconds under everything at once, does nothing wrong."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.soak", "--minutes", "0.2"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn("\nwrong: 0\n", done.stdout)
        for kind in ("list", "setting", "upstream", "SIGHUP", "new users", "upstream endless"):
            self.assertRegex(done.stdout, rf"\n{kind} +[1-9]")


class PossibleTests(SynchronousTestCase):
    """What may be met, as the soak sees it."""

    def test_change(self) -> None:
        """During a change both may be, before it the old and after it the new alone."""
        before = time.monotonic()
        thing = Possible("old")
        start = time.monotonic()
        self.assertEqual(thing.between(before, start), {"old"})
        thing.begin("new")
        during = time.monotonic()
        self.assertEqual(thing.between(start, during), {"old", "new"})
        thing.settle()
        after = time.monotonic() + 1
        self.assertEqual(thing.between(after, after), {"new"})
        self.assertEqual(thing.between(before, after), {"old", "new"})

    def test_wrongAnswers(self) -> None:
        """An answer of another user's, an old one, and one that is cut short are wrong."""
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder))
            now = time.monotonic()
            right = b"user1, version 0\r\n"
            self.assertTrue(world.isRight("user1", right, now, now))
            self.assertFalse(world.isRight("user2", right, now, now))
            for answer in (b"", right[:-2], b"No such user\r\n", b"user1, version 1\r\n"):
                self.assertFalse(world.isRight("user1", answer, now, now), answer)
            world.file.change(1)
            self.assertFalse(world.isRight("user1", right, now + 60, now + 60))
            world.statuses["set1"].change("Away")
            self.assertFalse(world.isRight("set1", b"At home\r\n", now + 60, now + 60))
            self.assertTrue(world.isRight("set1", b"Away\r\n", now + 60, now + 60))
            failed = b"Internal error in server\r\nReference: 0123abcd\r\n"
            self.assertFalse(world.isRight("up1", failed, now, now))
            world.mode.begin("down")
            self.assertTrue(world.isRight("up1", failed, now, now + 60))
            self.assertTrue(world.isRight("up1", b"up1 is up\r\n", now, now + 60))


class FiguresTests(SynchronousTestCase):
    """What the soak counts."""

    def test_taken(self) -> None:
        """It sees a descriptor that is left open."""
        pid = int(Path("/proc/self").readlink().name)
        before = taken(pid)
        with open("/dev/null"):
            self.assertEqual(taken(pid).descriptors, before.descriptors + 1)
        self.assertEqual(taken(pid).descriptors, before.descriptors)
        self.assertGreater(before.memory, 2**20)
        self.assertGreaterEqual(before.threads, 1)

    def test_table(self) -> None:
        """The table has a line for each kind, and what was wrong."""
        counts = Counts()
        for milliseconds in range(1, 101):
            counts.answered("list", milliseconds / 1000)
        counts.others["SIGHUP"] += 1
        counts.wrong.append("all of it")
        table = counts.table().splitlines()
        self.assertEqual(table[1].split(), ["list", "100", "50.0", "99.0", "100.0"])
        self.assertEqual(table[-2:], ["wrong: 1", "all of it"])
